"""Every kind of fault is seen by the check that it names, and nothing else is blamed."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powerstage.consumer import Consumed, Judgement, Lake, consume
from powerstage.contract import CommitKey, Contract, Slot, default, loads
from powerstage.errors import UsageError
from powerstage.faults import Injector, PlannedFault, catalogue, plan_faults
from powerstage.producer import MockSource, publish, synthesise
from powerstage.store import MemoryStore, read
from tests.conftest import START, clock

SEEDS = (0, 7, 2**63 - 1)
# Of each kind that a delivery shows: the verdict, the checks that fail, the named one first,
# and how many rows or files that one counts, in a period of 12 readings of 6 devices.
SEEN = {
    "null_value": ("rejected", ["value.not_null"], 1),
    "nan_value": ("rejected", ["value.finite"], 1),
    "sentinel_65535": ("rejected", ["value.range"], 1),
    "negative_value": ("rejected", ["value.range"], 1),
    "wrong_unit": ("rejected", ["unit.of_measure", "unit.allowed"], 1),
    "duplicate_reading": ("rejected", ["key.unique"], 1),
    "dropped_reading": ("rejected", ["grid.complete"], 1),
    "silent_device": ("rejected", ["grid.complete"], 2),
    "ghost_device": ("rejected", ["sn.in_inventory", "grid.complete"], 2),
    "clock_skew": ("rejected", ["reading.on_grid", "grid.complete"], 2),
    "wrong_hour": ("rejected", ["reading.in_period", "grid.complete"], 12),
    "retyped_file": ("rejected", ["types.agreed"], 1),
    "extra_column": ("rejected", ["columns.agreed"], 1),
    "truncated_file": ("unreadable", ["file.readable"], 1),
    "lying_commit": ("rejected", ["rows.as_committed"], 1),
    "flipped_byte": ("unreadable", ["object.digest"], 1),
    "cut_object": ("unreadable", ["object.size"], 1),
    "lost_object": ("unreadable", ["object.present"], 1),
}
KINDS = (*SEEN, "missing_hour")
READING_KINDS = [fault.name for fault in catalogue(default()) if fault.level == "reading"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """A feed of one day with every kind of fault in it, and what a consumer made of it."""

    plan: dict[str, PlannedFault]
    objects: dict[str, bytes]
    consumed: Consumed

    def judgement(self, kind: str) -> Judgement | None:
        """The judgement on the period that a fault was put into."""
        slot = Slot(dataset="telemetry", period=self.plan[kind].period)
        found = [judgement for judgement in self.consumed.judgements if judgement.slot == slot]
        return found[0] if found else None


def fleet(contract: Contract, seed: int) -> MockSource:
    """Six devices over a day: 24 periods of 12 readings."""
    return synthesise(contract, devices=6, start=START, days=1, seed=seed)


def feed(source: MockSource, plan: tuple[PlannedFault, ...] | None) -> MemoryStore:
    """A source published with planned faults, or with no injector at all."""
    store = MemoryStore()
    if plan is None:
        publish(source, store, clock=clock)
    else:
        injector = Injector(plan)
        publish(injector.source(source), injector.store(store), clock=clock)
    return store


def objects(store: MemoryStore) -> dict[str, bytes]:
    """Everything in a store."""
    return {info.key: read(store, info.key, 10_000_000) for info in store.list("")}


@pytest.fixture(scope="module")
def rehearsals(
    contract: Contract, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, Rehearsal]:
    """One rehearsal per seed."""
    played = {}
    for seed in SEEDS:
        source = fleet(contract, seed)
        plan = plan_faults(source, KINDS, seed=seed)
        store = feed(source, plan)
        sent = objects(store)
        with Lake(tmp_path_factory.mktemp("faults") / "lake", make=True) as lake:
            consumed = consume(store, lake, clock=clock)
        played[seed] = Rehearsal(
            plan={planned.fault.name: planned for planned in plan}, objects=sent, consumed=consumed
        )
    return played


def test_the_catalogue_promises_what_is_tested_here(contract: Contract) -> None:
    """Nineteen kinds, each with the check and the verdict that the table above names."""
    promised = {fault.name: (fault.verdict, fault.check) for fault in catalogue(contract)}
    assert promised.pop("missing_hour") == (None, "period.missing")
    assert promised == {name: (verdict, ids[0]) for name, (verdict, ids, _) in SEEN.items()}
    assert len(catalogue(contract)) == 19


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", SEEN)
def test_a_fault_is_seen_by_its_check(
    rehearsals: dict[int, Rehearsal], kind: str, seed: int
) -> None:
    """The verdict is the one promised, for the reasons promised, in as many rows as were hit."""
    verdict, ids, hit = SEEN[kind]
    judgement = rehearsals[seed].judgement(kind)
    assert judgement is not None
    found = {finding.check.id: finding.failed for finding in judgement.report.findings}
    assert (judgement.verdict, set(found), found[ids[0]]) == (verdict, set(ids), hit)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", READING_KINDS)
def test_a_finding_names_the_device_that_was_hit(
    rehearsals: dict[int, Rehearsal], kind: str, seed: int
) -> None:
    """The rows that it shows are those of the planned device, and of no other."""
    rehearsal = rehearsals[seed]
    judgement, device = rehearsal.judgement(kind), rehearsal.plan[kind].device
    assert judgement is not None
    (finding,) = [f for f in judgement.report.findings if f.check.id == SEEN[kind][1][0]]
    named = [
        value
        for sample in finding.samples
        for name, value in sample.values
        if name in {"sn", "device"}
    ]
    assert set(named) == {f"X{device[1:]}" if kind == "ghost_device" else device}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_period_that_was_held_back_is_reported_missing(
    rehearsals: dict[int, Rehearsal], seed: int
) -> None:
    """It has no delivery to blame, and is the one gap of the feed."""
    rehearsal = rehearsals[seed]
    assert rehearsal.judgement("missing_hour") is None
    period = rehearsal.plan["missing_hour"].period
    assert [(gap.first, gap.periods) for gap in rehearsal.consumed.gaps] == [(period, 1)]


@pytest.mark.parametrize("seed", SEEDS)
def test_clean_deliveries_are_accepted_without_a_finding(
    rehearsals: dict[int, Rehearsal], seed: int
) -> None:
    """Five periods and the inventory have no fault; nothing is said of them."""
    rehearsal = rehearsals[seed]
    spoilt = {planned.period for planned in rehearsal.plan.values()}
    clean = [
        judgement
        for judgement in rehearsal.consumed.judgements
        if judgement.slot.dataset == "inventory" or judgement.slot.period not in spoilt
    ]
    said = [(judgement.verdict, judgement.report.findings) for judgement in clean]
    assert said == [("accepted", ())] * 6
    assert rehearsal.consumed.strays == ()


def test_nothing_in_the_feed_tells_of_the_truth(rehearsals: dict[int, Rehearsal]) -> None:
    """No key, record, Parquet file or value in one holds the name or the words of a fault."""
    rehearsal = rehearsals[7]
    telling = [text for p in rehearsal.plan.values() for text in (p.fault.name, p.fault.words)]
    read_files = 0
    for key, body in rehearsal.objects.items():
        text = key + body.decode("latin-1")
        if hashlib.sha256(body).hexdigest() in key and body[-4:] == b"PAR1":
            # Whole, and its pages are compressed: look inside too.
            table = pyarrow.parquet.read_table(io.BytesIO(body))
            text += f"{table.schema} {table.schema.metadata} {table.to_pylist()}"
            read_files += 1
        assert [words for words in telling if words in text] == [], key
    assert read_files >= 20


def test_what_has_no_fault_is_as_without_an_injector(
    contract: Contract, rehearsals: dict[int, Rehearsal]
) -> None:
    """The commits that differ from a clean feed's are those of the planned periods."""
    source, rehearsal = fleet(contract, 7), rehearsals[7]
    clean = objects(feed(source, None))
    assert objects(feed(source, ())) == clean
    changed = {
        key
        for key, body in clean.items()
        if key.startswith("commits/") and rehearsal.objects.get(key) != body
    }
    wire = {"flipped_byte", "cut_object", "lost_object"}
    assert changed == {
        str(CommitKey(slot=Slot(dataset="telemetry", period=planned.period)))
        for name, planned in rehearsal.plan.items()
        if name not in wire
    }


