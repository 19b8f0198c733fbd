"""How fast telemetry is checked, beside other tools and a bare scan. Each run has its process.

``scan`` is the floor: DuckDB looks at every value of every column, and takes the largest (a count
of values would be answered from the footers). The peers check the same as far as they can say
it: types, nulls, the form of serial numbers, enumerations, the range of values, the key, the
device in the inventory, the number of rows, the end after the start. Ours checks the default
contract, which says more: units and ranges by measure, the grid of intervals, the period of each
file, that no reading is missing.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from powerstage.contract import loads
from powerstage.producer import synthesise
from powerstage.producer.ahead import write_ahead
from tests.benchmarks.measure import TAKEN, Measured, passing, taken
from tests.benchmarks.report import Cell, Judged, Table
from tests.benchmarks.synthesis import contract_text
from tests.environments import CACHE, DATACONTRACT, python_with

DEVICES = 17_361
ROUNDS = 3
SCAN_RATIO_GOAL = 3
PEAK_GOAL_MB = 250
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


def tables(smoke: bool) -> Iterator[Table]:
    """The tools beside each other, what they cannot say, and ours on more and on less."""
    devices, rounds = (200, 1) if smoke else (DEVICES, ROUNDS)
    with tempfile.TemporaryDirectory(prefix="powerstage-validation-") as folder:
        days, day, hour = write_data(Path(folder), devices)
        pythons = {name: python_with(CACHE, peer.package) for name, peer in PEERS.items()}
        commands = {"scan": scan(day), "ours": ours(day)} | {
            name: called(pythons[name], peer, day) for name, peer in PEERS.items()
        }
        runs: dict[str, list[Measured]] = {name: [] for name in commands}
        of_days, of_hour = [], []
        for _ in range(rounds):
            for name, command in commands.items():
                runs[name].append(passing(command))
            of_days.append(passing(ours(days)))
            of_hour.append(passing(ours(hour)))
    yield Table(
        name="one day",
        words=f"{day.readings:,} readings in 24 files; medians of {rounds} rounds, each cold.",
        columns=("tool", *TAKEN, "our wall beside its", "our peak beside its"),
        rows=tuple(_row(name, runs) for name in runs),
    )
    yield Table(
        name="tools",
        words="What the tools cannot say of the contract.",
        columns=("tool", "cannot say"),
        rows=tuple((name, peer.cannot) for name, peer in PEERS.items()),
    )
    yield _more_and_less(runs["ours"], of_days, of_hour)


def write_data(folder: Path, devices: int) -> tuple[Data, Data, Data]:
    """Clean readings of three days, of the first of them, and of one hour, as exports."""
    text = contract_text()
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


def _row(name: str, runs: Mapping[str, Sequence[Measured]]) -> tuple[Cell, ...]:
    wall, cpu, peak = taken(runs[name])
    if name == "ours":
        return name, wall, cpu, Judged(measured=peak, goal=PEAK_GOAL_MB), "", ""
    my_wall, _, my_peak = taken(runs["ours"])
    slower = my_wall.median / wall.median
    larger = my_peak.median / peak.median
    if name == "scan":
        return name, wall, cpu, peak, Judged(measured=slower, goal=SCAN_RATIO_GOAL), larger
    beside = (Judged(measured=ratio, goal=1) for ratio in (slower, larger))
    return name, wall, cpu, peak, *beside


def _more_and_less(
    day: Sequence[Measured], days: Sequence[Measured], hour: Sequence[Measured]
) -> Table:
    wall, cpu, peak = taken(days)
    growth = peak.median / taken(day)[2].median
    hour_wall, hour_cpu, hour_peak = taken(hour)
    return Table(
        name="other amounts",
        words="Ours on other amounts, process start included.",
        columns=("files", *TAKEN, "memory beside one day"),
        rows=(
            ("three days", wall, cpu, peak, Judged(measured=growth, goal=GROWTH_GOAL)),
            (
                "one hour",
                Judged(measured=hour_wall, goal=HOUR_GOAL_SECONDS),
                hour_cpu,
                hour_peak,
                hour_peak.median / taken(day)[2].median,
            ),
        ),
    )
