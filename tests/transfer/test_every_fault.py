"""Every request of a publish and of a consume, with every fault, and the run after it.

It ends as a run ends that nothing has happened to: the same commits, data and receipts, and a
lake that shows the same.
"""

import functools
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from powerstage.consumer import Lake
from powerstage.consumer.ledger import Ledger
from powerstage.errors import ConflictError, PowerstageError
from tests.fuzzing.dice import Dice
from tests.transfer import invariants
from tests.transfer.judging import StubChecker
from tests.transfer.stage import (
    Calm,
    Disturbed,
    consume_into,
    publish_texts,
    source,
    spoilt,
)
from tests.transfer.wire import CRASHES, LIST_FAULTS, READ_FAULTS, WRITE_FAULTS, Crash, Sent, Wire

# What a consumer does between its requests, and can die before or after.
STEPS = {
    Lake: ("pin", "keep"),
    Ledger: ("set_fact", "record", "mark_sent"),
    StubChecker: ("write_database",),
}
PAIRS = 40
SEED = 1
FAULTS = tuple(dict.fromkeys((*WRITE_FAULTS, *READ_FAULTS, *LIST_FAULTS)))
# One more attempt than boto3 makes: then the product is told.
ATTEMPTS = 3
Run: TypeAlias = Callable[[], object]


def cases(
    calm: Sequence[Sent], fault: str, *, also_hidden: bool = True
) -> Iterator[tuple[int, dict[int, str]]]:
    """Every request that the fault can happen to: so often that boto3 gives up, and once."""
    # What is damaged three times in a row is damaged where it stands.
    is_single = fault in CRASHES or fault == "bit flipped"
    for number, sent in enumerate(calm):
        if fault in sent.faults:
            for times in [1] if is_single else [ATTEMPTS, 1] if also_hidden else [ATTEMPTS]:
                yield number, dict.fromkeys(range(number, number + times), fault)


def disturb(wire: Wire, faults: dict[int, str], run: Run, bit: int = 0) -> Disturbed:
    """Run with faults; whatever the product raises is its right, but no false conflict."""
    caller = Disturbed(faults=faults, bit=bit)
    with wire.used_by(caller):
        try:
            run()
        except Crash:
            pass
        except ConflictError as error:
            raise AssertionError(f"agreement: nobody else wrote, but {error}") from error
        except PowerstageError:
            pass
    return caller


def calmly(wire: Wire, run: Run) -> Sequence[Sent]:
    """Run undisturbed; what was sent."""
    caller = Calm()
    with wire.used_by(caller):
        run()
    return caller.sent


def publish_all(wire: Wire) -> None:
    """A run of the producer."""
    publish_texts(wire.store, spoilt(source()))