def test_the_same_seed_spoils_the_same_bytes(
    contract: Contract, rehearsals: dict[int, Rehearsal]
) -> None:
    """Published anew from the start, the feed is equal object by object."""
    source = fleet(contract, 7)
    plan = plan_faults(source, KINDS, seed=7)
    assert objects(feed(source, plan)) == rehearsals[7].objects


def test_a_plan_is_known_for_a_seed(source: MockSource) -> None:
    """The same on any machine, in any process: neither hash seed nor order of sets matters."""
    plan = plan_faults(source, ["nan_value", "lost_object"], seed=7)
    assert [planned.to_json() for planned in plan] == [
        {
            "fault": "nan_value",
            "level": "reading",
            "words": "a value that is not a number",
            "period": "2026-11-02T0500",
            "device": "8899007926",
            "check": "value.finite",
            "verdict": "rejected",
        },
        {
            "fault": "lost_object",
            "level": "wire",
            "words": "an object that never arrived",
            "period": "2026-11-02T1800",
            "device": None,
            "check": "object.present",
            "verdict": "unreadable",
        },
    ]


@pytest.fixture(scope="module")
def planner(contract: Contract) -> Callable[[int], tuple[PlannedFault, ...]]:
    """Plans every kind into one day of one fleet."""
    source = fleet(contract, 7)
    return lambda seed: plan_faults(source, KINDS, seed=seed)


