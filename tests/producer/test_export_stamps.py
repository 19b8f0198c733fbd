"""Exports stamped by their end alone, or that start late: checked, cut, sent and taken in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from powerstage.checks import Checker
from powerstage.consumer import Lake
from powerstage.contract import Contract, parse_period
from powerstage.producer import ExportSource, check_export, open_export, publish
from powerstage.store import MemoryStore
from tests.conftest import COLUMNS, DEVICES, Row, Run, clock, export_rows, write_csv
from tests.contract.conftest import end_stamped, jittered, without_curves
from tests.producer.conftest import delivered

DAY = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DATA = "data-2026-11-01.csv"
STAMP = "%Y-%m-%d %H:%M:%S"
JITTER_SECONDS = 30


def without_starts() -> list[Row]:
    """A day of readings that have an end and no start."""
    rows = export_rows(DAY, 24)
    for row in rows:
        del row["start_time"]
    return rows


def with_jitter() -> list[Row]:
    """A day of readings, each of which ends where the next starts: 0, 10 .. 30 s late."""
    rows = export_rows(DAY, 24)
    for row in rows:
        device = [sn for sn, *_ in DEVICES].index(row["sn"])
        for name in ("start_time", "end_time"):
            moment = datetime.strptime(row[name], STAMP).replace(tzinfo=UTC)
            late = timedelta(seconds=10 * ((moment.hour + device) % 4))
            row[name] = f"{moment + late:{STAMP}}"
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A contract, and a day of readings that follow it."""

    contract: Contract
    rows: Callable[[], list[Row]]


BY_END = Case(contract=without_curves(end_stamped()), rows=without_starts)
LATE = Case(contract=without_curves(jittered(JITTER_SECONDS)), rows=with_jitter)
CASES = pytest.mark.parametrize("case", [BY_END, LATE], ids=["end alone", "jitter"])


def write(folder: Path, rows: list[Row]) -> None:
    """Write an export's one data file anew."""
    write_csv(folder / DATA, rows, [name for name in COLUMNS if name in rows[0]])


def start_of(row: dict[str, Any]) -> datetime:
    """Where the interval of a delivered reading starts, worked out by no code of ours."""
    start: datetime = row.get("start_time") or row["end_time"] - HOUR
    return start.astimezone(UTC)


@CASES
def test_an_export_is_cut_by_the_start_of_its_intervals(
    export: Path, case: Case, checker: Checker, tmp_path: Path
) -> None:
    """A reading that ends with its hour is one of that hour, and so is one that starts late."""
    write(export, case.rows())
    opened = open_export(export, case.contract)
    assert not check_export(opened, checker).findings
    store = MemoryStore()
    with ExportSource(opened) as source:
        assert source.periods() == [DAY + hour * HOUR for hour in range(24)]
        publish(source, store, clock=clock)
    telemetry = {
        parse_period(slot.split("/")[1]): found
        for slot, found in delivered(store, tmp_path).items()
        if slot.startswith("telemetry")
    }
    assert {period: len(found) for period, found in telemetry.items()} == {
        DAY + hour * HOUR: 6 for hour in range(24)
    }
    for period, found in telemetry.items():
        assert all(period <= start_of(row) < period + HOUR for row in found)


@CASES
def test_an_export_arrives_in_the_lake(
    export: Path, case: Case, powerstage: Run, tmp_path: Path
) -> None:
    """The commands of both sides agree on it: each reading is sent, accepted and kept."""
    write(export, case.rows())
    file, feed, lake = tmp_path / "agreed.yaml", tmp_path / "feed", tmp_path / "lake"
    file.write_text(case.contract.text, encoding="utf-8")
    for command in (
        ("validate", export),
        ("publish", export, feed),
        ("validate", feed),
        ("consume", feed, "--into", lake),
    ):
        done = powerstage(*command, "--contract", file)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
    with Lake(lake) as opened:
        kept = opened.telemetry().to_arrow_table().to_pylist()
    sent = [(row["sn"], row["type"], row["end_time"], float(row["value"])) for row in case.rows()]
    assert sorted(sent) == sorted(
        (row["sn"], row["type"], f"{row['end_time'].astimezone(UTC):{STAMP}}", row["value"])
        for row in kept
    )


def test_the_day_in_a_name_is_that_of_the_intervals(export: Path, checker: Checker) -> None:
    """Midnight ends the day before: its reading stands in the file of that day."""
    rows = without_starts()
    rows[0] = {**rows[0], "end_time": "2026-11-01 00:00:00"}
    write(export, rows)
    findings = check_export(open_export(export, end_stamped()), checker).findings
    (finding,) = (each for each in findings if each.check.id == "reading.in_period")
    assert (finding.failed, finding.samples[0].row) == (1, 2)


@pytest.mark.parametrize(
    ("case", "wrong", "ids"),
    [
        (BY_END, {"end_time": "noon"}, {"end_time.type", "grid.complete"}),
        (BY_END, {"end_time": "2026-11-01 01:00:01"}, {"reading.on_grid", "grid.complete"}),
        (LATE, {"start_time": "2026-11-01 00:00:31"}, {"reading.on_grid", "grid.complete"}),
        (LATE, {"end_time": "2026-11-01 01:00:31"}, {"reading.interval"}),
    ],
    ids=["no stamp", "off the grid", "too late", "too long"],
)
def test_a_defect_of_a_csv_is_seen_by_its_checks_alone(
    export: Path, case: Case, wrong: Row, ids: set[str], checker: Checker
) -> None:
    """Before anything is sent."""
    rows = case.rows()
    rows[0].update(wrong)
    write(export, rows)
    report = check_export(open_export(export, case.contract), checker)
    assert {finding.check.id for finding in report.findings} == ids
