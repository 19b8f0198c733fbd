"""A producer's plain files taken in: what is found, what is refused, what is read from them."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from powerstage.checks import Checker, Report, Window
from powerstage.contract import Contract
from powerstage.errors import ContractError, UsageError
from powerstage.producer import (
    ExportSource,
    check_export,
    open_export,
    publish,
    synthesise,
    write_export,
)
from powerstage.producer.export import named_window
from powerstage.store import MemoryStore
from tests.conftest import COLUMNS, clock, export_rows, write_csv
from tests.producer.conftest import delivered, edited

DAY = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DATA = "data-2026-11-01.csv"
HEADER = ",".join(COLUMNS).encode()
BOM = b"\xef\xbb\xbf"

Change = Callable[[bytes], bytes]


def change(folder: Path, edit: Change, name: str = DATA) -> None:
    """Edit a file of an export."""
    before = (folder / name).read_bytes()
    after = edit(before)
    assert after != before
    (folder / name).write_bytes(after)


def once(before: bytes, after: bytes) -> Change:
    """Replace the first occurrence of some bytes."""
    return lambda content: content.replace(before, after, 1)


def front_matter(folder: Path, before: str, after: str) -> None:
    """Edit the head of an export's README."""
    change(folder, once(before.encode(), after.encode()), "README.md")


def add(folder: Path, name: str) -> None:
    """Add an empty file, and have the front matter ask for data in any format."""
    front_matter(folder, "*.csv", "*")
    (folder / name).touch()


def found(report: Report) -> set[str]:
    """The ids of what did not pass."""
    return {finding.check.id for finding in report.findings}


def readings(
    folder: Path, scratch: Path, contract: Contract | None = None
) -> list[tuple[str, float]]:
    """Start and value of every reading that an export is published as, by the time."""
    store = MemoryStore()
    with ExportSource(open_export(folder, contract)) as source:
        publish(source, store, clock=clock)
    return sorted(
        (f"{row['start_time'].astimezone(UTC):%dT%H:%M}", row["value"])
        for slot, rows in delivered(store, scratch).items()
        if slot.startswith("telemetry")
        for row in rows
    )


def expected(hours: int) -> list[tuple[str, float]]:
    """The same of the readings that the upstream form was written with."""
    return sorted(
        (f"{row['start_time'][8:10]}T{row['start_time'][11:16]}", float(row["value"]))
        for row in export_rows(DAY, hours)
    )


def test_a_sound_export_passes(export: Path, checker: Checker) -> None:
    """Three devices and 24 readings, and every one was looked at."""
    report = check_export(open_export(export), checker)
    assert (found(report), report.rows) == (set(), 27)


def test_the_front_matter_counts(export: Path) -> None:
    """Customer, names and interval are taken from it, also behind a byte order mark."""
    front_matter(export, "update: 1 hr", "update: 2 hr")
    change(export, lambda content: b"\xef\xbb\xbf" + content, "README.md")
    contract = open_export(export).contract
    assert contract.tenant == "2e6256c0542e11eda7f1b658e46295f1"
    assert contract.delivery_interval == 2 * HOUR


def test_the_prose_below_the_front_matter_does_not_count(export: Path) -> None:
    """To mend a word of it is no new version of the contract."""
    before = open_export(export).contract.sha256
    change(export, lambda content: content + b"\nContact: Jane\n", "README.md")
    assert open_export(export).contract.sha256 == before


