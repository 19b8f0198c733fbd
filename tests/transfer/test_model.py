"""A transfer beside a dictionary: whatever is done in whatever order, both say the same."""

import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from powerstage.contract import Slot
from powerstage.errors import ConflictError
from powerstage.producer import retract
from tests.conftest import clock
from tests.transfer import invariants
from tests.transfer.judging import SPOILT
from tests.transfer.stage import (
    CONTRACT,
    PERIODS,
    Calm,
    Disturbed,
    TextSource,
    consume_into,
    publish_texts,
    text,
)
from tests.transfer.wire import Crash, Sent, Wire

EXAMPLES = 25
STEPS = 12
LAKES = ("east", "west")
WORDS = ("honest", "corrected", SPOILT.decode())
words = st.sampled_from(WORDS)
periods = st.sampled_from(PERIODS)
sources = st.dictionaries(periods, words, min_size=1)
lakes = st.sampled_from(LAKES)


@dataclass(kw_only=True)
class Overtaken(Calm):
    """A caller before whose first commit of telemetry somebody else publishes."""

    machine: "Transfer"
    said: dict[datetime, str]
    waits: bool = field(default=True)

    def fault(self, sent: Sent) -> str | None:
        """None, but it takes its time."""
        if self.waits and sent.is_conditional and sent.key.startswith("commits/telemetry"):
            self.waits = False
            self.machine.publish_as("overtaker", self.said, revise="")
        return super().fault(sent)


