"""``kill -9`` of a real process at the n-th request that the server saw, and the run after it.

The request at which the process dies is still carried out: its reply is lost, which is the
harder of the two cases.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from powerstage.consumer import Lake
from powerstage.contract import Commit, CommitKey, Receipt, ReceiptKey, parse_key
from powerstage.sim import EmbeddedS3, blind_to_aws
from powerstage.store import Store, open_store, read
from tests.conftest import ROOT, write_upstream_export

KILLS = 12


class Killer:
    """Kills a process when the server sees its n-th request; counts them otherwise."""

    def __init__(self) -> None:
        self.count = 0
        self._armed = threading.Event()
        self._armed.set()
        self._pid = 0
        self._at = 0

    def __call__(self, number: int, method: str, path: str) -> None:
        """What the server calls."""
        del number, method, path
        self._armed.wait()
        self.count += 1
        if self.count == self._at:
            os.kill(self._pid, signal.SIGKILL)

    def run(self, server: EmbeddedS3, command: list[str], at: int = 0) -> int:
        """Run a command line that is killed at a request; its exit code."""
        self.count, self._at = 0, at
        self._armed.clear()
        bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "powerstage", *command],
            env=bare | server.environment() | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._pid = process.pid
        self._armed.set()
        return process.wait(timeout=120)


class Stage:
    """A server that kills, and one feed on it: its URL is part of what commits say."""

    url = "s3://kill/feed"

    def __init__(self, server: EmbeddedS3, killer: Killer, folder: Path) -> None:
        self.server, self.killer, self.folder = server, killer, folder
        self.export = folder / "export"

    def empty(self, prefix: str = "") -> None:
        """Make the feed, or a part of it, as if nobody had ever written to it."""
        boto3.resource("s3").Bucket("kill").objects.filter(Prefix=f"feed/{prefix}").delete()

    @property
    def store(self) -> Store:
        """The feed, for a look at it."""
        return open_store(self.url)

    def run(self, *command: str | Path, at: int = 0) -> int:
        """Run a command line; its exit code."""
        return self.killer.run(self.server, [str(part) for part in command], at)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An export of 3 devices over 3 hours: 4 deliveries."""
    killer = Killer()
    folder = tmp_path_factory.mktemp("kill")
    write_upstream_export(folder / "export", 3)
    with EmbeddedS3(on_request=killer) as server, blind_to_aws(server.environment()):
        server.create_bucket("kill")
        yield Stage(server, killer, folder)


def spread(requests: int) -> list[int]:
    """As many numbers of requests as there are kills, from the first to the last."""
    assert requests >= KILLS
    return sorted({1 + index * (requests - 1) // (KILLS - 1) for index in range(KILLS)})


def deliveries(store: Store) -> tuple[set[str], dict[str, str], dict[str, int]]:
    """A feed by content: its keys, the identity of each commit, the size of each data file."""
    keys = {info.key: info.size_bytes for info in store.list("")}
    identities = {
        key: Commit.from_json(read(store, key, 1_000_000)).identity
        for key in keys
        if isinstance(parse_key(key), CommitKey)
    }
    data = {key: size for key, size in keys.items() if key.startswith("data/")}
    return set(keys), identities, data


def verdicts(store: Store) -> dict[str, tuple[str, str, int]]:
    """The receipts of a feed by content: all but when they were written."""
    found: dict[str, tuple[str, str, int]] = {}
    for info in store.list("receipts/"):
        assert isinstance(parse_key(info.key), ReceiptKey)
        receipt = Receipt.from_json(read(store, info.key, 1_000_000))
        found[info.key] = (receipt.identity, receipt.verdict, receipt.checks_passed)
    return found


def kept(folder: Path) -> tuple[object, ...]:
    """A lake by content: its judgements, its files, its readings; nothing left lying about."""
    with Lake(folder) as lake:
        entries = lake.ledger.entries()
        assert lake.ledger.unsent_receipts() == []
        sums = lake.telemetry().aggregate("count(*), sum(value), epoch(min(start_time))").fetchall()
    files = sorted(path.name for path in (folder / "data").iterdir())
    assert not list(folder.glob(".incoming-*"))
    return entries, sums, files


def test_publish_killed_anywhere_ends_the_same_when_run_again(stage: Stage) -> None:
    """Twelve kills spread over the run, each on an empty feed: no loss, no double."""
    stage.empty()
    assert stage.run("publish", stage.export, stage.url) == 0
    requests = stage.killer.count
    expected = deliveries(stage.store)
    assert len(expected[1]) == 4
    for at in spread(requests):
        stage.empty()
        assert stage.run("publish", stage.export, stage.url, at=at) == -signal.SIGKILL, at
        assert stage.run("publish", stage.export, stage.url) == 0, at
        assert deliveries(stage.store) == expected, at


def test_consume_killed_anywhere_ends_the_same_when_run_again(stage: Stage) -> None:
    """Twelve kills spread over the run, each with a lake of its own."""
    stage.empty()
    assert stage.run("publish", stage.export, stage.url) == 0
    assert stage.run("consume", stage.url, "--into", stage.folder / "whole") == 0
    requests = stage.killer.count
    expected, receipts = kept(stage.folder / "whole"), verdicts(stage.store)
    assert len(receipts) == 4
    for at in spread(requests):
        stage.empty("receipts/")
        lake = stage.folder / f"lake-{at}"
        assert stage.run("consume", stage.url, "--into", lake, at=at) == -signal.SIGKILL, at
        assert stage.run("consume", stage.url, "--into", lake) == 0, at
        assert kept(lake) == expected, at
        assert verdicts(stage.store) == receipts, at
