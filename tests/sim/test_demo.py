"""The demo as a function: it says ok only when every fault was caught and nothing else blamed."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from powerstage.contract import Contract, Slot, loads
from powerstage.errors import UsageError
from powerstage.faults import Injector, PlannedFault, plan_faults, truth_of
from powerstage.producer import MockSource, publish, synthesise
from powerstage.sim.demo import (
    DEFAULT_FAULTS,
    START,
    DemoOptions,
    DemoResult,
    prepare_folder,
    run_demo,
)
from powerstage.store import FolderStore, MemoryStore, ObjectInfo, Store, read
from tests.conftest import clock

Play = Callable[..., DemoResult]


DAYS = 6


@pytest.fixture(scope="module")
def daily(contract: Contract) -> Contract:
    """One delivery a day: few periods are enough for most of these tests."""
    text = contract.text.replace("value: 1\n    unit: h", "value: 1\n    unit: d")
    return loads(text, "daily")


@pytest.fixture
def fleet(daily: Contract) -> MockSource:
    """What the demo of these tests synthesises: 2 devices over six days."""
    return synthesise(daily, devices=2, start=START, days=DAYS, seed=7)


@pytest.fixture
def play(daily: Contract, tmp_path: Path) -> Play:
    """Play a demo of 2 devices over six days, with some faults, in some store."""

    def played(*faults: str, store: Store | None = None) -> DemoResult:
        options = DemoOptions(
            contract=daily,
            devices=2,
            days=DAYS,
            seed=7,
            faults=faults,
            folder=tmp_path / "demo",
        )
        return run_demo(options, store or MemoryStore(), clock=clock, on_stage=lambda *_: None)

    return played


def planned(fleet: MockSource, *faults: str) -> tuple[PlannedFault, ...]:
    """The plan that the demo makes."""
    return plan_faults(fleet, faults, seed=7)


def objects(store: Store) -> dict[str, bytes]:
    """Everything in a store."""
    return {info.key: read(store, info.key, 10_000_000) for info in store.list("")}


def test_the_default_faults_are_all_caught(contract: Contract, tmp_path: Path) -> None:
    """Thirteen of thirteen, nothing clean is blamed; truth and feed are kept in the folder."""
    store, stages = FolderStore(tmp_path / "bucket"), list[str]()
    options = DemoOptions(
        contract=contract,
        devices=2,
        days=1,
        seed=7,
        faults=DEFAULT_FAULTS,
        folder=tmp_path / "demo",
    )
    result = run_demo(
        options,
        store,
        clock=clock,
        on_stage=lambda name, words: stages.append(f"{name}: {words}"),
    )
    assert [outcome.outcome for outcome in result.outcomes] == ["caught"] * 13
    assert (result.ok, result.blamed, result.clean_deliveries) == (True, (), 12)
    truth = json.loads((tmp_path / "demo" / "truth.json").read_bytes())
    assert truth["faults"] == [truth_of(outcome.planned) for outcome in result.outcomes]
    assert objects(FolderStore(tmp_path / "demo" / "feed")) == objects(store)
    names = [stage.split(":")[0] for stage in stages]
    assert names == ["synthesise", "publish", "consume", "keep a copy", "report"]
    assert stages[2] == "consume: 12 accepted, 9 rejected, 3 unreadable"


def test_without_faults_nothing_is_found(play: Play) -> None:
    """Six periods and an inventory: no finding, no gap, no stray."""
    result = play()
    assert (result.ok, result.outcomes, result.blamed) == (True, (), ())
    assert result.clean_deliveries == len(result.published) == 7
    assert not [j for j in result.consumed.judgements if j.report.findings]
    assert (result.consumed.gaps, result.consumed.strays) == ((), ())


class Healing(MemoryStore):
    """A store that puts right what was spoilt on the way to it."""

    def __init__(self, whole: dict[str, bytes]) -> None:
        super().__init__()
        self._whole = whole

    def put(self, key: str, body: bytes | Path, *, sha256: str = "") -> None:
        """Write the bytes that the key names."""
        super().put(key, self._whole.get(key, body), sha256=sha256)


class Rewritten(MemoryStore):
    """A store that gives what another feed holds, whatever was put there."""

    def __init__(self, others: dict[str, bytes]) -> None:
        super().__init__()
        self._others = others

    def get(self, key: str, *, sha256: str = "") -> Iterator[bytes]:
        """The other feed's object, where it has one."""
        return iter([self._others[key]]) if key in self._others else super().get(key, sha256=sha256)


