"""How fast deliveries are moved, beside the same client that does it bare.

``publish`` hashes each file, puts it, and commits; ``consume`` gets commit and file, hashes, keeps
and records, and leaves a receipt; judging is left out. Beside them, with as many threads, what
boto3 alone takes for the same requests, and for the bytes alone: for one request a file, without
commits and receipts. The goal is held against the same requests. The bytes alone it can only meet
where they outweigh the requests, in few large files: each request takes boto3 some 2 ms of CPU, so
small files take two (put) or three (get) times as long, whoever sends commits and receipts.

Random bytes stand in for Parquet. Each run has its process; only the moving itself is timed.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

from powerstage.checks import Checker, Report
from powerstage.consumer import Lake, consume
from powerstage.consumer.consume import FETCHERS
from powerstage.consumer.discover import discover
from powerstage.consumer.judge import Judge
from powerstage.contract import Contract, default, period_text
from powerstage.contract.layout import COMMITS, DATA
from powerstage.producer import publish
from powerstage.producer.publish import SENDERS
from powerstage.sim import EmbeddedS3, blind_to_aws
from powerstage.store import ObjectInfo, open_store
from powerstage.store.s3 import CHUNK_BYTES, S3Store
from tests.benchmarks.measure import measure
from tests.servers import SERVERS

ROUNDS = 3
CACHE = Path(".cache", "environments").absolute()
RATIO_GOAL = 1.3
PEAK_GOAL_BYTES = 300_000_000
# Ours beside what it is measured by: the same requests, the bytes alone.
BESIDE = {"publish": ("put_requests", "put_bytes"), "consume": ("get_requests", "get_bytes")}
# As large as records are.
_RECORD = b"x" * 1_000
_BUCKET = "bench"
_BARE = "bare"
T = TypeVar("T")
_START = datetime(2026, 11, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What moving took in one process: seconds, and the most memory that it held."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is moved. ``is_large``: the bytes outweigh the requests."""

    files: int
    file_bytes: int
    is_large: bool

    def __str__(self) -> str:
        return f"{self.files} x {self.file_bytes / 1e6:g} MB"


LOADS = (
    Load(files=500, file_bytes=1_000_000, is_large=False),
    Load(files=8, file_bytes=62_500_000, is_large=True),
)
SMOKE = (Load(files=5, file_bytes=1_000_000, is_large=False),)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedFiles:
    """Files that lie ready, one a period, as a ``Source``."""

    folder: Path
    contract: Contract

    def parts(self) -> Sequence["PreparedFiles"]:
        """All in one."""
        return [self]

    def periods(self) -> Sequence[datetime]:
        """One hour for each file."""
        return [_START + timedelta(hours=n) for n in range(len(list(self.folder.iterdir())))]

    def snapshots(self) -> Sequence[datetime]:
        """One inventory for all."""
        return [_START]

    def write_inventory(self, period: datetime, path: Path) -> int:
        """Some bytes."""
        path.write_bytes(period_text(period).encode())
        return 1

    def write_telemetry(self, period: datetime, path: Path) -> int:
        """The file of the period, by a link."""
        path.hardlink_to(self.folder / period_text(period))
        return 1


def table(*, smoke: bool) -> Iterator[str]:
    """The lines of the report; what missed its goal ends the program with exit code 1."""
    loads, rounds = (SMOKE, 1) if smoke else (LOADS, ROUNDS)
    servers = ["moto"] if smoke else ["moto", "LocalStack", "SeaweedFS"]
    yield (
        f"Medians of {rounds} rounds, each run a process; {SENDERS} threads. Beside: the same"
        " requests by the client alone, and the bytes alone.\n"
    )
    yield (
        "| server | files | ours | wall s | CPU s | peak MB | requests: wall s | CPU s"
        " | ours beside them | bytes: wall s | CPU s | ours beside them |"
    )
    yield "|" + " --- |" * 12
    missed = []
    for server in servers:
        for load in loads:
            runs = _runs(server, load, rounds)
            for ours in BESIDE:
                yield _row(f"{server} | {load}", ours, runs)
                missed += [f"{server}, {load}: {words}" for words in _missed(ours, runs, load)]
    if missed and not smoke:
        sys.exit("missed: " + "; ".join(missed))


