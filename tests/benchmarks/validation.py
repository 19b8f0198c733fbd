"""How fast telemetry is checked, beside other tools and a bare scan. Each run has its process.

``scan`` is the floor: DuckDB looks at every value of every column, and takes the largest (a count
of values would be answered from the footers). The peers check the same as far as they can say
it: types, nulls, the form of serial numbers, enumerations, the range of values, the key, the
device in the inventory, the number of rows, the end after the start. Ours checks the default
contract, which says more: units and ranges by measure, the grid of intervals, the period of each
file, that no reading is missing.
"""

import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from powerstage.contract import default, loads
from powerstage.producer import synthesise
from powerstage.producer.ahead import write_ahead
from tests.benchmarks.measure import Measured, measure
from tests.environments import DATACONTRACT, python_with

DEVICES = 17_361
INTERVAL_SECONDS = 300
ROUNDS = 3
CACHE = Path(".cache", "environments").absolute()
SCAN_RATIO_GOAL = 3
PEAK_GOAL_BYTES = 250_000_000
GROWTH_GOAL = 1.2
HOUR_GOAL_SECONDS = 1
_PEERS = Path(__file__).parent / "peers"
_SCAN = (
    "import sys, duckdb; connection = duckdb.connect(); connection.execute('SELECT max(COLUMNS(*))"
    " FROM read_parquet(?)', [sys.argv[1] + '/telemetry-*.parquet']).fetchall()"
)
_NO_GRID = "unit and range by measure, grid, period of a file, missing readings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """An export, and how many readings it holds."""

    folder: Path
    readings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another tool: what is installed for it, how it is called, and what it cannot say."""

    package: str
    script: str
    cannot: str


PEERS = {
    "datacontract-cli": Peer(
        package=DATACONTRACT,
        script="datacontract_cli.py",
        cannot=f"types of Parquet, {_NO_GRID}",
    ),
    "Pandera (polars)": Peer(
        package="pandera[polars]==0.35.0",
        script="pandera_polars.py",
        cannot=f"row count and end after start but as code, {_NO_GRID}",
    ),
    "Pointblank (polars)": Peer(
        package="pointblank[pl]==1.1.1", script="pointblank_polars.py", cannot=_NO_GRID
    ),
    "Soda (DuckDB)": Peer(
        package="soda-duckdb==4.28.0",
        script="soda_views.py",
        cannot=f"files but through a database of views, {_NO_GRID}",
    ),
}


def table(*, smoke: bool) -> Iterator[str]:
    """The lines of the report; what missed its goal ends the program with exit code 1."""
    devices, rounds = (200, 1) if smoke else (DEVICES, ROUNDS)
    with tempfile.TemporaryDirectory(prefix="powerstage-validation-") as folder:
        days, day, hour = write_data(Path(folder), devices)
        pythons = {name: python_with(CACHE, peer.package) for name, peer in PEERS.items()}
        commands = {"scan": scan(day), "ours": ours(day)} | {
            name: called(pythons[name], peer, day) for name, peer in PEERS.items()
        }
        runs: dict[str, list[Measured]] = {name: [] for name in commands}
        others: dict[str, list[Measured]] = {"days": [], "hour": []}
        for _ in range(rounds):
            for name, command in commands.items():
                runs[name].append(passing(command))
            others["days"].append(passing(ours(days)))
            others["hour"].append(passing(ours(hour)))
    yield f"{day.readings:,} readings in 24 files; medians of {rounds} rounds, each process cold.\n"
    yield from _rows(runs)
    missed = list(_missed(runs))
    for lines, goal_missed in (_growth(runs["ours"], others["days"]), _hour(others["hour"])):
        yield lines
        missed += goal_missed
    if missed and not smoke:
        sys.exit("missed: " + "; ".join(missed))


