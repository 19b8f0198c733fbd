"""Mock data are a function of the seed: one fingerprint, whoever makes them, how and where."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from powerstage import engine
from powerstage.contract import period_text
from tests.producer.mock import (
    CASES,
    Case,
    shuffled,
    write,
    write_inventories,
    write_side_by_side,
    written,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHARDS = 7

Way = Callable[[Case, Path], None]


def whole(case: Case, folder: Path) -> None:
    """Period by period."""
    write(case.source(), folder)


def in_shards(case: Case, folder: Path) -> None:
    """Seven parts of the fleet by two instances, all in a shuffled order."""
    sources = (case.source(), case.source())
    write_inventories(sources[0], shuffled(sources[0].snapshots()), folder)
    bounds = [case.devices * shard // SHARDS for shard in range(SHARDS + 1)]
    tasks = shuffled((period, shard) for period in sources[0].periods() for shard in range(SHARDS))
    for period, shard in tasks:
        path = folder / f"{period_text(period)}-{shard}.parquet"
        positions = range(bounds[shard], bounds[shard + 1])
        sources[shard % 2].part(positions).write_telemetry(period, path)


def by_one_worker(case: Case, folder: Path) -> None:
    """Ahead of its use."""
    write_side_by_side(case.source(), folder, workers=1)


def by_four_workers(case: Case, folder: Path) -> None:
    """Side by side."""
    write_side_by_side(case.source(), folder, workers=4)


def each_period_alone(case: Case, folder: Path) -> None:
    """By an instance that knows of no other."""
    source = case.source()
    for period in source.snapshots():
        write_inventories(case.source(start=period, days=1), [period], folder)
    for period in source.periods():
        path = folder / f"{period_text(period)}.parquet"
        case.source(start=period, days=1).write_telemetry(period, path)


def in_a_longer_run(case: Case, folder: Path) -> None:
    """Backwards, with days before and after."""
    source = case.source()
    longer = case.source(start=max(EPOCH, case.start - timedelta(days=3)), days=case.days + 5)
    for period in reversed(source.periods()):
        longer.write_telemetry(period, folder / f"{period_text(period)}.parquet")
    write_inventories(longer, list(reversed(source.snapshots())), folder)


each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@each_case
@pytest.mark.parametrize(
    "way",
    [whole, in_shards, by_one_worker, by_four_workers, each_period_alone, in_a_longer_run],
    ids=lambda way: way.__name__,
)
def test_data_are_the_same_however_they_are_made(case: Case, way: Way, tmp_path: Path) -> None:
    """Every value of inventory and telemetry, by a fingerprint that stands in the case."""
    way(case, tmp_path)
    assert written(tmp_path).fingerprint() == case.fingerprint


@pytest.mark.parametrize("case", CASES[1:3], ids=lambda case: case.name)
def test_data_are_the_same_by_the_portable_mixer(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should ``hash`` of a DuckDB to come be another function."""
    monkeypatch.setitem(engine._FAST, "mix64(x)", "xor(x::UBIGINT, 1)")
    assert write(case.source(), tmp_path).fingerprint() == case.fingerprint


@each_case
def test_data_are_the_same_on_the_other_line_of_duckdb(case: Case, elsewhere: Path) -> None:
    """Whatever the bytes of their files."""
    assert written(elsewhere / case.name).fingerprint() == case.fingerprint
