"""Servers come and go: who is there, from when to when, and that both datasets agree on it."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from powerstage.consumer import Lake, consume
from powerstage.contract import Contract
from powerstage.engine import connect
from powerstage.producer import MockSource, publish, synthesise
from powerstage.producer.fleet import Fleet
from powerstage.producer.parameters import SERVICE_DAYS, VACANT_DAYS_MAX
from powerstage.store import MemoryStore
from tests.conftest import START, clock
from tests.producer import oracle
from tests.producer.conftest import edited
from tests.producer.mock import DAILY, Written, write

DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEVICES = 30
DAYS_MAX = 3_660


@pytest.fixture(scope="module")
def decade(half_days: Contract) -> MockSource:
    """Thirty servers and their successors over ten years."""
    return synthesise(half_days, devices=DEVICES, start=START, days=DAYS_MAX, seed=11)


@pytest.fixture(scope="module")
def present(decade: MockSource) -> dict[datetime, dict[int, str]]:
    """Serial numbers by place, from each snapshot on."""
    query = 'SELECT position, "inventory:sn"::VARCHAR FROM serving'
    with decade.engines.one() as engine:
        return {
            snapshot: dict(engine.at(snapshot).execute(query).fetchall())
            for snapshot in engine.snapshots
        }


def serials(path: Path) -> set[str]:
    """The devices of a file."""
    return set(pq.read_table(path, columns=["sn"])["sn"].to_pylist())


def test_snapshots_are_the_midnights_at_which_the_inventory_differs(
    half_days: Contract, tmp_path: Path
) -> None:
    """By the inventory of each day, written by an instance that knows of no other day."""
    fleet = partial(synthesise, half_days, devices=200, seed=5)
    midnights = [START + number * DAY for number in range(14)]
    inventories = []
    for midnight in midnights:
        fleet(start=midnight).write_inventory(midnight, tmp_path / "i")
        inventories.append(serials(tmp_path / "i"))
    changes = [
        midnights[number]
        for number in range(1, 14)
        if inventories[number] != inventories[number - 1]
    ]
    assert len(changes) > 1
    assert fleet(start=START, days=14).snapshots() == [START, *changes]
    # A day may begin at noon.
    noon = START + DAY / 2
    assert fleet(start=noon, days=13).snapshots() == [noon, *changes]


def test_snapshots_over_ten_years_are_those_of_the_oracle(decade: MockSource) -> None:
    """Each midnight at which the set of servers is another."""
    first = (START - EPOCH).days
    days = [
        set(oracle.serving(decade.contract, DEVICES, 11, first + number).key.tolist())
        for number in range(DAYS_MAX)
    ]
    changes = [number for number in range(1, DAYS_MAX) if days[number] != days[number - 1]]
    assert decade.snapshots() == [START, *(START + number * DAY for number in changes)]


def test_a_server_that_left_never_reports_again(
    present: dict[datetime, dict[int, str]],
) -> None:
    """Each is there in one run of snapshots."""
    gone: set[str] = set()
    now: set[str] = set()
    for fleet in present.values():
        gone |= now - set(fleet.values())
        now = set(fleet.values())
        assert not gone & now
    assert len(gone) > 2 * DEVICES


def test_a_place_is_empty_for_a_week_at_most(present: dict[datetime, dict[int, str]]) -> None:
    """Whoever is missing is followed by another within seven days."""
    empty_since: dict[int, datetime] = {}
    lengths = []
    for snapshot, fleet in present.items():
        for place in range(DEVICES):
            if place not in fleet:
                empty_since.setdefault(place, snapshot)
            elif place in empty_since:
                lengths.append((snapshot - empty_since.pop(place)).days)
    assert set(lengths) <= set(range(1, VACANT_DAYS_MAX + 1))
    assert len(lengths) > 5


def test_no_fleet_is_ever_without_a_server(contract: Contract) -> None:
    """One place is never empty, not on the day of a change either; whatever the seed."""
    with connect(threads=1) as connection:
        for seed in range(10):
            fleet = Fleet(contract=contract, devices=1, seed=seed)
            fleet.create_places(connection)
            changes = fleet.changes(connection, START, START + 1_500 * DAY)
            for change in changes:
                fleet.create_serving(connection, change)
                assert connection.execute("SELECT count(*) FROM serving").fetchall() == [(1,)]
            assert len(changes) in {1, 2}
            connection.execute("DROP TABLE place")


def test_most_places_are_taken_over_at_once(present: dict[datetime, dict[int, str]]) -> None:
    """A fifth stands empty in between; of 30 places, within three deviations."""
    ever_empty = {
        place for fleet in present.values() for place in range(DEVICES) if place not in fleet
    }
    assert 1 <= len(ever_empty) <= 13


def test_a_server_serves_four_years(present: dict[datetime, dict[int, str]]) -> None:
    """Less the days in which its place stood empty, if it is seen to come and to go."""
    snapshots = list(present)
    first: dict[str, datetime] = {}
    last: dict[str, datetime] = {}
    for snapshot, until in pairwise(snapshots):
        for serial in present[snapshot].values():
            first.setdefault(serial, snapshot)
            last[serial] = until
    lives = [
        (last[serial] - first[serial]).days
        for serial in first
        if first[serial] != snapshots[0] and last[serial] != snapshots[-1]
    ]
    assert len(lives) > DEVICES // 2
    assert set(lives) <= set(range(SERVICE_DAYS - VACANT_DAYS_MAX, SERVICE_DAYS + 1))


def test_serial_numbers_never_recur(contract: Contract) -> None:
    """Over twenty years, where the pattern leaves few more than are needed."""
    tight = edited(contract, ("'^[0-9A-Z]{10}$'", "'^X[0-9]{4}$'"))
    fleet = Fleet(contract=tight, devices=1_400, seed=3)
    fleet.require_serials(START, START + 20 * 365 * DAY)
    owners: dict[str, int] = {}
    with connect(threads=1) as connection:
        fleet.create_places(connection)
        for year in range(20):
            fleet.create_serving(connection, START + year * 365 * DAY)
            found = connection.execute(
                'SELECT "inventory:sn"::VARCHAR, device_key FROM serving'
            ).fetchall()
            for serial, key in found:
                assert owners.setdefault(serial, key) == key
    assert len(owners) == len(set(owners.values()))
    assert len(owners) > 5 * 1_400


@pytest.fixture(scope="module")
def month(
    contract: Contract, tmp_path_factory: pytest.TempPathFactory
) -> tuple[MockSource, Written]:
    """Places for 150 servers over 30 days, some of them empty for a while."""
    source = synthesise(edited(contract, DAILY), devices=150, start=START, days=30, seed=5)
    return source, write(source, tmp_path_factory.mktemp("month"))


def test_inventory_and_telemetry_agree_in_every_period(
    month: tuple[MockSource, Written],
) -> None:
    """The servers of a period's readings are those of the inventory in force."""
    source, files = month
    snapshots = source.snapshots()
    inventories = [serials(path) for path in files.inventories]
    for period, path in zip(source.periods(), files.telemetry, strict=True):
        assert serials(path) == inventories[bisect_right(snapshots, period) - 1]
    assert len(snapshots) > 3
    assert len({len(inventory) for inventory in inventories}) > 1


