"""How a data file is read: nothing about it is guessed.

DuckDB's own guess at a CSV takes a header of texts for a row where all columns are texts, and
drops what it cannot parse if it is told to be kind. So the header is read here, every column
is taken as text, and a line that is not RFC 4180 is an error that names its line.
"""

import csv
import re
from pathlib import Path
from typing import Final

import duckdb

from powerstage.checks.plan import FileFormat
from powerstage.engine import sql_name, sql_text

HEADER_CHARACTERS_MAX: Final = 65_536
# DuckDB 1 reads nanoseconds as microseconds; DuckDB 2 has a type for them. One verdict for both.
_TYPE_NAMES: Final = {
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
    "TIMESTAMPTZ_NS": "TIMESTAMPTZ",
}
_ADVICE: Final = re.compile(r"\n\s*(Possible |Stack Trace|file = )")
_KIND: Final = re.compile(r"^[A-Za-z ]*Error: ")
_NO_STATE: Final = "CSV Parser state machine"


def reader(path: str, format_: FileFormat, *, row_numbers: bool = False) -> str:
    """SQL for the rows of a file, in its own columns; those of a CSV are texts, empty ones null.

    Args:
        path: of the file, without characters that a glob would read as its own.
        format_: ``csv`` or ``parquet``.
        row_numbers: add ``file_row_number`` (Parquet only), from 0.

    Raises:
        ValueError: a CSV's header cannot be read, or names a column twice.
    """
    if format_ == "parquet":
        numbered = ", file_row_number = true" if row_numbers else ""
        return f"read_parquet({sql_text(path)}, hive_partitioning = false{numbered})"
    names = csv_header(path)
    if doubled := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"the header names {', '.join(sorted(doubled))} twice")
    columns = ", ".join(f"{sql_name(name)}: 'VARCHAR'" for name in names)
    return (
        f"read_csv({sql_text(path)}, columns = {{{columns}}}, auto_detect = false,"
        " header = true, delim = ',', quote = '\"', escape = '\"', nullstr = '')"
    )


def columns(
    connection: duckdb.DuckDBPyConnection, path: str, format_: FileFormat
) -> list[tuple[str, str]]:
    """Names and DuckDB types of a file's columns; of a CSV all types are ``VARCHAR``.

    Raises:
        duckdb.Error, ValueError: the file cannot be read.
    """
    if format_ == "csv":
        return [(name, "VARCHAR") for name in csv_header(path)]
    described = connection.execute(f"DESCRIBE SELECT * FROM {reader(path, format_)}").fetchall()
    return [(name, _TYPE_NAMES.get(type_, type_)) for name, type_, *_ in described]


def csv_header(path: str) -> list[str]:
    """The names in the first line of a CSV; none if it is empty.

    Raises:
        ValueError: it is not UTF-8, longer than 64 KiB, or no line of a CSV.
    """
    # A byte order mark is what some spreadsheets put before the first name.
    with Path(path).open(encoding="utf-8-sig") as file:
        line = file.readline(HEADER_CHARACTERS_MAX)
    if len(line) == HEADER_CHARACTERS_MAX:
        raise ValueError(f"the header is longer than {HEADER_CHARACTERS_MAX} characters")
    try:
        return next(csv.reader([line.rstrip("\r\n")], strict=True), [])
    except csv.Error as error:
        raise ValueError(f"the header is no line of a CSV: {error}") from error


def complaint(error: Exception) -> str:
    """What a reader said about a file, in one line: without its advice to look away."""
    text = _KIND.sub("", _ADVICE.split(str(error), maxsplit=1)[0])
    if _NO_STATE in text:
        return "a quote is out of place, or its lines end in different ways"
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())
