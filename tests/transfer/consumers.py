"""The consumers of a history: one runs now and then, one follows a queue of doubtful hints."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from powerstage.consumer import Judgement, Lake, consume, discover, follow
from powerstage.consumer.consume import FETCHERS
from powerstage.consumer.discover import Watch
from powerstage.store import Hint, Store
from tests.fuzzing.dice import Dice
from tests.transfer import invariants
from tests.transfer.invariants import Objects
from tests.transfer.stage import CONTRACT, MISTAKEN, PAGE
from tests.transfer.wire import Wire

ONLY_ONE_IN: Final = 3
REJUDGE_ONE_IN: Final = 2
STOP_ONE_IN: Final = 12
# About nothing that is there, or nothing that is judged, or nothing at all.
BOGUS: Final = (
    "",
    "../commits",
    "commits/notes.txt",
    "commits/telemetry/2026-11-02T0000/r000099.json",
    "commits/telemetry/2099-01-01T0000/r000000.json",
    f"data/telemetry/date=2026-11-02/{'0' * 64}.parquet",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """Consumes into a lake of its own; ``called`` is its name in receipts.

    Whoever ``is_mistaken`` takes another contract for the agreed one now and then, and refuses all.
    """

    name: str
    called: str
    lake: Path
    wire: Wire
    is_mistaken: bool = False

    @property
    def has_lake(self) -> bool:
        """Whether there is one to look into."""
        return (self.lake / "ledger.sqlite").exists()

    def run(self, store: Store, dice: Dice | None) -> None:
        """Consume all, or now and then the newest revision alone: what it replaces comes later."""
        only, contract = None, None
        if self.is_mistaken:
            contract = MISTAKEN if dice and dice.below(2) else CONTRACT
        elif dice and dice.below(ONLY_ONE_IN) == 0:
            only = [max(discover(store).slots, key=lambda slot: slot.revision)]
        with Lake(self.lake, make=True) as lake:
            consume(
                store,
                lake,
                clock=self.wire.clock,
                name=self.called,
                contract=contract,
                only=only,
                rejudge=is_rejudged(dice),
                fetchers=FETCHERS if dice and dice.below(2) else 1,
                on_judgement=self.witness(lake),
            )

    def require_conflict(self, objects: Objects) -> None:
        """A consumer has no conflict with anybody."""
        raise AssertionError(f"receipts: {self.name} has too many of them, of {len(objects)}")

    def witness(self, lake: Lake) -> Callable[[Judgement], None]:
        """What sees that something is judged that was judged before."""
        known = {entry.slot for entry in lake.ledger.entries()}

        def see(judgement: Judgement) -> None:
            is_again = judgement.slot in known
            self.wire.seen["judged again"] += is_again
            is_mended = is_again and judgement.verdict == "accepted"
            self.wire.seen["refused, then judged again and accepted"] += is_mended

        return see


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower(Consumer):
    """Looks again and again, at a part of the feed each time, and where hints say."""

    def run(self, store: Store, dice: Dice | None) -> None:
        """Follow for a while; undisturbed, with no hint at all until the looks have come round."""
        with Lake(self.lake, make=True) as lake:
            if dice is None:
                self._come_round(store, lake)
                return
            for _ in follow(
                store,
                lake,
                clock=self.wire.clock,
                wait=lambda _: dice.below(STOP_ONE_IN) == 0,
                every=timedelta(minutes=1),
                hints=Rumours(self.wire, dice),
                name=self.called,
                rejudge=is_rejudged(dice),
                on_judgement=self.witness(lake),
            ):
                pass

    def _come_round(self, store: Store, lake: Lake) -> None:
        watch = Watch(store, lake.ledger)
        for _ in range(len(invariants.commits(self.wire.objects())) // PAGE + 2):
            found = watch.look(self.wire.clock())
            consume(store, lake, clock=self.wire.clock, name=self.called, found=found)


class Rumours:
    """A queue that loses, doubles and shuffles what it is told, and says what nobody said.

    ``Hints``.
    """

    def __init__(self, wire: Wire, dice: Dice) -> None:
        self._wire, self._dice = wire, dice

    def receive(self, seconds: float) -> list[Hint]:
        """Something, always."""
        del seconds
        dice = self._dice
        keys = [key for key in self._wire.objects() if dice.below(2)]
        keys += [key for key in keys if dice.below(2)]
        if not keys or dice.below(2):
            keys.append(dice.pick(BOGUS))
            self._wire.seen["a bogus hint"] += 1
        return [Hint(keys=(keys.pop(dice.below(len(keys))),), receipt="") for _ in range(len(keys))]

    def delete(self, hints: Sequence[Hint]) -> None:
        """Whether it comes again is not up to whoever deletes it."""


def is_rejudged(dice: Dice | None) -> bool:
    """Whether a run judges again what was refused."""
    return dice is not None and dice.below(REJUDGE_ONE_IN) == 0
