"""The plan: periods of its own for each fault, decided by the seed; what cannot be is refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerstage.contract import Contract, default, loads
from powerstage.errors import UsageError
from powerstage.faults import Injector, all_faults, catalogue, plan_faults, truth_document
from powerstage.faults.periods import lay_out
from powerstage.producer import MockSource, synthesise
from powerstage.producer.curves import models
from powerstage.sim.demo import DEFAULT_FAULTS
from tests.conftest import START
from tests.faults.conftest import with_interval

LONG = ("silent_for_hours", "stuck_value", "late_reading")
NAMES = (*DEFAULT_FAULTS, *LONG)
DEFAULT = default()
KINDS = {fault.name: fault for fault in catalogue(DEFAULT)}


@given(seed=st.integers(0, 2**63 - 1))
def test_no_two_faults_share_a_period(seed: int) -> None:
    """Whatever the seed: periods in a row, neither the first nor the last."""
    hours = [START + timedelta(hours=hour) for hour in range(30)]
    placed = lay_out([KINDS[name] for name in NAMES], hours, DEFAULT, seed=seed)
    taken = [period for periods in placed.values() for period in periods]
    assert {name: len(placed[name]) for name in LONG} == dict(zip(LONG, (3, 6, 2), strict=True))
    assert len(set(taken)) == len(taken) == 13 + 3 + 6 + 2
    assert set(taken) <= set(hours[1:-1])
    for periods in placed.values():
        assert [period - periods[0] for period in periods] == [
            timedelta(hours=index) for index in range(len(periods))
        ]


def test_another_seed_makes_another_plan(source: MockSource) -> None:
    """Three seeds, three plans, of real devices; and a seed asked twice says the same."""
    names = ["nan_value", "silent_device", "stuck_value"]
    plans = [plan_faults(source, names, seed=seed) for seed in (1, 2, 3)]
    assert plan_faults(source, names, seed=1) == plans[0]
    assert len({tuple((p.periods, p.devices) for p in plan) for plan in plans}) == 3


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


def test_a_retired_device_is_one_that_the_fleet_had(source: MockSource, tmp_path: Path) -> None:
    """It stands in the inventory of four years ago, and in none of today's."""
    (planned,) = plan_faults(source, ["retired_device"], seed=7)
    (retired,) = planned.puts

    def listed(inventory: MockSource, moment: datetime) -> set[str]:
        path = tmp_path / f"{moment:%Y%m%d}.parquet"
        inventory.write_inventory(moment, path)
        return set(pyarrow.parquet.read_table(path)["sn"].to_pylist())

    before = START - timedelta(days=4 * 365 + 1)
    earlier = synthesise(source.contract, devices=6, start=before, days=1, seed=7)
    assert retired in listed(earlier, before)
    assert retired not in listed(source, planned.period)


@pytest.mark.parametrize(
    ("kind", "percent", "per_mille"), [("comatose_server", 0.5, 5), ("full_load_hour", 100, 1_000)]
)
def test_idle_and_full_load_are_those_of_the_model(
    source: MockSource, tmp_path: Path, kind: str, percent: float, per_mille: int
) -> None:
    """Both measures are on the curve of the device's model, to the watt."""
    plan = plan_faults(source, [kind], seed=7)
    path = tmp_path / "period.parquet"
    injected = Injector(plan, source.contract).source(source)
    injected.write_telemetry(plan[0].period, path)
    rows = [
        row for row in pyarrow.parquet.read_table(path).to_pylist() if row["sn"] in plan[0].devices
    ]
    curve = next(model.watts for model in models() if model.name == rows[0]["model"])
    values = {row["unit"]: row["value"] for row in rows}
    assert values == {"%": percent, "W": round(curve[per_mille])}
