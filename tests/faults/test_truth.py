"""The plan is the truth: what is faulty, less what was planned, is what is clean."""

import hashlib
import io
from collections import Counter
from datetime import datetime
from typing import Any

import pyarrow.parquet
import pytest

from powerstage.contract import Commit, CommitKey, Slot, default
from powerstage.faults import PlannedFault, RowCounts, catalogue
from tests.faults.conftest import SEEDS, Rehearsals, in_time

KINDS = {fault.name: fault for fault in catalogue(default())}
ROWS = [
    name
    for name, fault in KINDS.items()
    if fault.level in {"value", "row", "key", "timing", "fleet"}
    and name not in {"seconds_as_hours", "milliseconds_as_microseconds"}
]
# Each row is another, or gone; there is nothing outside of the plan.
FILES = {
    "seconds_as_hours": "changed",
    "milliseconds_as_microseconds": "changed",
    "wrong_hour": "changed",
    "no_rows": "removed",
    "half_file": "removed",
}
COLUMNS = [name for name, fault in KINDS.items() if fault.level == "column"]
BYTES = ["truncated_file", "empty_file", "csv_as_parquet"]
COMMITS = [name for name, fault in KINDS.items() if fault.level == "commit"]
WIRE = [name for name, fault in KINDS.items() if fault.level == "wire"]
# Moved in time, a reading may meet the equal of another: all that is planned is moved.
MOVED = {"repeated_hour", "local_time_as_utc"}
Row = dict[str, Any]
each_seed = pytest.mark.parametrize("seed", SEEDS)


def commit(objects: dict[str, bytes], slot: Slot) -> Commit:
    """The commit of a slot."""
    return Commit.from_json(objects[str(CommitKey(slot=slot))])


def body(objects: dict[str, bytes], slot: Slot) -> bytes:
    """The one data object of a delivery."""
    (file,) = commit(objects, slot).files
    return objects[file.key]


def telemetry(period: datetime, revision: int = 0) -> Slot:
    """A delivery of telemetry."""
    return Slot(dataset="telemetry", period=period, revision=revision)


def pinned(objects: dict[str, bytes], slot: Slot) -> bytes:
    """The inventory that a delivery of telemetry refers to."""
    pin = commit(objects, slot).inventory
    assert pin is not None
    return body(objects, pin.slot)


def rows_of(content: bytes) -> list[Row]:
    """The rows of a Parquet file."""
    rows: list[Row] = in_time(pyarrow.parquet.read_table(io.BytesIO(content))).to_pylist()
    return rows


def differences(clean: bytes, faulty: bytes) -> tuple[list[Row], list[Row]]:
    """The rows of the one that the other lacks, each as often as it does, both ways."""
    rows = [rows_of(clean), rows_of(faulty)]
    # By their text: a NaN is not equal to itself.
    before, after = (Counter(map(repr, some)) for some in rows)
    known = {repr(row): row for some in rows for row in some}
    gone, new = (before - after).elements(), (after - before).elements()
    return [known[text] for text in gone], [known[text] for text in new]


def counts(gone: int, new: int, planned: RowCounts) -> RowCounts:
    """What these differences are, if as many were replaced as the plan says."""
    return RowCounts(changed=planned.changed, added=new - planned.changed,
                     removed=gone - planned.changed)  # fmt: skip


def is_planned(row: Row, planned: PlannedFault) -> bool:
    """Whether a reading is one of those that the plan names."""
    return (
        (not planned.devices or row["sn"] in planned.devices)
        and (not planned.sites or row["location"] in planned.sites)
        and (not planned.measures or row["type"] in planned.measures)
        and planned.first_start <= row["start_time"] <= planned.last_start
    )


@each_seed
def test_every_kind_is_played(rehearsals: Rehearsals, seed: int) -> None:
    """Each has periods of its own in the feed of each seed."""
    assert set(rehearsals[seed].plan) == set(KINDS)


@each_seed
@pytest.mark.parametrize("kind", ROWS)
def test_faulty_readings_less_the_plan_are_the_clean_ones(
    rehearsals: Rehearsals, kind: str, seed: int
) -> None:
    """As many readings changed, came and went as the truth says, and each that went is named."""
    rehearsal = rehearsals[seed]
    planned = rehearsal.plan[kind]
    gone, new = 0, 0
    for period in planned.periods:
        slot = telemetry(period)
        before, after = differences(body(rehearsal.clean, slot), body(rehearsal.faulty, slot))
        assert all(is_planned(row, planned) for row in before)
        gone, new = gone + len(before), new + len(after)
        if kind in MOVED:
            named = sum(is_planned(row, planned) for row in rows_of(body(rehearsal.clean, slot)))
            assert len(before) == len(after) > 0
            gone = new = named
    assert counts(gone, new, planned.readings) == planned.readings


@each_seed
@pytest.mark.parametrize("kind", [name for name, fault in KINDS.items() if fault.inventory])
def test_a_faulty_inventory_less_the_plan_is_the_clean_one(
    rehearsals: Rehearsals,
    kind: str,
    seed: int,
) -> None:
    """Its rows differ as the truth says; all the periods of the fault pin it, and no other."""
    rehearsal = rehearsals[seed]
    planned = rehearsal.plan[kind]
    for period in planned.periods:
        before, after = differences(
            pinned(rehearsal.clean, telemetry(period)),
            pinned(rehearsal.faulty, telemetry(period)),
        )
        assert counts(len(before), len(after), planned.listed) == planned.listed
        assert planned.listed != RowCounts()
        assert {row["sn"] for row in before} <= set(planned.devices or [r["sn"] for r in before])


