"""Rows changed as planned: one kind of query, the clean relation joined to the plan.

It runs where a view ``clean`` shows a file, a table ``planned`` the rows of the plan, and for
a change that needs another reading a view ``other`` the file that this stands in.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from string import Template
from typing import Final

import duckdb

from powerstage.checks.rules import microseconds
from powerstage.contract import Contract
from powerstage.contract.model import Column
from powerstage.engine import sql_name, sql_text
from powerstage.faults.fault import Change, Whole
from powerstage.faults.parts import columns, listed_columns, start_us

_TYPES: Final = {
    "device": "VARCHAR",
    "site": "VARCHAR",
    "measure": "VARCHAR",
    "first_us": "BIGINT",
    "last_us": "BIGINT",
    "other_device": "VARCHAR",
    "other_measure": "VARCHAR",
    "other_start_us": "BIGINT",
    "earlier_us": "BIGINT",
    "text": "VARCHAR",
    "number": "DOUBLE",
    "draw": "UBIGINT",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """A row of the plan: which readings are hit, those that start from first to last.

    None for device, site or measure is for any. The other reading is that of the other
    device and measure, else the same, at the other start, else so much earlier. ``text``,
    ``number`` and ``draw`` (of the seed) are for the change to use.
    """

    device: str | None = None
    site: str | None = None
    measure: str | None = None
    first_us: int
    last_us: int
    other_device: str | None = None
    other_measure: str | None = None
    other_start_us: int | None = None
    earlier_us: int = 0
    text: str | None = None
    number: float | None = None
    draw: int = 0


def create_plan(connection: duckdb.DuckDBPyConnection, rows: Sequence[PlanRow]) -> None:
    """Create the table ``planned``."""
    names = ", ".join(f"{field.name} {_TYPES[field.name]}" for field in fields(PlanRow))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE planned ({names})")
    places = ", ".join("?" for _ in fields(PlanRow))
    for row in rows:
        connection.execute(f"INSERT INTO planned VALUES ({places})", astuple(row))


def changed_readings(contract: Contract, change: Change) -> str:
    """SQL for the rows of ``clean`` readings with the planned ones changed."""
    return _readings(contract, change).changed(change)


def changed_inventory(contract: Contract, change: Change) -> str:
    """SQL for the rows of a ``clean`` inventory with the planned devices changed."""
    return _inventory(contract).changed(change)


def count_readings(contract: Contract, change: Change) -> str:
    """SQL for the number of readings that a change replaces, drops, repeats or adds."""
    return _readings(contract, change).count(change)


def count_inventory(contract: Contract, change: Change) -> str:
    """SQL for the number of rows of an inventory that a change replaces, drops or repeats."""
    return _inventory(contract).count(change)


def count_outside(contract: Contract, query: str) -> str:
    """SQL for the number of a query's readings that are out of their measure's range."""
    limits, value = _limits(contract), sql_name(columns(contract)["value"].name)
    inside = f"{value} BETWEEN {limits['minimum']} AND {limits['maximum']}"
    return f"SELECT count(*) FROM ({query}) AS clean WHERE NOT {inside}"


def changed_file(contract: Contract, whole: Whole) -> str:
    """SQL for a whole ``clean`` file in another form."""
    names = {part: sql_name(column.name) for part, column in columns(contract).items()}
    value = columns(contract)["value"].name
    names |= {"value_case": sql_name(value.lower() if value.isupper() else value.upper())}
    names |= _lengths(contract)
    text = Template(f"SELECT {whole.columns} FROM clean {whole.rows}")
    return text.substitute(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Relation:
    """A dataset as a query sees it: its columns, and how it is joined to plan and others."""

    columns: Sequence[Column]
    key: tuple[str, ...]
    parts: Mapping[str, Column]
    on: str
    other: str
    names: Mapping[str, str]

    def changed(self, change: Change) -> str:
        """The query, in the order of the key."""
        clean = f"FROM clean LEFT JOIN planned ON {self.on} {self.other}"
        hit = f"JOIN planned ON {self.on} {self.other}"
        everything = self._columns({})
        new = self._columns(self._expressions(change))
        query = {
            "replace": f"SELECT {new} {clean}",
            "drop": f"SELECT {everything} {clean} WHERE planned.first_us IS NULL",
            "repeat": f"SELECT {everything} FROM clean UNION ALL SELECT {new} FROM clean {hit}",
            "add": f"SELECT {everything} FROM clean UNION ALL SELECT {new} FROM other AS clean"
            f" {hit}",
        }[change.does]
        # Rows of one key may differ: the same order each time.
        order = [*self.key, *(column.name for column in self.columns if column.type == "DOUBLE")]
        return f"{query} ORDER BY {', '.join(map(sql_name, order))}"

    def count(self, change: Change) -> str:
        """How many rows are hit, and of those replaced how many differ."""
        table = "other AS clean" if change.does == "add" else "clean"
        hit = f"SELECT count(*) FROM {table} JOIN planned ON {self.on} {self.other}"
        differ = [
            f"({sql})::{self._type(name)} IS DISTINCT FROM clean.{sql_name(name)}"
            for name, sql in self._expressions(change).items()
        ]
        return f"{hit} WHERE {' OR '.join(differ) or 'false'}" if change.does == "replace" else hit

    def _type(self, name: str) -> str:
        return next(column.type for column in self.columns if column.name == name)

    def _expressions(self, change: Change) -> dict[str, str]:
        names = dict(self.names)
        names |= {part: f"clean.{sql_name(column.name)}" for part, column in self.parts.items()}
        return {
            self.parts[part].name: Template(sql).substitute(names)
            for part, sql in change.columns
            if part in self.parts
        }

    def _columns(self, expressions: Mapping[str, str]) -> str:
        texts = []
        for column in self.columns:
            name = sql_name(column.name)
            text = f"clean.{name}"
            if column.name in expressions:
                new = f"({expressions[column.name]})::{column.type}"
                text = f"CASE WHEN planned.first_us IS NULL THEN clean.{name} ELSE {new} END"
            texts.append(f"{text} AS {name}")
        return ", ".join(texts)


def _readings(contract: Contract, change: Change) -> _Relation:
    return _Relation(
        columns=contract.telemetry.columns,
        key=contract.telemetry.key,
        parts=columns(contract),
        on=_hit(contract),
        other=_other(contract) if change.donor in {"itself", "before", "before all"} else "",
        names=_names(contract),
    )


def _inventory(contract: Contract) -> _Relation:
    parts = listed_columns(contract)
    device = sql_name(parts["device"].name)
    return _Relation(
        columns=contract.inventory.columns,
        key=contract.inventory.key,
        parts=parts,
        on=f"planned.device IS NULL OR clean.{device} = planned.device",
        other="",
        names={},
    )


def _hit(contract: Contract) -> str:
    """Whether the plan names a reading."""
    parts = columns(contract)
    same = [
        f"(planned.{part} IS NULL OR clean.{sql_name(parts[part].name)} = planned.{part})"
        for part in ("device", "site", "measure")
        if part in parts
    ]
    during = f"{start_us(contract, 'clean')} BETWEEN planned.first_us AND planned.last_us"
    return " AND ".join([*same, during])


def _other(contract: Contract) -> str:
    """The join to the other reading of each reading that is hit."""
    parts = columns(contract)
    same = [
        f"other.{name} = coalesce(planned.other_{part}, clean.{name})"
        for part, name in ((part, sql_name(parts[part].name)) for part in ("device", "measure"))
    ]
    # Intervals are compared: a reading may be taken late in its own.
    interval = f"// {microseconds(contract.roles.reading_interval)}"
    start = f"coalesce(planned.other_start_us, {start_us(contract, 'clean')} - planned.earlier_us)"
    is_then = f"{start_us(contract, 'other')} {interval} = {start} {interval}"
    return f"LEFT JOIN other ON {' AND '.join(same)} AND {is_then}"


def _names(contract: Contract) -> dict[str, str]:
    parts = columns(contract)
    value, source = sql_name(parts["value"].name), parts.get("source")
    return {
        "start_us": start_us(contract, "clean"),
        # A reading without another stays as it is.
        "other_value": f"coalesce(other.{value}, clean.{value})",
        "agreed_measure": _listed(known.name for known in contract.measures),
        "agreed_source": _listed(source.allowed if source else ()),
        **_limits(contract),
        **_lengths(contract),
    }


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(map(sql_text, texts)) or "NULL"


def _lengths(contract: Contract) -> dict[str, str]:
    return {
        "interval_us": str(microseconds(contract.roles.reading_interval)),
        "period_us": str(microseconds(contract.delivery_interval)),
    }


def _limits(contract: Contract) -> dict[str, str]:
    """SQL for the range of a reading's measure."""
    measure = sql_name(columns(contract)["measure"].name)
    limits = {}
    for limit in ("minimum", "maximum"):
        cases = " ".join(
            f"WHEN {sql_text(known.name)} THEN {getattr(known, limit)!r}"
            for known in contract.measures
        )
        limits[limit] = f"(CASE clean.{measure} {cases} END)::DOUBLE"
    return limits
