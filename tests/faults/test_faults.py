"""Every kind of fault is seen by the check that it names, and nothing else is blamed."""

import pytest

from powerstage.consumer import Judgement
from powerstage.contract import default
from powerstage.faults import catalogue
from tests.faults.besides import BESIDES
from tests.faults.conftest import SEEDS, Rehearsals

KINDS = {fault.name: fault for fault in catalogue(default())}
SEEN = [name for name, fault in KINDS.items() if fault.has_check and fault.verdict]
HARMLESS = [name for name, fault in KINDS.items() if fault.evidence == "harmless"]
UNSEEN = [name for name, f in KINDS.items() if not f.has_check and f.evidence != "harmless"]
# What needs history in general, and is so large for a small device that its curve shows it.
ALSO_OFF_CURVE = {"power_offset", "noise_burst", "stuck_value"}
each_seed = pytest.mark.parametrize("seed", SEEDS)


@each_seed
@pytest.mark.parametrize("kind", SEEN)
def test_a_fault_is_seen_by_its_check(rehearsals: Rehearsals, kind: str, seed: int) -> None:
    """The verdict is the one promised, for the reasons promised and no other."""
    rehearsal = rehearsals[seed]
    fault = rehearsal.plan[kind].fault
    if not fault.has_check:
        pytest.skip("with these values it takes a check that is still to be written")
    judgements = rehearsal.judgements(kind)
    found = {finding.check.id for j in judgements for finding in j.report.findings}
    assert found - (BESIDES.get(kind, set()) - {fault.check}) == {fault.check}
    promised = [
        judgement.verdict
        for judgement in judgements
        if judgement.slot.dataset == fault.dataset
        and fault.check in {finding.check.id for finding in judgement.report.findings}
    ]
    assert set(promised) == {fault.verdict}


@each_seed
@pytest.mark.parametrize("kind", HARMLESS)
def test_what_is_harmless_is_left_alone(rehearsals: Rehearsals, kind: str, seed: int) -> None:
    """Each of its deliveries is accepted, and nothing is said of it."""
    said = {(j.verdict, j.report.findings) for j in rehearsals[seed].judgements(kind)}
    assert said == {("accepted", ())}


@each_seed
@pytest.mark.parametrize("kind", UNSEEN)
def test_what_no_check_sees_yet_keeps_the_contract_of_today(
    rehearsals: Rehearsals, kind: str, seed: int
) -> None:
    """It is accepted: a check that comes is the first to see it, and makes this test fail."""
    judgements = rehearsals[seed].judgements(kind)
    if kind in ALSO_OFF_CURVE:
        judgements = [j for j in judgements if not _is_off_curve_alone(j)]
    else:
        assert judgements
    assert {(j.verdict, j.report.findings) for j in judgements} <= {("accepted", ())}


def _is_off_curve_alone(judgement: Judgement) -> bool:
    return [finding.check.id for finding in judgement.report.findings] == ["value.on_curve"]


@each_seed
@pytest.mark.parametrize(
    "kind",
    [name for name in SEEN if KINDS[name].level in {"value", "row", "key", "timing"}],
)
def test_a_finding_names_what_was_hit(rehearsals: Rehearsals, kind: str, seed: int) -> None:
    """The rows that it shows are of the planned devices, or of the name that was put there."""
    rehearsal = rehearsals[seed]
    planned = rehearsal.plan[kind]
    if not planned.devices or not planned.fault.has_check:
        pytest.skip("it hits more than a few devices")
    named = {
        value
        for judgement in rehearsal.judgements(kind)
        for finding in judgement.report.findings
        if finding.check.id == planned.fault.check
        for sample in finding.samples
        for name, value in sample.values
        if name in {"sn", "device"}
    }
    (device,) = planned.devices
    other = {
        "ghost_device": f"X{device[1:]}",
        "null_device": "null",
        "retired_device": "".join(planned.puts),
        "padded_serial": f"{device}\u00a0",
        "lookalike_serial": _typed_in(device),
    }.get(kind, device)
    assert named == {other}


def _typed_in(device: str) -> str:
    for digit, letter in (("0", "O"), ("1", "I")):
        if digit in device:
            return device.replace(digit, letter, 1)
    return device.lower()


@each_seed
def test_a_period_that_was_held_back_is_reported_missing(rehearsals: Rehearsals, seed: int) -> None:
    """It has no delivery to blame."""
    rehearsal = rehearsals[seed]
    assert rehearsal.judgements("missing_hour") == []
    interval = rehearsal.source.contract.delivery_interval
    missing = {
        gap.first + index * interval
        for gap in rehearsal.consumed.gaps
        for index in range(gap.periods)
    }
    # The other was delivered a minute off the calendar.
    assert missing == {rehearsal.plan[kind].period for kind in ("missing_hour", "off_calendar")}


@each_seed
def test_clean_deliveries_are_accepted_without_a_finding(rehearsals: Rehearsals, seed: int) -> None:
    """Nothing is said of any delivery that was not planned to be spoilt."""
    rehearsal = rehearsals[seed]
    clean = [j for j in rehearsal.consumed.judgements if not rehearsal.is_spoilt(j.slot)]
    assert {(judgement.verdict, judgement.report.findings) for judgement in clean} == {
        ("accepted", ())
    }
    # The inventory of the first period, and the clean one again after each spoilt one.
    assert sum(judgement.slot.dataset == "inventory" for judgement in clean) >= 4
    assert rehearsal.consumed.strays == ()
