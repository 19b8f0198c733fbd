"""Where the CPU of the whole way goes: each command once, with clocks in it (``profiled``)."""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.benchmarks import profiled
from tests.benchmarks.measure import cpu_seconds_below, passing
from tests.benchmarks.moving import BUCKET, store_of
from tests.benchmarks.report import Table
from tests.benchmarks.s3_server import s3_server
from tests.benchmarks.synthesis import INTERVAL_SECONDS, contract_text
from tests.benchmarks.whole import FLEET, SMOKE

REST: Final = "the rest: start, imports, threads"


def tables(smoke: bool) -> Iterator[Table]:
    """One table: by command and work, CPU seconds and their share of all."""
    fleet = SMOKE if smoke else FLEET
    rows: list[tuple[str, str, float]] = []
    with tempfile.TemporaryDirectory(prefix="powerstage-profile-") as name, s3_server("moto"):
        folder = Path(name)
        contract, lake = folder / "contract.odcs.yaml", folder / "lake"
        contract.write_text(contract_text(), "utf-8")
        store_of("")
        feed = f"s3://{BUCKET}/feed"
        size = ("--devices", str(fleet.devices), "--days", str(fleet.days))
        for words in (
            ("synth", feed, "--contract", str(contract), *size),
            ("consume", feed, "--into", str(lake)),
            ("report", str(lake), "--out", str(folder / "report.html")),
        ):
            rows += _rows(words, folder / "profile.json")
    whole = sum(seconds for _, _, seconds in rows)
    yield Table(
        name="CPU of the whole way",
        words=(
            f"{fleet}, readings of {INTERVAL_SECONDS} s: {fleet.readings / 1e6:.3g} million, on"
            f" moto; {whole:.3g} CPU s in all. What took less than a hundredth is in the rest."
        ),
        columns=("command", "work", "CPU s", "% of all"),
        rows=tuple((*row, 100 * row[2] / whole) for row in rows),
    )


def _rows(words: tuple[str, ...], path: Path) -> list[tuple[str, str, float]]:
    before = cpu_seconds_below()
    command = [sys.executable, "-m", profiled.__name__, *words]
    measured = passing(command, environment={profiled.TO: str(path)})
    server = cpu_seconds_below() - before
    found: dict[str, float] = json.loads(path.read_text("utf-8"))
    known = {work: seconds for work, seconds in found.items() if seconds >= 0.01}
    rest = measured.cpu_seconds - sum(known.values())
    ordered = sorted(known.items(), key=lambda item: -item[1])
    return [(words[0], work, cpu) for work, cpu in [*ordered, (REST, rest), ("the server", server)]]
