"""What a finding brings along: SQL that runs anywhere, and every row that fails as Parquet."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from powerstage.checks import Checker, FailingRows, FileFormat, InputFile, Window, compile_plan
from tests.checks.conftest import Desk, rows_of

SPOILT = (
    "SELECT * EXCLUDE (number) REPLACE (CASE WHEN number % 4 = 0 THEN 65535"
    " WHEN number = 3 THEN 'nan' ELSE value END AS value)"
    " FROM (SELECT *, row_number() OVER () AS number FROM clean) WHERE number <> 6"
    " UNION ALL (FROM clean LIMIT 1)"
)


@pytest.fixture
def spoilt(desk: Desk) -> Desk:
    """A delivery with sentinels, a NaN, a reading that stands twice and one that is missing."""
    desk.spoil(SPOILT)
    return desk


@pytest.mark.parametrize("format_", ["parquet", "csv"])
def test_a_script_finds_what_was_counted(spoilt: Desk, format_: FileFormat) -> None:
    """In a DuckDB that knows nothing of us, and twice in the same; of a key, all of its rows."""
    report = spoilt.check(format_=format_)
    rows = {"value.range": 3, "value.finite": 1, "key.unique": 2, "grid.complete": 1}
    assert {finding.check.id for finding in report.findings} == set(rows)
    for finding in report.findings:
        with duckdb.connect() as anybody:
            assert rows_of(finding.script, anybody) == rows[finding.check.id]
            assert rows_of(finding.script, anybody) == rows[finding.check.id]


def test_a_script_holds_what_its_query_needs_and_no_more(spoilt: Desk) -> None:
    """The curves of all models, or what looks at neighbours, are nothing to read for a NaN."""
    (found,) = [f for f in spoilt.check().findings if f.check.id == "value.finite"]
    assert "curve =" not in found.script
    assert "neighbour" not in found.script
    assert len(found.script) < 6_000


def test_a_script_takes_a_name_for_a_name(spoilt: Desk) -> None:
    """A glob's and a quote's characters in a path are no more than that."""
    odd = spoilt.telemetry.rename(spoilt.folder / "it's [1] *.parquet")
    spoilt.telemetry = odd
    (found,) = [f for f in spoilt.check().findings if f.check.id == "value.finite"]
    with duckdb.connect() as anybody:
        assert rows_of(found.script, anybody) == 1


def test_nothing_is_said_of_what_passes(desk: Desk) -> None:
    """A check that found nothing brings no SQL along."""
    assert {result.script for result in desk.check().results} == {""}


def test_a_row_of_a_csv_is_its_line(spoilt: Desk) -> None:
    """The header counts: what a finding names is what an editor shows there."""
    report = spoilt.check(format_="csv")
    (found,) = [f for f in report.findings if f.check.id == "value.range"]
    lines = spoilt.telemetry.with_suffix(".csv").read_text("utf-8").splitlines()
    assert [lines[sample.row - 1].rpartition(",")[2] for sample in found.samples] == ["65535.0"] * 3


@pytest.mark.parametrize(
    ("format_", "sentinel", "first"), [("parquet", 65535.0, 3), ("csv", "65535.0", 4)]
)
def test_every_failing_row_is_kept_with_its_reasons(
    spoilt: Desk, format_: FileFormat, sentinel: object, first: int
) -> None:
    """By file and row, with the columns as they were found; missing readings apart, as runs."""
    path = spoilt.folder / "bad.parquet"
    file = spoilt.telemetry
    if format_ == "csv":
        spoilt.check(format_="csv")
        file = file.with_suffix(".csv")
    keep(spoilt, path, file, format_)
    rows = query(f"SELECT row, reasons, value FROM '{path}' ORDER BY row")
    assert rows[1][0] == first
    assert [row[1] for row in rows] == [
        ["key.unique"],
        ["value.finite"],
        *[["value.range"]] * 3,
        ["key.unique"],
    ]
    assert [row[2] for row in rows[2:5]] == [sentinel] * 3
    assert query(f"SELECT DISTINCT dataset, file FROM '{path}'") == [("telemetry", file.name)]
    missing = query(
        f'SELECT missing, "to" - "from" FROM \'{path.with_suffix("")}.missing.parquet\''
    )
    assert [(count, span.total_seconds()) for count, span in missing] == [(1, 0)]


def test_only_checks_that_count_are_reasons(spoilt: Desk, tmp_path: Path) -> None:
    """Other rows stay out; where no reading is asked for, no file of missing ones is left."""
    path = tmp_path / "bad.parquet"
    keep(spoilt, path, spoilt.telemetry, "parquet")
    keep(spoilt, path, spoilt.telemetry, "parquet", checks=["value.finite"])
    assert query(f"SELECT reasons FROM '{path}'") == [(["value.finite"],)]
    assert [file.name for file in tmp_path.glob("*bad*")] == ["bad.parquet"]


def test_where_nothing_fails_the_file_is_empty(desk: Desk, tmp_path: Path) -> None:
    """It replaces what an earlier run found."""
    path = tmp_path / "bad.parquet"
    path.write_bytes(b"of yesterday")
    keep(desk, path, desk.telemetry, "parquet")
    assert query(f"SELECT count(*) FROM '{path}'") == [(0,)]


def test_until_all_is_written_the_old_file_stays(spoilt: Desk, tmp_path: Path) -> None:
    """What is interrupted leaves no half of a file, and nothing of ours."""
    path = tmp_path / "bad.parquet"
    path.write_bytes(b"of yesterday")
    before = sorted(file.name for file in tmp_path.iterdir())
    with FailingRows(path) as failing_rows, Checker(failing_rows) as checker:
        check(spoilt, checker, spoilt.telemetry, "parquet")
    assert path.read_bytes() == b"of yesterday"
    assert sorted(file.name for file in tmp_path.iterdir()) == before


def keep(
    desk: Desk, path: Path, file: Path, format_: FileFormat, checks: list[str] | None = None
) -> None:
    """Check a file and keep the rows that fail."""
    with FailingRows(path, checks or ()) as failing_rows, Checker(failing_rows) as checker:
        check(desk, checker, file, format_)
        checker.write_failing_rows(failing_rows)


def check(desk: Desk, checker: Checker, file: Path, format_: FileFormat) -> None:
    """Check a file against the desk's inventory."""
    window = Window(start=desk.period, end=desk.period + desk.contract.delivery_interval)
    checker.check(
        compile_plan(desk.contract, "telemetry", format_, window=window),
        [InputFile(path=file, name=file.name)],
        inventory=[(desk.inventory, "parquet")],
    )


def query(sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with duckdb.connect() as connection:
        return connection.execute(sql).fetchall()
