"""The whole way by the commands that a user runs: ``synth``, ``consume`` and ``report``.

The S3 server has a process of its own: its CPU counts, since it shares the processors. If nothing
ever waited, all commands together would take their CPU divided by the cores.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from powerstage.engine import processors
from powerstage.producer.ahead import write_ahead
from tests.benchmarks import moving_ours
from tests.benchmarks import synthesis as synthesising
from tests.benchmarks.measure import TAKEN, Measured, cpu_seconds_below, passing, taken
from tests.benchmarks.moving import BUCKET, empty, store_of
from tests.benchmarks.report import Cell, Judged, Spread, Table
from tests.benchmarks.s3_server import s3_server
from tests.environments import UnreachableError

DEVICES: Final = 20_000
ROUNDS: Final = 3
SERVERS: Final = ("moto", "LocalStack")
RATIO_GOAL: Final = 1.15
PEAK_GOAL_MB: Final = 1024**3 / 1e6
# Of how many days a feed is, and how many devices it has then.
LENGTHS: Final = (1, 7, 28)
LENGTHS_DEVICES: Final = 2_000
GROWTH_GOAL: Final = 1.2
# Devices and days: from a hundred thousand readings to a hundred million.
AMOUNTS: Final = ((174, 1), (1_736, 1), (17_361, 1), (17_361, 10))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command, and the CPU that the server had of it meanwhile."""

    client: Measured
    server_cpu_seconds: float

    @property
    def least_seconds(self) -> float:
        """What it would take if no processor ever waited."""
        return (self.client.cpu_seconds + self.server_cpu_seconds) / processors()


def tables(smoke: bool) -> Iterator[Table]:
    """The way on each server, memory beside the length of a feed, speed beside its size."""
    with tempfile.TemporaryDirectory(prefix="powerstage-whole-") as temporary:
        folder = Path(temporary)
        contract = folder / "contract.odcs.yaml"
        contract.write_text(synthesising.contract_text(), "utf-8")
        commands = Commands(contract=contract, folder=folder)
        for server in SERVERS[:1] if smoke else SERVERS:
            try:
                with s3_server(server):
                    yield _whole_way(commands, server, smoke=smoke)
            except UnreachableError as error:
                print(f"left out: {server}: {error}", file=sys.stderr)
        with s3_server("moto"):
            store_of("")
            yield _memory(commands, smoke=smoke)
            yield _speed(commands, smoke=smoke)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """The commands of a user, with their feeds in the bucket and their lakes in a folder."""

    contract: Path
    folder: Path

    def synth(self, feed: str, devices: int, days: int = 1) -> Step:
        """Make and publish mock data."""
        amount = ["--devices", str(devices), "--days", str(days)]
        return _step("powerstage", "synth", _url(feed), "--contract", self.contract, *amount)

    def consume(self, feed: str) -> Step:
        """Take in all of them."""
        return _step("powerstage", "consume", _url(feed), "--into", self.folder / feed)

    def report(self, feed: str) -> Step:
        """Write the page of what was accepted."""
        page = self.folder / f"{feed}.html"
        return _step("powerstage", "report", self.folder / feed, "--out", page)


def _whole_way(commands: Commands, server: str, *, smoke: bool) -> Table:
    devices, rounds = (20, 1) if smoke else (DEVICES, ROUNDS)
    steps: dict[str, list[Step]] = {}
    bucket = store_of("")
    files = _prepared(commands.folder / f"prepared-{server}", devices)
    for number in range(rounds):
        feed = f"{server.lower()}-{number}"
        for name, step in (
            ("synth", commands.synth(feed, devices)),
            ("consume", commands.consume(feed)),
            ("report", commands.report(feed)),
            ("make readings alone", _step(synthesising.__name__, "ours", str(devices), "1")),
            ("publish files alone", _step(moving_ours.__name__, "publish", files)),
        ):
            steps.setdefault(name, []).append(step)
        empty(bucket, "feed/")
    way = [steps[name] for name in ("synth", "consume", "report")]
    alone = [steps[name] for name in ("make readings alone", "publish files alone")] + way[1:]
    walls = [_wall(found).median for found in alone]
    return Table(
        words=(
            f"{server}: {devices:,} devices, readings of {synthesising.INTERVAL_SECONDS} s, one"
            f" day: {devices * 576 / 1e6:.3g} million readings; medians of {rounds} rounds."
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


def _memory(commands: Commands, *, smoke: bool) -> Table:
    devices, lengths = (20, LENGTHS[:1]) if smoke else (LENGTHS_DEVICES, LENGTHS)
    peaks: Mapping[str, list[float]] = {"synth": [], "consume": []}
    for days in lengths:
        feed = f"days-{days}"
        for name, step in (
            ("synth", commands.synth(feed, devices, days)),
            ("consume", commands.consume(feed)),
        ):
            peaks[name].append(step.client.sum_bytes / 1e6)
    return Table(
        words=f"Peak MB of all processes, feeds of {devices:,} devices and some days; one run.",
        columns=("command", *(f"{days} d" for days in lengths), "most beside least"),
        rows=tuple(
            (name, *found, Judged(measured=max(found) / min(found), goal=GROWTH_GOAL))
            for name, found in peaks.items()
        ),
    )


def _speed(commands: Commands, *, smoke: bool) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for devices, days in AMOUNTS[:1] if smoke else AMOUNTS:
        feed, readings = f"devices-{devices}-{days}", devices * days * 576
        synth, consume = commands.synth(feed, devices, days), commands.consume(feed)
        rates = [readings / step.client.cpu_seconds / 1e6 for step in (synth, consume)]
        walls = [step.client.wall_seconds for step in (synth, consume)]
        peaks = [step.client.sum_bytes / 1e6 for step in (synth, consume)]
        rows.append((f"{readings:,}", 24 * days, *rates, *walls, *peaks))
    columns = ("million readings/CPU s", "wall s", "peak MB")
    return Table(
        words="Speed beside the number of readings; one run, the commands' own CPU.",
        columns=(
            "readings",
            "deliveries",
            *(f"{name}: {column}" for column in columns for name in ("synth", "consume")),
        ),
        rows=tuple(rows),
    )


def _prepared(folder: Path, devices: int) -> Path:
    """A day of readings as files, each named by its period."""
    folder.mkdir()
    source = synthesising.source(devices, 1)
    with closing(write_ahead(source, source.periods(), folder)) as written:
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
