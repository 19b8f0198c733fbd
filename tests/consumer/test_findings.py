"""Findings about values: each kind at its own magnitude, and nothing on clean data."""

from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pytest

from powerstage.checks import FeedFinding
from powerstage.consumer import Lake, consume, findings
from powerstage.consumer.findings import findings_of
from powerstage.contract import Contract
from powerstage.faults import Injector, plan_faults
from powerstage.producer import publish, synthesise
from powerstage.store import MemoryStore, read
from tests.conftest import clock
from tests.consumer.history import (
    START,
    fault_of,
    found_in,
    history,
    share_found,
    spoil,
    with_intervals,
)

DAYS = 9
SEEDS = (7, 11)
HARMLESS = (
    "comatose_server",
    "full_load_hour",
    "device_joins",
    "device_leaves",
    "restated_site",
)


@pytest.fixture(scope="module", params=SEEDS)
def fleet(contract: Contract, request: pytest.FixtureRequest) -> duckdb.DuckDBPyConnection:
    """Clean readings of 60 devices over nine days, each hour one."""
    return history(contract, devices=60, days=DAYS, seed=request.param)


@pytest.fixture(scope="module")
def fine(contract: Contract) -> tuple[Contract, duckdb.DuckDBPyConnection]:
    """Readings of every five minutes, of 48 devices over six days."""
    agreed = with_intervals(contract, reading_seconds=300, delivery_hours=1)
    return agreed, history(agreed, devices=48, days=6, seed=7)


def test_clean_readings_show_nothing(fleet: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """As many devices as two small feeds have, for each seed; the benchmark looks at thousands."""
    assert found_in(fleet, contract, "clean") == ()


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        ("power_offset", 0.95),
        ("coarse_rounding", 0.9),
        ("stuck_value", 0.6),
        ("noise_burst", 0.4),
        ("swapped_devices", 0.03),
    ],
)
def test_hourly_readings_show_a_kind_as_often_as_stated(
    fleet: duckdb.DuckDBPyConnection, contract: Contract, kind: str, least: float
) -> None:
    """A fault in each device, at the magnitude of the catalogue; the share is a floor."""
    fault = fault_of(contract, kind)
    rows = spoil(fleet, contract, fault, seed=7)
    assert share_found(rows, fault, found_in(fleet, contract, "spoilt")) >= least


@pytest.mark.parametrize(
    ("kind", "least"), [("power_drift", 0.2), ("replayed_hour", 0.5), ("swapped_devices", 0.2)]
)
def test_readings_of_five_minutes_show_what_hourly_ones_cannot(
    fine: tuple[Contract, duckdb.DuckDBPyConnection], kind: str, least: float
) -> None:
    """Twelve times as many readings in the same time."""
    contract, fleet = fine
    fault = fault_of(contract, kind)
    rows = spoil(fleet, contract, fault, seed=7)
    assert share_found(rows, fault, found_in(fleet, contract, "spoilt")) >= least


def test_clean_readings_of_five_minutes_show_nothing(
    fine: tuple[Contract, duckdb.DuckDBPyConnection],
) -> None:
    """More readings are more occasions for a false alarm."""
    contract, fleet = fine
    assert found_in(fleet, contract, "clean") == ()


def test_a_clean_device_of_readings_each_minute_is_not_noisy(contract: Contract) -> None:
    """The noisiest six hours of two thousand devices: its line is off by a little, no more."""
    minutely = with_intervals(contract, reading_seconds=60, delivery_hours=1)
    fleet = history(minutely, devices=2_000, days=3, seed=7, only=range(443, 444))
    assert found_in(fleet, minutely, "clean") == ()


def test_a_short_history_shows_nothing(
    fleet: duckdb.DuckDBPyConnection, contract: Contract
) -> None:
    """An offset of 40 W before there are two days: there is no line to hold it against."""
    fleet.execute(
        "CREATE OR REPLACE TEMP VIEW short AS SELECT * REPLACE (CASE WHEN type = 'server power'"
        " AND start_time >= '2026-11-03 12:00Z' THEN value + 40 ELSE value END AS value)"
        " FROM clean WHERE start_time < '2026-11-03 23:00Z'"
    )
    assert found_in(fleet, contract, "short") == ()


