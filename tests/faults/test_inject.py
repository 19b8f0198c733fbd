"""A source and a store, wrapped: what is planned is spoilt, the same each time, and no more."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from powerstage.contract import CommitKey, Slot
from powerstage.faults import Injector, plan_faults
from powerstage.producer import MockSource, publish
from tests.conftest import clock
from tests.faults.conftest import feed, objects


def test_without_a_plan_nothing_changes(source: MockSource) -> None:
    """An injector that has nothing to do passes everything on, commits too."""
    assert objects(feed(source, ())) == objects(feed(source, None))


def test_a_fault_of_readings_leaves_the_commits_of_others_alone(source: MockSource) -> None:
    """Where no inventory is spoilt, the commits that differ are those of the planned periods."""
    plan = plan_faults(source, ["nan_value", "late_reading", "lost_object"], seed=7)
    clean, faulty = objects(feed(source, None)), objects(feed(source, plan))
    changed = {key for key in clean if key.startswith("commits/") and faulty[key] != clean[key]}
    hit = [planned for planned in plan if planned.fault.name != "lost_object"]
    assert changed == {
        str(CommitKey(slot=Slot(dataset="telemetry", period=period)))
        for planned in hit
        for period in planned.periods
    }


def test_the_same_seed_spoils_the_same_bytes(source: MockSource) -> None:
    """Published anew from the start, the feed is equal object by object."""
    names = ["noise_burst", "conflicting_duplicate", "restated_site", "swapped_objects"]
    first, second = (feed(source, plan_faults(source, names, seed=7)) for _ in range(2))
    assert objects(first) == objects(second)


def test_a_feed_with_a_second_revision_can_be_published_again(source: MockSource) -> None:
    """Its producer meets its own first revision, and has nothing to do."""
    plan = plan_faults(source, ["restated_site", "device_joins", "nan_value"], seed=7)
    store = feed(source, plan)
    before = objects(store)
    injector = Injector(plan, source.contract)
    done = publish(injector.source(source), injector.store(store), clock=clock)
    assert {item.state for item in done} == {"unchanged"}
    assert objects(store) == before


def test_periods_may_be_written_side_by_side(source: MockSource, tmp_path: Path) -> None:
    """Several threads write the bytes that one writes: nothing is shared but the plan."""
    plan = plan_faults(source, ["nan_value", "late_reading", "extra_column", "cut_object"], seed=7)
    injected = Injector(plan, source.contract).source(source)

    def written(folder: str, period: datetime) -> bytes:
        path = tmp_path / folder / f"{period:%H}.parquet"
        path.parent.mkdir(exist_ok=True)
        injected.write_telemetry(period, path)
        return path.read_bytes()

    periods = injected.periods()
    alone = [written("alone", period) for period in periods]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda period: written("together", period), periods))
    assert together == alone
    assert len(list((tmp_path / "together").iterdir())) == len(periods)