@pytest.mark.parametrize(
    ("edit", "ids"),
    [
        (once(b",value", b",reading"), {"columns.agreed"}),
        (once(b",value", b",Value"), {"columns.agreed"}),
        (once(b",unit,value", b",value,unit,value"), {"columns.agreed"}),
        (lambda content: content.replace(b",", b";"), {"columns.agreed"}),
        (lambda content: b"", {"columns.agreed"}),
        (once(b'"W"', b'"kW"'), {"unit.of_measure", "unit.allowed"}),
        (once(b"8899000001", b"8899000009"), {"sn.in_inventory", "grid.complete"}),
        (once(b'"12.5"', b'"much"'), {"value.type"}),
        (once(b'"12.5"', b'"12,5"'), {"value.type"}),
        (once(b'"12.5"', b""), {"value.not_null"}),
        (once(b'"12.5"', b'"NaN"'), {"value.finite"}),
        (once(b"2026-11-01 00:00:00", b"01.11.2026 00:00"), {"start_time.type", "grid.complete"}),
        (once(b"2026-11-01 01:00:00", b"01.11.2026 01:00"), {"end_time.type"}),
        (once(b',"12.5"', b""), {"file.readable"}),
        (once(b'"12.5"', b'"12.5","x"'), {"file.readable"}),
        (once(b'"12.5"', b'"12.5'), {"file.readable"}),
        (lambda content: content[:-10], {"file.readable"}),
        (lambda content: content[:-100], {"file.readable"}),
        (once(b"HPE", b"HP\xc9"), {"file.readable"}),
        (lambda content: content.decode().encode("utf-16"), {"file.readable"}),
    ],
    ids=[
        "a column misspelt", "a column in capitals", "a column twice", "semicolons", "no byte",
        "another unit", "an unknown device", "a word for a value", "a decimal comma", "no value",
        "NaN", "a German start", "a German end", "a field too few", "a field too many",
        "a quote left open", "cut in a field", "cut between fields", "Latin-1", "UTF-16",
    ],
)  # fmt: skip
def test_each_defect_of_a_csv_is_seen_by_its_checks_alone(
    export: Path, checker: Checker, edit: Change, ids: set[str]
) -> None:
    """And is told from the others by the ids of its findings."""
    change(export, edit)
    assert found(check_export(open_export(export), checker)) == ids


def test_a_missing_column_is_named_with_its_file(export: Path, checker: Checker) -> None:
    """So that the producer knows which of many files to export again."""
    rows = export_rows(DAY, 4)
    for row in rows:
        del row["unit"]
    write_csv(export / DATA, rows, [name for name in COLUMNS if name != "unit"])
    (finding,) = check_export(open_export(export), checker).findings
    assert finding.check.id == "columns.agreed"
    assert str(finding.samples[0]) == f"{DATA} missing=unit"


def test_a_reading_outside_the_day_in_the_name_is_found(export: Path, checker: Checker) -> None:
    """Four hours of the first under the name of the second."""
    (export / DATA).rename(export / "data-2026-11-02.csv")
    (finding,) = check_export(open_export(export), checker).findings
    assert (finding.check.id, finding.failed) == ("reading.in_period", 24)


def test_a_period_in_two_files_is_found_in_both(export: Path, checker: Checker) -> None:
    """Each surplus reading counts, and the sample names both files."""
    shutil.copy(export / DATA, export / "data-2026-11-01-again.csv")
    (finding,) = check_export(open_export(export), checker).findings
    assert (finding.check.id, finding.failed) == ("key.unique", 24)
    assert "data-2026-11-01-again.csv" in str(finding.samples[0])
    assert f"also at={DATA}:" in str(finding.samples[0])


@pytest.mark.parametrize(
    ("edit", "ids"),
    [
        (once(b"location", b"place"), {"columns.agreed"}),
        (lambda content: b"", {"columns.agreed"}),
        (lambda content: content[:-20], {"file.readable"}),
        (lambda content: content + content.splitlines(keepends=True)[1], {"key.unique"}),
        (once(b"ND-01", b"nd-01"), {"location.pattern", "location.as_inventory"}),
        (lambda content: content.splitlines(keepends=True)[0], {"sn.in_inventory"}),
    ],
    ids=["a column misspelt", "no byte", "cut", "a device twice", "a site", "header alone"],
)
def test_the_inventory_is_checked_too(
    export: Path, checker: Checker, edit: Change, ids: set[str]
) -> None:
    """And readings are held against it only where it can be read."""
    change(export, edit, "inventory.csv")
    assert found(check_export(open_export(export), checker)) == ids


