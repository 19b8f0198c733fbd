"""What the producer's tests share: a worker, contracts edited by hand, what a feed holds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from powerstage.checks import Checker
from powerstage.contract import Commit, CommitKey, Contract, loads, parse_key
from powerstage.producer import MockSource, publish, synthesise
from powerstage.store import MemoryStore, Store, read
from tests import other_duckdb
from tests.conftest import START, clock

HOURLY = "    value: 1\n    unit: h\n"
HALF_DAYS = (HOURLY, "    value: 12\n    unit: h\n")


@pytest.fixture(scope="session")
def checker() -> Iterator[Checker]:
    """One worker for all."""
    with Checker() as checker:
        yield checker


def edited(contract: Contract, *changes: tuple[str, str]) -> Contract:
    """A contract with some texts replaced by others."""
    text = contract.text
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return loads(text, "edited")


@pytest.fixture(scope="session")
def elsewhere(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all cases of mock data, written by the DuckDB that is not installed."""
    cache = pytestconfig.cache
    assert cache is not None
    folder = tmp_path_factory.mktemp("elsewhere")
    duckdb = other_duckdb.install(cache.mkdir(f"duckdb-{other_duckdb.OTHER}"))
    other_duckdb.run(duckdb, "tests.producer.elsewhere", folder)
    return folder


@pytest.fixture(scope="session")
def half_days(contract: Contract) -> Contract:
    """The default contract, but that a delivery covers 12 hours."""
    return edited(contract, HALF_DAYS)


@pytest.fixture
def small(half_days: Contract) -> MockSource:
    """Mock data of 3 devices over a day: 2 periods of 72 readings."""
    return synthesise(half_days, devices=3, start=START)


@pytest.fixture(scope="session")
def whole(half_days: Contract) -> dict[str, bytes]:
    """The objects of a feed with all of ``small``."""
    return objects(published(synthesise(half_days, devices=3, start=START)))


def store_of(objects: dict[str, bytes]) -> MemoryStore:
    """A store that holds these objects."""
    store = MemoryStore()
    for key, body in objects.items():
        store.put(key, body)
    return store


def objects(store: Store) -> dict[str, bytes]:
    """All that a store holds."""
    return {info.key: read(store, info.key, 10_000_000) for info in store.list("")}


def commits(store: Store) -> list[Commit]:
    """The commits of a feed, inventory first."""
    found = [info.key for info in store.list("commits/")]
    assert all(isinstance(parse_key(key), CommitKey) for key in found)
    return [Commit.from_json(read(store, key, 10_000_000)) for key in found]


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet file, in their order."""
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def delivered(store: Store, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of every delivery of a feed, by its slot."""
    found = {}
    for commit in commits(store):
        (file,) = commit.files
        path = folder / f"{file.sha256}.parquet"
        path.write_bytes(read(store, file.key, 10_000_000))
        found[str(commit.slot)] = rows(path)
    return found


def published(source: MockSource) -> MemoryStore:
    """A feed in memory with all of a source."""
    store = MemoryStore()
    publish(source, store, clock=clock)
    return store