@pytest.fixture(scope="module")
def devices(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The serial numbers of the fleet's inventory."""
    path: Path = tmp_path_factory.mktemp("inventory") / "inventory.parquet"
    fleet(contract, 7).write_inventory(START, path)
    return set(pyarrow.parquet.read_table(path)["sn"].to_pylist())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**63 - 1))
def test_no_two_faults_share_a_period(
    planner: Callable[[int], tuple[PlannedFault, ...]], devices: set[str], seed: int
) -> None:
    """Whatever the seed: a period each, neither the first nor the last, and a real device."""
    plan = planner(seed)
    periods: set[datetime] = {planned.period for planned in plan}
    assert [planned.fault.name for planned in plan] == list(KINDS)
    assert len(periods) == len(KINDS)
    assert {period.hour for period in periods} <= set(range(1, 23))
    assert {planned.device for planned in plan} <= devices


def test_another_seed_makes_another_plan(
    planner: Callable[[int], tuple[PlannedFault, ...]],
) -> None:
    """Five seeds, five plans; and a seed asked twice says the same."""
    assert planner(1) == planner(1)
    plans = [tuple((p.period, p.device) for p in planner(seed)) for seed in range(5)]
    assert len(set(plans)) == 5


def test_an_unknown_fault_is_told_with_the_choice(source: MockSource) -> None:
    """The error names what was asked for, and every kind that there is."""
    with pytest.raises(UsageError, match="no fault 'nan_valu'") as caught:
        plan_faults(source, ["nan_value", "nan_valu"], seed=7)
    assert caught.value.fix == f"choose from: {', '.join(sorted(KINDS))}"


