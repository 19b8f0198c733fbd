"""One seed, one history: who sends next, what happens to it, and when late requests arrive.

Every participant is a thread that waits before each request until it is released; one at a time
is. So a seed decides everything, and what is seen after each request is the state at an instant.

Time passes in between, but as the janitor's grace supposes: who began to publish commits within it,
and what is on its way arrives.

Within one participant nothing runs side by side: what several senders or fetchers do is done when
it is begun, and heard of later. So they go on after a failure as threads do, but their requests do
not mix; threads that do are in test_real_worker.py alone.
"""

import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from powerstage.errors import ConflictError, PowerstageError
from powerstage.janitor import GRACE
from tests.fuzzing.dice import Dice
from tests.transfer import invariants
from tests.transfer.cast import cast
from tests.transfer.consumers import Consumer
from tests.transfer.invariants import Look, Objects
from tests.transfer.people import WRITERS, Janitor, Person, unnamed
from tests.transfer.stage import Calm, Disturbed
from tests.transfer.wire import CRASHES, Crash, Sent, Wire

# Of so many requests one meets a fault, of so many of these one comes three times in a row.
FAULT_ONE_IN: Final = 9
STORM_ONE_IN: Final = 3
LATE_ONE_IN: Final = 4
LOST_ONE_IN: Final = 4
CUT_OFF_MAX: Final = 12
TIME_ONE_IN: Final = 8
TIMES: Final = (timedelta(hours=1), timedelta(days=5), GRACE)
RUNS_MAX: Final = 4
TRACE_LINES: Final = 60


@dataclass(kw_only=True)
class Participant:
    """A thread that sends what somebody wants to send. A ``Caller``.

    ``begun_at`` is when the first of its runs sent something of which a part may still arrive.
    """

    person: Person
    history: "History"
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    storm: list[str] = field(default_factory=list)
    begun_at: datetime | None = None
    is_at_work: bool = False
    error: BaseException | None = None
    is_over: bool = False

    @property
    def name(self) -> str:
        """Whose requests these are."""
        return self.person.name

    def fault(self, sent: Sent) -> str | None:
        """Wait for the turn; then what the seed has for this request."""
        self.history.parked.release()
        self.turn.acquire()
        if self.history.is_over:
            raise Crash
        self.is_at_work = True
        self.begun_at = self.begun_at or self.history.wire.now
        return self.history.fault(self, sent)

    def flipped_bit(self, body: bytes) -> int:
        """One that the seed decides."""
        return self.history.dice.below(8 * len(body))

    def run(self) -> None:
        """The thread."""
        try:
            with self.history.wire.used_by(self):
                self.history.live(self)
        except Crash:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised by who waits for the thread
            self.error = error
        finally:
            self.is_over = True
            self.history.parked.release()


