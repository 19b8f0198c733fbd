"""The catalogue: what each kind promises, and what a contract makes of it."""

from collections import Counter

import pytest

from powerstage.contract import Contract, default, loads
from powerstage.errors import UsageError
from powerstage.faults import catalogue, checks_of_today, names_by_level, plan_faults
from powerstage.producer import synthesise
from powerstage.sim.demo import DEFAULT_FAULTS
from tests.contract.conftest import without_curves
from tests.faults.conftest import START

KINDS = catalogue(default())
NAMES = {fault.name for fault in KINDS}


def test_there_are_kinds_of_every_level_and_evidence() -> None:
    """A hundred and nine, each under a name of its own, harmless ones among them."""
    assert len(KINDS) == len(NAMES) == 109
    assert Counter(fault.evidence for fault in KINDS) == {
        "certain": 93,
        "needs history": 7,
        "undetectable": 1,
        "harmless": 8,
    }
    assert Counter(fault.level for fault in KINDS) == {
        "value": 36,
        "row": 10,
        "key": 9,
        "timing": 11,
        "column": 8,
        "file": 6,
        "commit": 15,
        "wire": 4,
        "fleet": 10,
    }


def test_each_check_has_a_fault_that_it_alone_must_see() -> None:
    """Taken away, it would leave that fault to nobody: no check is there for nothing."""
    promised = {fault.check for fault in KINDS if fault.check}
    assert set(checks_of_today(default())) - promised == set()


def test_no_text_of_a_kind_names_a_part_of_a_contract() -> None:
    """Words, magnitude and checks name this contract's columns."""
    texts = [text for fault in KINDS for text in (fault.words, fault.magnitude, fault.check)]
    assert [text for text in texts if "$" in text] == []


@pytest.mark.parametrize("fault", KINDS, ids=lambda fault: fault.name)
def test_a_kind_promises_what_its_evidence_allows(contract: Contract, fault: object) -> None:
    """What is harmless or undetectable has no check and is accepted; all others have a check."""
    found = next(kind for kind in catalogue(contract) if kind == fault)
    if found.evidence in {"harmless", "undetectable"}:
        assert (found.check, found.verdict, found.has_check) == ("", "accepted", False)
    elif found.evidence == "needs history":
        assert (bool(found.check), found.verdict) == (True, None)
    else:
        assert found.check
        assert found.verdict in ({None} if found.name == "missing_hour" else REFUSALS)
    assert found.words
    assert found.magnitude


REFUSALS = {"rejected", "unreadable"}


def test_every_kind_that_can_be_seen_has_a_check(contract: Contract) -> None:
    """None is left to be written."""
    known = checks_of_today(contract)
    assert all(fault.has_check == (fault.check in known) for fault in KINDS)
    assert [fault.name for fault in KINDS if fault.check and not fault.has_check] == []


def test_the_faults_of_the_demo_are_seen_by_checks_of_today() -> None:
    """Each of the thirteen is in the catalogue, and none of them is harmless."""
    default_kinds = [fault for fault in KINDS if fault.name in DEFAULT_FAULTS]
    assert len(default_kinds) == len(DEFAULT_FAULTS) == 13
    assert all(fault.has_check for fault in default_kinds)


def test_the_choice_is_told_level_by_level() -> None:
    """Every name stands in it once, in lines that fit a terminal."""
    text = names_by_level()
    told = [word for word in text.replace(",", " ").split() if not word.endswith(":")]
    assert sorted(told) == sorted(NAMES)
    assert max(map(len, text.splitlines())) <= 76


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        ("maximum: 2000", "maximum: 40000", {"sentinel_32767"}),
        ("maximum: 2000", "maximum: 100000", {"sentinel_65535", "sentinel_32767"}),
        ("W\n              minimum: 0", "W\n              minimum: -5000",
         {"negative_value", "sentinel_minus_one"}),
        ("ratio: 1", "ratio: 0.5",
         {"dropped_reading", "dropped_measure", "silent_device", "silent_for_hours",
          "absent_device", "half_file"}),
        ("physicalType: DOUBLE\n        required: true", "physicalType: DOUBLE", {"null_value"}),
        ("          pattern: '^[0-9A-Z]{10}$'", "          maxLength: 10", {"malformed_serial"}),
    ],
    ids=["a high range", "a higher one", "a low range", "half is enough", "no value needed",
         "any serial number"],
)  # fmt: skip
def test_what_a_contract_allows_is_no_fault_of_it(
    contract: Contract, before: str, after: str, allowed: set[str]
) -> None:
    """The catalogue lacks it, and who asks for it is told why."""
    assert before in contract.text
    text = without_curves(contract).text.replace(before, after)
    if "maxLength" in after:
        text = contract.text.replace("        logicalTypeOptions:\n" + before + "\n", "", 1)
    agreed = loads(text, "agreed")
    assert NAMES - {fault.name for fault in catalogue(agreed)} == allowed
    source = synthesise(agreed, devices=2, start=START, days=1)
    for name in allowed:
        with pytest.raises(UsageError, match=f"{name} is no fault of the contract") as caught:
            plan_faults(source, [name], seed=7)
        assert caught.value.cause
        assert caught.value.fix == "--faults: leave it out"


def test_idle_and_full_load_are_harmless_where_the_range_holds_them(contract: Contract) -> None:
    """Not where 0 % and 100 % are out of it."""
    limits = "minimum: {}\n              maximum: {}"
    agreed = loads(contract.text.replace(limits.format(0, 100), limits.format(5, 90)), "agreed")
    gone = NAMES - {fault.name for fault in catalogue(agreed)}
    assert gone == {"comatose_server", "full_load_hour"}


def test_what_a_contract_only_warns_of_is_no_fault_of_it(contract: Contract) -> None:
    """With warnings for errors, the kinds that are left are seen by checks that refuse."""
    agreed = loads(contract.text.replace("severity: error", "severity: warning"), "agreed")
    kinds = catalogue(agreed)
    severities = checks_of_today(agreed)
    refusing = [fault for fault in kinds if fault.has_check and fault.verdict is not None]
    assert {severities[fault.check] for fault in refusing} == {"error"}
    assert NAMES - {fault.name for fault in kinds} >= {
        "sentinel_65535", "wrong_unit", "clock_skew", "wrong_hour", "silent_device",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "lacks", "reason"),
    [
        ("unit: W\n", "unit: kW\n", "power_in_btu", "it has no measure in W"),
        ("unit: '%'\n", "unit: ratio\n", "zero_utilisation", "it has no measure in %"),
    ],
    ids=["kilowatts", "ratios"],
)
def test_what_a_contract_has_no_place_for_is_no_fault_of_it(
    contract: Contract, before: str, after: str, lacks: str, reason: str
) -> None:
    """A measure that nobody agreed on cannot be spoilt."""
    name, unit = before.strip().split(": ")[1], after.strip().split(": ")[1]
    text = (
        without_curves(contract)
        .text.replace(before, after)
        .replace(f"- value: {name}\n", f"- value: {unit}\n")
    )
    source = synthesise(loads(text, "agreed"), devices=2, start=START, days=1)
    with pytest.raises(UsageError, match=f"{lacks} is no fault") as caught:
        plan_faults(source, [lacks], seed=7)
    assert caught.value.cause == reason
