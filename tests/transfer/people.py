"""Who takes part in a history: producers who race, lie, correct and retract; two consumers."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from powerstage.consumer import discover
from powerstage.contract import Commit, CommitKey, DataFile, InventoryPin, Slot
from powerstage.contract.layout import data_key
from powerstage.producer import Published, retract
from powerstage.producer.feed import contract_pin
from powerstage.store import Store, create
from tests.conftest import clock
from tests.fuzzing.dice import Dice
from tests.transfer import invariants
from tests.transfer.invariants import Objects
from tests.transfer.stage import (
    CONTRACT,
    PERIODS,
    TextSource,
    consume_into,
    publish_texts,
    source,
    spoilt,
    text,
)
from tests.transfer.wire import URL, Wire

ONLY_ONE_IN: Final = 3
SAME_NAME_ONE_IN: Final = 4


class Person(Protocol):
    """Somebody who wants something done, and does it again until it is."""

    @property
    def name(self) -> str:
        """Whose requests these are."""
        ...

    def run(self, store: Store, dice: Dice | None) -> None:
        """One run; without dice nothing is left out."""
        ...

    def require_conflict(self, objects: Objects) -> None:
        """Agreement: who is told of a conflict, is told the truth."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Producer:
    """Says the same in each run; what he is told of a delivery is true when he is told."""

    name: str
    wire: Wire
    texts: TextSource
    revise: str = ""

    def run(self, store: Store, dice: Dice | None) -> None:
        """Publish."""
        del dice
        publish_texts(store, self.texts, revise=self.revise, on_delivery=self._require_done)

    def require_conflict(self, objects: Objects) -> None:
        """Somebody has delivered something else for one of his periods."""
        periods = {("inventory", min(self.texts.texts))}
        periods |= {("telemetry", period) for period in self.texts.texts}
        known = invariants.commits(objects)
        for slot, commit in known.items():
            if (slot.dataset, slot.period) in periods:
                pinned = commit.inventory and known.get(commit.inventory.slot)
                if pinned and [file.sha256 for file in pinned.files] != [self._digest(pinned.slot)]:
                    return
                if [file.sha256 for file in commit.files] != [self._digest(slot)]:
                    return
        raise AssertionError(f"agreement: {self.name} has a conflict with nobody")

    def _digest(self, slot: Slot) -> str:
        is_inventory = slot.dataset == "inventory"
        body = self.texts.inventory if is_inventory else self.texts.texts.get(slot.period, b"")
        return hashlib.sha256(body).hexdigest()

    def _require_done(self, delivery: Published) -> None:
        commit = invariants.commits(self.wire.objects()).get(delivery.slot)
        assert commit is not None, f"agreement: {delivery.slot} is done, and not there"
        assert commit.identity == delivery.identity, f"agreement: {delivery.slot} is another's"
        digests = [file.sha256 for file in commit.files]
        assert digests == [self._digest(delivery.slot)], f"agreement: {delivery.slot} is another's"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retractor:
    """Takes a period back."""

    name: str
    wire: Wire
    period: datetime

    def run(self, store: Store, dice: Dice | None) -> None:
        """Retract; it stands there when that is said."""
        del dice
        done = retract(store, CONTRACT, self.period, clock=clock)
        commit = invariants.commits(self.wire.objects())[done.slot]
        assert (commit.identity, commit.files) == (done.identity, ()), f"agreement: {done.slot}"

    def require_conflict(self, objects: Objects) -> None:
        """Somebody has delivered readings of the period."""
        assert any(
            commit.files
            for slot, commit in invariants.commits(objects).items()
            if (slot.dataset, slot.period) == ("telemetry", self.period)
        ), f"agreement: {self.name} has a conflict with nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forger:
    """Writes a revision of something that never stood there, as anybody can who has a shell."""

    name: str
    wire: Wire
    slot: Slot

    def run(self, store: Store, dice: Dice | None) -> None:
        """Data, then the commit, once there is an inventory to name."""
        del dice
        body = text(self.slot.period, "forged")
        sha256 = hashlib.sha256(body).hexdigest()
        file = DataFile(
            key=str(data_key(self.slot, sha256)), bytes=len(body), sha256=sha256, rows=1
        )
        inventory = replace(self.slot, dataset="inventory", period=PERIODS[0], revision=0)
        known = invariants.commits(self.wire.objects()).get(inventory)
        if known is None:
            return
        commit = Commit(
            feed=URL,
            slot=self.slot,
            supersedes="0" * 64,
            contract=contract_pin(CONTRACT),
            inventory=InventoryPin(slot=inventory, identity=known.identity),
            files=(file,),
        )
        store.put(file.key, body)
        create(store, str(CommitKey(slot=self.slot)), commit.to_json())

    def require_conflict(self, objects: Objects) -> None:
        """He does not look."""
        raise AssertionError(f"{self.name} was told of a conflict, of {len(objects)} objects")


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """Consumes into a lake of its own; ``called`` is its name in receipts."""

    name: str
    called: str
    lake: Path

    @property
    def has_lake(self) -> bool:
        """Whether there is one to look into."""
        return (self.lake / "ledger.sqlite").exists()

    def run(self, store: Store, dice: Dice | None) -> None:
        """Consume all, or now and then the newest revision alone: what it replaces comes later."""
        only = None
        if dice and dice.below(ONLY_ONE_IN) == 0:
            only = [max(discover(store).slots, key=lambda slot: slot.revision)]
        consume_into(store, self.lake, name=self.called, only=only)

    def require_conflict(self, objects: Objects) -> None:
        """A consumer has no conflict with anybody."""
        raise AssertionError(f"receipts: {self.name} has too many of them, of {len(objects)}")


def cast(wire: Wire, dice: Dice, folder: Path) -> Sequence[Person]:
    """Who takes part: an honest producer first, two consumers last."""
    corrected = source("corrected")
    others: Sequence[Person] = (
        Producer(name="twin", wire=wire, texts=source()),
        Producer(name="liar", wire=wire, texts=source("other", PERIODS[1:])),
        Producer(name="corrector", wire=wire, texts=corrected, revise="late data"),
        Producer(name="spoiler", wire=wire, texts=spoilt(corrected), revise="a correction"),
        Producer(
            name="mover",
            wire=wire,
            texts=TextSource(texts=source().texts, inventory=b"more devices\n"),
            revise="devices were missing",
        ),
        Retractor(name="retractor", wire=wire, period=PERIODS[1]),
        Forger(
            name="forger", wire=wire, slot=Slot(dataset="telemetry", period=PERIODS[0], revision=1)
        ),
    )
    first = dice.pick(others)
    second = dice.pick([one for one in others if one is not first])
    names = ("east", "west")
    called = ("east", "east") if dice.below(SAME_NAME_ONE_IN) == 0 else names
    return (
        Producer(name="honest", wire=wire, texts=source()),
        first,
        *([second] if dice.below(2) else []),
        *(
            Consumer(name=name, called=receipts, lake=folder / name)
            for name, receipts in zip(names, called, strict=True)
        ),
    )
