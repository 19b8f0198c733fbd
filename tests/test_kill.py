"""``kill -9`` of a real process at the n-th request that the server saw, and the run after it.

The request at which the process dies is still carried out: its reply is lost, which is the
harder of the two cases.
"""

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from powerstage.consumer import Lake
from powerstage.contract import Commit, CommitKey, Receipt, ReceiptKey, parse_key
from powerstage.sim import EmbeddedS3, blind_to_aws
from powerstage.store import Store, open_store, read
from tests.conftest import ROOT, write_upstream_export
from tests.environments import UnreachableError
from tests.proxy import proxy
from tests.servers import Settings, localstack

MOTO_KILLS = 12
# What an export of one day can have: 25 deliveries are more requests than kills.
HOURS_MIN, HOURS_MAX = 3, 24


class Killer:
    """Kills a process when the server sees its n-th request; counts them otherwise."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._armed = threading.Event()
        self._armed.set()
        self._pid = 0
        self._at = 0

    def __call__(self) -> None:
        """What the proxy calls."""
        self._armed.wait()
        if next(self._numbers) == self._at:
            os.kill(self._pid, signal.SIGKILL)

    @property
    def count(self) -> int:
        """How many requests came since the process was started; asked once, when it has ended."""
        return next(self._numbers) - 1

    def run(self, settings: Settings, command: list[str], at: int = 0) -> int:
        """Run a command line that is killed at a request; its exit code."""
        self._numbers, self._at = itertools.count(1), at
        self._armed.clear()
        process = subprocess.Popen(
            [sys.executable, "-m", "powerstage", *command],
            env={**os.environ, **settings, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._pid = process.pid
        self._armed.set()
        return process.wait(timeout=120)


class Stage:
    """A server behind a proxy that kills, and one feed on it: its URL is part of what commits say.

    Args:
        endpoint: the URL of the proxy.
        killer: what the proxy calls.
        folder: for what the tests write; the export is there.
        kills: how often each command is killed.
    """

    url = "s3://kill/feed"

    def __init__(self, endpoint: str, killer: Killer, folder: Path, kills: int) -> None:
        self.settings = {"AWS_ENDPOINT_URL": endpoint}
        self.killer, self.folder, self.kills = killer, folder, kills
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
        return self.killer.run(self.settings, [str(part) for part in command], at)


@pytest.fixture(scope="module", params=["moto", "LocalStack"])
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """An export of 3 devices over 3 hours, 4 deliveries; more hours for more kills."""
    total = MOTO_KILLS if request.param == "moto" else request.config.getoption("kills")
    folder, killer = tmp_path_factory.mktemp("kill"), Killer()
    write_upstream_export(folder / "export", min(HOURS_MAX, max(HOURS_MIN, total // 4)))
    with ExitStack() as stack:
        if request.param == "moto":
            settings: Settings = stack.enter_context(EmbeddedS3()).environment()
        else:
            try:
                settings = stack.enter_context(localstack(folder))
            except UnreachableError as error:
                pytest.skip(str(error))
        stack.enter_context(blind_to_aws({**settings, "NO_PROXY": "127.0.0.1,::1"}))
        open_store(Stage.url, create_bucket=True)
        endpoint = stack.enter_context(proxy(settings["AWS_ENDPOINT_URL"], killer))
        yield Stage(endpoint, killer, folder, total // 2)


def spread(requests: int, kills: int) -> list[int]:
    """As many numbers of requests as there are kills, from the first to the last."""
    return [1 + index * (requests - 1) // max(1, kills - 1) for index in range(kills)]


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
        entries = [replace(entry, judged_at="") for entry in lake.ledger.entries()]
        assert lake.ledger.unsent_receipts() == []
        sums = lake.telemetry().aggregate("count(*), sum(value), epoch(min(start_time))").fetchall()
    files = sorted(path.name for path in (folder / "data").iterdir())
    assert not list(folder.glob(".incoming-*"))
    return entries, sums, files


def test_publish_killed_anywhere_ends_the_same_when_run_again(stage: Stage) -> None:
    """Kills spread over the run, each on an empty feed: no loss, no double, no orphan."""
    stage.empty()
    assert stage.run("publish", stage.export, stage.url) == 0
    requests = stage.killer.count
    expected = deliveries(stage.store)
    assert len(expected[1]) == len(expected[2]) >= 4
    for at in spread(requests, stage.kills):
        stage.empty()
        assert stage.run("publish", stage.export, stage.url, at=at) == -signal.SIGKILL, at
        assert stage.run("publish", stage.export, stage.url) == 0, at
        assert deliveries(stage.store) == expected, at


def test_consume_killed_anywhere_ends_the_same_when_run_again(stage: Stage) -> None:
    """Kills spread over the run, each with a lake of its own."""
    stage.empty()
    assert stage.run("publish", stage.export, stage.url) == 0
    assert stage.run("consume", stage.url, "--into", stage.folder / "whole") == 0
    requests = stage.killer.count
    expected, receipts = kept(stage.folder / "whole"), verdicts(stage.store)
    assert len(receipts) >= 4
    for number, at in enumerate(spread(requests, stage.kills)):
        stage.empty("receipts/")
        lake = stage.folder / f"lake-{number}"
        assert stage.run("consume", stage.url, "--into", lake, at=at) == -signal.SIGKILL, at
        assert stage.run("consume", stage.url, "--into", lake) == 0, at
        assert kept(lake) == expected, at
        assert verdicts(stage.store) == receipts, at
