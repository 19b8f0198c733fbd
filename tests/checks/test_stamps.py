"""Readings stamped by their end alone, and readings that start late: what the checks see."""

from datetime import timedelta
from pathlib import Path

import pytest

from powerstage.checks import Checker, FileFormat, InputFile, compile_plan
from powerstage.contract import Contract, default
from powerstage.producer import synthesise
from tests.checks.conftest import Desk, found
from tests.conftest import START
from tests.contract.conftest import end_stamped, jitter_of, jittered

ONE = "sn = (SELECT min(sn) FROM clean) AND type = 'server power'"
LAST = "sn = (SELECT max(sn) FROM clean) AND type = 'server power'"
JITTER_SECONDS = 600
# The six devices start 0, 120 .. 600 s late, and what follows them 600, 480 .. 0 s: readings of
# 3000 to 4200 s, all of which is agreed.
LATE = "to_seconds(120 * (dense_rank() OVER (ORDER BY sn) - 1))"
LATE_START = f"start_time + {LATE} AS start_time"
LATE_END = f"end_time + INTERVAL 600 SECOND - {LATE} AS end_time"
FIVE_MINUTES = ("intervalSeconds: 3600", "intervalSeconds: 300")
DAYS = (
    ("intervalSeconds: 3600", "intervalSeconds: 86400"),
    ("    value: 1\n    unit: h\n", "    value: 1\n    unit: d\n"),
)
FORMATS = pytest.mark.parametrize("format_", ["parquet", "csv"])


def desk_of(contract: Contract, checker: Checker, folder: Path) -> Desk:
    """A clean delivery that follows a contract."""
    source = synthesise(contract, devices=6, start=START, days=6, seed=7)
    return Desk(source, checker, folder)


@pytest.fixture
def by_end(checker: Checker, tmp_path: Path) -> Desk:
    """A clean delivery of readings that are stamped by their end alone."""
    return desk_of(end_stamped(), checker, tmp_path)


@pytest.fixture
def late(checker: Checker, tmp_path: Path) -> Desk:
    """A clean delivery of readings that start up to ten minutes late."""
    desk = desk_of(jittered(JITTER_SECONDS), checker, tmp_path)
    desk.spoil(f"SELECT * REPLACE ({LATE_START}, {LATE_END}) FROM clean")
    return desk


def replaced(column: str, expression: str, where: str = "true") -> str:
    """A query that spoils a column of some rows."""
    changed = f"CASE WHEN {where} THEN {expression} ELSE {column} END AS {column}"
    return f"SELECT * REPLACE ({changed}) FROM clean"


@FORMATS
def test_clean_readings_stamped_by_their_end_pass(by_end: Desk, format_: FileFormat) -> None:
    """What ends with the period belongs to it."""
    report = by_end.check(by_end.rows, format_)
    assert (found(report), report.rows) == (set(), 12)


@FORMATS
@pytest.mark.parametrize(
    ("query", "ids"),
    [
        (replaced("end_time", "end_time + INTERVAL 90 SECOND"),
         {"reading.on_grid", "grid.complete"}),
        (replaced("end_time", "end_time - INTERVAL 90 SECOND"),
         {"reading.on_grid", "reading.in_period", "grid.complete"}),
        (replaced("end_time", "end_time + INTERVAL 1 HOUR"),
         {"reading.in_period", "grid.complete"}),
        (replaced("end_time", "end_time - INTERVAL 1 HOUR"),
         {"reading.in_period", "grid.complete"}),
        (replaced("end_time", "NULL", ONE), {"end_time.not_null", "grid.complete"}),
        (replaced("end_time", "'infinity'::TIMESTAMPTZ"), {"end_time.finite", "grid.complete"}),
        (f"FROM clean UNION ALL FROM clean WHERE {ONE}", {"key.unique"}),
        (f"FROM clean WHERE NOT ({ONE})", {"grid.complete"}),
    ],
    ids=["90 s late", "90 s early", "an hour late", "an hour early", "null", "infinite", "twice",
         "one missing"],
)  # fmt: skip
def test_each_defect_of_an_end_is_seen_by_its_checks_alone(
    by_end: Desk, query: str, ids: set[str], format_: FileFormat
) -> None:
    """The interval is the one before the stamp."""
    by_end.spoil(query)
    assert found(by_end.check(format_=format_)) == ids


