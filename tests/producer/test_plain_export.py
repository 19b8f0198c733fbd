"""A plain export of mock data: what a producer has before there is a feed."""

from pathlib import Path
from typing import Literal

import pytest

from powerstage.checks import Checker
from powerstage.contract import Contract
from powerstage.errors import UsageError
from powerstage.producer import (
    ExportSource,
    MockSource,
    check_export,
    open_export,
    publish,
    synthesise,
    write_export,
)
from powerstage.store import MemoryStore
from tests.conftest import NOW, START, clock
from tests.producer.conftest import delivered, edited, published

FORMATS = pytest.mark.parametrize("form", ["csv", "parquet"])
Form = Literal["csv", "parquet"]


@FORMATS
@pytest.mark.parametrize(
    "changes",
    [
        [],
        [("intervalSeconds: 3600", "intervalSeconds: 900")],
        [("defaultTimezone: UTC", "defaultTimezone: Asia/Kolkata")],
        [("defaultTimezone: UTC", "defaultTimezone: America/Chicago")],
    ],
    ids=["default", "quarter hours", "another zone", "an hour that comes twice"],
)
def test_an_export_that_is_published_gives_what_was_made(
    half_days: Contract,
    checker: Checker,
    tmp_path: Path,
    form: Form,
    changes: list[tuple[str, str]],
) -> None:
    """Written, read, checked and published: the same readings, to the last digit."""
    clocks_change = START.replace(day=1)
    source = synthesise(edited(half_days, *changes), devices=3, start=clocks_change)
    write_export(source, tmp_path / "export", form)
    export = open_export(tmp_path / "export")
    assert export.contract.sha256 == source.contract.sha256
    assert check_export(export, checker).findings == ()
    store = MemoryStore()
    with ExportSource(export) as taken_in:
        publish(taken_in, store, clock=clock)
    assert delivered(store, tmp_path) == delivered(published(source), tmp_path)


@FORMATS
def test_an_export_has_a_file_per_day(half_days: Contract, tmp_path: Path, form: Form) -> None:
    """Of UTC; a run that begins at noon ends at noon."""
    source = synthesise(half_days, devices=2, start=START.replace(hour=12), days=2)
    write_export(source, tmp_path, form)
    assert {path.name for path in tmp_path.iterdir()} == {
        "README.md",
        "contract.odcs.yaml",
        f"inventory.{form}",
        *(f"data-2026-11-0{day}.{form}" for day in (2, 3, 4)),
    }


def test_an_export_says_what_was_agreed(half_days: Contract, tmp_path: Path) -> None:
    """Its README carries customer and interval in the old form; nothing more is needed."""
    contract = edited(half_days, ("tenant: unassigned", "tenant: '0042'"))
    write_export(synthesise(contract, devices=2, start=START), tmp_path, "csv")
    (tmp_path / "contract.odcs.yaml").unlink()
    found = open_export(tmp_path).contract
    assert (found.tenant, found.purpose) == ("0042", contract.purpose)
    assert found.delivery_interval == contract.delivery_interval


def test_a_csv_is_written_as_producers_write_it(half_days: Contract, tmp_path: Path) -> None:
    """In the order of time, without a zone, all texts in quotes."""
    write_export(synthesise(half_days, devices=2, start=START), tmp_path, "csv")
    lines = (tmp_path / "data-2026-11-02.csv").read_text("utf-8").splitlines()
    starts = [line.split(",")[4] for line in lines[1:]]
    assert starts == sorted(starts)
    assert (starts[0], starts[-1]) == ('"2026-11-02 00:00:00"', '"2026-11-02 23:00:00"')
    assert (tmp_path / "inventory.csv").read_text("utf-8").startswith("sn,model,product_id,")


@pytest.mark.parametrize("taken", ["folder", "file"])
def test_an_export_replaces_nothing(small: MockSource, tmp_path: Path, taken: str) -> None:
    """A folder that holds anything, or a file of this name, is refused and left alone."""
    mine = tmp_path / "mine"
    if taken == "folder":
        mine.mkdir()
    note = mine / "notes" if taken == "folder" else mine
    note.write_text(f"{NOW}", encoding="utf-8")
    with pytest.raises(UsageError, match="mine is not an empty folder"):
        write_export(small, mine, "csv")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [note]
    assert note.read_text("utf-8") == f"{NOW}"
