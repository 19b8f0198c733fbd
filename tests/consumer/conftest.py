"""A feed in memory, and the means to consume, spoil and rebuild it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from powerstage.consumer import Consumed, Lake, consume
from powerstage.contract import Commit, CommitKey, Contract, DataFile, Slot
from powerstage.producer import MockSource, publish, synthesise
from powerstage.store import MemoryStore, Store, read
from tests.conftest import START, clock
from tests.consumer.history import with_intervals


class Feed:
    """A feed of six devices over a day: an inventory and its periods, all clean."""

    def __init__(self, source: MockSource, objects: dict[str, bytes], folder: Path) -> None:
        self.store: Store = MemoryStore()
        self.source = source
        self.folder = folder
        for key, body in objects.items():
            self.store.put(key, body)
        self.inventory = Slot(dataset="inventory", period=source.periods()[0], revision=0)
        self.slot = Slot(dataset="telemetry", period=source.periods()[5], revision=0)

    def slot_after(self, periods: int) -> Slot:
        """That of the delivery so many periods after ``slot``."""
        return replace(self.slot, period=self.source.periods()[5 + periods])

    @property
    def keys(self) -> list[str]:
        """Every key of the feed."""
        return [info.key for info in self.store.list("")]

    def commit(self, slot: Slot | None = None) -> Commit:
        """The commit of a slot."""
        return Commit.from_json(self.read(str(CommitKey(slot=slot or self.slot))))

    def read(self, key: str) -> bytes:
        """An object."""
        return read(self.store, key, 10_000_000)

    def edit(self, key: str, change: Callable[[bytes], bytes]) -> None:
        """Change an object in place, as no protocol allows."""
        self.store.put(key, change(self.read(key)))

    def delete(self, *keys: str) -> None:
        """Take objects away: the feed is rebuilt without them."""
        kept = MemoryStore()
        for key in self.keys:
            if key not in keys:
                kept.put(key, self.read(key))
        self.store = kept

    def recommit(self, **changes: Any) -> None:
        """Put another, well-formed commit in the place of one, or of another slot."""
        commit = replace(self.commit(), **changes)
        self.store.put(str(CommitKey(slot=commit.slot)), commit.to_json())

    def recommit_bytes(self, body: bytes, **facts: int) -> None:
        """Put other bytes in the place of a data object, and a commit that vouches for them."""
        (file,) = self.commit().files
        sha256 = hashlib.sha256(body).hexdigest()
        key = f"{file.key.rpartition('/')[0]}/{sha256}.parquet"
        self.store.put(key, body)
        honest = {"bytes": len(body), "rows": file.rows} | facts
        self.recommit(
            files=(DataFile(key=key, sha256=sha256, bytes=honest["bytes"], rows=honest["rows"]),)
        )

    def consume(self, lake: str = "lake", contract: Contract | None = None) -> Consumed:
        """Consume it into a lake of this name."""
        with Lake(self.folder / lake, make=True) as opened:
            return consume(self.store, opened, clock=clock, contract=contract)

    def findings(self) -> dict[str, tuple[str, set[str]]]:
        """Verdict and ids of what did not pass, of each delivery that was not accepted."""
        return {
            str(judgement.slot): (
                judgement.verdict,
                {finding.check.id for finding in judgement.report.findings},
            )
            for judgement in self.consume().judgements
            if judgement.verdict != "accepted" or judgement.report.findings
        }

    def receipts(self) -> dict[str, bytes]:
        """Every receipt in the feed."""
        return {info.key: self.read(info.key) for info in self.store.list("receipts/")}


Published = tuple[MockSource, dict[str, bytes]]


def published(contract: Contract) -> Published:
    """A source, and the objects of its feed."""
    source = synthesise(contract, devices=6, start=START, seed=7)
    store = MemoryStore()
    publish(source, store, clock=clock)
    return source, {info.key: read(store, info.key, 10_000_000) for info in store.list("")}


@pytest.fixture(scope="session")
def published_hourly(contract: Contract) -> Published:
    """A feed under the default contract: 24 deliveries of 12 readings, and an inventory."""
    return published(contract)


@pytest.fixture(scope="session")
def published_few(contract: Contract) -> Published:
    """The same readings in 8 deliveries of 36, which are judged in a third of the time."""
    return published(with_intervals(contract, reading_seconds=3600, delivery_hours=3))


@pytest.fixture
def feed(published_few: Published, tmp_path: Path) -> Feed:
    """A clean feed of 9 deliveries."""
    return Feed(*published_few, tmp_path)


@pytest.fixture
def hourly_feed(published_hourly: Published, tmp_path: Path) -> Feed:
    """A clean feed of 25 deliveries."""
    return Feed(*published_hourly, tmp_path)


def edited_json(body: bytes, **changes: object) -> bytes:
    """A record with some fields changed by hand."""
    return json.dumps(json.loads(body) | changes).encode()
