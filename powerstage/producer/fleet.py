"""The servers of a mock producer: what they are, where they stand, when they serve.

A fleet is a number of places for servers. In each, one server follows another over the years:
which serves at an instant is a function of seed, place and day alone. Servers come and go at
midnight UTC, so that each delivery has one inventory.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from powerstage.contract import Column, Contract
from powerstage.engine import Connection, sql_double, sql_file, sql_name, sql_text
from powerstage.errors import UsageError
from powerstage.producer import parameters
from powerstage.producer.curves import Model, models
from powerstage.producer.serials import SerialForm, serial_form

DEVICES_MAX: Final = 1_000_000
# 2**64 divided by the golden ratio: keeps seed 0 from the fixed point of the mixer.
SEED_OFFSET: Final = 0x9E3779B97F4A7C15
# What the table ``device`` calls the columns of the inventory: no contract's column has a colon.
INVENTORY: Final = "inventory:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """A number of servers, decided by a seed: the same seed, the same servers."""

    contract: Contract
    devices: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse a fleet that cannot be made; ``UsageError`` names the option."""
        if not 1 <= self.devices <= DEVICES_MAX:
            raise UsageError(
                f"devices is {self.devices}", fix=f"--devices is from 1 to {DEVICES_MAX:,}"
            )
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed is {self.seed}", fix="--seed is from 0 to 2^63 - 1")
        for column in self.contract.inventory.columns:
            self._expression(column)
            require_agreed(column, self._texts(column))
        names = {column.name for column in self.contract.inventory.columns}
        for column in self.contract.telemetry.columns:
            if column.name in names:
                require_agreed(column, self._texts(self.contract.inventory.column(column.name)))

    def require_serials(self, first: datetime, last: datetime) -> None:
        """Refuse a fleet that has more servers between two instants than serial numbers."""
        generations = (last - first).days // parameters.SERVICE_DAYS + 2
        if self.devices * generations > self._serials.space:
            raise UsageError(
                f"{self.devices:,} devices and their successors need"
                f" {self.devices * generations:,} serial numbers; there are"
                f" {self._serials.space:,}",
                cause=f"the contract's pattern of {self.contract.inventory_device} allows no more",
                fix=f"--devices is at most {self._serials.space // generations:,},"
                " or widen the pattern",
            )

    def create_places(self, connection: Connection) -> None:
        """Create ``place``: the places for servers, and when the next one comes to each."""
        places = sql_file(
            "powerstage.producer",
            "places.sql",
            seed=(self.seed ^ SEED_OFFSET) % 2**64,
            devices=self.devices,
            service_days=parameters.SERVICE_DAYS,
            vacant_share=sql_double(parameters.VACANT_SHARE),
            vacant_days_max=parameters.VACANT_DAYS_MAX,
        )
        connection.execute(f"CREATE TEMP TABLE place AS {places}")

    def changes(
        self, connection: Connection, first: datetime, last: datetime
    ) -> Sequence[datetime]:
        """The midnights after ``first`` and up to ``last`` at which a server comes or goes."""
        query = sql_file(
            "powerstage.producer",
            "changes.sql",
            first_day=_day(first) + 1,
            last_day=_day(last),
            service_days=parameters.SERVICE_DAYS,
        )
        days = connection.execute(query).fetchall()
        return [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day) for (day,) in days]

    def create_serving(self, connection: Connection, moment: datetime) -> None:
        """Create ``serving``: who serves at a moment, in the order of serial numbers.

        Its columns are those of the inventory with ``inventory:`` before their names, texts as
        ENUMs of just the values that occur; ``position`` (the place, from 0) and the hidden
        facts behind readings: ``device_key`` (UBIGINT), ``moment_group``, ``base`` and
        ``amplitude`` (per mille of full load), ``watts_offset``, ``spread``,
        ``noise_watts_least`` and ``noise_watts_step``.
        """
        columns = ", ".join(
            f"{self._expression(column)} AS {sql_name(INVENTORY + column.name)}"
            for column in self.contract.inventory.columns
        )
        devices = sql_file(
            "powerstage.producer",
            "devices.sql",
            day=_day(moment),
            service_days=parameters.SERVICE_DAYS,
            scattered=self._serials.scatter(f"generation * {self.devices} + position", self.seed),
            models=", ".join(_model_values(number, model) for number, model in enumerate(models())),
            model_count=len(models()),
            sites=self._sites(),
            site_count=len(self.contract.sites),
            profiles=_profile_values(),
            profile_count=len(parameters.PROFILES),
            deviation=sql_double(parameters.DEVICE_DEVIATION),
            columns=columns,
        )
        for name in ("device", "serving"):
            connection.execute(f"DROP TABLE IF EXISTS {name}")
        connection.execute(f"CREATE OR REPLACE TEMP TABLE serving_text AS {devices}")
        casts = self._create_enums(connection)
        serial = sql_name(INVENTORY + self.contract.inventory_device)
        connection.execute(
            f"CREATE TEMP TABLE serving AS SELECT * {casts} FROM serving_text"
            f" ORDER BY serving_text.{serial}"
        )

    def inventory_query(self) -> str:
        """SQL for the inventory, from the table ``serving``."""
        names = ", ".join(
            f"{sql_name(INVENTORY + column.name)} AS {sql_name(column.name)}"
            for column in self.contract.inventory.columns
        )
        key = ", ".join(sql_name(INVENTORY + name) for name in self.contract.inventory.key)
        return f"SELECT {names} FROM serving ORDER BY {key}"

    def _create_enums(self, connection: Connection) -> str:
        """Casts of texts to ENUMs: Parquet is written far faster where no text is hashed."""
        casts = []
        for number, column in enumerate(self.contract.inventory.columns):
            name, enum = sql_name(INVENTORY + column.name), f"inventory_{number}"
            known = f"SELECT DISTINCT {name} FROM serving_text WHERE {name} IS NOT NULL"
            if column.type != "VARCHAR" or not connection.execute(f"{known} LIMIT 1").fetchall():
                continue
            connection.execute(f"DROP TYPE IF EXISTS {enum}")
            connection.execute(f"CREATE TYPE {enum} AS ENUM ({known} ORDER BY {name})")
            casts.append(f"{name}::{enum} AS {name}")
        return f"REPLACE ({', '.join(casts)})" if casts else ""

    @property
    def zones(self) -> tuple[str, ...]:
        """The time zones of the sites, each once."""
        return tuple(dict.fromkeys(site.timezone for site in self.contract.sites))

    @property
    def _serials(self) -> SerialForm:
        column = self.contract.inventory.column(self.contract.inventory_device)
        return serial_form(column.pattern)

    def _texts(self, column: Column) -> Sequence[str]:
        """What may stand in a column of the inventory; of serial numbers the first."""
        return {
            self.contract.inventory_device: [self._serials.example(0)],
            self.contract.inventory_site: [site.code for site in self.contract.sites],
            "model": [model.name for model in models()],
            "product_id": [model.product_id for model in models()],
        }.get(column.name, column.allowed[:1])

    def _sites(self) -> str:
        return ", ".join(
            f"({index}, {sql_text(site.code)}, {self.zones.index(site.timezone)})"
            for index, site in enumerate(self.contract.sites)
        )

    def _expression(self, column: Column) -> str:
        contract = self.contract
        if column.name == contract.inventory_device:
            return self._serials.spell("scattered")
        if column.name == contract.inventory_site:
            return "code"
        if column.name in {"model", "product_id"}:
            return column.name
        return fill(column)