def write_data(folder: Path, devices: int) -> tuple[Data, Data, Data]:
    """Clean readings of three days, of the first of them, and of one hour, as exports."""
    text = default().text.replace("intervalSeconds: 3600", f"intervalSeconds: {INTERVAL_SECONDS}")
    start = datetime(2026, 11, 2, tzinfo=UTC)
    contract = loads(text, "bench")
    # One inventory for all days.
    source = synthesise(contract, devices=devices, start=start, days=3, frozen=True)
    made = [folder / name for name in ("days", "day", "hour")]
    readings = dict.fromkeys(made, 0)
    for place in made:
        place.mkdir()
        (place / "contract.odcs.yaml").write_text(text, "utf-8")
        source.write_inventory(start, place / "inventory.parquet")
    days, day, hour = made
    for period, path, rows in write_ahead(source, source.periods(), folder):
        name = f"telemetry-{period:%Y-%m-%dT%H}.parquet"
        path.rename(days / name)
        readings[days] += rows
        for place, wanted in ((day, period.date() == start.date()), (hour, period.hour == 9)):
            if wanted and (place == day or not readings[hour]):
                (place / name).hardlink_to(days / name)
                readings[place] += rows
    return (
        Data(folder=days, readings=readings[days]),
        Data(folder=day, readings=readings[day]),
        Data(folder=hour, readings=readings[hour]),
    )


def scan(data: Data) -> list[str | Path]:
    """The floor."""
    return [sys.executable, "-c", _SCAN, data.folder]


def ours(data: Data) -> list[str | Path]:
    """The data unit tests, by our command line."""
    return [sys.executable, "-m", "powerstage", "validate", data.folder, "--json"]


def called(python: Path, peer: Peer, data: Data) -> list[str | Path]:
    """A peer on some data."""
    return [python, _PEERS / peer.script, data.folder, str(data.readings)]


def passing(command: Sequence[str | Path]) -> Measured:
    """What a command takes that finds nothing wrong with clean data.

    Raises:
        RuntimeError: it found something, or did not run.
    """
    measured = measure(command)
    if measured.code:
        raise RuntimeError(f"{command} ended with {measured.code}:\n{measured.output[-2000:]}")
    return measured


def _rows(runs: dict[str, list[Measured]]) -> Iterator[str]:
    yield (
        "| tool | wall s (least to most) | of the scan | CPU s | of the scan | peak MB, one process"
        " | peak MB, all | cannot say |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    floor = runs["scan"]
    for name, found in runs.items():
        walls = [run.wall_seconds for run in found]
        cannot = PEERS[name].cannot if name in PEERS else ""
        yield (
            f"| {name} | {_wall(found):.2f} ({min(walls):.2f} to {max(walls):.2f})"
            f" | {_wall(found) / _wall(floor):.1f} x | {_cpu(found):.2f}"
            f" | {_cpu(found) / _cpu(floor):.1f} x | {_peak(found) / 1e6:.0f}"
            f" | {_sum(found) / 1e6:.0f} | {cannot} |"
        )


def _missed(runs: dict[str, list[Measured]]) -> Iterator[str]:
    mine = runs["ours"]
    if _wall(mine) > SCAN_RATIO_GOAL * _wall(runs["scan"]):
        yield f"ours takes more than {SCAN_RATIO_GOAL} x the scan"
    if _sum(mine) > PEAK_GOAL_BYTES:
        yield f"ours takes more than {PEAK_GOAL_BYTES / 1e6:.0f} MB"
    for name in PEERS:
        if _wall(runs[name]) < _wall(mine):
            yield f"{name} is faster"
        if _sum(runs[name]) < _sum(mine):
            yield f"{name} is smaller"


def _growth(day: list[Measured], days: list[Measured]) -> tuple[str, list[str]]:
    growth = _sum(days) / _sum(day)
    line = (
        f"\nOurs on three times the readings: {_wall(days):.2f} s, {_cpu(days):.2f} s of CPU,"
        f" {_sum(days) / 1e6:.0f} MB, {growth:.2f} x the memory (goal: {GROWTH_GOAL} x)."
    )
    return line, ["memory grows with the readings"] if growth > GROWTH_GOAL else []


def _hour(hour: list[Measured]) -> tuple[str, list[str]]:
    line = (
        f"\nOurs on one hourly file, process start included: {_wall(hour):.2f} s,"
        f" {_cpu(hour):.2f} s of CPU (goal: {HOUR_GOAL_SECONDS} s)."
    )
    return line, ["one file takes too long"] if _wall(hour) > HOUR_GOAL_SECONDS else []


def _wall(found: list[Measured]) -> float:
    return statistics.median(run.wall_seconds for run in found)


def _cpu(found: list[Measured]) -> float:
    return statistics.median(run.cpu_seconds for run in found)


def _peak(found: list[Measured]) -> float:
    return statistics.median(run.peak_bytes for run in found)


def _sum(found: list[Measured]) -> float:
    return statistics.median(run.sum_bytes for run in found)