def test_who_comes_reports_from_the_first_interval_and_who_goes_to_the_last(
    month: tuple[MockSource, Written],
) -> None:
    """Every server has every interval of every day that it is there."""
    source, files = month
    starts = [*source.snapshots(), START + 30 * DAY]
    expected: dict[str, int] = {}
    for path, (start, end) in zip(files.inventories, pairwise(starts), strict=True):
        for serial in serials(path):
            expected[serial] = expected.get(serial, 0) + (end - start).days * 24 * 2
    found = files.query("SELECT sn, count(DISTINCT (start_time, type)) FROM telemetry GROUP BY sn")
    assert dict(found) == expected
    assert len(found) > 150


def test_a_frozen_fleet_has_one_inventory(half_days: Contract, tmp_path: Path) -> None:
    """Servers of the first period stay for ten years, and nobody comes."""
    fleet = partial(synthesise, half_days, devices=DEVICES, start=START, days=DAYS_MAX, seed=11)
    frozen = fleet(frozen=True)
    assert frozen.snapshots() == [START]
    last = frozen.periods()[-1]
    frozen.write_inventory(START, tmp_path / "i")
    frozen.write_telemetry(last, tmp_path / "t")
    assert serials(tmp_path / "t") == serials(tmp_path / "i")
    fleet().write_telemetry(last, tmp_path / "moved")
    assert not serials(tmp_path / "moved") & serials(tmp_path / "i")


def test_a_consumer_takes_in_a_window_in_which_servers_change(
    decade: MockSource, tmp_path: Path
) -> None:
    """Two inventories, each pinned by its telemetry; all is accepted, with no finding."""
    change = decade.snapshots()[1]
    source = synthesise(decade.contract, devices=DEVICES, start=change - DAY, days=2, seed=11)
    store = MemoryStore()
    publish(source, store, clock=clock)
    with Lake(tmp_path / "lake", make=True) as lake:
        consumed = consume(store, lake, clock=clock)
        counts = lake.telemetry().aggregate("count(*)").fetchall()
    verdicts = [
        (judgement.slot.dataset, judgement.verdict, judgement.report.findings)
        for judgement in consumed.judgements
    ]
    assert (
        sorted(verdicts)
        == [("inventory", "accepted", ())] * 2 + [("telemetry", "accepted", ())] * 4
    )
    assert (consumed.gaps, consumed.strays) == ((), ())
    rows = {
        dataset: sum(
            judgement.report.rows
            for judgement in consumed.judgements
            if judgement.slot.dataset == dataset
        )
        for dataset in ("inventory", "telemetry")
    }
    # A day for each inventory.
    assert counts == [(rows["telemetry"],)]
    assert rows["telemetry"] == rows["inventory"] * 24 * 2