def test_a_csv_with_a_header_alone_has_nothing_to_publish(export: Path, checker: Checker) -> None:
    """It breaks no rule, and there is no period in it."""
    (export / DATA).write_bytes(HEADER + b"\n")
    assert found(check_export(open_export(export), checker)) == set()
    with (
        ExportSource(open_export(export)) as source,
        pytest.raises(UsageError, match="no reading to publish"),
    ):
        publish(source, MemoryStore(), clock=clock)


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: BOM + content,
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: BOM + content.replace(b"\n", b"\r\n"),
        lambda content: content.rstrip(b"\n"),
        lambda content: content.replace(b'"', b""),
        once(HEADER, b'"' + HEADER.replace(b",", b'","') + b'"'),
        lambda content: content.replace(b":00:00", b":00:00Z"),
        lambda content: content.replace(b":00:00", b":00:00+00:00"),
        lambda content: content.replace(b'"2026-11-01 0', b'"2026-11-01T0'),
    ],
    ids=["BOM", "CRLF", "both", "no last newline", "no quotes", "quoted header", "Z", "+0", "T"],
)
def test_a_csv_may_be_written_in_other_ways(
    export: Path, checker: Checker, tmp_path: Path, edit: Change
) -> None:
    """By a spreadsheet, or by another library: the readings are the same."""
    change(export, edit)
    assert found(check_export(open_export(export), checker)) == set()
    assert readings(export, tmp_path) == expected(4)


@pytest.mark.parametrize(
    ("zone", "start"), [("UTC", "01T00:00"), ("Asia/Kolkata", "31T18:30")], ids=str
)
def test_a_stamp_without_a_zone_is_in_that_of_the_contract(
    export: Path, contract: Contract, tmp_path: Path, zone: str, start: str
) -> None:
    """UTC by default, wherever the machine stands."""
    agreed = edited(contract, ("defaultTimezone: UTC", f"defaultTimezone: {zone}"))
    assert readings(export, tmp_path, agreed)[0] == (start, 12.5)


def test_files_of_one_export_may_differ_in_form(
    export: Path, checker: Checker, tmp_path: Path
) -> None:
    """Columns in another order, other line ends, no row at all: each file is read by itself."""
    write_csv(export / DATA, export_rows(DAY, 24))
    write_csv(export / "data-2026-11-02.csv", export_rows(DAY + 24 * HOUR, 2), COLUMNS[::-1])
    change(export, lambda content: content.replace(b"\n", b"\r\n"), "data-2026-11-02.csv")
    (export / "data-2026-10-31.csv").write_bytes(HEADER)
    assert found(check_export(open_export(export), checker)) == set()
    values = [value for _, value in expected(24) + expected(2)]
    assert [value for _, value in readings(export, tmp_path)] == values


@pytest.mark.parametrize(
    "name", ["it's", 'a "b"', "star*", "quest?on", "[ab]", "{a,b}", "sp ace", "back\\slash", "%20"]
)
def test_any_folder_name_will_do(export: Path, checker: Checker, tmp_path: Path, name: str) -> None:
    """Neither SQL nor globs read anything into it, nor anything out of its neighbours."""
    for neighbour in ("starry", "question", "a"):
        shutil.copytree(export, tmp_path / neighbour)
        change(tmp_path / neighbour, once(b"12.5", b"99"))
        (tmp_path / neighbour / DATA).rename(tmp_path / neighbour / "data-2026-11-01 i.csv")
    folder = export.rename(tmp_path / name)
    (folder / DATA).rename(folder / "data-2026-11-01 [it's].csv")
    assert found(check_export(open_export(folder), checker)) == set()
    assert readings(folder, tmp_path) == expected(4)


def test_parquet_files_need_no_readme(
    half_days: Contract, checker: Checker, tmp_path: Path
) -> None:
    """The inventory is known by its name; every other Parquet file is data."""
    write_export(synthesise(half_days, devices=3, start=DAY), tmp_path / "export", "parquet")
    (tmp_path / "export" / "README.md").unlink()
    (tmp_path / "export" / "data-2026-11-01.parquet").rename(tmp_path / "export" / "day.parquet")
    export = open_export(tmp_path / "export", half_days)
    assert [path.name for path in export.telemetry] == ["day.parquet"]
    report = check_export(export, checker)
    assert (found(report), report.rows) == (set(), 3 + 144)
    assert len(readings(tmp_path / "export", tmp_path, half_days)) == 144


def test_a_readme_without_front_matter_is_a_readme(export: Path) -> None:
    """Names and interval are those of the contract."""
    (export / "README.md").write_text("# Our servers\n", encoding="utf-8")
    opened = open_export(export)
    assert [path.name for path in opened.telemetry] == [DATA]
    assert opened.contract.tenant == "unassigned"