@contextmanager
def steps(on_step: Callable[[str], None]) -> Iterator[None]:
    """Within, something is called before and after each of the consumer's own steps."""

    def watched(name: str, step: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(step)
        def run(*arguments: object, **keywords: object) -> object:
            on_step(f"before {name}")
            result = step(*arguments, **keywords)
            on_step(f"after {name}")
            return result

        return run

    with pytest.MonkeyPatch.context() as patch:
        for owner, names in STEPS.items():
            for name in names:
                patch.setattr(owner, name, watched(name, getattr(owner, name)))
        yield


class Delivered:
    """A feed with three deliveries, one of them rejected, and what a calm run makes of it."""

    def __init__(self, wire: Wire, folder: Path) -> None:
        self.wire, self.lake = wire, folder / "lake"
        calm = folder / "calm"
        self.publishes = calmly(wire, lambda: publish_all(wire))
        self.feed = wire.objects()
        self.republishes = calmly(wire, lambda: publish_all(wire))
        self.consumes = calmly(wire, lambda: consume_into(wire.store, calm))
        self.whole = wire.objects()
        self.look = invariants.look_into(calm)

    def publish(self, faults: dict[int, str], bit: int = 0) -> None:
        """Publish into an empty feed with faults, and once more without."""
        self.wire.empty()
        caller = disturb(self.wire, faults, lambda: publish_all(self.wire), bit)
        invariants.require_data_before_commits(self.wire.objects())
        calmly(self.wire, lambda: publish_all(self.wire))
        assert self.wire.objects() == self.feed, where(caller, faults)

    def republish(self, faults: dict[int, str], bit: int = 0) -> None:
        """Publish with faults what stands there already: nothing changes."""
        self.wire.empty()
        self.wire.put(self.feed)
        caller = disturb(self.wire, faults, lambda: publish_all(self.wire), bit)
        assert self.wire.objects() == self.feed, where(caller, faults)

    def consume(self, faults: dict[int, str], *, lost: bool = False, bit: int = 0) -> None:
        """Consume with faults into a new lake, and once more without; or into another one."""
        self.wire.empty()
        self.wire.put(self.feed)
        shutil.rmtree(self.lake, ignore_errors=True)
        caller = disturb(self.wire, faults, self.consume_once, bit)
        if lost:
            shutil.rmtree(self.lake, ignore_errors=True)
        self.require_same_rest(where(caller, faults))

    def consume_and_crash(self, at: int, *, begun: bool = False) -> str:
        """Die at one of the consumer's own steps; which it was, empty when there are no more.

        Into a new lake, or one that has begun with all but the last delivery.
        """
        self.wire.empty()
        self.wire.put(self.feed)
        shutil.rmtree(self.lake, ignore_errors=True)
        if begun:
            first = sorted(invariants.commits(self.feed))[:-1]
            calmly(self.wire, lambda: consume_into(self.wire.store, self.lake, only=first))
        seen: list[str] = []

        def die(step: str) -> None:
            seen.append(step)
            if len(seen) == at + 1:
                raise Crash

        with steps(die):
            disturb(self.wire, {}, self.consume_once)
        self.require_same_rest(seen[-1])
        return seen[at] if at < len(seen) else ""

    def consume_once(self) -> None:
        """A run of the consumer."""
        consume_into(self.wire.store, self.lake)

    def require_same_rest(self, where: str) -> None:
        """What is shown now is sound; a calm run ends as if nothing had ever happened."""
        if (self.lake / "ledger.sqlite").exists():
            invariants.require_sound(invariants.look_into(self.lake), self.wire.objects())
        calmly(self.wire, self.consume_once)
        objects, look = self.wire.objects(), invariants.look_into(self.lake)
        assert objects == self.whole, where
        assert look == self.look, where
        invariants.require_rest(look, objects, "consumer")
        assert not list(self.lake.glob(".incoming-*")), where


def where(caller: Disturbed, faults: dict[int, str]) -> str:
    """The requests that were disturbed, for who reads of a failure."""
    met = [
        f"{number}: {sent.method} {sent.key or sent.url}: {faults[number]}"
        for number, sent in enumerate(caller.sent)
        if number in faults
    ]
    return "; ".join(met)


@pytest.fixture(scope="module")
def delivered(only_wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    """A feed and its calm end; each case begins with an emptied wire and a new lake."""
    only_wire.empty()
    return Delivered(only_wire, tmp_path_factory.mktemp("delivered"))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_publish_disturbed_at_any_request_ends_the_same(delivered: Delivered, fault: str) -> None:
    """Producers keep nothing: the feed is all that a second run can go by."""
    for number, faults in cases(delivered.publishes, fault):
        delivered.publish(faults, bit=number)


@pytest.mark.parametrize("fault", [*READ_FAULTS])
def test_a_publish_of_what_stands_there_changes_nothing(delivered: Delivered, fault: str) -> None:
    """However it is disturbed; nor is anybody told of a conflict that there is not."""
    for number, faults in cases(delivered.republishes, fault):
        delivered.republish(faults, bit=number)


@pytest.mark.parametrize("lost", [False, True], ids=["lake kept", "lake lost"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_consume_disturbed_at_any_request_ends_the_same(
    delivered: Delivered, fault: str, lost: bool
) -> None:
    """With the same lake, and with a new one: what matters stands in the feed."""
    for number, faults in cases(delivered.consumes, fault, also_hidden=not lost):
        delivered.consume(faults, lost=lost, bit=number)


@pytest.mark.parametrize("begun", [False, True], ids=["new lake", "lake of before"])
def test_a_consumer_that_dies_between_its_own_steps_ends_the_same(
    delivered: Delivered, begun: bool
) -> None:
    """Before and after each: a file that is kept, the record, the receipt, the views."""
    died: list[str] = []
    while step := delivered.consume_and_crash(len(died), begun=begun):
        died.append(step)
    assert {"before record", "after record", "before write_database"} <= set(died)


def test_pairs_of_faults_end_the_same(delivered: Delivered) -> None:
    """A fault, and another one in what is done about it; drawn by a seed."""
    dice = Dice(SEED, "pairs")
    runs: list[tuple[Sequence[Sent], Callable[[dict[int, str]], None]]] = [
        (delivered.publishes, delivered.publish),
        (delivered.consumes, delivered.consume),
    ]
    for number in range(PAIRS):
        calm, run = runs[number % 2]
        first = dice.below(len(calm))
        second = first + 1 + dice.below(4)
        run({at: dice.pick(calm[min(at, len(calm) - 1)].faults) for at in (first, second)})
