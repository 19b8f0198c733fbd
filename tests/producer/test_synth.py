"""Mock data: believed by every check, refused where they cannot be, and who is in them."""

import itertools
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from powerstage.checks import Checker, InputFile, compile_plan, merge
from powerstage.contract import Contract
from powerstage.engine import connect, sql_text
from powerstage.producer import synthesise
from powerstage.producer.curves import models
from tests.conftest import START
from tests.contract.conftest import end_stamped
from tests.producer.conftest import HALF_DAYS, edited, rows
from tests.producer.mock import (
    FOUR_HOURS,
    LOCATION,
    MORE_MEASURES,
    ODD_DAILY,
    ODD_ZONES,
    ONE_A_DAY,
    QUARTER_HOURS,
    RACK,
    Edit,
    Written,
    agreed,
    jitter,
    seconds,
    write,
)

# As in the SQL that makes mock data.
OWN_NAMES = (
    LOCATION,
    f"""\
      - {{name: zone, logicalType: string, physicalType: VARCHAR}}
      - {{name: device_key, logicalType: string, physicalType: VARCHAR}}
      - {{name: position, logicalType: integer, physicalType: BIGINT}}
{LOCATION}""",
)
# Contracts of all kinds, each for a number of seeds.
KINDS: Sequence[tuple[Edit, ...]] = (
    (),
    (QUARTER_HOURS, seconds(300), jitter(30)),
    (QUARTER_HOURS, seconds(450), *ODD_ZONES),
    (QUARTER_HOURS, seconds(60), RACK),
    (FOUR_HOURS, seconds(7200)),
    (HALF_DAYS, OWN_NAMES, *ODD_ZONES),
    (*ODD_DAILY, jitter(431)),
    (*ONE_A_DAY, jitter(86_399)),
    (HALF_DAYS, RACK, *MORE_MEASURES),
    (("'^[0-9A-Z]{10}$'", "'^SRV-[0-9]{2}[a-f]$'"),),
)


