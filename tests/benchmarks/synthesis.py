"""How fast mock telemetry is made, beside what it is measured by. One contestant per process.

``ours``: the producer's own way. ``floor``: DuckDB copies the same readings, computed before and
held in memory, period by period, with its own threads; ``floor, two at once``: the same by two
connections of one thread each. ``upstream``: the old generator's approach written anew: random
numbers, a cross join, no model, one sorted CSV a day.
"""

import json
import os
import resource
import statistics
import subprocess
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

DEVICES = 20_000
INTERVAL_SECONDS = 300
DAYS = 3
ROUNDS = 3
MANY_DAYS = 9
_COPY = (
    "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, WRITE_BLOOM_FILTER false,"
    " ROW_GROUP_SIZE 491520)"
)


def table(rounds: int = ROUNDS, devices: int = DEVICES) -> Iterator[str]:
    """The lines of a Markdown table: medians of rounds in which each contestant runs once."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTANTS}
    for _ in range(rounds):
        for name in CONTESTANTS:
            runs[name].append(_run(name, devices))
    speeds = {name: _median(found, "readings_per_second") for name, found in runs.items()}
    yield "| contestant | readings/s | ours beside it | CPU ns/reading | cores | bytes/reading |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, found in runs.items():
        yield (
            f"| {name} | {speeds[name] / 1e6:.2f} M | {speeds['ours'] / speeds[name]:.2f} x"
            f" | {_median(found, 'cpu_ns'):.0f} | {_median(found, 'cores'):.1f}"
            f" | {_median(found, 'bytes'):.2f} |"
        )


def memory(days: int = MANY_DAYS, devices: int = DEVICES) -> str:
    """One line: the peak memory of a process that makes more than 100 million readings."""
    found = _run("ours", devices, days)
    return (
        f"{found['readings'] / 1e6:.1f} M readings in {found['seconds']:.1f} s,"
        f" peak memory {found['peak_bytes'] / 1024**2:.0f} MiB (goal: under 1,024)"
    )


def _source(devices: int, days: int) -> MockSource:
    text = default().text.replace("intervalSeconds: 3600", f"intervalSeconds: {INTERVAL_SECONDS}")
    start = datetime(2026, 11, 2, tzinfo=UTC)
    return synthesise(loads(text, "bench"), devices=devices, start=start, days=days)


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


def _run(name: str, devices: int, days: int = DAYS) -> dict[str, float]:
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.synthesis",
        name,
        str(devices),
        str(days),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _median(found: Sequence[dict[str, float]], key: str) -> float:
    return statistics.median(run[key] for run in found)


def main(name: str, devices: int, days: int) -> None:
    """Run one contestant and print what it took as JSON."""
    source = _source(devices, days)
    interval = timedelta(seconds=INTERVAL_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        write = CONTESTANTS[name](source, Path(folder))
        _weights.clear()
        before, wall = os.times(), time.perf_counter()
        write()
        seconds, after = time.perf_counter() - wall, os.times()
    count = devices * 2 * (source.days * timedelta(days=1) // interval)
    cpu = after.user + after.system - before.user - before.system
    found = {
        "readings": count,
        "seconds": seconds,
        "readings_per_second": count / seconds,
        "cpu_ns": cpu / count * 1e9,
        "cores": cpu / seconds,
        "bytes": sum(_weights) / count,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