class History:
    """What a seed makes of a transfer.

    ``seen`` counts what was worth seeing, ``trace`` says what happened, request by request.
    """

    def __init__(self, wire: Wire, folder: Path, seed: int) -> None:
        self.wire, self.folder = wire, folder
        self.dice = Dice(seed, "history")
        self.parked = threading.Semaphore(0)
        self.is_over = False
        self.trace: list[str] = []
        self.seen: Counter[str] = Counter()
        self._participants = [
            Participant(person=person, history=self) for person in cast(wire, self.dice, folder)
        ]
        self._objects: Objects = {}
        self._looks: dict[str, Look] = {}
        self._judges: dict[str, set[str]] = {}

    def play(self) -> None:
        """From an empty feed to rest; ``AssertionError`` if anything did not hold."""
        self.wire.empty()
        self.wire.seen.clear()
        if self.dice.below(2):
            # The feed is an old one: there is more to race about.
            self._calmly(self._participants[0].person)
        elif self.dice.below(2):
            # Long ago somebody was cut off: what he sent is waste, or comes again.
            self._cut_off(self._participants[0].person)
        with self._threads():
            while waiting := [one for one in self._participants if not one.is_over]:
                if self.wire.late and self.dice.below(LATE_ONE_IN) == 0:
                    self._arrive()
                elif self.dice.below(TIME_ONE_IN) == 0:
                    self._pass_time()
                else:
                    self._release(self.dice.pick(waiting))
                self._observe()
        while self.wire.late:
            self._arrive()
            self._observe()
        self._rest()
        self.seen += self.wire.seen

    def fault(self, participant: Participant, sent: Sent) -> str | None:
        """What happens to a request."""
        possible = [*sent.faults, *_more_often(sent)]
        fault = None
        if participant.storm:
            fault = participant.storm.pop()
            fault = fault if fault in possible else None
        elif self.dice.below(FAULT_ONE_IN) == 0:
            fault = self.dice.pick(possible)
            if fault not in CRASHES and self.dice.below(STORM_ONE_IN) == 0:
                participant.storm = [fault, fault]
        if fault == "crash before" and sent.key.startswith("receipts/"):
            self.seen["restart between ledger and receipt"] += 1
        if sent.method == "GET" and sent.key.startswith("commits/"):
            self._see_judge(participant, sent.key)
        self.trace.append(
            f"{participant.name}: {sent.method} {sent.key or 'listing'}"
            + (f": {fault}" if fault else "")
        )
        return fault

    def live(self, participant: Participant) -> None:
        """Run, and run again after what went wrong, for a while."""
        for _ in range(RUNS_MAX):
            is_done = self._run(participant.person)
            participant.is_at_work = False
            self._forget_begin(participant)
            is_enough = is_done and not isinstance(participant.person, Janitor)
            if self.is_over or (is_enough and self.dice.below(2)):
                return

    def _run(self, person: Person) -> bool:
        """One run; whether it came to its end."""
        try:
            person.run(self.wire.store, self.dice)
        except Crash:
            self.trace.append(f"{person.name}: crashed")
            if isinstance(person, Consumer) and self.dice.below(LOST_ONE_IN) == 0:
                self._lose_lake(person)
        except PowerstageError as error:
            self.trace.append(f"{person.name}: {error}")
            if isinstance(error, ConflictError):
                person.require_conflict(self.wire.objects())
        else:
            return True
        return False

    @contextmanager
    def _threads(self) -> Iterator[None]:
        """All participants, each waiting before its first request; none is left behind."""
        threads = [
            threading.Thread(target=one.run, name=one.name, daemon=True)
            for one in self._participants
        ]
        try:
            for thread in threads:
                thread.start()
                self.parked.acquire()
            yield
        finally:
            self.is_over = True
            for one in self._participants:
                one.turn.release()
            for thread in threads:
                thread.join()

    def _release(self, participant: Participant) -> None:
        participant.turn.release()
        self.parked.acquire()
        if participant.error is not None:
            raise participant.error
        person = participant.person
        if isinstance(person, Consumer) and person.has_lake:
            self._look(person)

    def _pass_time(self) -> None:
        """As much as may pass until whoever began to publish has committed, at most."""
        writers = [one for one in self._participants if isinstance(one.person, WRITERS)]
        for writer in writers:
            self._forget_begin(writer)
        last = min([one.begun_at + GRACE for one in writers if one.begun_at], default=None)
        later = self.wire.now + self.dice.pick(TIMES)
        self.wire.now = min(later, last or later)
        self.trace.append(f"it is {self.wire.now}")

    def _forget_begin(self, participant: Participant) -> None:
        """Once nothing that was begun can arrive any more."""
        on_their_way = {name for name, _ in self.wire.late}
        if not participant.is_at_work and participant.name not in on_their_way:
            participant.begun_at = None

    def _arrive(self) -> None:
        number = self.dice.below(len(self.wire.late))
        name, sent = self.wire.late[number]
        self.trace.append(f"{name}: {sent.method} {sent.key} arrives")
        self.wire.deliver_late(number)

    def _observe(self) -> None:
        objects = self.wire.objects()
        if objects != self._objects:
            invariants.require_write_once(self._objects, objects)
            invariants.require_data_before_commits(objects)
            self._objects = objects

    def _look(self, consumer: Consumer) -> None:
        look = invariants.look_into(consumer.lake)
        before = self._looks.get(consumer.name)
        if look != before:
            objects = self.wire.objects()
            invariants.require_sound(look, objects, is_mistaken=consumer.is_mistaken)
            invariants.require_monotone(before.shown if before else {}, look.shown)
            self._looks[consumer.name] = look

    def _lose_lake(self, consumer: Consumer) -> None:
        self.trace.append(f"{consumer.name}: the lake is lost")
        shutil.rmtree(consumer.lake, ignore_errors=True)
        self._looks.pop(consumer.name, None)

    def _see_judge(self, participant: Participant, key: str) -> None:
        if isinstance(participant.person, Consumer):
            judges = self._judges.setdefault(key, set())
            judges.add(participant.name)
            self.seen["two consumers judge the same commit"] += len(judges) > 1

    def _calmly(self, person: Person) -> None:
        self.trace.append(f"{person.name}: undisturbed")
        with self.wire.used_by(Calm(name=person.name)):
            try:
                person.run(self.wire.store, None)
            except ConflictError:
                person.require_conflict(self.wire.objects())

    def _cut_off(self, person: Person) -> None:
        at = self.dice.below(CUT_OFF_MAX)
        self.trace.append(f"{person.name}: cut off at request {at}")
        caller = Disturbed(name=person.name, faults={at: "crash before"})
        with self.wire.used_by(caller), suppress(Crash):
            person.run(self.wire.store, None)
        self.wire.now += 2 * GRACE

    def _rest(self) -> None:
        """Undisturbed, everybody runs once more; the janitor long after the last producer."""
        people = [participant.person for participant in self._participants]
        consumers = [person for person in people if isinstance(person, Consumer)]
        for person in people:
            if isinstance(person, Janitor):
                self.wire.now += 2 * GRACE
            self._calmly(person)
            self._observe()
        objects = self.wire.objects()
        assert not unnamed(objects), "the janitor leaves something over"
        for consumer in consumers:
            look = invariants.look_into(consumer.lake)
            before = self._looks.get(consumer.name)
            invariants.require_monotone(before.shown if before else {}, look.shown)
            invariants.require_rest(look, objects, consumer.called)
        invariants.require_sound_receipts(objects)
        self.seen["rejected, then superseded"] += len(invariants.rejected_and_superseded(objects))


def play(wire: Wire, folder: Path, seed: int) -> History:
    """Play a seed in an empty folder; what fails says which seed it was, and what happened."""
    history = History(wire, folder, seed)
    try:
        history.play()
    except Exception as error:
        lines = "\n".join(history.trace[-TRACE_LINES:])
        error.add_note(
            f"{lines}\n\nseed {seed}: scripts/races --seed {seed} --seeds 1 repeats it;"
            f" mended, it belongs into tests/transfer/failed_seeds.txt"
        )
        raise
    finally:
        for path in folder.iterdir():
            shutil.rmtree(path)
    return history


def _more_often(sent: Sent) -> Sequence[str]:
    """What is worth more than a share like all others."""
    if sent.method not in {"PUT", "DELETE"}:
        return ()
    return ("arrives late",) * 3 + ("crash before",) * 3 * sent.key.startswith("receipts/")
