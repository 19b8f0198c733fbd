"""Parts of the work are done by other processes, and what comes of it is the same.

A cluster is a real one here: Dask's scheduler and workers, processes that talk over TCP.
"""

import errno
import os
import pickle
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from powerstage import workers as module
from powerstage.consumer import Consumed, Lake, consume
from powerstage.consumer.elsewhere import _fetched
from powerstage.contract import Contract, DataFile
from powerstage.errors import (
    EnvironmentFailedError,
    PowerstageError,
    StoreRefusedError,
    UsageError,
    WorkerError,
)
from powerstage.producer import MockSource, publish, synth, synthesise
from powerstage.sim import EmbeddedS3, blind_to_aws
from powerstage.store import FolderStore, MemoryStore, Store, open_store
from powerstage.workers import Workers, _take, cluster, local_processes, run, versions
from tests.clusters import Cluster
from tests.conftest import START, clock
from tests.producer.conftest import objects

KILLED_AT = 3


@pytest.fixture(scope="module")
def dask(server: EmbeddedS3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler, for workers who know the S3 of the tests."""
    with Cluster(tmp_path_factory.mktemp("dask"), server.environment()) as dask:
        yield dask


@pytest.fixture(scope="module")
def source(contract: Contract) -> MockSource:
    """Mock data of six devices: 24 periods."""
    return synthesise(contract, devices=6, start=START)


@pytest.fixture(scope="module")
def alone(source: MockSource) -> dict[str, bytes]:
    """The feed as one process publishes it; it has no name of its own."""
    store = MemoryStore()
    publish(source, store, clock=clock)
    return objects(store)


def facts(feed: dict[str, bytes]) -> dict[str, bytes]:
    """What stands in a feed, but for the name of the feed in its commits."""
    return {key: body for key, body in feed.items() if not key.startswith("commits/")}


def accepted(store: Store, folder: Path, workers: Workers | None = None) -> dict[str, int]:
    """Consume a feed; the readings of each delivery, all of which are accepted."""
    with Lake(folder, make=True) as lake:
        consumed = consume(store, lake, clock=clock, executor=workers)
    return verdicts(consumed)


def verdicts(consumed: Consumed) -> dict[str, int]:
    """The readings of each delivery, all of which are accepted."""
    assert {judgement.verdict for judgement in consumed.judgements} == {"accepted"}
    return {str(judgement.slot): judgement.report.rows for judgement in consumed.judgements}


def test_local_processes_publish_what_one_does(
    source: MockSource, alone: dict[str, bytes], tmp_path: Path
) -> None:
    """The same keys, so the same bytes; and as many commits."""
    store = FolderStore(tmp_path / "feed")
    with local_processes(2) as processes:
        publish(source, store, clock=clock, executor=processes, senders=4)
    assert facts(objects(store)) == facts(alone)
    assert objects(store).keys() == alone.keys()


def test_a_cluster_publishes_and_judges_what_one_process_does(
    dask: Cluster, source: MockSource, alone: dict[str, bytes], server: EmbeddedS3, tmp_path: Path
) -> None:
    """Through S3, which the workers find by settings of their own."""
    server.create_bucket("cluster")
    with blind_to_aws(server.environment()), dask.workers(2), cluster(dask.address) as workers:
        store = open_store("s3://cluster/feed")
        publish(source, store, clock=clock, executor=workers, senders=4)
        assert facts(objects(store)) == facts(alone)
        by_cluster = accepted(store, tmp_path / "cluster", workers)
        assert by_cluster == accepted(store, tmp_path / "alone")
        assert len(by_cluster) == 25


def test_a_worker_that_dies_at_work_changes_nothing(
    dask: Cluster, source: MockSource, alone: dict[str, bytes], tmp_path: Path
) -> None:
    """Who is left does its parts, of publishing and of judging."""
    store, lake = FolderStore(tmp_path / "feed"), tmp_path / "lake"
    with dask.workers(3) as (first, second, _), cluster(dask.address) as workers:
        with killing(first) as seen:
            publish(
                source, store, clock=clock, executor=workers, senders=4, on_delivery=seen.append
            )
        assert facts(objects(store)) == facts(alone)
        with killing(second) as seen, Lake(lake, make=True) as opened:
            consumed = consume(
                store,
                opened,
                clock=clock,
                executor=workers,
                fetchers=4,
                on_judgement=seen.append,
            )
    assert verdicts(consumed) == accepted(store, tmp_path / "alone")


class Killing(list[object]):
    """A list that kills a process when it has so many items."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__()
        self._process = process

    def append(self, item: object) -> None:
        """One more."""
        super().append(item)
        if len(self) == KILLED_AT:
            self._process.kill()


@contextmanager
def killing(process: subprocess.Popen[bytes]) -> Iterator[Killing]:
    """A list of deliveries in the midst of which the process dies."""
    seen = Killing(process)
    yield seen
    assert len(seen) > KILLED_AT
    assert process.wait() == -signal.SIGKILL


def test_where_no_worker_is_left_nobody_waits_for_ever(
    dask: Cluster, source: MockSource, alone: dict[str, bytes], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It is said; commits name what is there, and the next run does the rest."""
    monkeypatch.setattr(module, "LONELY_SECONDS_MAX", 1)
    store = FolderStore(tmp_path / "feed")
    with (
        dask.workers(1) as (only,),
        cluster(dask.address) as workers,
        killing_quietly(only) as seen,
        pytest.raises(WorkerError, match=r"no worker is left at tcp://.*file 1 of 1 of telemetry/"),
    ):
        publish(source, store, clock=clock, executor=workers, on_delivery=seen.append)
    committed = [key for key in objects(store) if key.startswith("commits/telemetry/")]
    assert KILLED_AT - 1 <= len(committed) < 24
    assert len(accepted(store, tmp_path / "lake")) == len(committed) + 1
    publish(source, store, clock=clock)
    assert facts(objects(store)) == facts(alone) | receipts(store)


@contextmanager
def killing_quietly(process: subprocess.Popen[bytes]) -> Iterator[Killing]:
    """A list in the midst of which the process dies."""
    yield Killing(process)


def receipts(store: Store) -> dict[str, bytes]:
    """Those that a consumer left."""
    return {key: body for key, body in objects(store).items() if key.startswith("receipts/")}


def test_a_local_process_that_dies_is_told_and_the_next_run_goes_on(
    source: MockSource, alone: dict[str, bytes], tmp_path: Path
) -> None:
    """With what it was at."""
    store = FolderStore(tmp_path / "feed")
    with local_processes(1) as processes:
        victim = processes.submit(os.getpid).result()

        def kill(_: object) -> None:
            os.kill(victim, signal.SIGKILL)

        with pytest.raises(WorkerError, match=r"a worker is gone, at work on file 1 of 1 of"):
            publish(source, store, clock=clock, executor=processes, on_delivery=kill)
    publish(source, store, clock=clock)
    assert facts(objects(store)) == facts(alone)


def test_a_worker_of_another_version_is_refused(
    dask: Cluster, source: MockSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With both versions, and where it runs; nothing is committed."""
    monkeypatch.setattr(module, "versions", lambda: versions() | {"powerstage": "99.0"})
    store = FolderStore(tmp_path / "feed")
    with (
        dask.workers(1) as (worker,),
        cluster(dask.address) as workers,
        pytest.raises(
            EnvironmentFailedError, match=r"runs powerstage \S+ and .*this is .*99\.0"
        ) as caught,
    ):
        publish(source, store, clock=clock, executor=workers)
    assert f"process {worker.pid}" in caught.value.message
    assert not [key for key in objects(store) if key.startswith("commits/telemetry/")]


def test_a_worker_that_means_another_store_gets_no_commit(
    dask: Cluster, source: MockSource, server: EmbeddedS3, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Its settings lead elsewhere: what it has put is not where the commit would look."""
    server.create_bucket("ours")
    with blind_to_aws(server.environment()), dask.workers(1), cluster(dask.address) as workers:
        store, elsewhere = open_store("s3://ours/feed"), tmp_path
        monkeypatch.setattr(type(store), "__reduce__", lambda _: (FolderStore, (elsewhere,)))
        with pytest.raises(EnvironmentFailedError, match="is not in s3://ours/feed"):
            publish(source, store, clock=clock, executor=workers)
        assert not list(store.list("commits/telemetry/"))


def test_no_credentials_travel(server: EmbeddedS3) -> None:
    """A store is its URL: whoever opens it finds keys of his own."""
    keys = {"AWS_ACCESS_KEY_ID": "known-here", "AWS_SECRET_ACCESS_KEY": "secret-here"}
    with blind_to_aws(server.environment() | keys):
        told = pickle.dumps(open_store("s3://bucket/feed"))
    assert b"s3://bucket/feed" in told
    assert b"here" not in told


def test_a_scheduler_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its address."""
    monkeypatch.setattr(module, "CONNECT_SECONDS_MAX", 1)
    with pytest.raises(
        EnvironmentFailedError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9"
    ):
        cluster("tcp://127.0.0.1:9").__enter__()


def test_a_scheduler_without_workers_is_told(
    dask: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is begun, with the command that starts one."""
    monkeypatch.setattr(module, "CONNECT_SECONDS_MAX", 1)
    with pytest.raises(EnvironmentFailedError, match="has no workers") as caught:
        cluster(dask.address).__enter__()
    assert caught.value.fix == f"start some: dask worker {dask.address}"


def test_tls_that_is_not_configured_is_a_wrong_call() -> None:
    """With what to configure; no defect of anybody's."""
    with pytest.raises(UsageError, match=r"cannot connect to tls://127\.0\.0\.1:9") as caught:
        cluster("tls://127.0.0.1:9").__enter__()
    assert "distributed.comm.tls" in caught.value.fix


@pytest.mark.parametrize("address", ["", "nowhere", "http://127.0.0.1"])
def test_what_is_no_address_is_a_wrong_call(address: str) -> None:
    """Corrected, not waited for."""
    with pytest.raises(UsageError, match="is no address of a scheduler"):
        cluster(address).__enter__()


def refuse() -> None:
    """What a store may say to a worker."""
    raise StoreRefusedError("no permission", cause="AccessDenied", fix="ask for it")


def break_down() -> None:
    """A defect."""
    raise ZeroDivisionError("one by none")


def fill_the_disk() -> None:
    """What an operating system may say to a worker."""
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (
            refuse,
            StoreRefusedError,
            (
                "): no permission",
                "AccessDenied",
                "there, where that worker was started: ask for it",
            ),
        ),
        (fill_the_disk, WorkerError, (") failed", "No space left on device", "see to its disk")),
        (break_down, WorkerError, ("a worker failed", "ZeroDivisionError: one by none", "as here")),
    ],
)
def test_what_goes_wrong_there_is_told_here(
    call: object, kind: type[PowerstageError], words: Sequence[str]
) -> None:
    """As the error that it is, with the place; a defect is the worker's."""
    assert callable(call)
    with ThreadPoolExecutor(1) as pool, pytest.raises(kind) as caught:
        Workers(pool, 1).submit(call).result()
    told = (caught.value.message, caught.value.cause, caught.value.fix)
    assert all(part in text for part, text in zip(words, told, strict=True))


def test_a_task_of_the_same_versions_is_done() -> None:
    """With its arguments."""
    assert run(versions(), pickle.dumps((divmod, (7, 2), {}))) == (3, 1)


class Lost:
    """One of Dask's futures, whose result does not arrive."""

    def result(self) -> None:
        """What Dask says where the connection breaks meanwhile."""
        raise OSError("in <TCP (closed)>: Stream is closed")


def test_a_result_that_does_not_arrive_is_told() -> None:
    """Nobody waits for it for ever."""
    done: Future[None] = Future()
    _take(done, Lost())
    with pytest.raises(OSError, match="Stream is closed"):
        done.result(timeout=0)


def test_what_nobody_waits_for_is_not_done() -> None:
    """A task that is cancelled here is cancelled there."""
    held = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(held.wait)
        waiting = Workers(pool, 1).submit(os.getpid)
        assert waiting.cancel()
        held.set()
    assert waiting.cancelled()


def test_after_a_failure_the_parts_that_wait_are_not_made(
    contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one period, forty files are to be made; the first cannot be put."""
    monkeypatch.setattr(synth, "PART_READINGS_MAX", 2)
    source, store = synthesise(contract, devices=40, start=START), Full()
    with pytest.raises(StoreRefusedError, match="no room"):
        publish(source, store, clock=clock)
    assert store.refused < 10


class Full(MemoryStore):
    """A store that takes no telemetry, and counts what it refuses."""

    refused = 0

    def put(self, key: str, body: bytes | Path, *, sha256: str = "") -> None:
        """Only the inventory."""
        if "/telemetry/" in key:
            self.refused += 1
            raise StoreRefusedError("no room", fix="make some")
        super().put(key, body, sha256=sha256)


def test_a_worker_that_finds_no_data_says_what_to_look_at(tmp_path: Path) -> None:
    """They were fetched here, so it is its settings that differ."""
    theirs = FolderStore(tmp_path / "theirs")
    file = Path("data/telemetry/date=2026-11-02/0.parquet")
    with pytest.raises(EnvironmentFailedError, match="a worker finds no") as caught:
        _fetched(theirs, DataFile(key=str(file), bytes=1, sha256="0", rows=1), str(tmp_path))
    assert "AWS_ENDPOINT_URL" in caught.value.fix
