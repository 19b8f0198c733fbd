"""How fast mock telemetry is made, beside what it is measured by. One contestant per process.

``ours``: the producer's own way. ``floor``: DuckDB copies the same readings, computed before and
held in memory, period by period, with its own threads; ``floor, two at once``: the same by two
connections of one thread each. ``upstream``: the old generator's approach written anew: random
numbers, a cross join, no model, one sorted CSV a day.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from powerstage.contract import default, loads
from powerstage.engine import connect
from powerstage.producer import MockSource, synthesise
from powerstage.producer.ahead import write_ahead
from tests.benchmarks.measure import passing
from tests.benchmarks.report import Cell, Judged, Spread, Table

DEVICES = 20_000
INTERVAL_SECONDS = 300
DAYS = 3
ROUNDS = 3
MANY_DAYS = 9
# Of the rate of each, what ours has to reach at least.
RATIO_GOALS = {"floor": 0.8, "upstream": 10}
PEAK_GOAL_MB = 1024**3 / 1e6
_COPY = (
    "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, WRITE_BLOOM_FILTER false,"
    " ROW_GROUP_SIZE 491520)"
)


def tables(smoke: bool) -> Iterator[Table]:
    """The contestants beside each other, and the memory of many readings."""
    devices, days, rounds = (200, 1, 1) if smoke else (DEVICES, DAYS, ROUNDS)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTANTS}
    for _ in range(rounds):
        for name in CONTESTANTS:
            runs[name].append(_run(name, devices, days))
    mine = _spread(runs["ours"], "millions_per_second").median
    yield Table(
        name="speed",
        words=(
            f"{devices:,} devices, readings of {INTERVAL_SECONDS} s, {days} days;"
            f" medians of {rounds} rounds, each run a process."
        ),
        columns=(
            "contestant",
            "our rate beside its",
            "million readings/s",
            "CPU ns/reading",
            "cores",
            "bytes/reading",
            "peak MB",
        ),
        rows=tuple(
            (
                name,
                _beside(name, mine / _spread(found, "millions_per_second").median),
                *(_spread(found, key) for key in ("millions_per_second", "cpu_ns", "cores")),
                *(_spread(found, key) for key in ("bytes", "peak_mb")),
            )
            for name, found in runs.items()
        ),
    )
    many = _run("ours", devices, 2 if smoke else MANY_DAYS)
    yield Table(
        name="memory",
        words="Memory of a process that makes many readings.",
        columns=("readings", "seconds", "peak MB"),
        rows=(
            (
                f"{many['readings'] / 1e6:.1f} million",
                many["seconds"],
                Judged(measured=many["peak_mb"], goal=PEAK_GOAL_MB),
            ),
        ),
    )


def _beside(name: str, ratio: float) -> Cell:
    goal = RATIO_GOALS.get(name)
    return ratio if goal is None else Judged(measured=ratio, goal=goal, is_floor=True)


def contract_text() -> str:
    """The default contract, with readings at our interval."""
    return default().text.replace("intervalSeconds: 3600", f"intervalSeconds: {INTERVAL_SECONDS}")


def source(devices: int, days: int) -> MockSource:
    """Clean mock data for some days of a fleet."""
    start = datetime(2026, 11, 2, tzinfo=UTC)
    return synthesise(loads(contract_text(), "bench"), devices=devices, start=start, days=days)


def ours(source: MockSource, folder: Path) -> Callable[[], None]:
    """Make every period, two at once on two cores."""

    def write() -> None:
        with closing(write_ahead(source, source.periods(), folder)) as written:
            for _, path, _ in written:
                path.rename(folder / f"done-{path.name}")
                _weigh_and_remove(folder / f"done-{path.name}")

    return write


def floor(source: MockSource, folder: Path) -> Callable[[], None]:
    """Copy computed readings, with DuckDB's own threads."""
    connection = connect()
    _compute(source, folder, connection)

    def write() -> None:
        for period in source.periods():
            path = folder / f"{period:%d%H}.parquet"
            connection.execute(f"COPY reading TO '{path}' {_COPY}")
            _weigh_and_remove(path)

    return write


