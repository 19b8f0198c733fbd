"""What is said of data depends on the data: on no time zone, and on no order of files."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from powerstage.checks import Checker, Report
from powerstage.consumer import Lake, consume
from powerstage.consumer.discover import discover
from powerstage.contract import Slot, default, loads
from powerstage.faults import Injector, plan_faults
from powerstage.producer import check_export, open_export, publish, synthesise
from powerstage.store import FolderStore
from tests.conftest import START, Run, clock, export_rows, write_csv, write_upstream_export

ZONES = ("UTC", "America/Chicago", "Asia/Kathmandu", "Pacific/Apia", "Europe/Berlin")
NO_NAMES: Mapping[str, str] = {}
FAULTS = ("late_reading", "dropped_reading", "nan_value", "ghost_device")


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    """A day of 4 devices in 8 periods, with faults in it; read it and no more."""
    contract = loads(default().text.replace("value: 1\n    unit: h", "value: 3\n    unit: h"), "x")
    source = synthesise(contract, devices=4, start=START, days=1)
    injector = Injector(plan_faults(source, FAULTS, seed=7), contract)
    store = FolderStore(tmp_path_factory.mktemp("anywhere") / "feed")
    publish(injector.source(source), injector.store(store), clock=clock)
    return store


@pytest.fixture(scope="module")
def spoilt_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CSVs whose stamps name no zone: a reading is missing, one too high, one outside its day."""
    folder = write_upstream_export(tmp_path_factory.mktemp("anywhere") / "export", 24)
    rows = export_rows(datetime(2026, 11, 2, tzinfo=UTC), 24)
    del rows[40]
    rows[7]["value"] = "100000"
    rows[9] |= {"start_time": "2026-11-03 04:00:00", "end_time": "2026-11-03 05:00:00"}
    write_csv(folder / "data-2026-11-02.csv", rows)
    return folder


@pytest.mark.parametrize("kind", ["export", "feed"])
def test_no_zone_of_the_machine_is_seen(
    powerstage: Run, feed: FolderStore, spoilt_export: Path, kind: str
) -> None:
    """In five zones, some with changing clocks and odd offsets, the same document to the byte."""
    target = spoilt_export if kind == "export" else feed.url
    documents = {
        zone: powerstage("validate", str(target), "--json", TZ=zone).stdout for zone in ZONES
    }
    assert "2026-11-0" in documents["UTC"]
    assert {zone: documents[zone] == documents["UTC"] for zone in ZONES} == dict.fromkeys(
        ZONES, True
    )


def _found(report: Report, names: Mapping[str, str] = NO_NAMES) -> set[tuple[object, ...]]:
    """Counts and samples of every check, its files under their first names."""
    return {
        (
            result.check.id,
            result.failed,
            result.total,
            frozenset(
                (names.get(sample.file, sample.file), sample.row, *sample.values)
                for sample in result.samples
            ),
        )
        for result in report.results
    }


def test_names_and_order_of_files_are_not_seen(spoilt_export: Path, tmp_path: Path) -> None:
    """The same files under names that sort the other way, made in the other order."""
    names = {"data-2026-11-01.csv": "data-z-b-1.csv", "data-2026-11-02.csv": "data-z-a-2.csv"}
    folders = {folder: tmp_path / folder for folder in ("first", "second")}
    for folder, renamed in zip(folders.values(), (False, True), strict=True):
        folder.mkdir()
        for path in sorted(spoilt_export.iterdir(), reverse=renamed):
            text, name = path.read_text("utf-8"), path.name
            # Without a date in its name: one that has it promises what its file covers.
            plain = name.replace("2026-11-0", "a-b-")
            (folder / (names.get(name, name) if renamed else plain)).write_text(text, "utf-8")
    with Checker() as checker:
        first, second = (check_export(open_export(folder), checker) for folder in folders.values())
    same = {name.replace("2026-11-0", "a-b-"): name for name in names}
    assert not first.ok
    assert _found(first, same) == _found(second, {new: old for old, new in names.items()})


def _judged(
    feed: FolderStore, folder: Path, *runs: Sequence[Slot]
) -> dict[Slot, tuple[str, int, set[tuple[object, ...]]]]:
    """What is said of each delivery, by runs that ask for some of them each."""
    said: dict[Slot, tuple[str, int, set[tuple[object, ...]]]] = {}
    with Lake(folder, make=True) as lake:
        for slots in runs:
            done = consume(feed, lake, clock=clock, only=slots, send_receipts=False)
            for judged in done.judgements:
                said[judged.slot] = (judged.verdict, judged.report.rows, _found(judged.report))
    return said


def test_the_order_of_deliveries_is_not_seen(feed: FolderStore, tmp_path: Path) -> None:
    """All at once, and the last first: the same of each."""
    slots = discover(feed).slots
    forwards = _judged(feed, tmp_path / "forwards", slots)
    backwards = _judged(feed, tmp_path / "backwards", slots[6:], slots[3:6], slots[:3])
    assert set(forwards) == set(slots)
    assert {verdict for verdict, *_ in forwards.values()} == {"accepted", "rejected"}
    assert forwards == backwards
