"""A DuckDB connection with our settings, and the counter-based random macros.

The generator is a mixer of 64 bits, ``mix64``: x ^= x >> 32; x *= 0xd6e8feb86659fd93; twice;
x ^= x >> 32. DuckDB's ``hash`` of one UBIGINT is the same function in every version from 0.7 to
2.0; it is held to known answers when a connection opens, and replaced by the portable form
where it ever differs. ``mix64(0)`` is 0: never feed it a bare zero.
"""

import os
from collections.abc import Mapping
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import duckdb

Connection: TypeAlias = "duckdb.DuckDBPyConnection"
Relation: TypeAlias = "duckdb.DuckDBPyRelation"
# mix64 of some integers, worked out by hand from the definition.
KNOWN_ANSWERS: Final = {
    1: 4717996019076358352,
    42: 7199933130570745587,
    2**63: 8233824478078409175,
    2**64 - 1: 4939931809569846361,
}
_MACRO: Final = "CREATE OR REPLACE TEMP MACRO "
_FAST: Final = {"mix64(x)": "hash(x::UBIGINT)"}
_PORTABLE: Final = {
    "mul64(x)": "((x::UHUGEINT * 15485907386658061715::UHUGEINT)"
    " & 18446744073709551615::UHUGEINT)::UBIGINT",
    "xs32(x)": "xor(x::UBIGINT, x::UBIGINT >> 32)",
    "mix64(x)": "xs32(mul64(xs32(mul64(xs32(x)))))",
}
# unif: uniform on [0, 1), exact. gau: four uniforms of 16 bits summed, mean 0, deviation 1.
# coin: the heads of 32 fair coins, mean 0, deviation 1 (1 / sqrt(8) = 0.3535...); the fastest.
_DERIVED: Final = {
    "unif(h)": "(h >> 11)::DOUBLE * 1.1102230246251565e-16::DOUBLE",
    "gau(h)": "((h & 65535) + ((h >> 16) & 65535) + ((h >> 32) & 65535) + (h >> 48))::DOUBLE"
    " * 2.6429e-5::DOUBLE - 3.4641::DOUBLE",
    "coin(h)": "(bit_count((h >> 32)::BIGINT) - 16) * 0.35355339059327373e0",
}


def processors() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no such call
        return os.cpu_count() or 1


def connect(
    *,
    threads: int | None = None,
    memory_limit: str | None = None,
    database: str = ":memory:",
) -> Connection:
    """A connection in UTC that downloads nothing, with the random macros.

    Args:
        threads: at most so many; None for DuckDB's own choice.
        memory_limit: as DuckDB reads it: ``1GiB``.
        database: a file, or in memory.
    """
    connection = connect_without_macros(
        threads=threads, memory_limit=memory_limit, database=database
    )
    add_macros(connection)
    return connection


def connect_without_macros(
    *,
    threads: int | None = None,
    memory_limit: str | None = None,
    database: str = ":memory:",
) -> Connection:
    """As ``connect``, and sooner: for what makes no data."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    if threads is not None:
        config["threads"] = threads
    if memory_limit is not None:
        config["memory_limit"] = memory_limit
    # Whoever makes SQL for a worker waits for no engine.
    import duckdb  # noqa: PLC0415

    connection = duckdb.connect(database, config=config)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def add_macros(connection: Connection) -> None:
    """Define ``mix64``, ``unif``, ``gau`` and ``coin``; the first is held to its known answers."""
    _define(connection, _FAST)
    if not answers_are_known(connection):
        _define(connection, _PORTABLE)
    _define(connection, _DERIVED)


def answers_are_known(connection: Connection) -> bool:
    """Whether ``mix64`` of this connection is the function that it should be."""
    calls = ", ".join(f"mix64({number}::UBIGINT)" for number in KNOWN_ANSWERS)
    (answers,) = connection.execute(f"SELECT {calls}").fetchall()
    return list(answers) == list(KNOWN_ANSWERS.values())


def sql_file(package: str, name: str, **values: object) -> str:
    """A statement out of a package's ``sql`` folder, with values put in for its ``$names``."""
    return Template(_sql(package, name)).substitute(values)


def sql_statements(package: str, name: str, **values: object) -> list[str]:
    """As ``sql_file``, of a file that has several: what is put in may hold semicolons."""
    return [Template(text).substitute(values) for text in _sql(package, name).split(";\n")]


def _sql(package: str, name: str) -> str:
    return resources.files(package).joinpath("sql", name).read_text("utf-8")


def sql_text(text: str) -> str:
    """A text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def sql_name(name: str) -> str:
    """A name as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def sql_double(number: float) -> str:
    """A number as a SQL literal of type DOUBLE, to the last bit."""
    text = repr(float(number))
    return text if "e" in text else f"{text}e0"


def _define(connection: Connection, macros: Mapping[str, str]) -> None:
    for name, body in macros.items():
        connection.execute(f"{_MACRO}{name} AS {body}")
