"""The plan: periods of its own for each fault, decided by the seed; what cannot be is refused."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powerstage.contract import Contract, loads
from powerstage.errors import UsageError
from powerstage.faults import PlannedFault, all_faults, catalogue, plan_faults, truth_document
from powerstage.producer import MockSource, synthesise
from powerstage.sim.demo import DEFAULT_FAULTS
from tests.conftest import START
from tests.faults.conftest import with_interval

LONG = ("silent_for_hours", "stuck_value", "late_reading")
Planner = Callable[[int], tuple[PlannedFault, ...]]


@pytest.fixture(scope="module")
def planner(contract: Contract) -> Planner:
    """Plans the demo's faults and three of several periods into two days of one fleet."""
    source = synthesise(contract, devices=6, start=START, days=2, seed=7)
    return lambda seed: plan_faults(source, (*DEFAULT_FAULTS, *LONG), seed=seed)


@pytest.fixture(scope="module")
def devices(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The serial numbers of the fleet's inventory."""
    path: Path = tmp_path_factory.mktemp("inventory") / "inventory.parquet"
    synthesise(contract, devices=6, start=START, seed=7).write_inventory(START, path)
    return set(pyarrow.parquet.read_table(path)["sn"].to_pylist())


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**63 - 1))
def test_no_two_faults_share_a_period(planner: Planner, devices: set[str], seed: int) -> None:
    """Whatever the seed: periods in a row, neither the first nor the last, and real devices."""
    plan = planner(seed)
    periods = [period for planned in plan for period in planned.periods]
    assert [planned.fault.name for planned in plan] == [*DEFAULT_FAULTS, *LONG]
    assert len(set(periods)) == len(periods) == 13 + 3 + 6 + 2
    assert all(START < period < START + timedelta(hours=47) for period in periods)
    for planned in plan:
        last = planned.periods[0] + (len(planned.periods) - 1) * timedelta(hours=1)
        assert planned.periods[-1] == last
        assert set(planned.devices) <= devices


def test_another_seed_makes_another_plan(planner: Planner) -> None:
    """Five seeds, five plans; and a seed asked twice says the same."""
    assert planner(1) == planner(1)
    plans = [tuple((p.periods, p.devices) for p in planner(seed)) for seed in range(5)]
    assert len(set(plans)) == 5


def test_a_plan_is_known_for_a_seed(source: MockSource) -> None:
    """The same on any machine, in any process: neither hash seed nor order of sets matters."""
    plan = plan_faults(source, ["nan_value", "silent_for_hours", "lost_object"], seed=7)
    truth = truth_document(plan, seed=7, feed="s3://bucket/feed")
    assert {name: truth[name] for name in ("schema", "seed", "feed")} == {
        "schema": "powerstage.truth/1",
        "seed": 7,
        "feed": "s3://bucket/feed",
    }
    nan, silent, lost = truth["faults"]
    (device,) = nan.pop("devices")
    assert device in {row.device for row in plan[0].rows}
    assert nan == {
        "fault": "nan_value",
        "level": "value",
        "words": "a value that is not a number",
        "magnitude": "one NaN",
        "window": "one interval",
        "evidence": "certain",
        "source": None,
        "dataset": "telemetry",
        "check": "value.finite",
        "has_check": True,
        "verdict": "rejected",
        "period_first": "2026-11-02T0900",
        "period_last": "2026-11-02T0900",
        "start_first": "2026-11-02T09:00:00Z",
        "start_last": "2026-11-02T09:00:00Z",
        "sites": [],
        "measures": ["server power"],
        "puts": [],
        "readings": {"changed": 1, "added": 0, "removed": 0},
        "inventory": {"changed": 0, "added": 0, "removed": 0},
    }
    assert (silent["period_first"], silent["period_last"]) == ("2026-11-02T1600", "2026-11-02T1800")
    assert silent["readings"] == {"changed": 0, "added": 0, "removed": 6}
    assert (lost["devices"], lost["measures"], lost["start_first"]) == ([], [], lost["start_last"])


def test_an_unknown_fault_is_told_with_the_nearest(source: MockSource) -> None:
    """The error names what was asked for, what was meant, and every kind that there is."""
    with pytest.raises(UsageError, match="no fault 'nan_valu'") as caught:
        plan_faults(source, ["nan_value", "nan_valu"], seed=7)
    assert caught.value.fix.startswith(
        "--faults: did you mean nan_value? choose from 'all', 'none'"
    )
    assert all(fault.name in caught.value.fix for fault in catalogue(source.contract))


