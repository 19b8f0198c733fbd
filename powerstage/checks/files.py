"""How a data file is read: nothing about it is guessed.

DuckDB's own guess at a CSV takes a header of texts for a row where all columns are texts, and
drops what it cannot parse if it is told to be kind. So the header is read here, every column
is taken as text, and a line that is not RFC 4180 is an error that names its line.
"""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

from powerstage.checks.rules import RAW_PREFIX, ROW
from powerstage.contract.model import Column
from powerstage.engine import Connection, sql_name, sql_text

FileFormat: TypeAlias = Literal["csv", "parquet"]

# What reads a file: its path, and of a CSV the columns that its header names, are put in.
READERS: Final[dict[FileFormat, str]] = {
    "csv": "read_csv({path}, columns = {{{columns}}}, auto_detect = false,"
    " header = true, delim = ',', quote = '\"', escape = '\"', nullstr = '')",
    "parquet": "read_parquet({path}, hive_partitioning = false)",
}
# Where several are read at once, the path of a row's file.
PATH: Final = '"at:path"'
HEADER_CHARACTERS_MAX: Final = 65_536
# DuckDB 1 reads nanoseconds as microseconds; DuckDB 2 has a type for them. One verdict for both.
TYPE_NAMES: Final = {
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
    "TIMESTAMPTZ_NS": "TIMESTAMPTZ",
}
# How a value is written in a CSV, where DuckDB would take more for one.
_INTEGER: Final = "[+-]?[0-9]+"
_FORMS: Final = {
    "BIGINT": _INTEGER,
    "INTEGER": _INTEGER,
    "DOUBLE": r"(?i)[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?(nan|inf|infinity)",
    "BOOLEAN": "(?i)true|false",
    "DATE": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
}
_ADVICE: Final = re.compile(r"\n\s*(Possible |Stack Trace|file = |LINE [0-9]+: )")
_LINE_CHARACTERS_MAX: Final = 200
_KIND: Final = re.compile(r"^[A-Za-z ]*Error: ")
# What DuckDB says of a file, and what it means to whoever wrote it.
_CHANGED: Final = "its footer makes no sense: bytes of it were changed"
_MEANINGS: Final = {
    "CSV Parser state machine": "a quote is out of place, or its lines end in different ways",
    "No magic bytes found": "it is cut off, or no Parquet file: its end is not that of one",
    "is encrypted": "it is encrypted: a file is sent as it is, over an encrypted line",
    "too small to be a Parquet file": "it is too short for a Parquet file",
    "Footer length error": "it is cut off or changed: its footer is longer than the file",
    "TProtocolException": _CHANGED,
    "don't know what type": _CHANGED,
    "column chunk is missing": _CHANGED,
    "ecompression failure": "its data cannot be unpacked: bytes of them were changed",
}


def reader(path: str, format_: FileFormat) -> str:
    """SQL for the rows of a file, in its own columns; those of a CSV are texts, empty ones null.

    Args:
        path: of the file, without characters that a glob would read as its own.
        format_: ``csv`` or ``parquet``.

    Raises:
        ValueError: a CSV's header cannot be read, or names a column twice.
    """
    if format_ == "parquet":
        return READERS[format_].format(path=sql_text(path))
    names = csv_header(path)
    if doubled := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"the header names {', '.join(sorted(doubled))} twice")
    columns = ", ".join(f"{sql_name(name)}: 'VARCHAR'" for name in names)
    return READERS[format_].format(path=sql_text(path), columns=columns)


def parquet_reader(paths: Sequence[str]) -> str:
    """SQL for the rows of Parquet files of the same columns, file by file, each with its path."""
    reader = READERS["parquet"].format(path=f"[{', '.join(map(sql_text, paths))}]")
    return f"{reader.removesuffix(')')}, filename = '{PATH[1:-1]}')"


def delivered_columns(columns: Sequence[Column], format_: FileFormat) -> str:
    """SQL for what is selected of a file's rows: their numbers, from 1, and the agreed columns.

    In a CSV the header is row 1, and the columns stand there twice: as values, and as the texts
    that they were.
    """
    if format_ == "parquet":
        kept = [
            f"{sql_name(column.name)}::{column.type} AS {sql_name(column.name)}"
            for column in columns
        ]
        return ", ".join([f"file_row_number + 1 AS {ROW}", *kept])
    cast = [
        f"{_cast(sql_name(column.name), column.type)} AS {sql_name(column.name)},"
        f" {sql_name(column.name)} AS {sql_name(RAW_PREFIX + column.name)}"
        for column in columns
    ]
    return ", ".join([f"row_number() OVER () + 1 AS {ROW}", *cast])


def _cast(name: str, type_: str) -> str:
    """A CSV's text as a value, null if it is none: DuckDB alone would take 12.7 for a 13."""
    # nullif keeps DuckDB 2 from pushing the cast into the CSV reader, where one bad value
    # makes the whole file unreadable.
    cast = f"TRY_CAST(nullif({name}, '') AS {type_})"
    form = _FORMS.get(type_)
    return (
        cast if form is None else f"CASE WHEN regexp_full_match({name}, '{form}') THEN {cast} END"
    )


def columns(connection: Connection, path: str, format_: FileFormat) -> list[tuple[str, str]]:
    """Names and DuckDB types of a file's columns; of a CSV all types are ``VARCHAR``.

    Raises:
        duckdb.Error, ValueError: the file cannot be read.
    """
    if format_ == "csv":
        return [(name, "VARCHAR") for name in csv_header(path)]
    described = connection.execute(f"DESCRIBE SELECT * FROM {reader(path, format_)}").fetchall()
    return [(name, TYPE_NAMES.get(type_, type_)) for name, type_, *_ in described]


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
    """What a reader said about a file, in one line: in our words, or cut and without advice."""
    text = _KIND.sub("", _ADVICE.split(str(error), maxsplit=1)[0])
    for said, meaning in _MEANINGS.items():
        if said in text:
            return meaning
    lines = [line.strip()[:_LINE_CHARACTERS_MAX] for line in text.splitlines()]
    return "; ".join(filter(None, lines))