def test_devices_that_come_go_and_pause_show_nothing(
    fleet: duckdb.DuckDBPyConnection, contract: Contract
) -> None:
    """Some serve a day, some leave half-way, and all have gaps in between."""
    fleet.execute(
        "CREATE OR REPLACE TEMP VIEW partly AS FROM clean WHERE CASE hash(sn) % 3"
        " WHEN 0 THEN start_time < '2026-11-03 06:00Z'"
        " WHEN 1 THEN start_time < '2026-11-07 00:00Z' ELSE true END"
        " AND NOT (start_time >= '2026-11-05 10:00Z' AND start_time < '2026-11-05 22:00Z')"
    )
    assert found_in(fleet, contract, "partly") == ()


def test_a_spike_alone_is_no_finding(fleet: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """A sample of three times the power is for a check of its delivery, not for history."""
    fleet.execute(
        "CREATE OR REPLACE TEMP VIEW spiked AS SELECT * REPLACE (CASE WHEN type = 'server power'"
        " AND start_time = '2026-11-06 10:00Z' THEN value * 3 ELSE value END AS value) FROM clean"
    )
    assert found_in(fleet, contract, "spiked") == ()


def test_a_finding_says_where_when_and_how_much(
    fleet: duckdb.DuckDBPyConnection, contract: Contract
) -> None:
    """40 W from noon to midnight, on one device."""
    ((device,),) = fleet.execute("SELECT min(sn) FROM clean").fetchall()
    fleet.execute(
        "CREATE OR REPLACE TEMP VIEW moved AS SELECT * REPLACE (CASE WHEN type = 'server power'"
        f" AND sn = '{device}' AND start_time >= '2026-11-06 12:00Z'"
        " AND start_time < '2026-11-07 00:00Z' THEN value + 40 ELSE value END AS value) FROM clean"
    )
    (finding,) = found_in(fleet, contract, "moved")
    assert (finding.check.id, finding.check.severity) == ("value.jump", "warning")
    assert (finding.device, finding.measure) == (device, "server power")
    assert f"{finding.start:%dT%H} {finding.end:%dT%H}" == "06T12 07T00"
    numbers = dict(finding.numbers)
    assert numbers["readings"] >= 10
    assert 0 < numbers["shift_watts_min"] <= 45


def test_each_share_of_the_devices_has_its_own_findings(
    fleet: duckdb.DuckDBPyConnection, contract: Contract
) -> None:
    """Three shares find together what one look at all devices finds, and none of it twice."""
    spoil(fleet, contract, fault_of(contract, "power_offset"), seed=7)
    whole = found_in(fleet, contract, "spoilt")
    # Days are numbered without end.
    shares = [found_in(fleet, contract, "spoilt", shares=3, share=number) for number in (3, 4, 5)]
    assert all(0 < len(share) < len(whole) for share in shares)
    assert sorted(map(repr, whole)) == sorted(repr(found) for share in shares for found in share)


@pytest.mark.parametrize("kind", ["power_offset", "stuck_value", "replayed_hour"])
def test_devices_looked_at_in_batches_show_the_same(
    fine: tuple[Contract, duckdb.DuckDBPyConnection], kind: str
) -> None:
    """A batch of devices is there for the worker's memory alone."""
    contract, fleet = fine
    spoil(fleet, contract, fault_of(contract, kind), seed=7)
    assert found_in(fleet, contract, "spoilt", batches=5) == found_in(fleet, contract, "spoilt")


@pytest.mark.parametrize("hours", [1, 24])
def test_where_nothing_can_be_found_nothing_is_asked(contract: Contract, hours: int) -> None:
    """One period is too short for a line, and repeats nothing."""

    def ask(statements: Sequence[str]) -> Sequence[Sequence[object]]:
        raise AssertionError(statements)

    agreed = with_intervals(contract, reading_seconds=3600, delivery_hours=hours)
    assert findings_of(agreed, "FROM readings", ask, periods=1) == ()


@pytest.fixture(scope="module")
def daily_feed(contract: Contract) -> tuple[Contract, dict[str, bytes], str]:
    """A feed of 8 devices over nine days, a delivery a day: an offset, and what is harmless."""
    daily = with_intervals(contract, reading_seconds=3600, delivery_hours=24)
    source = synthesise(daily, devices=8, start=START, days=DAYS, seed=7)
    plan = plan_faults(source, ["power_offset", *HARMLESS], seed=7)
    store, injector = MemoryStore(), Injector(plan, daily)
    publish(injector.source(source), injector.store(store), clock=clock)
    (device,) = next(p.devices for p in plan if p.fault.name == "power_offset")
    return daily, {info.key: read(store, info.key, 10_000_000) for info in store.list("")}, device


def consumed(
    folder: Path, objects: dict[str, bytes], *batches: Callable[[str], bool]
) -> tuple[FeedFinding, ...]:
    """What the last of several runs finds; each has the keys of its batch besides."""
    found: tuple[FeedFinding, ...]
    with Lake(folder, make=True) as lake:
        store, found = MemoryStore(), ()
        for batch in batches:
            for key, body in objects.items():
                if batch(key):
                    store.put(key, body)
            found = consume(store, lake, clock=clock).feed_findings or ()
    return found


def test_a_consumer_finds_it_whatever_the_order_of_deliveries(
    daily_feed: tuple[Contract, dict[str, bytes], str], tmp_path: Path
) -> None:
    """Later days first: the same at the end. An offset of 40 W is found, and nothing harmless."""
    _, objects, device = daily_feed

    def is_early(key: str) -> bool:
        return not key.startswith("commits/telemetry/") or "2026-11-0" not in key

    at_once = consumed(tmp_path / "once", objects, lambda _: True)
    in_parts = consumed(tmp_path / "parts", objects, is_early, lambda _: True)
    assert at_once == in_parts
    assert [(f.check.id, f.device) for f in at_once] == [("value.jump", device)]


def test_what_was_looked_at_is_not_looked_at_again(
    daily_feed: tuple[Contract, dict[str, bytes], str], tmp_path: Path
) -> None:
    """Where nothing new was accepted, what was found stands, even if the files cannot be read."""
    _, objects, _ = daily_feed
    first = consumed(tmp_path / "lake", objects, lambda _: True)
    for file in (tmp_path / "lake" / "data").iterdir():
        file.write_bytes(b"")
    assert consumed(tmp_path / "lake", objects, lambda _: True) == first != ()


def test_a_large_fleet_is_looked_at_by_shares_another_each_day(
    daily_feed: tuple[Contract, dict[str, bytes], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two shares, that of the device with a fault comes with the one day or with the other."""
    _, objects, device = daily_feed
    monkeypatch.setattr(findings, "READINGS_MAX", 2_000)

    def is_of_eight_days(key: str) -> bool:
        return not key.startswith("commits/telemetry/2026-11-10")

    found = [
        {finding.device for finding in consumed(tmp_path / name, objects, batch)}
        for name, batch in (("eight", is_of_eight_days), ("nine", lambda _: True))
    ]
    assert sorted(found, key=len) == [set(), {device}]


def test_one_period_shows_nothing(
    daily_feed: tuple[Contract, dict[str, bytes], str], tmp_path: Path
) -> None:
    """There is no history to hold it against."""
    _, objects, _ = daily_feed
    assert (
        consumed(
            tmp_path / "lake",
            objects,
            lambda key: not key.startswith("commits/telemetry/") or "2026-11-02" in key,
        )
        == ()
    )


def test_a_finding_is_in_no_receipt(
    daily_feed: tuple[Contract, dict[str, bytes], str], tmp_path: Path
) -> None:
    """Every delivery is accepted, and its receipt says nothing of the feed."""
    _, objects, _ = daily_feed
    store = MemoryStore()
    for key, body in objects.items():
        store.put(key, body)
    with Lake(tmp_path / "lake", make=True) as lake:
        found = consume(store, lake, clock=clock)
    receipts = [read(store, info.key, 100_000) for info in store.list("receipts/")]
    assert found.feed_findings
    assert receipts
    assert not any(b"value.jump" in receipt for receipt in receipts)
