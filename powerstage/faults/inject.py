"""Put planned faults into what a producer publishes: a source and a store, each wrapped."""

from collections.abc import Sequence
from datetime import datetime

from powerstage.contract import Contract
from powerstage.faults.faulty_source import FaultySource
from powerstage.faults.faulty_store import FaultyStore
from powerstage.faults.plan import PlannedFault
from powerstage.producer import Source
from powerstage.store import Store


class Injector:
    """Wraps a source and a store so that what passes through them is spoilt as planned."""

    def __init__(self, plan: Sequence[PlannedFault], contract: Contract) -> None:
        self._contract = contract
        self._plan = {period: planned for planned in plan for period in planned.periods}
        # The periods of the objects that are hit on their way or restated, by digest.
        self._sent: dict[str, datetime] = {}

    def source(self, source: Source) -> Source:
        """The source with faults in readings, files and inventory, and with missing periods."""
        return FaultySource(source, self._plan, self._sent)

    def store(self, store: Store) -> Store:
        """The store with faults in commits, in objects on their way, and with second revisions.

        Raises:
            ConflictError: it holds a clean delivery where one of these is planned.
        """
        faulty = FaultyStore(store, self._contract, self._plan, self._sent)
        faulty.refuse_clean()
        return faulty