@pytest.fixture(scope="module")
def week(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Twenty devices over a week from a Monday, in deliveries of 12 hours."""
    source = synthesise(edited(contract, HALF_DAYS), devices=20, start=START, days=7)
    return write(source, tmp_path_factory.mktemp("week"))


def test_the_first_readings_of_a_seed_are_these(contract: Contract, tmp_path: Path) -> None:
    """On any machine, in any version of DuckDB."""
    source = synthesise(contract, devices=2, start=START, seed=7)
    source.write_telemetry(START + timedelta(hours=9), tmp_path / "t")
    assert [(row["sn"], row["location"], row["value"]) for row in rows(tmp_path / "t")] == [
        ("CZJ520HBF3", "ND-01", 61.7),
        ("CZJ520HBF3", "ND-01", 419.0),
        ("CZJ911GRT2", "ND-02", 0.8),
        ("CZJ911GRT2", "ND-02", 179.0),
    ]


def test_every_seed_gives_other_data(contract: Contract, tmp_path: Path) -> None:
    """Neighbours and the ends of the range share neither serials nor values."""
    found = []
    for seed in (0, 1, 2, 2**63 - 1):
        source = synthesise(contract, devices=20, start=START, seed=seed)
        source.write_telemetry(START, tmp_path / "t")
        found.append(rows(tmp_path / "t"))
    for one, other in itertools.combinations(found, 2):
        assert not {row["sn"] for row in one} & {row["sn"] for row in other}
        assert sum(a["value"] == b["value"] for a, b in zip(one, other, strict=True)) < 5


def test_periods_follow_one_another(contract: Contract) -> None:
    """From the start, without gaps, over the days asked for."""
    source = synthesise(edited(contract, QUARTER_HOURS, seconds(300)), start=START, days=2)
    quarter = timedelta(minutes=15)
    assert list(source.periods()) == [START + number * quarter for number in range(192)]


def test_every_reading_is_there_once(week: Written) -> None:
    """Each device, interval and measure, and nothing beside them."""
    ((count, keys, devices, starts, first, last, lengths),) = week.query(
        "SELECT count(*), count(DISTINCT (sn, start_time, type)), count(DISTINCT sn),"
        " count(DISTINCT start_time), epoch(min(start_time)), epoch(max(start_time)),"
        " list(DISTINCT end_time - start_time) FROM telemetry"
    )
    assert (count, keys) == (20 * 168 * 2, 20 * 168 * 2)
    assert (devices, starts) == (20, 168)
    assert (first, last - first) == (START.timestamp(), 167 * 3_600)
    assert lengths == [timedelta(hours=1)]


def test_jitter_delays_readings_by_no_more_than_was_asked(tmp_path: Path) -> None:
    """By every second up to it; each ends where the next of its device starts."""
    contract = agreed(HALF_DAYS, seconds(300), jitter(30))
    source = synthesise(contract, devices=20, start=START, fuzz=timedelta(seconds=20))
    found = write(source, tmp_path).query(
        "SELECT list_sort(list(DISTINCT epoch(start_time)::BIGINT % 300)),"
        " count(*) FILTER (start_time <> before) FROM (SELECT *, lag(end_time) OVER"
        " (PARTITION BY sn, type ORDER BY start_time) AS before FROM telemetry)"
    )
    assert found == [(list(range(21)), 0)]


def test_jitter_moves_no_value(tmp_path: Path) -> None:
    """Readings are the same, but for when they are taken."""
    contract = agreed(jitter(3_599))
    values = []
    for fuzz_seconds in (0, 1, 3_599):
        fuzz = timedelta(seconds=fuzz_seconds)
        synthesise(contract, devices=9, start=START, fuzz=fuzz).write_telemetry(
            START, tmp_path / "t"
        )
        values.append([row["value"] for row in rows(tmp_path / "t")])
    assert values[0] == values[1] == values[2]


def test_serial_numbers_are_unique(contract: Contract, tmp_path: Path) -> None:
    """In a fleet as large as a fleet can be; one place in 1,800 is empty."""
    written = synthesise(contract, devices=1_000_000, start=START).write_inventory(
        START, tmp_path / "i"
    )
    with connect() as connection:
        counts = connection.execute(
            "SELECT count(*), count(DISTINCT sn)"
            f" FROM read_parquet({sql_text(str(tmp_path / 'i'))})"
        ).fetchall()
    assert counts == [(written, written)]
    assert 999_300 < written < 999_600


def test_every_site_has_devices_and_every_device_a_site(week: Written, contract: Contract) -> None:
    """The sites are those of the contract."""
    found = week.query("SELECT DISTINCT location FROM inventory")
    assert {code for (code,) in found} == {site.code for site in contract.sites}


def test_readings_say_of_a_device_what_the_inventory_says(week: Written) -> None:
    """Model, product number and site are the same in both; the first two belong together."""
    columns = "sn, model, product_id, location"
    found = week.query(f"SELECT DISTINCT {columns} FROM telemetry")
    assert sorted(found) == sorted(week.query(f"SELECT {columns} FROM inventory"))
    known = {(model.name, model.product_id) for model in models()}
    assert {(row[1], row[2]) for row in found} <= known


def test_mock_data_pass_every_check(
    checker: Checker, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Seeds from either end of the range, 1 to 30 devices, contracts of all kinds.

    Every other seed is as late as its contract allows.
    """
    contracts = [*(agreed(*edits) for edits in KINDS), end_stamped(jitter(1_800))]
    plans = [
        (compile_plan(contract, "inventory"), compile_plan(contract, "telemetry"))
        for contract in contracts
    ]
    files = [InputFile(path=tmp_path / name, name=name) for name in ("i", "t")]
    failed, half = {}, pytestconfig.getoption("--seeds") // 2
    for number, seed in enumerate((*range(half), *range(2**63 - half, 2**63))):
        contract, devices = contracts[number % len(contracts)], 1 + seed % 30
        interval = contract.delivery_interval
        # Another day of about ten years, another period of the day.
        start = START + number * timedelta(days=19) + number * interval % timedelta(days=1)
        fuzz = seed % 2 * contract.roles.jitter
        source = synthesise(contract, devices=devices, start=start, seed=seed, fuzz=fuzz)
        places = source.write_inventory(start, tmp_path / "i")
        readings = source.write_telemetry(start, tmp_path / "t")
        inventory, telemetry = plans[number % len(plans)]
        report = merge(
            checker.check(inventory, files[:1]),
            checker.check(telemetry, files[1:], inventory=[(tmp_path / "i", "parquet")]),
        )
        expected = places * (interval // contract.roles.reading_interval) * len(contract.measures)
        if report.findings or report.rows != places + readings or readings != expected:
            failed[seed] = [str(finding) for finding in report.findings]
    assert failed == {}