class Transfer(RuleBasedStateMachine):
    """``revisions`` is the model: of each period what was said, revision by revision."""

    def __init__(self, wire: Wire, folder: Path) -> None:
        super().__init__()
        self.wire, self.folder = wire, folder
        self.wire.empty()
        self.revisions: dict[datetime, list[str]] = {}

    def teardown(self) -> None:
        """Leave nothing behind."""
        for lake in LAKES:
            shutil.rmtree(self.folder / lake, ignore_errors=True)

    @rule(said=sources)
    def publish(self, said: dict[datetime, str]) -> None:
        """What stands there otherwise is a conflict, and then nothing is sent."""
        self.publish_as("producer", said, revise="")

    @rule(said=sources)
    def revise(self, said: dict[datetime, str]) -> None:
        """What stands there otherwise is superseded."""
        self.publish_as("reviser", said, revise="a correction")

    @rule(said=sources, others=sources)
    def race(self, said: dict[datetime, str], others: dict[datetime, str]) -> None:
        """Somebody else is faster; what both say alike is no conflict."""
        if self.conflicts(said) or self.conflicts(others) or not self.news(said):
            return
        caller = Overtaken(name="overtaken", machine=self, said=others)
        with self.wire.used_by(caller):
            is_refused = self.is_refused(said)
        assert is_refused == self.conflicts(said)
        for period in sorted(said):
            if is_refused and self.revisions.get(period, [said[period]])[-1] != said[period]:
                break
            self.revisions.setdefault(period, [said[period]])

    @precondition(lambda self: self.revisions)
    @rule(period=periods)
    def retract(self, period: datetime) -> None:
        """Nothing is the next revision, unless nothing stands there."""
        if PERIODS[0] not in self.revisions and period == PERIODS[0]:
            # There is no inventory so early.
            return
        with self.wire.used_by(Calm()):
            retract(self.wire.store, CONTRACT, period, clock=clock)
        if self.revisions.get(period, ["something"])[-1]:
            self.revisions.setdefault(period, []).append("")

    @precondition(lambda self: self.revisions)
    @rule(lake=lakes, only=st.none() | periods)
    def consume(self, lake: str, only: datetime | None) -> None:
        """All, or the last revision of a period alone."""
        slots = None
        if only is not None:
            last = max(len(self.revisions.get(only, [])) - 1, 0)
            slots = [Slot(dataset="telemetry", period=only, revision=last)]
        with self.wire.used_by(Calm()):
            consume_into(self.wire.store, self.folder / lake, name=lake, only=slots)
        if only is None:
            assert self.judged(lake) == {
                (period, revision)
                for period, said in self.revisions.items()
                for revision in range(len(said))
            }

    @precondition(lambda self: self.revisions)
    @rule(lake=lakes, request=st.integers(0, 12), fault=st.sampled_from(["before", "after"]))
    def crash(self, lake: str, request: int, fault: str) -> None:
        """A consumer dies at a request."""
        with (
            self.wire.used_by(Disturbed(faults={request: f"crash {fault}"})),
            suppress(Crash),
        ):
            consume_into(self.wire.store, self.folder / lake, name=lake)

    @rule(lake=lakes)
    def lose(self, lake: str) -> None:
        """A lake is gone."""
        shutil.rmtree(self.folder / lake, ignore_errors=True)

    @invariant()
    def the_feed_holds_what_the_model_says(self) -> None:
        """Every revision, and no other."""
        found: dict[datetime, list[str]] = {}
        for slot, commit in sorted(invariants.commits(self.wire.objects()).items()):
            if slot.dataset == "telemetry":
                bodies = [self.wire.objects()[file.key] for file in commit.files]
                assert slot.revision == len(found.setdefault(slot.period, []))
                found[slot.period].append(self.words_of(slot.period, bodies))
        assert found == self.revisions

    @invariant()
    def the_lakes_show_what_the_model_says(self) -> None:
        """Of each period the last revision that was judged and is not spoilt."""
        for lake in LAKES:
            if not (self.folder / lake / "ledger.sqlite").exists():
                continue
            look = invariants.look_into(self.folder / lake)
            shown = {
                period: (revision, self.revisions[period][revision])
                for period, revision in sorted(self.judged(lake))
                if self.revisions[period][revision] != WORDS[-1]
            }
            objects = {Path(key).stem: body for key, body in self.wire.objects().items()}
            assert shown == {
                period: (revision, self.words_of(period, [objects[digest] for digest in digests]))
                for (dataset, period), (revision, digests) in look.shown.items()
                if dataset == "telemetry"
            }

    def publish_as(self, name: str, said: dict[datetime, str], *, revise: str) -> None:
        """Publish undisturbed; what is expected of that, the model does."""
        conflicts = self.conflicts(said) and not revise
        with self.wire.used_by(Calm(name=name)):
            assert self.is_refused(said, revise) == conflicts
        if not conflicts:
            for period in self.news(said):
                self.revisions.setdefault(period, []).append(said[period])

    def is_refused(self, said: dict[datetime, str], revise: str = "") -> bool:
        """Publish; whether that is a conflict."""
        texts = TextSource(texts={period: text(period, said[period]) for period in said})
        try:
            publish_texts(self.wire.store, texts, revise=revise)
        except ConflictError:
            return True
        return False

    def news(self, said: dict[datetime, str]) -> list[datetime]:
        """The periods of which something else is said, or for the first time."""
        return [period for period in said if self.revisions.get(period, [None])[-1] != said[period]]

    def conflicts(self, said: dict[datetime, str]) -> bool:
        """Whether something else stands there."""
        return any(period in self.revisions for period in self.news(said))

    def judged(self, lake: str) -> set[tuple[datetime, int]]:
        """The revisions that a lake's ledger has."""
        entries = invariants.look_into(self.folder / lake).entries
        return {
            (entry.slot.period, entry.slot.revision)
            for entry in entries
            if entry.slot.dataset == "telemetry"
        }

    def words_of(self, period: datetime, bodies: list[bytes]) -> str:
        """What a delivery says: one of the words, or nothing."""
        if not bodies:
            return ""
        (body,) = bodies
        return next(said for said in WORDS if text(period, said) == body)


def test_the_transfer_does_as_a_dictionary_would(wire: Wire, tmp_path: Path) -> None:
    """Publishing, racing, correcting, retracting; consuming in pieces, dying, losing lakes."""
    numbers = count()

    class Here(Transfer):
        """Each with a folder of its own."""

        def __init__(self) -> None:
            folder = tmp_path / str(next(numbers))
            folder.mkdir()
            super().__init__(wire, folder)

    run_state_machine_as_test(
        Here, settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None)
    )