def _runs(server: str, load: Load, rounds: int) -> dict[str, list[Moved]]:
    """What each contestant took in each round, on a server of this name."""
    runs: dict[str, list[Moved]] = {name: [] for name in CONTESTANTS}
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="powerstage-transfer-"))
        )
        for number in range(load.files):
            period = period_text(_START + timedelta(hours=number))
            (folder / period).write_bytes(os.urandom(load.file_bytes))
        stack.enter_context(blind_to_aws(_started(server, stack)))
        store = open_store(f"s3://{_BUCKET}", create_bucket=True)
        assert isinstance(store, S3Store)
        # SeaweedFS answers before its volumes have reported: the first object waits for them.
        store.put("first", b"x")
        for _ in range(rounds):
            for name in CONTESTANTS:
                runs[name].append(_run(name, folder))
                _empty(store, f"{_BARE}/")
            _empty(store, "")
    return runs


def _started(server: str, stack: ExitStack) -> Mapping[str, str]:
    """The settings that find a server, which runs as long as the stack stands."""
    if server == "moto":
        return stack.enter_context(EmbeddedS3()).environment()
    return stack.enter_context(SERVERS[server](CACHE))


def _empty(store: S3Store, prefix: str) -> None:
    while page := store.page(prefix, ""):
        store.client.delete_objects(
            Bucket=store.bucket, Delete={"Objects": [{"Key": info.key} for info in page]}
        )


def put_bytes(files: Path, _: Path) -> Callable[[], None]:
    """Put each file by one request."""
    store = _store(_BARE)
    return lambda: _each(lambda path: _put(store, path), list(files.iterdir()), SENDERS)


def put_requests(files: Path, _: Path) -> Callable[[], None]:
    """Put each file, and create a record after it."""
    store = _store(_BARE)

    def put(path: Path) -> None:
        _put(store, path)
        _create(store, f"commits/{path.name}")

    return lambda: _each(put, list(files.iterdir()), SENDERS)


def get_bytes(_: Path, scratch: Path) -> Callable[[], None]:
    """Get each data object of the feed into a file by one request."""
    store = _store("feed")
    keys = [info.key for info in store.list(f"{DATA}telemetry/")]
    return lambda: _each(lambda key: _get(store, key, scratch), keys, FETCHERS)


def get_requests(_: Path, scratch: Path) -> Callable[[], None]:
    """List the commits, get each and the data object that it names, and create a record."""
    store = _store("feed")

    def get(info: ObjectInfo) -> None:
        found = store.client.get_object(Bucket=_BUCKET, Key=store.prefix + info.key)
        (file,) = json.load(found["Body"])["files"]
        _get(store, file["key"], scratch)
        _create(store, info.key)

    return lambda: _each(get, list(store.list(f"{COMMITS}telemetry/")), FETCHERS)


def _put(store: S3Store, path: Path) -> None:
    with path.open("rb") as file:
        store.client.put_object(Bucket=_BUCKET, Key=store.prefix + path.name, Body=file)


def _get(store: S3Store, key: str, scratch: Path) -> None:
    found = store.client.get_object(Bucket=_BUCKET, Key=store.prefix + key)
    with (scratch / Path(key).name).open("wb") as file:
        file.writelines(found["Body"].iter_chunks(CHUNK_BYTES))


def _create(store: S3Store, name: str) -> None:
    """Write a record where none stands."""
    key = f"{_BARE}/{store.prefix}{name}"
    store.client.put_object(Bucket=_BUCKET, Key=key, Body=_RECORD, IfNoneMatch="*")


def ours_publish(files: Path, _: Path) -> Callable[[], None]:
    """Publish each file as the telemetry of a period."""
    store, source = _store("feed"), PreparedFiles(folder=files, contract=default())

    def run() -> None:
        publish(source, store, clock=lambda: _START, senders=SENDERS)

    return run


