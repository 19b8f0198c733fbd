"""What tests share: a real S3 server over HTTP, exports in the upstream form, real processes."""

import csv
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis
import pytest

from powerstage.contract import Contract, default
from powerstage.contract.load import default_text
from powerstage.producer import MockSource, synthesise
from powerstage.sim import EmbeddedS3, blind_to_aws

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
START = datetime(2026, 11, 2, tzinfo=UTC)
ROOT = Path(__file__).parents[1]

# No test of ours is about time.
hypothesis.settings.register_profile("powerstage", deadline=None)
hypothesis.settings.load_profile("powerstage")

Run = Callable[..., subprocess.CompletedProcess[str]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the tests that can go on for long do."""
    parser.addoption(
        "--kills",
        type=int,
        default=12,
        metavar="N",
        help="How often tests/test_kill.py kills a process on LocalStack.",
    )
    parser.addoption(
        "--seeds",
        type=int,
        default=200,
        metavar="N",
        help="Of how many seeds tests/producer/test_synth.py makes data that must pass.",
    )


def clock() -> datetime:
    """A clock that stands still."""
    return NOW


@pytest.fixture(scope="session", autouse=True)
def _hears_interrupts() -> None:
    """A shell makes what it puts into the background, and all its children, deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def contract() -> Contract:
    """The default contract."""
    return default()


@pytest.fixture(scope="session")
def three_hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default contract in a file, but that a delivery covers 3 hours: few are soon judged."""
    path = tmp_path_factory.mktemp("contract") / "contract.odcs.yaml"
    hourly, text = "value: 1\n    unit: h", default_text()
    assert hourly in text
    path.write_text(text.replace(hourly, "value: 3\n    unit: h"), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedS3]:
    """One S3 server for all tests; moto's buckets belong to the process anyway."""
    with EmbeddedS3() as server:
        yield server


_numbers = itertools.count(1)


@pytest.fixture
def feed_url(server: EmbeddedS3) -> Iterator[str]:
    """A feed in an empty bucket, with this process's AWS settings pointing at its server."""
    bucket = f"test-{next(_numbers)}"
    server.create_bucket(bucket)
    with blind_to_aws(server.environment()):
        yield f"s3://{bucket}/feed"


@pytest.fixture
def source(contract: Contract) -> MockSource:
    """Mock data of 6 devices over a day: 24 periods of 12 readings."""
    return synthesise(contract, devices=6, start=START, days=1, seed=7)


@pytest.fixture
def powerstage() -> Run:
    """Run the command line in a process of its own, away from the user's settings."""

    def run(
        *arguments: str | Path, cwd: Path = ROOT, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        bare = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "GITHUB_"))
        } | {"AWS_CONFIG_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}
        return subprocess.run(
            [sys.executable, "-m", "powerstage", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=cwd,
            env=bare | {"PYTHONPATH": str(ROOT)} | environment,
        )

    return run


FRONT_MATTER = """\
---
glcp_customer_id: 2e6256c0542e11eda7f1b658e46295f1
devices: inventory.csv
data: data-*-*-*.csv
update: 1 hr
---

# Description

Two racks in "North Dakota": not real.
"""

DEVICES = [
    ("8899000001", "HPE DL325 Gen10 8SFF CTO Server", "P04654-B21", "ND-01"),
    ("8899000002", "HPE DX380 Gen10 8SFF CTO Svr", "P17640-B21", "DE-1"),
    ("8899000003", "HPE DL325 Gen10+ 24SFF CTO Svr", "P15535-B21", "WA-01"),
]
COLUMNS = [
    "sn",
    "model",
    "product_id",
    "location",
    "start_time",
    "end_time",
    "source",
    "type",
    "unit",
    "value",
]
MEASURES = [("server cpu utilization", "%", 12.5), ("server power", "W", 180.25)]

Row = dict[str, str]


def export_rows(day: datetime, hours: int) -> list[Row]:
    """Readings as the upstream generator lays them out, written by no code of ours."""
    rows = []
    for hour, device in itertools.product(range(hours), DEVICES):
        start = day + timedelta(hours=hour)
        times = [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (start, start + timedelta(hours=1))]
        for number, (measure, unit, value) in enumerate(MEASURES):
            reading = value + hour + number
            values = [*device, *times, "iLo", measure, unit, repr(reading)]
            rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def write_csv(path: Path, rows: list[Row], columns: list[str] | None = None) -> None:
    """A CSV in the upstream form: a bare header, quoted fields."""
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(",".join(columns or COLUMNS) + "\n")
        writer = csv.DictWriter(
            file, columns or COLUMNS, quoting=csv.QUOTE_ALL, lineterminator="\n"
        )
        writer.writerows(rows)


def write_upstream_export(folder: Path, hours: int) -> Path:
    """An export in the upstream form: 3 devices, one CSV of so many hours, 6 readings each."""
    folder.mkdir()
    (folder / "README.md").write_text(FRONT_MATTER, encoding="utf-8")
    lines = ["sn,model,product_id,location", *(",".join(device) for device in DEVICES)]
    (folder / "inventory.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = export_rows(datetime(2026, 11, 1, tzinfo=UTC), hours)
    write_csv(folder / "data-2026-11-01.csv", rows)
    return folder


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An export in the upstream form: 3 devices, 4 hours, 24 readings in one CSV."""
    return write_upstream_export(tmp_path / "export", 4)
