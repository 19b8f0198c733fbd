"""Mock readings: a function of seed, device and instant, made by DuckDB, period by period.

The load of a device follows its profile in its site's own time, more on some days and in some
hours than in others; power follows load along its model's published curve. The numbers, each
with its source, are in ``parameters.py``, the curves in ``curves.csv``. Randomness is
counter-based and arithmetic is + - x / alone: every value is the same on any machine, in any
order of work, in every version of DuckDB that is supported.
"""

import itertools
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from powerstage.contract import Contract, loads
from powerstage.contract.calendar import period_of
from powerstage.contract.commit import FILES_MAX
from powerstage.engine import Connection, connect, processors
from powerstage.errors import UsageError
from powerstage.producer.fleet import Fleet
from powerstage.producer.parquet import write_parquet
from powerstage.producer.readings import Readings

DAYS_MAX: Final = 3_660
# So many in a file: some megabytes, a second's work to make and to send again.
PART_READINGS_MAX: Final = 1_000_000
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
    parts_of(contract, devices)
    fleet.require_serials(start, start + days * _DAY)
    readings = Readings(contract=contract, fuzz=fuzz, zones=fleet.zones)
    return MockSource(
        fleet=fleet,
        readings=readings,
        start=start,
        days=days,
        frozen=frozen,
        engines=_Engines(fleet, readings, start, start if frozen else start + days * _DAY),
    )


def parts_of(contract: Contract, devices: int) -> list[range]:
    """The places of a fleet, cut so that a file holds a period's readings of each part.

    Raises:
        UsageError: a delivery cannot have so many files.
    """
    per_device = len(contract.measures) * (
        contract.delivery_interval // contract.roles.reading_interval
    )
    count = -(-devices * per_device // PART_READINGS_MAX)
    if count > FILES_MAX:
        most = FILES_MAX * PART_READINGS_MAX // per_device
        raise UsageError(
            f"{devices:,} devices have {devices * per_device:,} readings in a period",
            cause=f"a delivery has at most {FILES_MAX:,} files of {PART_READINGS_MAX:,} readings",
            fix=f"--devices is at most {most:,} under this contract,"
            " or agree on a shorter delivery interval (slaProperties: frequency)",
        )
    bounds = [devices * number // count for number in range(count + 1)]
    return [range(first, end) for first, end in itertools.pairwise(bounds)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MockSource:
    """Mock data of a fleet over some days. A ``Source``; its methods may run side by side.

    ``positions`` are the places in the fleet of the servers whose telemetry it is; None for all.
    To pickle it takes what it is made of, not what it has made.
    """

    fleet: Fleet
    readings: Readings
    start: datetime
    days: int
    frozen: bool
    engines: "_Engines" = field(repr=False, compare=False)
    positions: range | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """The arguments of ``synthesise``, and the places."""
        options = {
            "devices": self.fleet.devices,
            "start": self.start,
            "days": self.days,
            "seed": self.fleet.seed,
            "fuzz": self.readings.fuzz,
            "frozen": self.frozen,
        }
        return _part, (self.contract.text, tuple(options.items()), self.positions)

    @property
    def contract(self) -> Contract:
        """What the data follow."""
        return self.fleet.contract

    def parts(self) -> Sequence["MockSource"]:
        """Parts of the fleet of about the same size, as few as can be."""
        parts = parts_of(self.contract, self.fleet.devices)
        return [self.part(positions) for positions in parts] if len(parts) > 1 else [self]

    def part(self, positions: range) -> "MockSource":
        """The telemetry of the servers in these places of the fleet."""
        return replace(self, positions=positions)

    def periods(self) -> Sequence[datetime]:
        """The starts of all periods, UTC."""
        interval = self.contract.delivery_interval
        return [self.start + index * interval for index in range(self.days * _DAY // interval)]

    def snapshots(self) -> Sequence[datetime]:
        """The first period, and those from which on other servers are there."""
        with self.engines.one() as engine:
            return engine.snapshots

    def start_early(self) -> None:
        """Make ready what the first file needs, beside whatever the caller does meanwhile."""
        threading.Thread(target=self._start).start()

    def _start(self) -> None:
        with self.engines.one() as engine:
            engine.at(self.start)

    def write_inventory(self, period: datetime, path: Path) -> int:
        """Write the inventory in force in a period as Parquet; its number of rows."""
        with self.engines.one() as engine:
            return write_parquet(engine.at(period), self.fleet.inventory_query(), path)

    def write_telemetry(self, period: datetime, path: Path) -> int:
        """Write the readings of one period as Parquet; their number."""
        with self.engines.one() as engine:
            connection = engine.at(period)
            self.readings.create_period(connection, period)
            return write_parquet(connection, self.readings.query(self.positions), path)


@lru_cache(maxsize=2)
def _remade(text: str, options: tuple[tuple[str, Any], ...]) -> MockSource:
    """A source in a process that did not make it: once for all parts that it is given."""
    return synthesise(loads(text, "the contract"), **dict(options))


def _part(text: str, options: tuple[tuple[str, Any], ...], positions: range | None) -> MockSource:
    whole = _remade(text, options)
    return whole if positions is None else whole.part(positions)


class _Engines:
    """Engines of a source: as many as there are processors, each for whoever comes first."""

    def __init__(self, fleet: Fleet, readings: Readings, start: datetime, end: datetime) -> None:
        self._made_of = fleet, readings, start, end
        self._idle: list[_Engine] = []
        self._places = threading.BoundedSemaphore(processors())

    @contextmanager
    def one(self) -> Iterator["_Engine"]:
        """One that nobody else uses meanwhile; after a failure it is forgotten."""
        with self._places:
            try:
                engine = self._idle.pop()
            except IndexError:
                engine = _Engine(*self._made_of)
            yield engine
            self._idle.append(engine)


class _Engine:
    """A connection for one at a time, with the tables that all periods share."""

    def __init__(self, fleet: Fleet, readings: Readings, start: datetime, end: datetime) -> None:
        self._fleet, self._readings = fleet, readings
        # One thread: the order of rows, and so the bytes, are the same on any machine.
        self._connection = connect(threads=1)
        self._snapshot: datetime | None = None
        self._day: date | None = None
        fleet.create_places(self._connection)
        readings.create_watts(self._connection)
        last = end - timedelta(microseconds=1)
        self.snapshots = [start, *fleet.changes(self._connection, start, last)]

    def at(self, period: datetime) -> Connection:
        """The connection, with the servers that are there in a period, on its day."""
        snapshot = self.snapshots[bisect_right(self.snapshots, period) - 1]
        if snapshot != self._snapshot:
            self._fleet.create_serving(self._connection, snapshot)
        if snapshot != self._snapshot or period.date() != self._day:
            self._readings.create_devices(self._connection, period.date())
        self._snapshot, self._day = snapshot, period.date()
        return self._connection
