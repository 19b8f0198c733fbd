"""Faults under other contracts than the default one: each is spoilt in its own words."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from powerstage.consumer import Lake, consume
from powerstage.contract import Contract, loads
from powerstage.faults import PlannedFault, catalogue, plan_faults, truth_of
from powerstage.faults.fault import Level
from powerstage.producer import synthesise
from tests.conftest import clock
from tests.contract.conftest import end_stamped, jitter_of, jittered, replaced
from tests.faults.conftest import START, feed, with_interval

LEVELS: set[Level] = {"value", "row", "key", "timing", "column"}


def played(agreed: Contract, folder: Path, names: list[str], fuzz_seconds: int = 0) -> set[str]:
    """The kinds of some that were seen by their checks in a day or two of deliveries."""
    # A day of hours holds a few.
    days = 1 if len(names) < 10 else 2
    source = synthesise(
        agreed, devices=8, start=START, days=days, seed=7, fuzz=timedelta(seconds=fuzz_seconds)
    )
    plan = plan_faults(source, names, seed=7)
    with Lake(folder / "lake", make=True) as lake:
        consumed = consume(feed(source, plan), lake, clock=clock)
    blamed = {j.slot for j in consumed.judgements if j.report.findings}
    assert {slot for slot in blamed if not any(p.spoils(slot) for p in plan)} == set()
    return {
        planned.fault.name
        for planned in plan
        for judgement in consumed.judgements
        for finding in judgement.report.findings
        if planned.spoils(judgement.slot) and finding.check.id == planned.fault.check
    }


def seen_today(agreed: Contract, levels: set[Level]) -> list[str]:
    """The kinds of some levels that a check of today must see."""
    return [
        fault.name
        for fault in catalogue(agreed)
        if fault.has_check and fault.verdict and fault.level in levels
    ]


def test_renamed_columns_and_half_hours(contract: Contract, tmp_path: Path) -> None:
    """A value under another name, read twice an hour: the same kinds are seen."""
    text = contract.text.replace("intervalSeconds: 3600", "intervalSeconds: 1800")
    text = text.replace("- name: value\n", "- name: amount\n")
    agreed = loads(text.replace("value: value\n", "value: amount\n"), "agreed")
    names = seen_today(agreed, {"value", "timing"})
    assert len(names) >= 18
    assert played(agreed, tmp_path, names) == set(names)


@pytest.mark.parametrize("levels", [{"value", "timing", "column"}, {"row", "key"}])
def test_readings_that_are_stamped_by_their_end_alone(tmp_path: Path, levels: set[Level]) -> None:
    """What needs a start is no fault; all others are seen."""
    agreed = end_stamped()
    names = seen_today(agreed, levels)
    gone = {"reversed_interval", "wrong_interval_length", "seconds_as_hours"}
    assert not gone & set(names)
    assert played(agreed, tmp_path, names) == set(names)


@pytest.mark.parametrize("levels", [{"value", "timing"}, {"row", "key"}])
def test_readings_that_may_be_taken_late(tmp_path: Path, levels: set[Level]) -> None:
    """A reading is hit wherever in its interval it was taken; a clock may be ahead as far."""
    agreed = jittered(120)
    names = seen_today(agreed, levels)
    assert "clock_skew" not in {fault.name for fault in catalogue(agreed)}
    assert played(agreed, tmp_path, names, fuzz_seconds=120) == set(names)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        # A serial number that begins with X; texts whose letters are of one size alone.
        (
            [
                ("^[0-9A-Z]{10}$", "^X[2-9]{6}$"),
                ("- value: iLo", "- value: iLO 5"),
                ("server power", "5v power"),
            ],
            ["ghost_device", "lookalike_serial", "misspelt_source", "misspelt_measure"],
        ),
        # Small letters without a 0 or a 1; a text that is agreed on with small and large ones.
        (
            [
                ("^[0-9A-Z]{10}$", "^srv-[2-9]{6}$"),
                ("- value: iLo", "- value: iLo\n          - value: iLO"),
            ],
            ["ghost_device", "lookalike_serial", "misspelt_source"],
        ),
    ],
)
def test_a_text_is_spoilt_whatever_was_agreed(
    contract: Contract, tmp_path: Path, changes: list[tuple[str, str]], names: list[str]
) -> None:
    """A text that is spoilt by a letter is spoilt in another way where that letter is right."""
    agreed = loads(replaced(contract.text, *changes), "agreed")
    assert played(agreed, tmp_path, names) == set(names)


@pytest.mark.parametrize("pattern", ["^DC1-[0-9]{6}$", "^[A-Z]{8}$"])
def test_a_device_that_comes_has_a_serial_number_of_the_form_agreed(
    contract: Contract, pattern: str
) -> None:
    """It is one that the contract allows, where digits are a part of the form or there are none."""
    agreed = loads(replaced(contract.text, ("^[0-9A-Z]{10}$", pattern)), "agreed")
    source = synthesise(agreed, devices=8, start=START, days=1, seed=7)
    for planned in plan_faults(source, ["device_joins", "absent_device"], seed=7):
        (put,) = planned.puts
        assert re.fullmatch(pattern, put)
        assert put not in planned.devices


def test_a_serial_number_that_may_end_in_anything_is_never_malformed(contract: Contract) -> None:
    """A kind is none of a contract whose pattern allows what it would put in."""
    agreed = loads(replaced(contract.text, ("^[0-9A-Z]{10}$", "^.{1,20}$")), "agreed")
    assert "malformed_serial" not in {fault.name for fault in catalogue(agreed)}


TEXTS = ["model", "product_id", "location"]


@pytest.mark.parametrize("kept", [[], ["product_id"], ["product_id", "model"]])
def test_readings_need_not_say_what_the_inventory_says(contract: Contract, kept: list[str]) -> None:
    """Every kind is planned, whichever texts of the inventory a reading repeats, in any order."""
    before, schema = contract.text.split("  - name: telemetry\n")
    first, *texts = (schema.index(f"      - name: {name}\n") for name in [*TEXTS, "start_time"])
    columns = dict(zip(TEXTS, map(slice, [first, *texts], texts), strict=False))
    schema = schema[:first] + "".join(schema[columns[name]] for name in kept) + schema[texts[-1] :]
    agreed = loads(f"{before}  - name: telemetry\n{schema}", "agreed")
    source = synthesise(agreed, devices=8, start=START, days=1, seed=7)
    names = ["comatose_server", "full_load_hour", "unknown_site"]
    plan = plan_faults(source, names, seed=7)
    watts = [float(planned.puts[-1]) for planned in plan[:2]]
    assert 60 < watts[0] < watts[1]
    assert plan[2].listed.changed == 1


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        # Two late stamps make up for half an interval from a quarter of it on.
        (jitter_of(900), {"wrong_interval_length"}),
        # In a fleet that is large enough, a device is less than any share.
        (
            ("ratio: 1\n", "ratio: 0.9995\n"),
            {"dropped_reading", "silent_device", "absent_device"},
        ),
    ],
)
def test_what_a_contract_may_let_pass_is_no_fault_of_it(
    contract: Contract, change: tuple[str, str], gone: set[str]
) -> None:
    """Whether a check sees a fault does not depend on the fleet, or on how late a reading is."""
    agreed = loads(replaced(contract.text, change), "agreed")
    assert not gone & {fault.name for fault in catalogue(agreed)}


@pytest.mark.parametrize(("hours", "readings"), [(24, [6, 6, 48]), (4, [6, 6, 8])])
def test_a_fault_lasts_as_long_as_it_says_in_deliveries_of_any_length(
    contract: Contract, hours: int, readings: list[int]
) -> None:
    """Hours are hours, within a delivery or over its end; an inventory holds for whole ones."""
    agreed = with_interval(contract, hours)
    source = synthesise(agreed, devices=8, start=START, days=8, seed=7)
    names = ["silent_for_hours", "stuck_value", "device_leaves"]
    plan = plan_faults(source, names, seed=7)
    windows = [truth_of(planned)["window"] for planned in plan]
    assert windows == ["a period", "a period" if hours == 24 else "several periods", "a period"]
    lengths = [planned.last_start - planned.first_start for planned in plan]
    assert lengths == [timedelta(hours=length - 1) for length in (3, 6, hours)]
    removed = [plan[0].readings.removed, plan[1].readings.changed, plan[2].readings.removed]
    assert removed[::2] == readings[::2]
    assert 0 < removed[1] <= readings[1]


def test_a_load_that_stays_in_range_is_left_to_the_curve(contract: Contract) -> None:
    """The highest load of a fleet that idles is not over 100 % with 64 cores added up."""
    source = synthesise(contract, devices=1, start=START, days=1, seed=2)
    (planned,) = plan_faults(source, ["utilisation_over_100"], seed=2)
    assert (planned.fault.check, planned.fault.has_check) == ("value.on_curve", True)


def test_another_reading_is_found_though_both_were_late() -> None:
    """The period before is replayed, and a value sticks, from interval to interval."""
    source = synthesise(
        jittered(120), devices=8, start=START, days=1, seed=7, fuzz=timedelta(seconds=120)
    )
    plan: tuple[PlannedFault, ...] = plan_faults(source, ["replayed_hour", "stuck_value"], seed=7)
    assert [planned.readings.changed > 0 for planned in plan] == [True, True]
