"""The SQL that makes the readings of a period out of who serves, the clock and the seed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from powerstage.contract import Column, Contract, Measure
from powerstage.engine import Connection, sql_double, sql_file, sql_name, sql_text
from powerstage.errors import UsageError
from powerstage.producer import parameters
from powerstage.producer.curves import models
from powerstage.producer.fleet import INVENTORY, fill, require_agreed

# Keep the numbers of hours, days and jitters from those of instants (seconds since 1970).
_HOUR_SALT = 2**40
_DAY_SALT = 2**41
_JITTER_SALT = 2**42
_PACKAGE = "powerstage.producer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """How readings come about under a contract; ``fuzz`` jitters when they are taken."""

    contract: Contract
    fuzz: timedelta
    zones: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse what cannot be kept; ``UsageError`` names the option or the measure."""
        jitter = self.contract.roles.jitter
        if not timedelta() <= self.fuzz <= jitter or self.fuzz % timedelta(seconds=1):
            raise UsageError(
                f"fuzz is {self.fuzz.total_seconds():g} s",
                cause=f"the contract lets readings start at most {jitter.total_seconds():g} s late",
                fix="--fuzz is a whole number of seconds up to that; jitterSeconds of the rule"
                " 'readings' allows more (powerstage contract show --text: a contract to edit)",
            )
        roles, telemetry = self.contract.roles, self.contract.telemetry
        for measure in self.contract.measures:
            _require_range(measure, telemetry.column(roles.value))
            require_agreed(telemetry.column(roles.measure), [measure.name])
            require_agreed(telemetry.column(roles.unit), [measure.unit])
        for column in telemetry.columns:
            self._column(column.name)

    def create_watts(self, connection: Connection) -> None:
        """Create ``watt``: one row, the curves of all models behind one another."""
        connection.execute(
            "CREATE TEMP TABLE watt AS SELECT ?::VARCHAR::DOUBLE[] AS watts", [_watts()]
        )

    def create_devices(self, connection: Connection, day: date) -> None:
        """Create ``device``: who serves, and how the days around a UTC day differ for them."""
        terms = parameters.weights(parameters.DAY_PERSISTENCE, parameters.DAY_TERMS)
        number = (day - date(1970, 1, 1)).days + _DAY_SALT
        earlier = len(terms)
        draws = ", ".join(
            f"coin(mix64(xor(device_key, mix64({number - earlier + index}::UBIGINT)))) AS d{index}"
            for index in range(earlier + 2)
        )
        days = ", ".join(_weighted(terms, "d", earlier - 1 + offset) for offset in range(3))
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE device AS"
            f" SELECT * EXCLUDE ({', '.join(f'd{index}' for index in range(earlier + 2))}),"
            f" [{days}] AS day FROM (SELECT *, {draws} FROM serving)"
        )

    def create_period(self, connection: Connection, period: datetime) -> None:
        """Create ``period``: one row, its hours and its slots."""
        contract = self.contract
        names, units = (
            f"ENUM({', '.join(map(sql_text, sorted(texts)))})"
            for texts in (
                {measure.name for measure in contract.measures},
                {measure.unit for measure in contract.measures},
            )
        )
        measures = ", ".join(
            f"({index}, {sql_text(measure.name)}, {sql_text(measure.unit)})"
            for index, measure in enumerate(contract.measures)
        )
        first = int(period.timestamp())
        statement = sql_file(
            _PACKAGE,
            "period.sql",
            first=first,
            end=first + int(contract.delivery_interval.total_seconds()),
            seconds=int(contract.roles.reading_interval.total_seconds()),
            moments=", ".join(self._moments(period)),
            measures=measures,
            measure_enum=names,
            unit_enum=units,
            hour_terms=parameters.HOUR_TERMS,
            hour_salt=_HOUR_SALT,
        )
        connection.execute(f"CREATE OR REPLACE TEMP TABLE period AS {statement}")

    def query(self, positions: range | None = None) -> str:
        """SQL for the readings, from ``device``, ``period`` and ``watt``.

        Args:
            positions: only of servers in these places; None for all.
        """
        columns = ", ".join(
            f"{self._column(column.name)} AS {sql_name(column.name)}"
            for column in self.contract.telemetry.columns
        )
        values = " ".join(
            f"WHEN {index} THEN {_value(measure)}"
            for index, measure in enumerate(self.contract.measures)
        )
        return sql_file(
            _PACKAGE,
            "readings.sql",
            hours=self.hours_query(positions),
            values=values,
            columns=columns,
            reading_least=sql_double(1 - parameters.READING_STEP * (parameters.COINS // 2)),
            reading_step=sql_double(parameters.READING_STEP),
        )

    def hours_query(self, positions: range | None = None) -> str:
        """SQL for the loads behind the readings: ``load_first`` and ``load_next`` of each hour."""
        terms = parameters.weights(parameters.HOUR_PERSISTENCE, parameters.HOUR_TERMS)
        draws = ", ".join(
            f"coin(mix64(xor(device_key, hour.keys[{index + 1}]))) AS h{index}"
            for index in range(len(terms) + 1)
        )
        return sql_file(
            _PACKAGE,
            "hours.sql",
            load_min=sql_double(parameters.LOAD_MIN),
            load_max=sql_double(parameters.LOAD_MAX),
            day_deviation=sql_double(parameters.DAY_DEVIATION),
            hour_deviation=sql_double(parameters.HOUR_DEVIATION),
            drift_first=_weighted(terms, "h", len(terms) - 1),
            drift_next=_weighted(terms, "h", len(terms)),
            draws=draws,
            positions=""
            if positions is None
            else f"WHERE position >= {positions.start} AND position < {positions.stop}",
        )

    def _moments(self, period: datetime) -> Iterator[str]:
        """Rows for groups of devices and hours: the shapes of the profiles, by local clocks."""
        first = int(period.timestamp())
        interval = int(self.contract.roles.reading_interval.total_seconds())
        end = first + int(self.contract.delivery_interval.total_seconds())
        hours = sorted({(2 * stamp + interval) // 7200 for stamp in range(first, end, interval)})
        for zone_number, zone in enumerate(self.zones):
            clocks = {hour: _clock(hour, zone) for hour in {*hours, *(hour + 1 for hour in hours)}}
            for number, profile in enumerate(parameters.PROFILES):
                group = zone_number * len(parameters.PROFILES) + number + 1
                for ordinal, hour in enumerate(hours, start=1):
                    shares = [
                        sql_double(_share(profile, clocks[knot])) for knot in (hour, hour + 1)
                    ]
                    days = [
                        str((clocks[knot].date() - period.date()).days + 2)
                        for knot in (hour, hour + 1)
                    ]
                    facts = (str(group), str(ordinal), str(hour), *shares, *days)
                    yield f"({', '.join(facts)})"

    def _column(self, name: str) -> str:
        """SQL for a telemetry column: its part in a reading, or what the inventory says of it."""
        contract, roles = self.contract, self.contract.roles
        parts = {
            roles.device: sql_name(INVENTORY + contract.inventory_device),
            roles.measure: "slot.measure_name",
            roles.end: self._stamp(
                "end", f"slot.stamp + {int(roles.reading_interval.total_seconds())}"
            ),
            roles.unit: "slot.unit_name",
            roles.value: "reading_value",
        }
        if name == roles.start:
            return self._stamp("start", "slot.stamp")
        if name in parts:
            return parts[name]
        if name in {column.name for column in contract.inventory.columns}:
            return sql_name(INVENTORY + name)
        column = contract.telemetry.column(name)
        require_agreed(column, column.allowed[:1])
        text = fill(column)
        # An ENUM for the sake of speed: see Fleet.
        return f"{text}::ENUM({text})" if column.allowed and column.type == "VARCHAR" else text

    def _stamp(self, field: str, seconds: str) -> str:
        """SQL for when a reading starts or ends; with fuzz, it ends where the next starts."""
        fuzz = int(self.fuzz.total_seconds())
        if not fuzz:
            return f'slot."{field}"'
        key = f"mix64(xor(device_key, mix64(({seconds} + {_JITTER_SALT})::UBIGINT)))"
        return f"to_timestamp(({seconds} + ({key} % {fuzz + 1})::BIGINT)::DOUBLE)"


@cache
def _watts() -> str:
    """The curves of all models behind one another, as JSON."""
    return json.dumps([watts for model in models() for watts in model.watts])


def _weighted(terms: tuple[float, ...], name: str, last: int) -> str:
    """SQL for the sum of draws, the last weighing most; worked out from left to right."""
    return " + ".join(
        f"{sql_double(weight)} * {name}{last - index}" for index, weight in enumerate(terms)
    )


def _clock(hour: int, zone: str) -> datetime:
    """What the clocks of a zone show, ``hour`` hours after 1970 began."""
    return datetime.fromtimestamp(hour * 3600, UTC).astimezone(ZoneInfo(zone))


def _share(profile: parameters.Profile, clock: datetime) -> float:
    """The share of its amplitude that a profile uses at a local time."""
    now, then = profile.hours[clock.hour], profile.hours[(clock.hour + 1) % 24]
    share = now + (then - now) * clock.minute / 60
    return share * profile.weekend if clock.isoweekday() > 5 else share


_WATTS = (
    "floor(watts[watts_offset + load] * spread + noise_watts_least"
    " + noise_watts_step * bit_count((noise & 4294967295)::BIGINT))"
)


def _value(measure: Measure) -> str:
    """SQL for a value of a measure, by its unit: DOUBLE, from load in per mille."""
    if measure.unit == "%":
        return "load / 10"
    if measure.unit == "W":
        return _WATTS
    if measure.unit == "kW":
        return f"{_WATTS} / 1000"
    low, high = sql_double(measure.minimum), sql_double(measure.maximum - measure.minimum)
    return f"floor(({low} + {high} * load / 1000) * 1000 + 0.5e0) / 1000"


def _require_range(measure: Measure, column: Column) -> None:
    """Refuse a range that servers do not keep; ``UsageError`` names the measure."""
    minimum = measure.minimum if column.minimum is None else max(measure.minimum, column.minimum)
    maximum = measure.maximum if column.maximum is None else min(measure.maximum, column.maximum)
    least = min(model.watts_range[0] for model in models())
    most = max(model.watts_range[1] for model in models())
    reach = {"%": (0.0, 100.0), "W": (least, most), "kW": (least / 1000, most / 1000)}
    low, high = reach.get(measure.unit, (measure.minimum, measure.maximum))
    if low < minimum or high > maximum:
        raise UsageError(
            f"mock servers do not keep within {minimum:g}..{maximum:g}"
            f" {measure.unit} of the measure {measure.name!r}",
            cause=f"their readings are within {low:g}..{high:g} {measure.unit}",
            fix="widen the range in the contract (--contract), or publish an export of your own",
        )
