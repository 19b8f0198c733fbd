"""The coefficients of ``powerstage plan`` measured anew, and what they tell held to what is taken.

Each is fitted to what the commands took at the sizes of ``FITTED``: least squares of relative
errors, none below zero. ``TOLD`` are other sizes, which the fit has not seen. A full run writes
the coefficients into the package.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final, Literal

import numpy as np

from powerstage.cli.common import now
from powerstage.contract import load
from powerstage.contract.load import default_text
from powerstage.plan import Amounts, Coefficient, Measurement, amounts_of
from tests.benchmarks.machine import machine, versions
from tests.benchmarks.moving import store_of
from tests.benchmarks.report import Cell, Judged, Table
from tests.benchmarks.s3_server import s3_server
from tests.benchmarks.whole import Commands, Fleet
from tests.conftest import ROOT

ROUNDS: Final = 3
ERROR_GOAL_PERCENT: Final = 25
CPU: Final = ("producer CPU", "consumer CPU")
# What each rests on.
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "inventory": ("inventory file", "device of an inventory"),
    "telemetry": ("telemetry file", "device of a file", "reading"),
    "commits": ("commit", "file"),
    "receipts": ("receipt",),
    "producer CPU": ("run", "file", "device and hour", "reading"),
    "consumer CPU": ("run", "file", "device and hour", "reading", "reading in findings"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A fleet over some days, and how often it is read and delivered."""

    fleet: Fleet
    reading_seconds: int = 3600
    delivery_hours: int = 1

    def __str__(self) -> str:
        return (
            f"{self.fleet}, each {self.reading_seconds} s, delivered each {self.delivery_hours} h"
        )

    def contract(self, folder: Path) -> Path:
        """The default contract but for its intervals, as a file."""
        path = folder / f"{self.reading_seconds}-{self.delivery_hours}.odcs.yaml"
        text = default_text()
        for default, ours in (
            ("intervalSeconds: 3600", f"intervalSeconds: {self.reading_seconds}"),
            ("value: 1\n    unit: h", f"value: {self.delivery_hours}\n    unit: h"),
        ):
            assert default in text
            text = text.replace(default, ours)
        path.write_text(text, "utf-8")
        return path


FITTED: Final = (
    Size(fleet=Fleet(devices=40)),
    Size(fleet=Fleet(devices=40, days=10)),
    Size(fleet=Fleet(devices=20_000)),
    Size(fleet=Fleet(devices=2_000, days=3), reading_seconds=300),
    Size(fleet=Fleet(devices=10_000), reading_seconds=300),
    Size(fleet=Fleet(devices=10_000), reading_seconds=300, delivery_hours=24),
)
TOLD: Final = (
    Size(fleet=Fleet(devices=400, days=7)),
    Size(fleet=Fleet(devices=4_000, days=2), reading_seconds=300),
    Size(fleet=Fleet(devices=50_000)),
)
SMOKE: Final = (Size(fleet=Fleet(devices=2)),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What an exchange of some size took: seconds of CPU, bytes in the feed."""

    size: Size
    amounts: Amounts
    taken: Mapping[str, float]


def tables(smoke: bool) -> Iterator[Table]:
    """The coefficients, and what they tell of other sizes."""
    fitted, told, rounds = (SMOKE, SMOKE, 1) if smoke else (FITTED, TOLD, ROUNDS)
    with tempfile.TemporaryDirectory(prefix="powerstage-plan-") as folder, s3_server("moto"):
        store_of("")
        found = [
            _measure(size, f"size-{number}", Path(folder), rounds)
            for number, size in enumerate((*fitted, *told))
        ]
    measurement = Measurement(
        coefficients=tuple(one for of in PARTS for one in _fit(of, found[: len(fitted)])),
        date=f"{now():%Y-%m-%d}",
        machine=machine(),
        versions={name: versions()[name] for name in ("Python", "powerstage", "duckdb", "boto3")},
    )
    if not smoke:
        text = json.dumps(asdict(measurement), indent=1)
        (ROOT / "powerstage" / "plan.json").write_text(text + "\n", "utf-8")
    yield Table(
        name="plan",
        words=(
            "What was told of sizes that no coefficient was fitted to, and what was taken: CPU of"
            f" the commands alone, median of {rounds} rounds, and bytes in the feed."
        ),
        columns=("size", "what", "told", "taken", "error %"),
        rows=tuple(_row(of, one, measurement) for one in found[len(fitted) :] for of in PARTS),
    )


def _row(of: str, found: Found, measurement: Measurement) -> tuple[Cell, ...]:
    told, taken = measurement.total(of, found.amounts), found.taken[of]
    error = Judged(measured=abs(told / taken - 1) * 100, goal=ERROR_GOAL_PERCENT)
    return str(found.size), f"{of}, {'s' if of in CPU else 'bytes'}", told, taken, error


def _measure(size: Size, name: str, folder: Path, rounds: int) -> Found:
    contract = size.contract(folder)
    commands = Commands(contract=contract, folder=folder)
    feeds = [f"{name}-{number}" for number in range(rounds)]
    producer = [commands.synth(feed, size.fleet).client.cpu_seconds for feed in feeds]
    consumer = [commands.consume(feed).client.cpu_seconds for feed in feeds]
    return Found(
        size=size,
        amounts=amounts_of(load(contract), size.fleet.devices, size.fleet.days),
        taken=_stored(feeds[0]) | dict(zip(CPU, (median(producer), median(consumer)), strict=True)),
    )


def _stored(feed: str) -> dict[str, float]:
    """The bytes of each kind of object."""
    store = store_of(feed)
    prefixes = {
        "inventory": "data/inventory/",
        "telemetry": "data/telemetry/",
        "commits": "commits/",
        "receipts": "receipts/",
    }
    return {
        kind: sum(info.size_bytes for info in store.list(prefix))
        for kind, prefix in prefixes.items()
    }


def _fit(of: str, found: Sequence[Found]) -> Iterator[Coefficient]:
    parts = list(PARTS[of])
    taken = np.array([[one.taken[of]] for one in found])
    while True:
        amounts = np.array([[one.amounts[part] for part in parts] for one in found])
        # Of relative errors: each size weighs the same.
        values = np.linalg.lstsq(amounts / taken, np.ones(len(found)), rcond=None)[0]
        least = int(values.argmin())
        if values[least] >= 0:
            break
        # Nothing gives back what it takes: it takes nothing.
        del parts[least]
    for part, value in zip(parts, values, strict=True):
        unit: Literal["s", "bytes"] = "s" if of in CPU else "bytes"
        yield Coefficient(of=of, per=part, value=float(f"{value:.3g}"), unit=unit)