def test_a_fault_stands_once(source: MockSource) -> None:
    """Two of a kind would be told apart by nothing."""
    with pytest.raises(UsageError, match="the fault nan_value stands twice") as caught:
        plan_faults(source, ["nan_value", "null_value", "nan_value"], seed=7)
    assert "--faults" in caught.value.fix


@pytest.mark.parametrize(
    ("days", "faults", "words"),
    [
        (5, DEFAULT_FAULTS[:4], "faults: 4, which need 6 periods; there are 5"),
        (2, DEFAULT_FAULTS[:1], "faults: 1, which need 3 periods; there are 2"),
        (1, DEFAULT_FAULTS[:2], "faults: 2, which need 4 periods; there are 1"),
        (4, ("power_drift", "nan_value"), "faults: 2, which need 5 periods; there are 4"),
    ],
)
def test_more_faults_than_periods_are_refused(
    contract: Contract, days: int, faults: tuple[str, ...], words: str
) -> None:
    """The first and the last period are no place for a fault; the error counts them all."""
    daily = synthesise(with_interval(contract, 24), devices=1, start=START, days=days)
    with pytest.raises(UsageError, match=words) as caught:
        plan_faults(daily, faults, seed=7)
    assert caught.value.fix == "--faults: name fewer, or ask for more --days"


@pytest.mark.parametrize("seed", range(5))
def test_as_many_faults_as_fit_are_planned(contract: Contract, seed: int) -> None:
    """Six periods of faults go into eight, one run among them, whatever the order."""
    daily = synthesise(with_interval(contract, 24), devices=1, start=START, days=8)
    plan = plan_faults(daily, [*DEFAULT_FAULTS[:4], "power_drift"], seed=seed)
    taken = sorted(period for planned in plan for period in planned.periods)
    assert taken == daily.periods()[1:-1]


def test_a_swap_needs_two_devices_of_a_model(contract: Contract) -> None:
    """A fleet of one is refused, with what would help."""
    source = synthesise(contract, devices=1, start=START, days=1)
    with pytest.raises(UsageError, match="needs two devices of one model") as caught:
        plan_faults(source, ["swapped_devices"], seed=7)
    assert caught.value.fix == "--faults: leave it out, or ask for more --devices"


def test_local_time_needs_a_site_away_from_utc(contract: Contract) -> None:
    """Where all clocks are on UTC there is nothing to mistake."""
    text = contract.text
    for zone in ("America/Chicago", "America/Los_Angeles", "Europe/Berlin"):
        text = text.replace(f"timezone: {zone}", "timezone: UTC")
    source = synthesise(loads(text, "agreed"), devices=6, start=START, days=1)
    with pytest.raises(UsageError, match="needs a site that is not on UTC") as caught:
        plan_faults(source, ["local_time_as_utc"], seed=7)
    assert "--faults" in caught.value.fix


def test_a_clock_change_is_found_where_there_is_one(contract: Contract) -> None:
    """Berlin's clocks go back at 01:00 UTC: that is the period."""
    start = datetime(2026, 10, 24, tzinfo=UTC)
    source = synthesise(contract, devices=1, start=start, days=2)
    (planned,) = plan_faults(source, ["dst_hour"], seed=7)
    assert planned.periods == (datetime(2026, 10, 25, 1, tzinfo=UTC),)
    assert "dst_hour" in all_faults(source)


def test_days_without_a_clock_change_have_no_such_hour(source: MockSource) -> None:
    """It is refused by name, and ``all`` is all but that."""
    with pytest.raises(UsageError, match="no site's clock changes") as caught:
        plan_faults(source, ["dst_hour"], seed=7)
    assert caught.value.fix.startswith("--faults: leave it out")
    names = {fault.name for fault in catalogue(source.contract)}
    assert names - set(all_faults(source)) == {"dst_hour"}


@pytest.mark.parametrize("kind", ["zero_utilisation", "power_in_btu", "swapped_measures"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fault_of_load_hits_a_device_that_has_some(
    contract: Contract, tmp_path: Path, kind: str, seed: int
) -> None:
    """Its mean load is over 20 %, or the highest of all."""
    source = synthesise(contract, devices=12, start=START, days=1, seed=seed)
    (planned,) = plan_faults(source, [kind], seed=seed)
    path = tmp_path / "period.parquet"
    source.write_telemetry(planned.period, path)
    loads_ = {
        row["sn"]: row["value"]
        for row in pyarrow.parquet.read_table(path).to_pylist()
        if row["unit"] == "%"
    }
    (device,) = planned.devices
    assert loads_[device] > 20 or loads_[device] == max(loads_.values())