@pytest.mark.parametrize(
    ("spoil", "words", "fix"),
    [
        (lambda folder: (folder / "inventory.csv").unlink(), "no file is called inventory", DATA),
        (
            lambda folder: (folder / "inventory.csv").rename(folder / "inventroy.csv"),
            "has no inventory: no file is called inventory.csv",
            "inventroy.csv",
        ),
        (
            lambda folder: (folder / DATA).rename(folder / "dta-2026-11-01.csv"),
            "has no data: no file matches data-*-*-*.csv",
            "dta-2026-11-01.csv",
        ),
        (
            lambda folder: front_matter(folder, "inventory.csv", "Inventory.csv"),
            "no file is called Inventory.csv",
            "inventory.csv",
        ),
        (lambda folder: (folder / "commits").mkdir(), "is a feed, no export", "consume"),
        (shutil.rmtree, "there is no folder", "folder"),
        (
            lambda folder: add(folder, "data-2026-11-02.parquet"),
            "mixes CSV and Parquet",
            "one of them",
        ),
        (
            lambda folder: add(folder, "data-2026-11-02.xlsx"),
            "data-2026-11-02.xlsx is neither .csv nor .parquet",
            "CSV or Parquet",
        ),
    ],
    ids=[
        "no inventory", "inventory misspelt", "data misspelt", "front matter misspelt", "a feed",
        "no folder", "two formats", "a spreadsheet",
    ],
)  # fmt: skip
def test_a_folder_that_is_no_export_is_refused(
    export: Path, spoil: Callable[[Path], object], words: str, fix: str
) -> None:
    """With what is wrong, and the name that was probably meant."""
    spoil(export)
    with pytest.raises(UsageError) as caught:
        open_export(export)
    assert words in caught.value.message
    assert fix in caught.value.fix


@pytest.mark.parametrize("name", ["../inventory.csv", "/etc/passwd", "..", "a/b.csv", "a\\b.csv"])
@pytest.mark.parametrize("field", ["devices: inventory.csv", "data: data-*-*-*.csv"])
def test_the_front_matter_cannot_name_files_elsewhere(
    export: Path, contract: Contract, field: str, name: str
) -> None:
    """Whether its contract is agreed or made of it; what it names is never looked for."""
    shutil.copy(export / "inventory.csv", export.parent / "inventory.csv")
    front_matter(export, field, f"{field.partition(':')[0]}: {name}")
    with pytest.raises(ContractError) as caught:
        open_export(export)
    assert "path is the name of files in one folder" in caught.value.problems[0]
    with pytest.raises(UsageError, match="is not the name of files in"):
        open_export(export, contract)


@pytest.mark.parametrize(
    ("name", "minutes", "start", "length"),
    [
        ("data-2026-11-01.csv", 60, DAY, 24 * HOUR),
        ("data-2026-11-01T05.csv", 60, DAY + 5 * HOUR, HOUR),
        ("data-2026-11-01T05.parquet", 15, DAY + 5 * HOUR, HOUR),
        ("data-2026-11-01T05.csv", 120, DAY + 5 * HOUR, 2 * HOUR),
        ("data-2026-11-01T0545.csv", 15, DAY + 5.75 * HOUR, HOUR / 4),
        ("2026-11-01_site-7.csv", 60, DAY, 24 * HOUR),
    ],
)
def test_a_name_says_what_its_file_covers(
    name: str, minutes: int, start: datetime, length: timedelta
) -> None:
    """A day, an hour, or a delivery interval from a minute on."""
    window = named_window(Path(name), timedelta(minutes=minutes))
    assert window == Window(start=start, end=start + length)


@pytest.mark.parametrize(
    "name",
    ["readings.csv", "data-2026-11.csv", "data-2026-13-01.csv", "data-2026-02-29.csv",
     "data-2026-11-01T25.csv", "data-12026-11-01.csv", "data-2026-11-012.csv",
     "data-9999-12-31.csv"],
)  # fmt: skip
def test_a_name_without_a_date_promises_nothing(name: str) -> None:
    """Nor does one with a date that no calendar has."""
    assert named_window(Path(name), HOUR) is None
