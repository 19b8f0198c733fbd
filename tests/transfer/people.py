"""Who writes into a feed: producers who race, lie, correct and retract; and who cleans it up."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from powerstage import janitor
from powerstage.contract import Commit, CommitKey, DataFile, InventoryPin, Slot
from powerstage.contract.layout import DATA, data_key
from powerstage.producer import Published, retract
from powerstage.producer.feed import contract_pin
from powerstage.producer.publish import SENDERS
from powerstage.store import Store, VersionedStore, create
from tests.conftest import clock
from tests.fuzzing.dice import Dice
from tests.transfer import invariants
from tests.transfer.invariants import Objects
from tests.transfer.stage import (
    CONTRACT,
    PERIODS,
    TextSource,
    publish_texts,
    text,
)
from tests.transfer.wire import URL, Wire


class Person(Protocol):
    """Somebody who wants something done, and does it again until it is."""

    @property
    def name(self) -> str:
        """Whose requests these are."""
        ...

    def run(self, store: VersionedStore, dice: Dice | None) -> None:
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
        """Publish, one by one or several at once."""
        publish_texts(
            store,
            self.texts,
            revise=self.revise,
            senders=SENDERS if dice and dice.below(2) else 1,
            on_delivery=self._require_done,
        )

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
class Janitor:
    """Removes what no commit names, once its grace is over."""

    name: str
    wire: Wire

    def run(self, store: VersionedStore, dice: Dice | None) -> None:
        """Look, and delete what was found; by the time that the look began."""
        del dice
        before = unnamed(self.wire.objects())
        waste = janitor.find_waste(store, now=self.wire.now)
        spared = before & unnamed(self.wire.objects()) - {item.object.key for item in waste}
        self.wire.seen["an orphan spared by its grace"] += len(spared)
        for item in janitor.delete_waste(store, waste):
            self.wire.seen["an orphan removed"] += 1
            written_at = self.wire.written_at(item.object.key) or item.object.modified_at
            is_back = written_at >= self.wire.now - janitor.GRACE
            self.wire.seen["an orphan removed that had just come again"] += is_back

    def require_conflict(self, objects: Objects) -> None:
        """Every commit can be read."""
        raise AssertionError(f"{self.name} was told of a conflict, of {len(objects)} objects")


WRITERS: Final = (Producer, Retractor, Forger)


def unnamed(objects: Objects) -> set[str]:
    """Data that no commit names."""
    named = {file.key for commit in invariants.commits(objects).values() for file in commit.files}
    return {key for key in objects if key.startswith(DATA)} - named
