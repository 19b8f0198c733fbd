"""A source with faults in its readings, files and inventory, and with periods held back."""

import hashlib
from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from powerstage.contract import Contract
from powerstage.faults.changes import changed_file, changed_inventory, changed_readings
from powerstage.faults.fault import Bytes, Change, Nothing, Restate, Whole, Wire
from powerstage.faults.plan import PlannedFault
from powerstage.faults.rewrite import rewrite
from powerstage.producer import Source


class FaultySource:
    """A source that is spoilt as planned. A ``Source``."""

    def __init__(
        self, source: Source, plan: dict[datetime, PlannedFault], sent: dict[str, datetime]
    ) -> None:
        self._source, self._plan, self._sent = source, plan, sent

    @property
    def contract(self) -> Contract:
        """What the data follow."""
        return self._source.contract

    def parts(self) -> Sequence[Source]:
        """All in one: a fault may be anywhere in a period."""
        return [self]

    def periods(self) -> Sequence[datetime]:
        """The starts of the periods that are not held back."""
        return [period for period in self._source.periods() if not self._is_held_back(period)]

    def snapshots(self) -> Sequence[datetime]:
        """Those of the source, those that are spoilt, and after each the clean one again.

        A snapshot is delivered with telemetry: what falls on a missing period comes after it.
        """
        periods = self.periods()
        starts = set(self._source.snapshots())
        for planned in self._plan.values():
            if planned.fault.inventory:
                starts |= {planned.period, planned.periods[-1] + self.contract.delivery_interval}
        places = {bisect_left(periods, start) for start in starts}
        return [periods[place] for place in sorted(places) if place < len(periods)]

    def write_inventory(self, period: datetime, path: Path) -> int:
        """Write the inventory in force, spoilt where that is planned; its number of rows."""
        rows = self._source.write_inventory(period, path)
        planned = self._plan.get(period)
        if planned is None or planned.fault.inventory is None:
            return rows
        return rewrite(planned, changed_inventory(self.contract, planned.fault.inventory), path)

    def write_telemetry(self, period: datetime, path: Path) -> int:
        """Write the readings of a period, spoilt where that is planned; their number."""
        rows = self._source.write_telemetry(period, path)
        planned = self._plan.get(period)
        if planned is None:
            return rows
        effect = planned.effect(period)
        if isinstance(effect, Change):
            other = planned.donor(period, self.contract.delivery_interval)
            return self._change(planned, effect, path, other)
        if isinstance(effect, Whole):
            return rewrite(planned, changed_file(self.contract, effect), path)
        if isinstance(effect, Bytes):
            effect.edit(path)
        if isinstance(effect, Restate | Wire):
            self._sent[hashlib.sha256(path.read_bytes()).hexdigest()] = period
        return rows

    def _change(
        self, planned: PlannedFault, change: Change, path: Path, other: datetime | None
    ) -> int:
        query = changed_readings(self.contract, change)
        if other is None:
            return rewrite(planned, query, path)
        donor = path.with_suffix(".other")
        self._source.write_telemetry(other, donor)
        rows = rewrite(planned, query, path, donor)
        donor.unlink()
        return rows

    def _is_held_back(self, period: datetime) -> bool:
        planned = self._plan.get(period)
        effect = planned.effect(period) if planned else None
        return isinstance(effect, Nothing) and effect.held_back
