"""Telemetry written ahead: in order, not too far ahead, and no thread is left behind."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from powerstage.contract import Contract
from powerstage.errors import EnvironmentFailedError
from powerstage.producer import publish
from powerstage.producer.ahead import write_ahead
from powerstage.store import MemoryStore
from tests.conftest import START, clock
from tests.producer.conftest import commits, objects

PERIODS = [START + timedelta(hours=number) for number in range(12)]


@dataclass(slots=True)
class Source:
    """Writes a line per period, its place among them; but for the one that fails."""

    contract: Contract
    fails: datetime | None = None

    def parts(self) -> Sequence["Source"]:
        """All in one."""
        return [self]

    def periods(self) -> Sequence[datetime]:
        """Twelve hours."""
        return PERIODS

    def snapshots(self) -> Sequence[datetime]:
        """That of the first."""
        return PERIODS[:1]

    def write_inventory(self, period: datetime, path: Path) -> int:
        """Nothing that anybody reads."""
        path.write_text(f"inventory {period}")
        return 1

    def write_telemetry(self, period: datetime, path: Path) -> int:
        """Its place is its number of rows."""
        if period == self.fails:
            raise EnvironmentFailedError("the disk is full")
        number = PERIODS.index(period)
        path.write_text(str(number))
        return number


@dataclass(slots=True)
class FirstIsSlow(Source):
    """A source whose first period is not written before its second."""

    second: threading.Event = field(default_factory=threading.Event)

    def write_telemetry(self, period: datetime, path: Path) -> int:
        """Wait, or let the other go on."""
        if period == PERIODS[0]:
            assert self.second.wait(60)
        rows = Source.write_telemetry(self, period, path)
        if period == PERIODS[1]:
            self.second.set()
        return rows


class Taken(list[datetime]):
    """Periods that note how many of them were begun."""

    begun = 0

    def __iter__(self) -> Iterator[datetime]:
        for period in super().__iter__():
            self.begun += 1
            yield period


def workers_alive() -> list[str]:
    """The threads that write."""
    return [
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith("powerstage-write")
    ]


@pytest.fixture
def source(contract: Contract) -> Source:
    """Twelve periods of one line each."""
    return Source(contract)


@pytest.mark.parametrize("workers", [1, 2, 5, 20, None])
def test_files_come_in_the_order_of_periods(
    source: Source, tmp_path: Path, workers: int | None
) -> None:
    """Each with its own rows, under its own name; none twice, none left out."""
    found = [
        (period, path.name, path.read_text(), rows)
        for period, path, rows in write_ahead(source, PERIODS, tmp_path, workers=workers)
    ]
    assert found == [
        (period, f"2026-11-02T{number:02}00.parquet", str(number), number)
        for number, period in enumerate(PERIODS)
    ]


def test_a_slow_period_holds_back_those_that_are_done(contract: Contract, tmp_path: Path) -> None:
    """The second is written first, and yielded second."""
    files = write_ahead(FirstIsSlow(contract), PERIODS, tmp_path, workers=2)
    assert [period for period, _, _ in files] == PERIODS


@pytest.mark.parametrize("workers", [1, 3])
def test_few_files_stand_unused(source: Source, tmp_path: Path, workers: int) -> None:
    """At most one more than there are workers was begun and not yielded."""
    periods = Taken(PERIODS)
    seen = []
    with closing(write_ahead(source, periods, tmp_path, workers=workers)) as files:
        for yielded, _ in enumerate(files):
            seen.append(periods.begun - yielded)
            assert len(list(tmp_path.iterdir())) - yielded <= workers + 1
    assert max(seen) == workers + 1


def test_an_error_reaches_whoever_asks_for_its_period(source: Source, tmp_path: Path) -> None:
    """Not before: the periods ahead of it are yielded; and no thread stays."""
    source.fails = PERIODS[2]
    files = write_ahead(source, PERIODS, tmp_path, workers=4)
    assert [next(files)[0], next(files)[0]] == PERIODS[:2]
    with pytest.raises(EnvironmentFailedError, match="the disk is full"):
        next(files)
    assert workers_alive() == []


@pytest.mark.parametrize("taken", [1, 5])
def test_closing_early_leaves_no_thread(source: Source, tmp_path: Path, taken: int) -> None:
    """And begins nothing more."""
    periods = Taken(PERIODS)
    files = write_ahead(source, periods, tmp_path, workers=3)
    for _ in range(taken):
        next(files)
    assert len(workers_alive()) > 0
    files.close()
    assert workers_alive() == []
    assert len(list(tmp_path.iterdir())) <= periods.begun == taken + 3


def test_a_publisher_whose_source_fails_has_published_what_came_before(
    contract: Contract,
) -> None:
    """Whole deliveries of the periods before it, none behind; run again, it does the rest."""
    store, whole = MemoryStore(), MemoryStore()
    source = Source(contract, fails=PERIODS[2])
    with pytest.raises(EnvironmentFailedError, match="the disk is full"):
        publish(source, store, clock=clock)
    assert [str(commit.slot.period) for commit in commits(store)] == [
        str(period) for period in (PERIODS[0], PERIODS[0], PERIODS[1])
    ]
    assert workers_alive() == []
    states = [done.state for done in publish(Source(contract), store, clock=clock)]
    assert states == ["unchanged"] * 3 + ["new"] * 10
    publish(Source(contract), whole, clock=clock)
    assert objects(store) == objects(whole)