def _touch(_: Checker, queries: Mapping[Path, str], __: Sequence[Path]) -> None:
    """In place of roll-ups: random bytes have none."""
    for path in queries:
        path.touch()


def ours_consume(_: Path, scratch: Path) -> Callable[[], None]:
    """Consume the feed; all is accepted, unseen."""
    store = _store("feed")

    def run() -> None:
        with (
            patch.object(Judge, "_contents", lambda *_: Report(results=(), rows=1)),
            patch.object(Checker, "write_database", lambda _, draft, *__: draft.touch()),
            patch.object(Checker, "write_parquet", _touch),
            Lake(scratch / "lake", make=True) as lake,
        ):
            # Given what was found, it looks for no findings about the feed as a whole.
            found = discover(store)
            consumed = consume(store, lake, clock=lambda: _START, found=found, fetchers=FETCHERS)
        assert {judgement.verdict for judgement in consumed.judgements} == {"accepted"}

    return run


# In the order of a round: what is published is what is consumed, and what is got.
CONTESTANTS: Mapping[str, Callable[[Path, Path], Callable[[], None]]] = {
    "put_bytes": put_bytes,
    "put_requests": put_requests,
    "publish": ours_publish,
    "get_bytes": get_bytes,
    "get_requests": get_requests,
    "consume": ours_consume,
}


def _store(prefix: str) -> S3Store:
    store = open_store(f"s3://{_BUCKET}/{prefix}")
    assert isinstance(store, S3Store)
    return store


def _each(move: Callable[[T], None], things: Sequence[T], threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(move, things))


def _run(name: str, files: Path) -> Moved:
    measured = measure([sys.executable, "-m", "tests.benchmarks.transfer", name, files])
    if measured.code:
        raise RuntimeError(f"{name} ended with {measured.code}:\n{measured.output[-2000:]}")
    told = json.loads(measured.output)
    return Moved(
        wall_seconds=told["wall_seconds"],
        cpu_seconds=told["cpu_seconds"],
        peak_bytes=measured.peak_bytes,
    )


def _row(where: str, name: str, runs: Mapping[str, Sequence[Moved]]) -> str:
    ours = runs[name]
    row = f"| {where} | {name} | {_wall(ours):.2f} | {_cpu(ours):.2f} | {_peak(ours) / 1e6:.0f} |"
    for bare in (runs[beside] for beside in BESIDE[name]):
        row += f" {_wall(bare):.2f} | {_cpu(bare):.2f} | {_wall(ours) / _wall(bare):.2f} x |"
    return row


def _missed(name: str, runs: Mapping[str, Sequence[Moved]], load: Load) -> Iterator[str]:
    requests, bytes_alone = BESIDE[name]
    for beside in (requests, bytes_alone) if load.is_large else (requests,):
        if _wall(runs[name]) > RATIO_GOAL * _wall(runs[beside]):
            yield f"{name} takes more than {RATIO_GOAL} x the time of {beside}"
    if _peak(runs[name]) > PEAK_GOAL_BYTES:
        yield f"{name} holds more than {PEAK_GOAL_BYTES / 1e6:.0f} MB"


def _wall(found: Sequence[Moved]) -> float:
    return statistics.median(run.wall_seconds for run in found)


def _cpu(found: Sequence[Moved]) -> float:
    return statistics.median(run.cpu_seconds for run in found)


def _peak(found: Sequence[Moved]) -> float:
    return statistics.median(run.peak_bytes for run in found)


def main(name: str, files: Path) -> None:
    """Run one contestant and print what it took as JSON."""
    with tempfile.TemporaryDirectory(prefix="powerstage-moved-") as scratch:
        move = CONTESTANTS[name](files, Path(scratch))
        before, wall = os.times(), time.perf_counter()
        move()
        seconds, after = time.perf_counter() - wall, os.times()
    cpu = after.user + after.system - before.user - before.system
    print(json.dumps({"wall_seconds": seconds, "cpu_seconds": cpu}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
