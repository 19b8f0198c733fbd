"""Accepted readings by device, measure and hour, and what the ledger keeps for whoever looks."""

import os
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from powerstage.checks import Checker, FeedFinding
from powerstage.consumer import Lake, consume
from powerstage.consumer.findings import VALUE_CHECKS
from powerstage.consumer.ledger import Ledger
from powerstage.contract import Contract, loads
from powerstage.producer import publish, synthesise
from powerstage.store import MemoryStore
from tests.conftest import NOW, START, clock
from tests.consumer.conftest import Feed
from tests.consumer.history import with_intervals

_FINE = (300, 3)


def _ask(lake: Path, query: str) -> list[Any]:
    with duckdb.connect(str(lake / "lake.duckdb"), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(query).fetchall()


def _consumed(contract: Contract, folder: Path) -> Path:
    """A lake with six devices' readings of a day."""
    store = MemoryStore()
    publish(synthesise(contract, devices=6, start=START, seed=7), store, clock=clock)
    with Lake(folder / "lake", make=True) as lake:
        consume(store, lake, clock=clock)
    return folder / "lake"


@pytest.fixture(scope="module")
def fine(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of readings every five minutes, delivered every three hours."""
    seconds, hours = _FINE
    agreed = with_intervals(contract, reading_seconds=seconds, delivery_hours=hours)
    return _consumed(agreed, tmp_path_factory.mktemp("fine"))


def test_energy_is_power_times_the_interval(fine: Path) -> None:
    """Each reading of power stands for five minutes: summed from roll-ups or from readings."""
    (rolled,) = _ask(fine, "SELECT sum(energy_kwh) FROM hourly")
    (read,) = _ask(
        fine,
        "SELECT sum((value * 300 / 3600000)::DECIMAL(18, 6)) FROM telemetry"
        " WHERE type = 'server power'",
    )
    assert rolled == read
    assert rolled[0] > 0


def test_hours_hold_what_was_read_in_them(fine: Path) -> None:
    """Count, mean and extremes of each device and measure, by the start of the readings."""
    aggregates = "mean(value), min(value), max(value)"
    read = _ask(
        fine,
        "SELECT sn, location, type, to_timestamp(epoch(start_time)::BIGINT // 3600 * 3600) AS h,"
        f" count(*), {aggregates} FROM telemetry GROUP BY ALL ORDER BY ALL",
    )
    rolled = _ask(
        fine,
        "SELECT device, site, measure, hour, readings, value_mean, value_min, value_max"
        " FROM hourly ORDER BY ALL",
    )
    assert len(rolled) == 6 * 2 * 24
    assert [row[:5] for row in rolled] == [row[:5] for row in read]
    for ours, theirs in zip(rolled, read, strict=True):
        assert ours[5:] == pytest.approx(theirs[5:])


def test_energy_is_by_the_terms_that_a_reading_was_agreed_under(
    contract: Contract, tmp_path: Path
) -> None:
    """A later contract with another interval makes neither more nor less of it."""
    hourly = with_intervals(contract, reading_seconds=3600, delivery_hours=12)
    lake = _consumed(hourly, tmp_path)
    before = _ask(lake, "SELECT sum(energy_kwh) FROM hourly")
    text = hourly.text.replace("intervalSeconds: 3600", "intervalSeconds: 900")
    with Lake(lake) as opened, Checker() as checker:
        opened.pin(loads(text.replace("version: 1.0.0", "version: 1.1.0"), "finer"))
        opened.write_views(checker)
    assert _ask(lake, "SELECT sum(energy_kwh) FROM hourly") == before


def test_what_is_no_power_has_no_energy(fine: Path) -> None:
    """Load is counted, and adds nothing."""
    assert _ask(
        fine,
        "SELECT DISTINCT energy_kwh FROM hourly WHERE measure = 'server cpu utilization'",
    ) == [(None,)]


def test_sites_add_up_to_the_fleet(fine: Path) -> None:
    """To the last digit: sums of decimals are the same in every order."""
    sites = _ask(fine, "SELECT site, sum(energy_kwh) FROM hourly GROUP BY site")
    assert len(sites) > 1
    assert [(sum(energy for _, energy in sites),)] == _ask(
        fine, "SELECT sum(energy_kwh) FROM hourly"
    )


def test_roll_ups_that_are_gone_are_written_anew(feed: Feed, tmp_path: Path) -> None:
    """They are made of the data, and of nothing else."""
    feed.consume()
    before = _ask(tmp_path / "lake", "SELECT sum(energy_kwh) FROM hourly")
    for path in (tmp_path / "lake" / "rollups").rglob("*.parquet"):
        path.unlink()
    with Lake(tmp_path / "lake") as lake, Checker() as checker:
        lake.write_views(checker)
    assert _ask(tmp_path / "lake", "SELECT sum(energy_kwh) FROM hourly") == before


@pytest.mark.parametrize(("hours", "is_left"), [(2, False), (0, True)])
def test_drafts_of_a_killed_process_do_not_stay(
    feed: Feed, tmp_path: Path, hours: int, is_left: bool
) -> None:
    """After an hour they are nobody's; before that, another process may be at them."""
    feed.consume()
    rolled = next((tmp_path / "lake" / "rollups").rglob("*.parquet"))
    drafts = rolled.parent / ".drafts-x"
    drafts.mkdir()
    moment = drafts.stat().st_mtime - hours * 3600
    os.utime(drafts, (moment, moment))
    rolled.unlink()
    with Lake(tmp_path / "lake") as lake, Checker() as checker:
        lake.write_views(checker)
    assert drafts.is_dir() == is_left


def test_drafts_that_go_while_they_are_looked_at_are_no_error(feed: Feed, tmp_path: Path) -> None:
    """As those of another thread do; here a name of nothing stands for them."""
    feed.consume()
    rolled = next((tmp_path / "lake" / "rollups").rglob("*.parquet"))
    rolled.unlink()
    (rolled.parent / ".drafts-x").symlink_to(tmp_path / "gone")
    with Lake(tmp_path / "lake") as lake, Checker() as checker:
        lake.write_views(checker)
    assert rolled.is_file()


def test_a_corrected_period_is_rolled_up_as_it_is_now(contract: Contract, tmp_path: Path) -> None:
    """The revision before it counts no more."""
    agreed = with_intervals(contract, reading_seconds=3600, delivery_hours=24)
    store = MemoryStore()
    for seed, reason in ((7, ""), (8, "correction")):
        source = synthesise(agreed, devices=6, start=START, seed=seed)
        publish(source, store, clock=clock, revise=reason)
        with Lake(tmp_path / "lake", make=True) as lake:
            consume(store, lake, clock=clock)
    (read,) = _ask(
        tmp_path / "lake",
        "SELECT sum((value / 1000)::DECIMAL(18, 6)), count(*) * 2 FROM telemetry"
        " WHERE type = 'server power'",
    )
    assert _ask(tmp_path / "lake", "SELECT sum(energy_kwh), sum(readings) FROM hourly") == [read]


def test_a_lake_without_readings_has_no_hours(feed: Feed, tmp_path: Path) -> None:
    """The view is there, and empty."""
    feed.delete(*(key for key in feed.keys if "/telemetry/" in key))
    feed.consume()
    assert _ask(tmp_path / "lake", "FROM hourly") == []


def test_the_ledger_keeps_findings_whole(feed: Feed, tmp_path: Path) -> None:
    """With their rows and hints, but for the SQL that finds all of them."""
    feed.recommit_bytes(feed.read(feed.commit().files[0].key), rows=13)
    (refused,) = (
        judgement for judgement in feed.consume().judgements if judgement.verdict != "accepted"
    )
    with closing(Ledger(tmp_path / "lake" / "ledger.sqlite")) as ledger:
        kept = ledger.findings()
    assert kept == {refused.slot: [replace(found, script="") for found in refused.report.findings]}


def test_what_is_found_later_is_new_to_whoever_shows_the_lake(tmp_path: Path) -> None:
    """Values are looked at after deliveries were recorded; what is found again is not new."""
    found = FeedFinding(check=VALUE_CHECKS[0], start=START, end=NOW, device="CZJ0000001")
    seen = []
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        for findings in ([], [found], [found], []):
            ledger.set_value_findings(findings)
            seen.append(ledger.fact("records"))
    assert seen == [None, "1", "1", "2"]


def test_the_ledger_keeps_the_first_arrival(tmp_path: Path) -> None:
    """A revision comes later, and is no later arrival of the period."""
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.note_arrivals({START: NOW})
        ledger.note_arrivals({START: NOW + timedelta(days=1)})
        assert ledger.arrivals() == {START: NOW}
        ledger.note_arrivals({START: NOW - timedelta(days=1)})
        assert ledger.arrivals() == {START: NOW - timedelta(days=1)}


def test_the_ledger_knows_which_inventory_was_pinned(feed: Feed, tmp_path: Path) -> None:
    """Each delivery of telemetry names one, the inventory none."""
    feed.consume()
    with closing(Ledger(tmp_path / "lake" / "ledger.sqlite")) as ledger:
        pinned = {entry.slot: entry.inventory for entry in ledger.entries()}
    assert pinned.pop(feed.inventory) is None
    assert set(pinned.values()) == {feed.inventory}