@pytest.mark.parametrize(
    ("days", "faults", "words"),
    [
        (5, 4, "faults: 4, which need 6 periods; there are 5"),
        (2, 1, "faults: 1, which need 3 periods; there are 2"),
        (1, 2, "faults: 2, which need 4 periods; there are 1"),
    ],
)
def test_more_faults_than_periods_are_refused(
    contract: Contract, days: int, faults: int, words: str
) -> None:
    """The first and the last period are no place for a fault; the error counts all three."""
    text = contract.text.replace("value: 1\n    unit: h", "value: 1\n    unit: d")
    daily = synthesise(loads(text, "daily"), devices=1, start=START, days=days)
    assert len(daily.periods()) == days
    with pytest.raises(UsageError, match=words):
        plan_faults(daily, KINDS[:faults], seed=7)


def test_as_many_faults_as_fit_are_planned(contract: Contract) -> None:
    """Three faults go into five periods, one into each inner one."""
    text = contract.text.replace("value: 1\n    unit: h", "value: 1\n    unit: d")
    daily = synthesise(loads(text, "daily"), devices=1, start=START, days=5)
    plan = plan_faults(daily, KINDS[:3], seed=7)
    assert sorted(planned.period for planned in plan) == daily.periods()[1:-1]


def test_a_fault_stands_once(source: MockSource) -> None:
    """Two of a kind would be told apart by nothing."""
    with pytest.raises(UsageError, match="the fault nan_value stands twice"):
        plan_faults(source, ["nan_value", "null_value", "nan_value"], seed=7)


@pytest.mark.parametrize(
    ("before", "after", "harmless"),
    [
        ("maximum: 2000", "maximum: 100000", {"sentinel_65535"}),
        ("W\n              minimum: 0", "W\n              minimum: -5000", {"negative_value"}),
        ("ratio: 1", "ratio: 0.5", {"dropped_reading", "silent_device"}),
        ("physicalType: DOUBLE\n        required: true", "physicalType: DOUBLE", {"null_value"}),
        ("intervalSeconds: 3600", "intervalSeconds: 30", set()),
        ("severity: error", "severity: warning",
         {"sentinel_65535", "negative_value", "wrong_unit", "clock_skew", "wrong_hour",
          "dropped_reading", "silent_device"}),
    ],
    ids=["a high range", "a low range", "half is enough", "no value needed", "30 s", "warnings"],
)  # fmt: skip
def test_what_a_contract_allows_is_no_fault_of_it(
    contract: Contract, tmp_path: Path, before: str, after: str, harmless: set[str]
) -> None:
    """The kinds that are left break it: each is seen by its check, with its verdict."""
    assert before in contract.text
    agreed = loads(contract.text.replace(before, after), "agreed")
    names = [fault.name for fault in catalogue(agreed)]
    assert set(KINDS) - set(names) == harmless
    source = synthesise(agreed, devices=2, start=START, days=1, seed=7)
    plan = plan_faults(source, names, seed=7)
    with Lake(tmp_path / "lake", make=True) as lake:
        consumed = consume(feed(source, plan), lake, clock=clock)
    judged = {judgement.slot.period: judgement for judgement in consumed.judgements[1:]}
    for planned in plan:
        if planned.fault.name != "missing_hour":
            judgement = judged[planned.period]
            assert judgement.verdict == planned.fault.verdict
            assert planned.fault.check in {f.check.id for f in judgement.report.findings}


def test_a_serial_number_that_reads_both_ways_is_replaced_too(
    contract: Contract, tmp_path: Path
) -> None:
    """A ghost is no device of the fleet, whatever the serial number of the one that it hides."""
    source = synthesise(contract, devices=1, start=START, days=1, seed=9988)
    plan = plan_faults(source, ["ghost_device"], seed=9988)
    assert plan[0].device == plan[0].device[::-1]
    with Lake(tmp_path / "lake", make=True) as lake:
        consumed = consume(feed(source, plan), lake, clock=clock)
    assert [j.verdict for j in consumed.judgements].count("rejected") == 1