def fill(column: Column) -> str:
    """SQL for a column that no rule of ours is about; ``UsageError`` if nothing can stand there."""
    if column.allowed:
        return sql_text(column.allowed[0])
    if not column.required:
        return f"NULL::{column.type}"
    raise UsageError(
        f"mock data cannot fill the column {column.name!r}",
        cause="it is required, and the contract allows no values to choose from",
        fix="give it an enum, or required: false",
    )


def require_agreed(column: Column, texts: Sequence[str]) -> None:
    """Refuse a column that does not allow what would stand there; ``UsageError`` names it."""
    for text in texts:
        if (column.allowed and text not in column.allowed) or (
            column.pattern is not None and re.fullmatch(column.pattern, text) is None
        ):
            raise UsageError(
                f"mock data cannot fill the column {column.name!r}",
                cause=f"the contract does not allow {text!r} there",
                fix="widen its pattern or enum in the contract (--contract),"
                " or publish an export of your own",
            )


def _day(moment: datetime) -> int:
    """The days since 1970."""
    return int(moment.timestamp()) // 86_400


def _model_values(number: int, model: Model) -> str:
    noise = ", ".join(map(sql_double, model.noise_watts))
    return f"({number}, {sql_text(model.name)}, {sql_text(model.product_id)}, {noise})"


def _profile_values() -> str:
    """Number, the draw (0 to 1) that it begins and ends at, and the ranges of its loads."""
    rows, begin = [], 0.0
    for number, profile in enumerate(parameters.PROFILES):
        end = 1.0 if profile is parameters.PROFILES[-1] else begin + profile.share
        numbers = (begin, end, *profile.base, *profile.amplitude)
        rows.append(f"({number}, {', '.join(map(sql_double, numbers))})")
        begin = end
    return ", ".join(rows)
