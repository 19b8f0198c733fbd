"""Faults in files: in their columns, in their bytes, and in what they hold as a whole."""

from typing import Final

from powerstage.contract import Verdict
from powerstage.faults import edits
from powerstage.faults.fault import Bytes, Effect, Fault, Whole
from powerstage.faults.parts import needs_most, needs_start


def _column(
    name: str,
    words: str,
    magnitude: str,
    columns: str,
    check: str = "types.agreed",
) -> Fault:
    return Fault(
        name=name,
        level="column",
        words=words,
        magnitude=magnitude,
        check=check,
        effects=(Whole(columns=columns),),
    )


COLUMN_KINDS: Final = (
    _column(
        "missing_column",
        "a file without a column",
        "the column $unit",
        "* EXCLUDE ($unit)",
        "columns.agreed",
    ),
    _column(
        "extra_column",
        "a file with a column nobody agreed on",
        "a column rack",
        "*, 1 AS rack",
        "columns.agreed",
    ),
    _column(
        "renamed_column",
        "a file with a column under another name",
        "measurement_value for $value",
        "* RENAME ($value AS measurement_value)",
        "columns.agreed",
    ),
    _column(
        "upper_cased_column",
        "a file with a column in capital letters",
        "the column $value, or in small letters if it is in capitals",
        "* RENAME ($value AS $value_case)",
        "columns.agreed",
    ),
    _column(
        "retyped_file",
        "a file with $value stored as text",
        "the column $value",
        "* REPLACE ($value::VARCHAR AS $value)",
    ),
    _column(
        "float_values",
        "a file with $value in half the precision",
        "32 bits for 64",
        "* REPLACE ($value::REAL AS $value)",
    ),
    _column(
        "naive_timestamps",
        "a file whose time stamps say nothing of their zone",
        "the column $end",
        "* REPLACE (timezone('UTC', $end) AS $end)",
    ),
)


def _file(name: str, words: str, magnitude: str, check: str, effect: Effect) -> Fault:
    verdict: Verdict = "unreadable" if check == "file.readable" else "rejected"
    return Fault(
        name=name,
        level="file",
        words=words,
        magnitude=magnitude,
        check=check,
        verdict=verdict,
        effects=(effect,),
        unless={
            "half_file": (needs_most,),
            "wrong_hour": (needs_start,),
        }.get(name, ()),
    )


FILE_KINDS: Final = (
    _file(
        "truncated_file",
        "a file cut short before it was sent",
        "the first half of its bytes",
        "file.readable",
        Bytes(edit=edits.cut),
    ),
    _file(
        "empty_file",
        "a file without a byte",
        "0 bytes",
        "file.readable",
        Bytes(edit=edits.emptied),
    ),
    _file(
        "csv_as_parquet",
        "a CSV under the name of a Parquet file",
        "the same rows",
        "file.readable",
        Bytes(edit=edits.as_csv),
    ),
    _file(
        "no_rows",
        "a file that holds no reading",
        "0 rows, as its commit says",
        "grid.complete",
        Whole(rows="LIMIT 0"),
    ),
    _file(
        "half_file",
        "a file without the second half of its readings",
        "half of the rows, as its commit says",
        "grid.complete",
        Whole(rows="LIMIT (SELECT count(*) // 2 FROM clean)"),
    ),
    _file(
        "wrong_hour",
        "a file that holds another period's readings",
        "all rows, a period earlier",
        "reading.in_period",
        Whole(
            columns="* REPLACE ($start - to_microseconds($period_us) AS $start,"
            " $end - to_microseconds($period_us) AS $end)"
        ),
    ),
)
