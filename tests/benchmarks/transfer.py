"""How fast deliveries are moved: by ours, by boto3 alone, and by the tools that others use.

``publish`` hashes each file, puts it, and commits; ``consume`` gets commit and file, hashes, keeps
and records, and leaves a receipt; judging is left out. The peers move the same bytes, without
commits and receipts, and keep no ledger. Whole processes are measured, as a user runs them.

Without the start of the process, ours is held against what boto3 alone takes for the same
requests, with as many threads, and for the bytes alone: one request a file. The bytes alone it can
only meet where they outweigh the requests, in few large files: each request takes boto3 some 2 ms
of CPU, so small files take two (put) or three (get) times as long, whoever sends commits and
receipts.

Random bytes stand in for Parquet. What is downloaded was put by one request each.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeAlias

from powerstage.contract import period_text
from powerstage.store.s3 import S3Store
from tests.benchmarks import moving_boto3, moving_ours
from tests.benchmarks.measure import TAKEN, Measured, passing, taken
from tests.benchmarks.moving import BARE, START, empty, store_of
from tests.benchmarks.moving_peers import PEERS, Peer
from tests.benchmarks.report import Cell, Judged, Spread, Table
from tests.benchmarks.s3_server import s3_server
from tests.environments import CACHE, python_with

ROUNDS: Final = 3
SERVERS: Final = ("moto", "LocalStack", "SeaweedFS")
RATIO_GOAL: Final = 1.3
PEAK_GOAL_MB: Final = 300
Runs: TypeAlias = Mapping[str, Sequence[Measured]]
Peers: TypeAlias = Mapping[str, tuple[Path, Peer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is moved. ``is_large``: the bytes outweigh the requests."""

    files: int
    file_bytes: int
    is_large: bool

    def __str__(self) -> str:
        return f"{self.files} x {self.file_bytes / 1e6:g} MB"


LOADS: Final = (
    Load(files=500, file_bytes=1_000_000, is_large=False),
    Load(files=8, file_bytes=62_500_000, is_large=True),
)
SMOKE: Final = (Load(files=5, file_bytes=1_000_000, is_large=False),)
# Installed in seconds, for a quick run.
SMOKE_PEER: Final = "AWS CLI"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way of the bytes: the contestants that move them, by their names in the runs."""

    ours: str
    peers: str
    same_requests: str
    bytes_alone: str


WAYS: Final = (
    Way(ours="publish", peers="upload", same_requests="put_requests", bytes_alone="put_bytes"),
    Way(ours="consume", peers="download", same_requests="get_requests", bytes_alone="get_bytes"),
)


def tables(smoke: bool) -> Iterator[Table]:
    """A table for each server, and one of what moving alone took."""
    loads, rounds, servers = (SMOKE, 1, SERVERS[:1]) if smoke else (LOADS, ROUNDS, SERVERS)
    names = [SMOKE_PEER] if smoke else list(PEERS)
    peers = {name: (python_with(CACHE, PEERS[name].package), PEERS[name]) for name in names}
    found = {}
    for server in servers:
        runs = {load: _runs(server, load, rounds, peers) for load in loads}
        yield Table(
            name=server,
            words=f"Whole processes, medians of {rounds} rounds.",
            columns=("moved", "by", *TAKEN, "our wall beside its"),
            rows=tuple(row for way in WAYS for load in loads for row in _rows(way, load, runs)),
        )
        found[server] = runs
    yield Table(
        name="moving alone",
        words="Beside boto3 with as many threads; wall seconds.",
        columns=(
            "moved",
            "ours s",
            "same requests s",
            "ours beside them",
            "bytes alone s",
            "ours beside those",
        ),
        rows=tuple(
            (f"{server}: {way.ours} {load}", *_alone(way, load, runs[load]))
            for server, runs in found.items()
            for way in WAYS
            for load in loads
        ),
    )


def _rows(way: Way, load: Load, found: Mapping[Load, Runs]) -> Iterator[tuple[Cell, ...]]:
    runs = found[load]
    wall, cpu, peak = taken(runs[way.ours])
    yield f"{way.ours} {load}", "ours", wall, cpu, Judged(measured=peak, goal=PEAK_GOAL_MB), ""
    contestants = {name: f"{name} {way.peers}" for name in PEERS} | {"boto3": way.bytes_alone}
    for name, run in contestants.items():
        # A quick run has not all peers.
        if run in runs:
            its = taken(runs[run])
            ratio = wall.median / its[0].median
            beside = Judged(measured=ratio, goal=1) if name == "AWS CLI" else ratio
            yield f"{way.peers} {load}", name, *its, beside


def _alone(way: Way, load: Load, runs: Runs) -> Iterator[Cell]:
    ours, requests, bytes_alone = (
        Spread.of(json.loads(run.output)["wall_seconds"] for run in runs[name])
        for name in (way.ours, way.same_requests, way.bytes_alone)
    )
    yield from (ours, requests)
    yield Judged(measured=ours.median / requests.median, goal=RATIO_GOAL)
    yield bytes_alone
    ratio = ours.median / bytes_alone.median
    yield Judged(measured=ratio, goal=RATIO_GOAL) if load.is_large else ratio


def _runs(server: str, load: Load, rounds: int, peers: Peers) -> Runs:
    """What each contestant took in each round, on a server of this name."""
    runs: dict[str, list[Measured]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="powerstage-transfer-") as temporary,
        s3_server(server),
    ):
        files = Path(temporary)
        for number in range(load.files):
            period = period_text(START + timedelta(hours=number))
            (files / period).write_bytes(os.urandom(load.file_bytes))
        store = store_of("")
        # SeaweedFS answers before its volumes have reported: the first object waits for them.
        store.put("first", b"x")
        for _ in range(rounds):
            # What ours published is what all get.
            for way in WAYS:
                for name in (way.bytes_alone, way.same_requests):
                    runs.setdefault(name, []).append(_moved(moving_boto3.__name__, name, files))
                    empty(store, f"{BARE}/")
                runs.setdefault(way.ours, []).append(_moved(moving_ours.__name__, way.ours, files))
                for name, (python, peer) in peers.items():
                    move = _upload if way.peers == "upload" else _download
                    measured = move(peer, python, files, store)
                    runs.setdefault(f"{name} {way.peers}", []).append(measured)
            empty(store, "")
    return runs


def _moved(module: str, name: str, files: Path) -> Measured:
    return passing([sys.executable, "-m", module, name, files])


def _upload(peer: Peer, python: Path, files: Path, store: S3Store) -> Measured:
    measured = passing(peer.upload(python, files))
    sent = [info.size_bytes for info in store.list(f"{BARE}/")]
    assert sum(sent) == sum(path.stat().st_size for path in files.iterdir()), peer.package
    empty(store, f"{BARE}/")
    return measured


def _download(peer: Peer, python: Path, files: Path, _: S3Store) -> Measured:
    with tempfile.TemporaryDirectory(prefix="powerstage-download-") as folder:
        measured = passing(peer.download(python, Path(folder)))
        got = [path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()]
    assert sum(got) == sum(path.stat().st_size for path in files.iterdir()), peer.package
    return measured