class Spoiling(MemoryStore):
    """A store that flips a bit of one object, or loses a key, whatever is put there."""

    def __init__(self, *, flip: str = "", lose: str = "") -> None:
        super().__init__()
        self._flip, self._lose = flip, lose

    def put(self, key: str, body: bytes | Path, *, sha256: str = "") -> None:
        """Write an object: its last bit flipped, or not at all."""
        content = bytearray(body if isinstance(body, bytes) else body.read_bytes())
        if key == self._flip:
            content[-1] ^= 1
        if key != self._lose:
            super().put(key, bytes(content), sha256=sha256)

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Say that a record was written, and lose it."""
        return True if key == self._lose else super().put_if_absent(key, body)


@pytest.fixture
def clean(fleet: MockSource) -> MemoryStore:
    """The feed of the demo without any fault, as another producer run left it."""
    store = MemoryStore()
    publish(fleet, store, clock=clock)
    return store


def data_key(store: MemoryStore, slot: Slot) -> str:
    """The key of the one data file of a delivery."""
    commit = json.loads(read(store, f"commits/{slot}.json", 10_000_000))
    key: str = commit["files"][0]["key"]
    return key


def inner(fleet: MockSource, *faults: str) -> Slot:
    """A delivery without a fault, neither the first nor the last."""
    taken = {fault.period for fault in planned(fleet, *faults)}
    period = next(period for period in fleet.periods()[1:-1] if period not in taken)
    return Slot(dataset="telemetry", period=period)


def test_a_fault_that_was_healed_is_not_caught(play: Play, clean: MemoryStore) -> None:
    """The delivery is accepted, and the demo says that it missed a fault."""
    result = play("flipped_byte", "cut_object", store=Healing(objects(clean)))
    assert [(outcome.outcome, outcome.came_of_it) for outcome in result.outcomes] == [
        ("missed", "accepted"),
        ("missed", "accepted"),
    ]
    assert (result.ok, result.blamed) == (False, ())


class Delivering(Rewritten):
    """A store in which another feed's objects turn up, once somebody lists it."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Its own objects and the other feed's."""
        others = MemoryStore()
        for key, body in self._others.items():
            others.put(key, body)
        found = [*super().list(prefix), *others.list(prefix)]
        return iter(sorted(found, key=lambda info: info.key))


def test_a_missing_period_that_is_there_is_not_caught(
    play: Play, fleet: MockSource, clean: MemoryStore
) -> None:
    """Somebody delivered it: there is no gap to report."""
    (fault,) = planned(fleet, "missing_hour")
    slot = Slot(dataset="telemetry", period=fault.period)
    late = {key: objects(clean)[key] for key in (f"commits/{slot}.json", data_key(clean, slot))}
    result = play("missing_hour", store=Delivering(late))
    (outcome,) = result.outcomes
    assert (outcome.outcome, outcome.came_of_it, result.ok) == ("missed", "not noticed", False)


def test_a_fault_that_another_hides_is_not_caught(
    play: Play, fleet: MockSource, tmp_path: Path
) -> None:
    """A refusal for another reason, with another verdict, is not the one that was promised."""
    store = FolderStore(tmp_path / "first")
    play("nan_value", "null_value", store=store)
    nan, _ = planned(fleet, "nan_value", "null_value")
    commit = read(store, f"commits/telemetry/{nan.period:%Y-%m-%dT%H%M}/r000000.json", 10_000)
    spoilt = Spoiling(lose=json.loads(commit)["files"][0]["key"])
    first, second = play("nan_value", "null_value", store=spoilt).outcomes
    assert (first.outcome, first.came_of_it) == ("missed", "unreadable")
    assert first.caught_by == "object.present"
    assert (second.outcome, second.came_of_it) == ("caught", "rejected")


def test_a_clean_delivery_that_was_damaged_is_blamed(
    play: Play, fleet: MockSource, clean: MemoryStore
) -> None:
    """The fault was caught all the same, but the demo is not ok."""
    slot = inner(fleet, "nan_value")
    result = play("nan_value", store=Spoiling(flip=data_key(clean, slot)))
    assert (result.ok, result.outcomes[0].outcome) == (False, "caught")
    assert result.blamed == (f"{slot}: object.digest",)


def test_a_clean_delivery_that_was_lost_is_blamed(play: Play, fleet: MockSource) -> None:
    """Its period is called missing, although nobody planned it; and nobody judged it."""
    slot = inner(fleet)
    result = play(store=Spoiling(lose=f"commits/{slot}.json"))
    missing = f"{slot.period:%Y-%m-%dT%H:%MZ} was called missing"
    assert (result.ok, result.blamed) == (False, (missing, f"{slot} was never judged"))


@pytest.mark.parametrize("index", [0, -1], ids=["the first", "the last"])
def test_a_clean_delivery_at_the_end_that_was_lost_is_blamed(
    play: Play, fleet: MockSource, index: int
) -> None:
    """It leaves no gap, but it was published and not judged."""
    slot = Slot(dataset="telemetry", period=fleet.periods()[index])
    result = play(store=Spoiling(lose=f"commits/{slot}.json"))
    assert (result.ok, result.blamed) == (False, (f"{slot} was never judged",))


def test_a_stray_among_the_commits_is_blamed(play: Play) -> None:
    """No demo writes one."""
    store = MemoryStore()
    store.put("commits/notes.txt", b"x")
    result = play(store=store)
    assert (result.ok, result.blamed) == (False, ("commits/notes.txt was called a stray",))


def test_what_is_harmless_and_blamed_is_missed(play: Play, fleet: MockSource) -> None:
    """A finding on what is no fault is as bad as a fault without one."""
    (row,) = planned(fleet, "unsorted_rows")
    store = MemoryStore()
    assert [outcome.outcome for outcome in play("unsorted_rows", store=store).outcomes] == [
        "let pass"
    ]
    key = data_key(store, Slot(dataset="telemetry", period=row.period))
    result = play("unsorted_rows", store=Spoiling(flip=key))
    (outcome,) = result.outcomes
    assert (outcome.outcome, outcome.came_of_it, result.ok) == ("missed", "unreadable", False)


def test_what_no_check_can_see_is_not_missed(play: Play) -> None:
    """Nor is it caught: the demo is ok, and says so."""
    result = play("power_in_volt_amperes")
    assert [outcome.outcome for outcome in result.outcomes] == ["undetectable"]
    assert (result.ok, result.count("caught"), result.blamed) == (True, 0, ())


def test_what_needs_history_is_caught_where_history_shows_it(play: Play) -> None:
    """An offset is reported of the device that has it; a drift too small for six days is not."""
    result = play("power_offset", "power_drift")
    offset, drift = result.outcomes
    assert (offset.outcome, offset.came_of_it) == ("caught", "reported")
    assert offset.caught_by == "power is not shifted against load"
    assert (drift.outcome, drift.came_of_it) == ("not shown", "accepted")
    assert (result.ok, result.blamed) == (True, ())


def test_a_finding_on_clean_readings_is_blamed(play: Play, fleet: MockSource) -> None:
    """The offset was put in by nobody of the demo: device, time and check are named."""
    spoilt = MemoryStore()
    plan = planned(fleet, "power_offset")
    publish(Injector(plan, fleet.contract).source(fleet), spoilt, clock=clock)
    result = play(store=Rewritten(objects(spoilt)))
    (device,) = plan[0].devices
    (blamed,) = result.blamed
    assert blamed.startswith(f"{device}, ")
    assert blamed.endswith("value.jump")
    assert not result.ok


def test_a_spoilt_inventory_is_followed_by_the_clean_one(play: Play) -> None:
    """The fault is caught in the inventory; its period alone is not clean."""
    result = play("doubled_device")
    assert [outcome.outcome for outcome in result.outcomes] == ["caught"]
    # Five periods, the inventory of the first, and the clean one again.
    assert (result.ok, result.clean_deliveries) == (True, 7)


def test_a_wrong_fault_leaves_the_last_demo_alone(play: Play, tmp_path: Path) -> None:
    """What cannot be played is refused before the folder is touched."""
    (tmp_path / "demo" / "feed").mkdir(parents=True)
    with pytest.raises(UsageError, match="no fault 'gremlin'"):
        play("gremlin")
    assert (tmp_path / "demo" / "feed").is_dir()


@pytest.mark.parametrize("stranger", ["thesis.txt", ".git", "feed2"])
def test_a_folder_with_a_strangers_file_is_refused(tmp_path: Path, stranger: str) -> None:
    """It is named, and neither it nor what an earlier demo left is touched."""
    for name in ("truth.json", stranger, "feed/commits/x.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text('{"schema": "powerstage.truth/1"}', encoding="utf-8")
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    with pytest.raises(UsageError, match=f"no demo wrote: {stranger}$") as caught:
        prepare_folder(tmp_path)
    assert "--into" in caught.value.fix
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("truth", [None, "", "[]", "{}", '{"schema": "another/1"}'])
def test_a_users_own_feed_and_lake_are_not_a_demos(tmp_path: Path, truth: str | None) -> None:
    """They may be called so; what no demo tells the truth about is left alone."""
    (tmp_path / "feed").mkdir()
    (tmp_path / "lake").mkdir()
    if truth is not None:
        (tmp_path / "truth.json").write_text(truth, encoding="utf-8")
    with pytest.raises(UsageError, match="no demo wrote: feed, lake"):
        prepare_folder(tmp_path)
    assert (tmp_path / "feed").is_dir()


def test_a_file_is_no_folder_for_a_demo(tmp_path: Path) -> None:
    """It is told as such, and stays."""
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="is no folder"):
        prepare_folder(tmp_path / "file")
    assert (tmp_path / "file").read_text("utf-8") == "x"


def test_the_folder_of_an_earlier_demo_is_emptied(play: Play, tmp_path: Path) -> None:
    """Feed, lake, page and truth of the last demo make room for the next."""
    play()
    folder = tmp_path / "demo"
    names = ["feed", "lake", "report.html", "truth.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    prepare_folder(folder)
    assert list(folder.iterdir()) == []


def test_a_folder_is_made_where_there_is_none(tmp_path: Path) -> None:
    """With those above it."""
    prepare_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