def test_words_about_an_end_name_its_column(by_end: Desk) -> None:
    """Nobody looks for a column that there is not; nor is a length promised."""
    words = {check.id: check.words for check in compile_plan(by_end.contract, "telemetry").checks}
    assert words["reading.on_grid"] == "end_time is on the grid of 3600 s"
    assert words["reading.in_period"] == (
        "end_time less 3600 s is inside the period that is delivered"
    )
    assert words["key.unique"] == "no two rows have the same sn, end_time, type"
    assert "reading.interval" not in words
    assert not [text for text in words.values() if "start_time" in text]


def test_an_end_in_the_first_hours_of_time_is_a_finding(checker: Checker, tmp_path: Path) -> None:
    """The start of its interval does not fit 64 bits, and the file can be read all the same."""
    desk = desk_of(end_stamped(*DAYS), checker, tmp_path)
    desk.spoil(replaced("end_time", "'290309-12-22 (BC)'::TIMESTAMPTZ", ONE))
    assert found(desk.check()) == {"reading.on_grid", "reading.in_period", "grid.complete"}


@FORMATS
def test_clean_readings_that_start_late_pass(late: Desk, format_: FileFormat) -> None:
    """From none to all of the jitter, with intervals shorter and longer by as much."""
    report = late.check(late.rows, format_)
    assert (found(report), report.rows) == (set(), 12)


def test_what_jitter_allows_is_no_part_of_the_default_contract(late: Desk) -> None:
    """The same readings break it."""
    late.contract = default()
    assert found(late.check()) == {"reading.interval", "reading.on_grid", "grid.complete"}


@FORMATS
@pytest.mark.parametrize(
    ("query", "ids"),
    [
        (replaced("start_time", "start_time + INTERVAL 601 SECOND", ONE),
         {"reading.on_grid", "grid.complete"}),
        (replaced("start_time", "start_time + INTERVAL 1 MICROSECOND", LAST),
         {"reading.interval", "reading.on_grid", "grid.complete"}),
        (replaced("start_time", "start_time - INTERVAL 1 SECOND", ONE),
         {"reading.interval", "reading.on_grid", "reading.in_period", "grid.complete"}),
        (replaced("end_time", "end_time + INTERVAL 1 SECOND", ONE), {"reading.interval"}),
        (replaced("end_time", "end_time - INTERVAL 1 SECOND", LAST), {"reading.interval"}),
        (("SELECT * REPLACE (start_time + INTERVAL 1 HOUR AS start_time,"
         " end_time + INTERVAL 1 HOUR AS end_time) FROM clean"),
         {"reading.in_period", "grid.complete"}),
        (("FROM clean UNION ALL SELECT * REPLACE (start_time + INTERVAL 5 SECOND AS start_time)"
         f" FROM clean WHERE {ONE}"), {"key.unique"}),
        (f"FROM clean WHERE NOT ({ONE})", {"grid.complete"}),
    ],
    ids=["too late", "a little too late", "too early", "too long", "too short", "an hour late",
         "two in one interval", "one missing"],
)  # fmt: skip
def test_each_defect_of_late_readings_is_seen_by_its_checks_alone(
    late: Desk, query: str, ids: set[str], format_: FileFormat
) -> None:
    """A second beyond the jitter is a second too much."""
    late.spoil(query)
    assert found(late.check(format_=format_)) == ids