def floor_two_at_once(source: MockSource, folder: Path) -> Callable[[], None]:
    """Copy computed readings by two connections of one thread each."""
    connections = [connect(threads=1) for _ in range(2)]
    for connection in connections:
        _compute(source, folder, connection)

    def half(number: int) -> None:
        for period in source.periods()[number::2]:
            path = folder / f"{period:%d%H}.parquet"
            connections[number].execute(f"COPY reading TO '{path}' {_COPY}")
            _weigh_and_remove(path)

    def write() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(half, range(2)))

    return write


def upstream(source: MockSource, folder: Path) -> Callable[[], None]:
    """Random numbers, a cross join, a day sorted into one CSV, as it was."""
    connection = duckdb.connect()
    inventory = folder / "inventory.parquet"
    source.write_inventory(source.start, inventory)
    connection.execute(f"CREATE TABLE inventory AS FROM read_parquet('{inventory}')")
    connection.execute(
        "CREATE TABLE measure AS FROM (VALUES ('server cpu utilization', '%', 100),"
        " ('server power', 'W', 300)) AS measure(type, unit, scale)"
    )

    def write() -> None:
        for day in range(source.days):
            path = folder / f"{day}.csv"
            first = int(source.start.timestamp()) + day * 86_400
            connection.execute(
                "COPY (SELECT sn, model, product_id, location, to_timestamp(t) AS start_time,"
                f" to_timestamp(t + {INTERVAL_SECONDS}) AS end_time, 'iLo' AS \"source\","
                ' "type", unit, scale * least(random(), random()) AS "value"'
                f" FROM inventory, range({first}, {first + 86_400}, {INTERVAL_SECONDS}) AS time(t),"
                f" measure ORDER BY t, sn) TO '{path}' (FORMAT csv, HEADER true)"
            )
            _weigh_and_remove(path)

    return write


CONTESTANTS = {
    "ours": ours,
    "floor": floor,
    "floor, two at once": floor_two_at_once,
    "upstream": upstream,
}
_weights: list[int] = []


def _weigh_and_remove(path: Path) -> None:
    _weights.append(path.stat().st_size)
    path.unlink()


def _compute(source: MockSource, folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """Hold the readings of one period in memory, typed as they are when they are made."""
    texts = ["sn", "model", "product_id", "location", "source", "type", "unit"]
    path = folder / "reading.parquet"
    source.write_telemetry(source.periods()[9], path)
    casts = []
    for name in texts:
        connection.execute(
            f'CREATE TYPE enum_{name} AS ENUM (SELECT DISTINCT "{name}" FROM'
            f" read_parquet('{path}') ORDER BY \"{name}\")"
        )
        casts.append(f'"{name}"::enum_{name} AS "{name}"')
    connection.execute(
        f"CREATE TABLE reading AS SELECT * REPLACE ({', '.join(casts)}) FROM read_parquet('{path}')"
    )
    path.unlink()


def _run(name: str, devices: int, days: int) -> dict[str, float]:
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.synthesis",
        name,
        str(devices),
        str(days),
    ]
    measured = passing(command)
    found: dict[str, float] = json.loads(measured.output)
    return found | {"peak_mb": measured.sum_bytes / 1e6}


def _spread(found: Sequence[dict[str, float]], key: str) -> Spread:
    return Spread.of(run[key] for run in found)


def main(name: str, devices: int, days: int) -> None:
    """Run one contestant and print what it took as JSON."""
    made = source(devices, days)
    interval = timedelta(seconds=INTERVAL_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        write = CONTESTANTS[name](made, Path(folder))
        _weights.clear()
        before, wall = os.times(), time.perf_counter()
        write()
        seconds, after = time.perf_counter() - wall, os.times()
    count = devices * 2 * (made.days * timedelta(days=1) // interval)
    cpu = after.user + after.system - before.user - before.system
    found = {
        "readings": count,
        "seconds": seconds,
        "millions_per_second": count / seconds / 1e6,
        "cpu_ns": cpu / count * 1e9,
        "cores": cpu / seconds,
        "bytes": sum(_weights) / count,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
