"""Mock readings: a function of seed, device and instant, made by DuckDB, period by period.

Utilisation is a device's base plus its amplitude times the daily shape in its site's own time,
less at weekends, with noise that persists for a day, for an hour, and for one reading. Power
follows it along a curve that bends as 2u - u^1.5 does (after Fan, Weber and Barroso, "Power
provisioning for a warehouse-sized computer", 2007). Values are rounded as iLO reports them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb

from powerstage.contract import Contract, Measure
from powerstage.contract.calendar import period_of
from powerstage.engine import connect, sql_file, sql_name, sql_text
from powerstage.errors import UsageError
from powerstage.producer.fleet import Fleet, fill
from powerstage.producer.parquet import write_parquet

DAYS_MAX: Final = 3_660
_START_MIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_START_MAX: Final = datetime(9980, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)
# Share of a device's amplitude by hour of the local day.
_SHAPE: Final = (
    "[0.18, 0.12, 0.08, 0.05, 0.04, 0.06, 0.12, 0.26, 0.48, 0.70, 0.86, 0.95,"
    " 0.97, 0.94, 0.98, 1.00, 0.97, 0.90, 0.80, 0.70, 0.60, 0.48, 0.36, 0.26]"
)
_WEEKEND: Final = 0.45


def synthesise(
    contract: Contract,
    *,
    devices: int = 40,
    start: datetime,
    days: int = 1,
    seed: int = 7,
) -> "MockSource":
    """Mock inventory and telemetry, as a source that can be published; made when written.

    Args:
        contract: what the data will follow.
        devices: how many servers, up to a million.
        start: of the first period, UTC.
        days: how many days of periods.
        seed: decides every value.

    Raises:
        UsageError: an option is out of range; the message names it.
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
    for column in contract.telemetry.columns:
        _column(contract, column.name)
    return MockSource(fleet=fleet, start=start, days=days)


@dataclass(slots=True, kw_only=True)
class MockSource:
    """Mock data of a fleet over some days. A ``Source``."""

    fleet: Fleet
    start: datetime
    days: int
    _connection: duckdb.DuckDBPyConnection | None = field(default=None, init=False, repr=False)

    @property
    def contract(self) -> Contract:
        """What the data follow."""
        return self.fleet.contract

    def periods(self) -> Sequence[datetime]:
        """The starts of all periods, UTC."""
        interval = self.contract.delivery_interval
        return [self.start + index * interval for index in range(self.days * _DAY // interval)]

    def snapshots(self) -> Sequence[datetime]:
        """The first period: the fleet stays as it is."""
        return self.periods()[:1]

    def write_inventory(self, period: datetime, path: Path) -> int:  # noqa: ARG002 - one for all
        """Write the inventory as Parquet; its number of rows."""
        names = ", ".join(
            f"{_of_inventory(column.name)} AS {sql_name(column.name)}"
            for column in self.contract.inventory.columns
        )
        key = ", ".join(sql_name(name) for name in self.contract.inventory.key)
        return write_parquet(self._engine(), f"SELECT {names} FROM device ORDER BY {key}", path)

    def write_telemetry(self, period: datetime, path: Path) -> int:
        """Write the readings of one period as Parquet; their number."""
        return write_parquet(self._engine(), self._readings(period), path)

    def _engine(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            # One thread: the order of rows, and so the bytes, are the same on any machine.
            self._connection = connect(threads=1)
            self.fleet.create_tables(self._connection)
        return self._connection

    def _readings(self, period: datetime) -> str:
        contract, roles = self.contract, self.contract.roles
        first = int(period.timestamp())
        seconds = int(roles.reading_interval.total_seconds())
        end = first + int(contract.delivery_interval.total_seconds())
        measures = ", ".join(
            f"({index}, {sql_text(measure.name)}, {sql_text(measure.unit)})"
            for index, measure in enumerate(contract.measures)
        )
        columns = ", ".join(
            f"{_column(contract, column.name)} AS {sql_name(column.name)}"
            for column in contract.telemetry.columns
        )
        values = " ".join(
            f"WHEN {index} THEN {_value(measure)}"
            for index, measure in enumerate(contract.measures)
        )
        return sql_file(
            "powerstage.producer",
            "readings.sql",
            first=first,
            end=end,
            seconds=seconds,
            shape=_SHAPE,
            weekend=_WEEKEND,
            measures=measures,
            values=values,
            columns=columns,
            key=", ".join(sql_name(name) for name in contract.telemetry.key),
        )


def _column(contract: Contract, name: str) -> str:
    """SQL for a telemetry column: its part in a reading, or what the inventory says of it."""
    roles = contract.roles
    seconds = int(roles.reading_interval.total_seconds())
    parts = {
        roles.device: _of_inventory(contract.inventory_device),
        roles.measure: "measure_name",
        roles.start: "to_timestamp(stamp)",
        roles.end: f"to_timestamp(stamp + {seconds})",
        roles.unit: "unit_name",
        roles.value: "reading_value",
    }
    if name in parts:
        return parts[name]
    if name in {column.name for column in contract.inventory.columns}:
        return _of_inventory(name)
    return fill(contract.telemetry.column(name))


def _of_inventory(name: str) -> str:
    return f"inventory.{sql_name(name)}"


def _value(measure: Measure) -> str:
    """SQL for a value of a measure, by its unit; always within the agreed range."""
    if measure.unit == "%":
        value = "floor(load * 1000 + 0.5) / 10"
    elif measure.unit == "W":
        watts = "idle_watts + range_watts * (load + bend * (load - load * sqrt(load)))"
        value = f"floor({watts} + 2 * gau(mix64(noise)) + 0.5)"
    else:
        low, high = measure.minimum, measure.maximum
        value = f"floor(({low!r} + {high - low!r}::DOUBLE * load) * 1000 + 0.5) / 1000"
    return f"least({measure.maximum!r}::DOUBLE, greatest({measure.minimum!r}::DOUBLE, {value}))"