@pytest.mark.parametrize("with_inventory", [True, False])
def test_two_readings_in_one_interval_are_shown(late: Desk, *, with_inventory: bool) -> None:
    """They need not start at the same moment, and no inventory is needed to see them."""
    late.spoil(
        "FROM clean UNION ALL SELECT * REPLACE (start_time + INTERVAL 5 SECOND AS start_time)"
        f" FROM clean WHERE {ONE}"
    )
    report = late.checker.check(
        compile_plan(late.contract, "telemetry", with_inventory=with_inventory),
        [InputFile(path=late.telemetry, name="t")],
        inventory=[(late.inventory, "parquet")] if with_inventory else [],
    )
    (finding,) = report.findings
    assert finding.check.words == "no two rows have the same sn, interval, type"
    sample = dict(finding.samples[0].values)
    assert (finding.failed, sample["rows"]) == (1, "2")
    assert sample["start_time"] == "2026-11-02 05:00:00+00"


def test_words_about_late_readings_say_how_late(late: Desk) -> None:
    """Both rules that jitter widens."""
    words = {check.id: check.words for check in compile_plan(late.contract, "telemetry").checks}
    assert words["reading.interval"] == "end_time is 3600 s after start_time, give or take 600 s"
    assert words["reading.on_grid"] == ("start_time is on the grid of 3600 s, or up to 600 s after")


def test_a_late_reading_belongs_to_the_interval_in_which_it_starts(
    checker: Checker, tmp_path: Path
) -> None:
    """Though it be nearer to the next: twelve intervals are full, and a lost one is named."""
    desk = desk_of(jittered(299, FIVE_MINUTES), checker, tmp_path)
    by = "INTERVAL 299 SECOND"
    desk.spoil(
        f"SELECT * REPLACE (start_time + {by} AS start_time, end_time + {by} AS end_time)"
        " FROM clean"
    )
    assert found(desk.check(144)) == set()
    desk.spoil(f"FROM clean WHERE NOT ({ONE} AND minute(start_time) = 59)")
    (finding,) = desk.check().findings
    sample = dict(finding.samples[0].values)
    assert (finding.failed, sample["from"]) == (1, "2026-11-02T05:55:00Z")


def test_lateness_before_1970_is_no_other(late: Desk) -> None:
    """Where a remainder is negative: what is late enough passes, what is too late does not."""
    days = "INTERVAL 25000 DAY"
    late.period -= timedelta(days=25_000)
    late.spoil(
        f"SELECT * REPLACE (start_time - {days} AS start_time, end_time - {days} AS end_time)"
        " FROM clean"
    )
    assert found(late.check()) == set()
    late.spoil(replaced("start_time", "start_time + INTERVAL 601 SECOND", ONE))
    assert found(late.check()) == {"reading.on_grid", "grid.complete"}


def test_both_agreements_go_together(checker: Checker, tmp_path: Path) -> None:
    """An end may come late, and too late, without a start beside it."""
    desk = desk_of(end_stamped(jitter_of(JITTER_SECONDS)), checker, tmp_path)
    desk.spoil(f"SELECT * REPLACE (end_time + {LATE} AS end_time) FROM clean")
    assert found(desk.check(desk.rows)) == set()
    desk.spoil(replaced("end_time", "end_time + INTERVAL 1 SECOND", LAST))
    report = desk.check()
    assert found(report) == {"reading.on_grid", "grid.complete"}
    assert report.findings[0].check.words == (
        "end_time is on the grid of 3600 s, or up to 600 s after"
    )


def test_no_jitter_is_what_a_contract_without_the_key_says() -> None:
    """The plans are one, but for lines of the file that they name."""
    with_key, without = (compile_plan(each, "telemetry") for each in (jittered(0), default()))
    assert (with_key.scan, with_key.prepare) == (without.scan, without.prepare)
    assert [check.samples for check in with_key.scan_checks] == [
        check.samples for check in without.scan_checks
    ]