@each_seed
@pytest.mark.parametrize("kind", [*FILES, *COLUMNS, *BYTES])
def test_a_faulty_file_is_another(rehearsals: Rehearsals, kind: str, seed: int) -> None:
    """Its bytes are not the clean ones; its rows are gone or changed as the truth says."""
    rehearsal = rehearsals[seed]
    planned = rehearsal.plan[kind]
    slot = telemetry(planned.period)
    assert body(rehearsal.faulty, slot) != body(rehearsal.clean, slot)
    rows, promised = commit(rehearsal.clean, slot).rows, commit(rehearsal.faulty, slot).rows
    assert promised == rows - planned.readings.removed
    if kind in BYTES or planned.fault.evidence == "harmless":
        assert planned.readings == RowCounts()
    elif FILES.get(kind, "changed") == "changed":
        assert planned.readings == RowCounts(changed=rows)
    else:
        assert planned.readings == RowCounts(
            removed=rows if kind == "no_rows" else rows - rows // 2
        )


@each_seed
@pytest.mark.parametrize("kind", COMMITS)
def test_a_faulty_commit_stands_before_clean_data(
    rehearsals: Rehearsals, kind: str, seed: int
) -> None:
    """The record is another, or none; the data object is the clean one."""
    rehearsal = rehearsals[seed]
    slot = telemetry(rehearsal.plan[kind].period)
    key = str(CommitKey(slot=slot))
    (file,) = commit(rehearsal.clean, slot).files
    if kind == "missing_hour":
        assert key not in rehearsal.faulty
        assert file.key not in rehearsal.faulty
        return
    assert rehearsal.faulty[file.key] == rehearsal.clean[file.key]
    pin = commit(rehearsal.clean, slot).inventory
    assert pin is not None
    honest = rehearsal.clean[key]
    if kind == "off_calendar":
        assert key not in rehearsal.faulty
    elif kind in {"restated_site", "wrong_revision"}:
        assert commit(rehearsal.faulty, slot).files == (file,)
        assert commit(rehearsal.faulty, telemetry(slot.period, 1)).files != (file,)
    else:
        assert rehearsal.faulty[key] != honest


@each_seed
def test_a_restated_site_differs_in_its_second_revision(
    rehearsals: Rehearsals,
    seed: int,
) -> None:
    """As many values as the truth says, all of the site; it supersedes the first revision."""
    rehearsal = rehearsals[seed]
    planned = rehearsal.plan["restated_site"]
    first, second = telemetry(planned.period), telemetry(planned.period, 1)
    before, after = differences(body(rehearsal.clean, first), body(rehearsal.faulty, second))
    assert len(before) == len(after) == planned.readings.changed > 0
    assert all(is_planned(row, planned) for row in [*before, *after])
    assert commit(rehearsal.faulty, second).supersedes == commit(rehearsal.faulty, first).identity


@each_seed
@pytest.mark.parametrize("kind", WIRE)
def test_a_fault_of_the_wire_is_in_the_object_alone(
    rehearsals: Rehearsals, kind: str, seed: int
) -> None:
    """The commit names the clean bytes, and others or none stand there."""
    rehearsal = rehearsals[seed]
    files = [commit(rehearsal.faulty, telemetry(p)).files for p in rehearsal.plan[kind].periods]
    clean = [commit(rehearsal.clean, telemetry(p)).files for p in rehearsal.plan[kind].periods]
    assert files == clean
    keys = [file.key for (file,) in clean]
    arrived = [rehearsal.faulty.get(key) for key in keys]
    whole = [rehearsal.clean[key] for key in keys]
    if kind == "swapped_objects":
        assert arrived == whole[::-1]
    else:
        (content,) = whole
        middle = len(content) // 2
        changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        assert arrived == [{"flipped_byte": changed, "cut_object": content[:middle]}.get(kind)]


@each_seed
def test_what_is_outside_the_plan_is_byte_for_byte_the_clean_feed(
    rehearsals: Rehearsals, seed: int
) -> None:
    """Each other delivery has the files of the clean feed, and pins an inventory equal to it."""
    rehearsal = rehearsals[seed]
    compared = 0
    for period in rehearsal.source.periods():
        slot = telemetry(period)
        if rehearsal.is_spoilt(slot):
            continue
        assert commit(rehearsal.faulty, slot).files == commit(rehearsal.clean, slot).files
        assert body(rehearsal.faulty, slot) == body(rehearsal.clean, slot)
        assert pinned(rehearsal.faulty, slot) == pinned(rehearsal.clean, slot)
        compared += 1
    assert compared >= 2


@each_seed
def test_nothing_in_the_feed_tells_of_the_truth(rehearsals: Rehearsals, seed: int) -> None:
    """No key, record, Parquet file or value in one holds the name or the words of a fault."""
    rehearsal = rehearsals[seed]
    telling = [
        text
        for planned in rehearsal.plan.values()
        for text in (planned.fault.name, planned.fault.words, planned.fault.evidence)
    ]
    read_files = 0
    for key, body in rehearsal.faulty.items():
        text = key + body.decode("latin-1")
        if hashlib.sha256(body).hexdigest() in key and body[-4:] == b"PAR1":
            # Whole, and its pages are compressed: look inside too.
            table = in_time(pyarrow.parquet.read_table(io.BytesIO(body)))
            text += f"{table.schema} {table.schema.metadata} {table.to_pylist()}"
            read_files += 1
        assert [words for words in telling if words in text] == [], key
    assert read_files >= 80
