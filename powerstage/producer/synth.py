"""Mock readings: a function of seed, device and instant, made by DuckDB, period by period.

The load of a device follows its profile in its site's own time, more on some days and in some
hours than in others; power follows load along its model's published curve. The numbers, each
with its source, are in ``parameters.py``, the curves in ``curves.csv``. Randomness is
counter-based and arithmetic is + - x / alone: every value is the same on any machine, in any
order of work, in every version of DuckDB that is supported.
"""

import threading
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from powerstage.contract import Contract
from powerstage.contract.calendar import period_of
from powerstage.contract.commit import FILE_ROWS_MAX
from powerstage.engine import Connection, connect
from powerstage.errors import UsageError
from powerstage.producer.fleet import Fleet
from powerstage.producer.parquet import write_parquet
from powerstage.producer.readings import Readings

DAYS_MAX: Final = 3_660
_START_MIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_START_MAX: Final = datetime(9980, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)


def synthesise(
    contract: Contract,
    *,
    devices: int = 40,
    start: datetime,
    days: int = 1,
    seed: int = 7,
    fuzz: timedelta = timedelta(),
    frozen: bool = False,
) -> "MockSource":
    """Mock inventory and telemetry, as a source that can be published; made when written.

    Args:
        contract: what the data will follow.
        devices: how many places for servers, up to a million; now and then one stands empty
            for some days before the next server comes.
        start: of the first period, UTC.
        days: how many days of periods.
        seed: decides every value.
        fuzz: readings start up to so much after their place on the grid, in whole seconds.
        frozen: keep the servers of the first period throughout.

    Raises:
        UsageError: an option is out of range, or the contract allows less than servers do;
            the message names it.
    """
    if start.utcoffset() != timedelta():
        raise UsageError(f"start is {start}", fix="--start is a moment in UTC")
    start = start.astimezone(UTC)
    if not _START_MIN <= start <= _START_MAX:
        raise UsageError(
            f"start is {start:%Y-%m-%dT%H:%MZ}",
            fix=f"--start is from {_START_MIN:%Y} to {_START_MAX:%Y}",
        )
    if period_of(start, contract.delivery_interval) != start:
        raise UsageError(
            f"start is {start:%Y-%m-%dT%H:%MZ}",
            cause=f"a delivery covers {contract.delivery_interval}, counted from midnight UTC",
            fix="--start is the start of a delivery's period",
        )
    if not 1 <= days <= DAYS_MAX:
        raise UsageError(f"days is {days}", fix=f"--days is from 1 to {DAYS_MAX:,}")
    fleet = Fleet(contract=contract, devices=devices, seed=seed)
    _require_small_periods(contract, devices)
    fleet.require_serials(start, start + days * _DAY)
    readings = Readings(contract=contract, fuzz=fuzz, zones=fleet.zones)
    return MockSource(fleet=fleet, readings=readings, start=start, days=days, frozen=frozen)


def _require_small_periods(contract: Contract, devices: int) -> None:
    """Refuse periods whose readings are more than a delivered file may hold."""
    per_device = len(contract.measures) * (
        contract.delivery_interval // contract.roles.reading_interval
    )
    if devices * per_device > FILE_ROWS_MAX:
        raise UsageError(
            f"{devices:,} devices have {devices * per_device:,} readings in a period",
            cause=f"a file holds at most {FILE_ROWS_MAX:,} rows",
            fix=f"--devices is at most {FILE_ROWS_MAX // per_device:,} under this contract,"
            " or agree on a shorter delivery interval (slaProperties: frequency)",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MockSource:
    """Mock data of a fleet over some days. A ``Source``; its methods may run side by side."""

    fleet: Fleet
    readings: Readings
    start: datetime
    days: int
    frozen: bool
    _local: threading.local = field(default_factory=threading.local, init=False, repr=False)

    @property
    def contract(self) -> Contract:
        """What the data follow."""
        return self.fleet.contract

    def periods(self) -> Sequence[datetime]:
        """The starts of all periods, UTC."""
        interval = self.contract.delivery_interval
        return [self.start + index * interval for index in range(self.days * _DAY // interval)]

    def snapshots(self) -> Sequence[datetime]:
        """The first period, and those from which on other servers are there."""
        return self._engine().snapshots

    def write_inventory(self, period: datetime, path: Path) -> int:
        """Write the inventory in force in a period as Parquet; its number of rows."""
        return write_parquet(self._engine().at(period), self.fleet.inventory_query(), path)

    def write_telemetry(self, period: datetime, path: Path, positions: range | None = None) -> int:
        """Write the readings of one period as Parquet; their number.

        Args:
            period: its start.
            path: the file.
            positions: only of the servers in these places of the fleet; None for all.
        """
        connection = self._engine().at(period)
        self.readings.create_period(connection, period)
        return write_parquet(connection, self.readings.query(positions), path)

    def _engine(self) -> "_Engine":
        """That of this thread."""
        engine: _Engine | None = getattr(self._local, "engine", None)
        if engine is None:
            engine = self._local.engine = _Engine(self)
        return engine


class _Engine:
    """A connection of one thread, with the tables that all periods share."""

    def __init__(self, source: MockSource) -> None:
        self._source = source
        # One thread: the order of rows, and so the bytes, are the same on any machine.
        self._connection = connect(threads=1)
        self._snapshot: datetime | None = None
        self._day: date | None = None
        source.fleet.create_places(self._connection)
        source.readings.create_watts(self._connection)
        last = source.start + source.days * _DAY - timedelta(microseconds=1)
        changes = (
            [] if source.frozen else source.fleet.changes(self._connection, source.start, last)
        )
        self.snapshots = [source.start, *changes]

    def at(self, period: datetime) -> Connection:
        """The connection, with the servers that are there in a period, on its day."""
        snapshot = self.snapshots[bisect_right(self.snapshots, period) - 1]
        if snapshot != self._snapshot:
            self._source.fleet.create_serving(self._connection, snapshot)
        if snapshot != self._snapshot or period.date() != self._day:
            self._source.readings.create_devices(self._connection, period.date())
        self._snapshot, self._day = snapshot, period.date()
        return self._connection
