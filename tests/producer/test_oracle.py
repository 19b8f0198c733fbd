"""Mock data are what the model says: worked out a second time, and equal to the last bit."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from powerstage.contract import Contract
from powerstage.contract.calendar import period_of
from powerstage.engine import connect
from powerstage.producer import MockSource, synthesise
from powerstage.producer.fleet import Fleet
from powerstage.producer.readings import Readings
from tests.conftest import START
from tests.contract.conftest import end_stamped
from tests.producer import oracle
from tests.producer.conftest import HALF_DAYS
from tests.producer.mock import (
    DAILY,
    MORE_MEASURES,
    ODD_DAILY,
    ODD_ZONES,
    ONE_A_DAY,
    QUARTER_HOURS,
    Edit,
    agreed,
    jitter,
    read,
    seconds,
)

SEEDS = (0, 7, 2**63 - 1)
DEVICES = 60
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Clocks change in Berlin, in Chicago and at Lord Howe Island; a leap day; the ends of time.
DAYS = (
    EPOCH,
    datetime(2026, 10, 25, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2027, 4, 3, tzinfo=UTC),
    datetime(2028, 2, 29, tzinfo=UTC),
    datetime(9979, 12, 31, tzinfo=UTC),
)

each_seed = pytest.mark.parametrize("seed", SEEDS)


def assert_same(table: pa.Table, expected: dict[str, oracle.Column]) -> None:
    """The columns of a table are these, in number, order and every bit."""
    assert table.column_names == list(expected)
    for name, column in expected.items():
        found = table[name]
        if pa.types.is_timestamp(found.type):
            found = found.cast(pa.int64())
        texts = pa.types.is_string(found.type)
        values = np.array(found.to_pylist()) if texts else found.to_numpy()
        assert np.array_equal(values, column), name


def assert_readings(source: MockSource, period: datetime, path: Path, fuzz_seconds: int) -> None:
    """A period of a source holds what the oracle says."""
    source.write_telemetry(period, path)
    fleet = source.fleet
    expected = oracle.readings(
        fleet.contract, fleet.devices, fleet.seed, period, fuzz_seconds=fuzz_seconds
    )
    if fleet.contract.roles.start is None:
        del expected["start_time"]
    assert_same(read([path]), expected)


@each_seed
def test_servers_are_those_of_the_oracle(contract: Contract, seed: int) -> None:
    """Who serves, by which key, and the hidden facts behind their readings; on every day."""
    fleet = Fleet(contract=contract, devices=DEVICES, seed=seed)
    zones = np.array([fleet.zones.index(site.timezone) for site in contract.sites])
    with connect(threads=1) as connection:
        fleet.create_places(connection)
        for day in DAYS:
            fleet.create_serving(connection, day)
            found = connection.sql(
                'SELECT position, device_key, "inventory:sn"::VARCHAR AS serial, (watts_offset - 1)'
                " // 1001 AS model, base, amplitude, spread, moment_group FROM serving"
            ).to_arrow_table()
            devices = oracle.serving(contract, DEVICES, seed, (day - EPOCH).days)
            assert_same(
                found,
                {
                    "position": devices.position,
                    "device_key": devices.key,
                    "serial": devices.serial,
                    "model": devices.model,
                    "base": devices.base,
                    "amplitude": devices.amplitude,
                    "spread": devices.spread,
                    "moment_group": zones[devices.site] * 4 + devices.profile + 1,
                },
            )


@each_seed
def test_loads_at_full_hours_are_those_of_the_oracle(seed: int) -> None:
    """By the clock of each site, whatever its distance from UTC; on every day."""
    contract = agreed(DAILY, *ODD_ZONES)
    fleet = Fleet(contract=contract, devices=DEVICES, seed=seed)
    readings = Readings(contract=contract, fuzz=timedelta(), zones=fleet.zones)
    with connect(threads=1) as connection:
        fleet.create_places(connection)
        readings.create_watts(connection)
        for day in DAYS:
            fleet.create_serving(connection, day)
            readings.create_devices(connection, day.date())
            readings.create_period(connection, day)
            found = connection.sql(
                f"SELECT load_first, load_next FROM ({readings.hours_query()})"
            ).to_arrow_table()
            devices = oracle.serving(contract, DEVICES, seed, (day - EPOCH).days)
            hours = (day - EPOCH).days * 24 + np.arange(25)
            loads = oracle.loads(contract, devices, hours)
            assert_same(
                found, {"load_first": loads[:, :24].ravel(), "load_next": loads[:, 1:].ravel()}
            )


@each_seed
@pytest.mark.parametrize(
    ("edits", "fuzz_seconds"),
    [
        ((), 0),
        ((), 3599),
        ((seconds(300),), 1),
        ((QUARTER_HOURS, seconds(450)), 0),
        ((HALF_DAYS, seconds(900), *ODD_ZONES), 60),
        (ODD_DAILY, 0),
        (ONE_A_DAY, 86_399),
        ((*ONE_A_DAY, *ODD_ZONES, *MORE_MEASURES), 0),
        ((HALF_DAYS, seconds(1800), *MORE_MEASURES), 0),
    ],
    ids=[
        "hourly", "hourly with jitter", "5 min with jitter", "7.5 min", "odd zones with jitter",
        "432 s", "daily with jitter", "daily in odd zones", "more measures",
    ],
)  # fmt: skip
def test_readings_are_those_of_the_oracle(
    seed: int, edits: tuple[Edit, ...], fuzz_seconds: int, tmp_path: Path
) -> None:
    """In the order of device, time and measure; each seed on other days."""
    contract = agreed(*edits, jitter(fuzz_seconds))
    fuzz = timedelta(seconds=fuzz_seconds)
    for day in DAYS[SEEDS.index(seed) :: len(SEEDS)]:
        # Where the clocks change, if they do.
        period = period_of(day + timedelta(hours=7), contract.delivery_interval)
        source = synthesise(contract, devices=9, start=period, seed=seed, fuzz=fuzz)
        assert_readings(source, period, tmp_path / "t", fuzz_seconds)


@each_seed
@pytest.mark.parametrize("fuzz_seconds", [0, 60])
def test_readings_stamped_by_their_end_are_those_of_the_oracle(
    seed: int, fuzz_seconds: int, tmp_path: Path
) -> None:
    """The same values and ends; what is agreed on alone is written."""
    contract = end_stamped(jitter(fuzz_seconds))
    fuzz = timedelta(seconds=fuzz_seconds)
    source = synthesise(contract, devices=9, start=START, seed=seed, fuzz=fuzz)
    assert_readings(source, START, tmp_path / "t", fuzz_seconds)


@each_seed
def test_readings_before_and_after_a_change_are_those_of_the_oracle(
    contract: Contract, seed: int, tmp_path: Path
) -> None:
    """When one server follows another, or comes after days in which its place stood empty."""
    source = synthesise(contract, devices=DEVICES, start=START, days=400, seed=seed)
    changes = source.snapshots()[1:]
    assert len(changes) > 5
    for change in changes[:6]:
        before, after = change - timedelta(hours=1), change
        assert_readings(source, before, tmp_path / "before", 0)
        assert_readings(source, after, tmp_path / "after", 0)
        serials = [set(read([tmp_path / name])["sn"].to_pylist()) for name in ("before", "after")]
        assert serials[0] != serials[1]
