"""The whole way by the commands that a user runs: ``synth``, ``consume`` and ``report``.

The S3 server has a process of its own: its CPU counts, since it shares the processors. If nothing
ever waited, all commands together would take their CPU divided by the cores.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from powerstage.engine import processors
from powerstage.producer.ahead import write_ahead
from tests.benchmarks import moving_ours, synthesis
from tests.benchmarks.measure import TAKEN, Measured, cpu_seconds_below, passing, taken
from tests.benchmarks.moving import BUCKET, empty, store_of
from tests.benchmarks.report import Cell, Judged, Spread, Table
from tests.benchmarks.s3_server import s3_server
from tests.benchmarks.synthesis import INTERVAL_SECONDS, contract_text, source
from tests.environments import UnreachableError

ROUNDS: Final = 3
RATIO_GOAL: Final = 1.15
PEAK_GOAL_MB: Final = 1024**3 / 1e6
GROWTH_GOAL: Final = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command, and the CPU that the server had of it meanwhile."""

    client: Measured
    server_cpu_seconds: float

    @property
    def least_seconds(self) -> float:
        """What it would take if no processor ever waited."""
        return (self.client.cpu_seconds + self.server_cpu_seconds) / processors()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Of how many devices, over how many days, a feed is."""

    devices: int
    days: int = 1

    def __str__(self) -> str:
        return f"{self.devices:,} devices, {self.days} d"

    @property
    def readings(self) -> int:
        """Two measures, each interval."""
        return self.devices * self.days * 2 * 86_400 // INTERVAL_SECONDS


FLEET: Final = Fleet(devices=20_000)
# The same fleet, longer and longer.
LENGTHS: Final = tuple(Fleet(devices=2_000, days=days) for days in (1, 7, 28))
# From a hundred thousand readings to a hundred million.
AMOUNTS: Final = (
    Fleet(devices=174),
    Fleet(devices=1_736),
    Fleet(devices=17_361),
    Fleet(devices=17_361, days=10),
)
SMOKE: Final = Fleet(devices=20)


def tables(smoke: bool) -> Iterator[Table]:
    """The way on each server; between them, feeds of other lengths and sizes."""
    fleet, rounds = (SMOKE, 1) if smoke else (FLEET, ROUNDS)
    with tempfile.TemporaryDirectory(prefix="powerstage-whole-") as temporary:
        folder = Path(temporary)
        contract = folder / "contract.odcs.yaml"
        contract.write_text(contract_text(), "utf-8")
        commands = Commands(contract=contract, folder=folder)
        with s3_server("moto"):
            yield _whole_way(commands, "moto", fleet, rounds)
            yield _sizes(commands, [SMOKE] if smoke else LENGTHS, [] if smoke else AMOUNTS)
        if smoke:
            return
        try:
            with s3_server("LocalStack"):
                yield _whole_way(commands, "LocalStack", fleet, rounds)
        except UnreachableError as error:
            print(f"left out: LocalStack: {error}", file=sys.stderr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """The commands of a user, with their feeds in the bucket and their lakes in a folder."""

    contract: Path
    folder: Path

    def synth(self, feed: str, fleet: Fleet) -> Step:
        """Make and publish mock data."""
        amount = ["--devices", str(fleet.devices), "--days", str(fleet.days)]
        return _step("powerstage", "synth", _url(feed), "--contract", self.contract, *amount)

    def consume(self, feed: str) -> Step:
        """Take in all of them."""
        return _step("powerstage", "consume", _url(feed), "--into", self.folder / feed)

    def report(self, feed: str) -> Step:
        """Write the page of what was accepted."""
        page = self.folder / f"{feed}.html"
        return _step("powerstage", "report", self.folder / feed, "--out", page)


def _whole_way(commands: Commands, server: str, fleet: Fleet, rounds: int) -> Table:
    steps: dict[str, list[Step]] = {}
    bucket = store_of("")
    files = _prepared(commands.folder / f"prepared-{server}", fleet)
    for number in range(rounds):
        for name, step in _round(commands, f"{server.lower()}-{number}", fleet, files).items():
            steps.setdefault(name, []).append(step)
        empty(bucket, "feed/")
    way = [steps[name] for name in ("synth", "consume", "report")]
    alone = [steps[name] for name in ("make readings alone", "publish files alone")] + way[1:]
    walls = [_wall(found).median for found in alone]
    return Table(
        name=server,
        words=(
            f"{fleet}, readings of {INTERVAL_SECONDS} s:"
            f" {fleet.readings / 1e6:.3g} million; medians of {rounds} rounds."
        ),
        columns=("step", *TAKEN, "server CPU s", "wall beside all CPU / cores"),
        rows=(
            *(_row(name, steps[name]) for name in ("synth", "consume", "report")),
            _all_row(list(zip(*way, strict=True))),
            *(_row(name, steps[name]) for name in list(steps)[3:]),
            ("all stages alone, sum", sum(walls), "", "", "", ""),
            ("the longest of them", max(walls), "", "", "", ""),
        ),
    )


def _round(commands: Commands, feed: str, fleet: Fleet, files: Path) -> dict[str, Step]:
    amount = (str(fleet.devices), str(fleet.days))
    return {
        "synth": commands.synth(feed, fleet),
        "consume": commands.consume(feed),
        "report": commands.report(feed),
        "make readings alone": _step(synthesis.__name__, "ours", *amount),
        "publish files alone": _step(moving_ours.__name__, "publish", files),
    }


def _row(name: str, steps: Sequence[Step]) -> tuple[Cell, ...]:
    server = Spread.of(step.server_cpu_seconds for step in steps)
    ratio = Spread.of(step.client.wall_seconds / step.least_seconds for step in steps)
    return name, *taken([step.client for step in steps]), server, ratio


def _all_row(rounds: Sequence[Sequence[Step]]) -> tuple[Cell, ...]:
    walls = [sum(step.client.wall_seconds for step in steps) for steps in rounds]
    least = [sum(step.least_seconds for step in steps) for steps in rounds]
    peak = Spread.of(max(step.client.sum_bytes for step in steps) / 1e6 for steps in rounds)
    ratio = Spread.of(wall / bound for wall, bound in zip(walls, least, strict=True))
    return (
        "the whole way",
        Spread.of(walls),
        Spread.of(sum(step.client.cpu_seconds for step in steps) for steps in rounds),
        Judged(measured=peak, goal=PEAK_GOAL_MB),
        Spread.of(sum(step.server_cpu_seconds for step in steps) for steps in rounds),
        Judged(measured=ratio, goal=RATIO_GOAL),
    )


def _sizes(commands: Commands, lengths: Sequence[Fleet], amounts: Sequence[Fleet]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    shortest: list[float] = []
    for fleet in (*lengths, *amounts):
        feed = f"devices-{fleet.devices}-{fleet.days}"
        clients = [commands.synth(feed, fleet).client, commands.consume(feed).client]
        peaks = [client.sum_bytes / 1e6 for client in clients]
        shortest = shortest or peaks
        judged = (
            Judged(measured=peak, goal=GROWTH_GOAL * least)
            for peak, least in zip(peaks, shortest, strict=True)
        )
        rows.append(
            (
                str(fleet),
                fleet.readings / 1e6,
                *(fleet.readings / client.cpu_seconds / 1e6 for client in clients),
                *(client.wall_seconds for client in clients),
                *(judged if fleet in lengths else peaks),
            )
        )
    return Table(
        name="sizes",
        words=(
            "Feeds of other lengths and sizes, on moto; one run, the commands' own CPU. A longer"
            f" feed may take {GROWTH_GOAL} times the memory of a short one."
        ),
        columns=(
            "feed",
            "million readings",
            "synth: million readings/CPU s",
            "consume: million readings/CPU s",
            "synth: wall s",
            "consume: wall s",
            "synth: peak MB",
            "consume: peak MB",
        ),
        rows=tuple(rows),
    )


def _prepared(folder: Path, fleet: Fleet) -> Path:
    """Readings as files, each named by its period."""
    folder.mkdir()
    made = source(fleet.devices, fleet.days)
    with closing(write_ahead(made, made.periods(), folder)) as written:
        for _, path, _ in written:
            path.rename(path.with_suffix(""))
    return folder


def _step(module: str, *arguments: str | Path) -> Step:
    before = cpu_seconds_below()
    client = passing([sys.executable, "-m", module, *arguments])
    return Step(client=client, server_cpu_seconds=cpu_seconds_below() - before)


def _wall(steps: Sequence[Step]) -> Spread:
    return Spread.of(step.client.wall_seconds for step in steps)


def _url(feed: str) -> str:
    return f"s3://{BUCKET}/{feed}"
