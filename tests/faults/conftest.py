"""Feeds with every kind of fault in them, and what a consumer makes of those."""

from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from powerstage.consumer import Consumed, Judgement, Lake, consume
from powerstage.contract import Contract, Slot, loads
from powerstage.faults import Injector, PlannedFault, all_faults, plan_faults
from powerstage.producer import MockSource, publish, synthesise
from powerstage.store import MemoryStore, read
from tests.conftest import clock

# The clocks of Berlin change three days later, those of Chicago ten.
START = datetime(2026, 10, 22, tzinfo=UTC)
# Of each, the delivery interval in hours.
SEEDS = {0: 12, 2**63 - 1: 3}
# As many as hold all kinds.
DAYS = {12: 60, 3: 18}


class Rehearsal:
    """A feed with every kind of fault in it, the same without, and what a consumer made of it.

    Each is made when it is first asked for: who compares feeds needs no consumer.
    """

    def __init__(self, contract: Contract, folder: Path, seed: int) -> None:
        hours = SEEDS[seed]
        agreed = with_interval(contract, hours)
        self.source = synthesise(agreed, devices=24, start=START, days=DAYS[hours], seed=seed)
        self._folder, self._seed = folder, seed

    @cached_property
    def plan(self) -> dict[str, PlannedFault]:
        """What is spoilt, by kind."""
        plan = plan_faults(self.source, all_faults(self.source), seed=self._seed)
        return {planned.fault.name: planned for planned in plan}

    @cached_property
    def faulty(self) -> dict[str, bytes]:
        """The objects of the feed."""
        return objects(feed(self.source, tuple(self.plan.values())))

    @cached_property
    def clean(self) -> dict[str, bytes]:
        """The objects of the feed without faults."""
        return objects(feed(self.source, None))

    @cached_property
    def consumed(self) -> Consumed:
        """What a consumer made of the feed."""
        store = MemoryStore()
        for key, body in self.faulty.items():
            store.put(key, body)
        with Lake(self._folder / str(self._seed), make=True) as lake:
            return consume(store, lake, clock=clock)

    def judgements(self, kind: str) -> list[Judgement]:
        """The judgements on the deliveries that a fault was put into."""
        planned = self.plan[kind]
        return [found for found in self.consumed.judgements if planned.spoils(found.slot)]

    def is_spoilt(self, slot: Slot) -> bool:
        """Whether any fault was put into a delivery."""
        return any(planned.spoils(slot) for planned in self.plan.values())


def with_interval(contract: Contract, hours: int) -> Contract:
    """The default contract with deliveries of another length."""
    text = contract.text.replace("value: 1\n    unit: h", f"value: {hours}\n    unit: h")
    return loads(text, "agreed")


def feed(source: MockSource, plan: tuple[PlannedFault, ...] | None) -> MemoryStore:
    """A source published with planned faults, or with no injector at all."""
    store = MemoryStore()
    if plan is None:
        publish(source, store, clock=clock)
    else:
        injector = Injector(plan, source.contract)
        publish(injector.source(source), injector.store(store), clock=clock)
    return store


def objects(store: MemoryStore) -> dict[str, bytes]:
    """Everything in a store."""
    return {info.key: read(store, info.key, 10_000_000) for info in store.list("")}


def in_time(table: pa.Table) -> pa.Table:
    """A table with null for stamps at the end of all time, which Python has no name for."""
    for index, column in enumerate(table.columns):
        if pa.types.is_timestamp(column.type):
            is_endless = pc.equal(column.cast(pa.int64()), 2**63 - 1)
            null = pa.scalar(None, column.type)
            kept = pc.if_else(is_endless, null, column)
            table = table.set_column(index, table.field(index).name, kept)
    return table


class Rehearsals(dict[int, Rehearsal]):
    """One rehearsal per seed."""

    def __init__(self, contract: Contract, folder: Path) -> None:
        super().__init__()
        self._contract, self._folder = contract, folder

    def __missing__(self, seed: int) -> Rehearsal:
        """Prepare it."""
        self[seed] = Rehearsal(self._contract, self._folder, seed)
        return self[seed]


@pytest.fixture(scope="package")
def rehearsals(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> Rehearsals:
    """One rehearsal per seed."""
    return Rehearsals(contract, tmp_path_factory.mktemp("faults"))
