"""Mock data are believable: what 400 servers do over four weeks, beside what is known of servers.

Koomey: Koomey and Taylor, "Zombie/comatose servers redux", 2017. Barroso: Barroso, Clidaras and
Hoelzle, "The datacenter as a computer", 2013. Fan: Fan, Weber and Barroso, "Power provisioning
for a warehouse-sized computer", 2007. Bounds are for this seed and window, with room for others.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from powerstage.engine import connect
from powerstage.producer import parameters, synthesise
from powerstage.producer.curves import models
from tests.producer.mock import DAILY, agreed, read, write

DEVICES = 400
DAYS = 28
# Clocks change in Europe and in America within it, and in India never.
START = datetime(2026, 10, 12, tzinfo=UTC)
INDIA = (
    "code: ND-02\n          timezone: America/Chicago",
    "code: ND-02\n          timezone: Asia/Kolkata",
)
SPREAD_MAX = parameters.DEVICE_DEVIATION * parameters.DRAW_MAX


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Tables: ``reading`` (device, site's clock, cpu, power), ``curve``, ``busy`` (devices)."""
    contract = agreed(DAILY, INDIA)
    source = synthesise(contract, devices=DEVICES, start=START, days=DAYS, seed=7, frozen=True)
    written = write(source, tmp_path_factory.mktemp("fleet"))
    zones = " ".join(f"WHEN '{site.code}' THEN '{site.timezone}'" for site in contract.sites)
    curves = pa.table(
        {
            "product_id": [model.product_id for model in models() for _ in model.watts],
            "load": [load for model in models() for load in range(len(model.watts))],
            "watts": [watts for model in models() for watts in model.watts],
            "least": [model.noise_watts[0] for model in models() for _ in model.watts],
            "step": [model.noise_watts[1] for model in models() for _ in model.watts],
        }
    )
    with connect() as connection:
        connection.register("telemetry", read(written.telemetry))
        connection.register("published", curves)
        connection.execute(
            "CREATE TABLE curve AS FROM published;"
            " CREATE TABLE reading AS SELECT sn, product_id, location, start_time AS moment,"
            f" timezone(CASE location {zones} END, start_time) AS clock,"
            " max(value) FILTER (unit = '%') AS cpu, max(value) FILTER (unit = 'W') AS power,"
            " round(cpu * 10)::INTEGER AS load FROM telemetry GROUP BY ALL;"
            " CREATE TABLE busy AS SELECT sn FROM reading GROUP BY sn HAVING avg(cpu) >= 3"
        )
        yield connection


def row(fleet: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """The one row of an answer."""
    (found,) = fleet.execute(query).fetchall()
    return found


def sites(fleet: duckdb.DuckDBPyConnection, query: str) -> Sequence[tuple[Any, ...]]:
    """An answer with a row per site."""
    found = fleet.execute(query).fetchall()
    assert len(found) == 4
    return found


def test_every_reading_is_there(fleet: duckdb.DuckDBPyConnection) -> None:
    """Both measures of each server in each hour, or what follows says little."""
    found = row(fleet, "SELECT count(*), count(cpu), count(power), count(DISTINCT sn) FROM reading")
    assert found == (DEVICES * DAYS * 24, DEVICES * DAYS * 24, DEVICES * DAYS * 24, DEVICES)


def test_a_quarter_of_servers_does_nothing(fleet: duckdb.DuckDBPyConnection) -> None:
    """25 % (Koomey); of 400 draws, within three deviations: 0.25 +- 0.065."""
    (share,) = row(fleet, f"SELECT 1 - count(*) / {DEVICES} FROM busy")
    assert share == pytest.approx(0.25, abs=0.065)


def test_idle_servers_stay_idle(fleet: duckdb.DuckDBPyConnection) -> None:
    """Under 5 % in every hour, while every other server works at some time."""
    most_idle, least_busy = row(
        fleet,
        "SELECT max(most) FILTER (sn NOT IN (FROM busy)), min(most) FILTER (sn IN (FROM busy))"
        " FROM (SELECT sn, max(cpu) AS most FROM reading GROUP BY sn)",
    )
    assert most_idle < 5
    assert least_busy > 10


def test_a_fleet_is_mostly_unused(fleet: duckdb.DuckDBPyConnection) -> None:
    """10 % to 50 % most of the time, 20 % to 40 % without the idle quarter (Barroso)."""
    (mean,) = row(fleet, "SELECT avg(cpu) FROM reading")
    between, busy = row(
        fleet,
        "SELECT avg((cpu BETWEEN 10 AND 50)::INTEGER), avg(cpu) FROM reading JOIN busy USING (sn)",
    )
    assert 15 < mean < 25
    assert between > 0.7
    assert 20 < busy < 40


def test_power_follows_load_of_each_server(fleet: duckdb.DuckDBPyConnection) -> None:
    """Nearly in a line (Fan): what is missing to 1 is the bend of the curve and the meter."""
    least, median = row(
        fleet,
        "SELECT min(r), median(r) FROM (SELECT corr(cpu, power) AS r FROM reading"
        " JOIN busy USING (sn) GROUP BY sn)",
    )
    assert least > 0.75
    assert 0.95 < median < 0.995


def test_power_of_a_fleet_follows_load_loosely(fleet: duckdb.DuckDBPyConnection) -> None:
    """Models differ: 0.69 was measured."""
    (pooled,) = row(fleet, "SELECT corr(cpu, power) FROM reading")
    assert pooled == pytest.approx(0.69, abs=0.08)


def test_load_peaks_in_the_afternoon_of_each_site(fleet: duckdb.DuckDBPyConnection) -> None:
    """In its own time, and is lowest before dawn: a wrong zone moves both (Barroso)."""
    hours = (
        "SELECT location, hour(clock) AS hour, avg({}) AS mean FROM reading"
        " WHERE isodow(clock) < 6 GROUP BY ALL"
    )
    for measure in ("cpu", "power"):
        for peak, trough in sites(
            fleet,
            f"SELECT arg_max(hour, mean), arg_min(hour, mean) FROM ({hours.format(measure)})"
            " GROUP BY location",
        ):
            assert 13 <= peak <= 15
            assert 3 <= trough <= 6


def test_days_have_peaks_and_troughs(fleet: duckdb.DuckDBPyConnection) -> None:
    """Of load about two to one (1.7 to 2.1 was measured); of power far less, as idle costs."""
    for cpu, power in sites(
        fleet,
        "SELECT max(cpu) / min(cpu), max(power) / min(power) FROM (SELECT location, hour(clock),"
        " avg(cpu) AS cpu, avg(power) AS power FROM reading WHERE isodow(clock) < 6 GROUP BY ALL)"
        " GROUP BY location",
    ):
        assert 1.5 < cpu < 2.4
        assert 1.08 < power < 1.38


def test_weekends_are_quieter(fleet: duckdb.DuckDBPyConnection) -> None:
    """By a fifth or so (0.77 was measured) at each site, in its own time."""
    for (share,) in sites(
        fleet,
        "SELECT avg(cpu) FILTER (isodow(clock) > 5) / avg(cpu) FILTER (isodow(clock) < 6)"
        " FROM reading GROUP BY location",
    ):
        assert 0.68 < share < 0.88


def test_an_hour_is_like_the_last(fleet: duckdb.DuckDBPyConnection) -> None:
    """Load is sticky: autocorrelation over an hour above 0.85 for half of the servers."""
    hour, day = row(
        fleet,
        "SELECT median(hour), median(day) FROM (SELECT corr(cpu, before) AS hour,"
        " corr(cpu, yesterday) AS day FROM (SELECT *, lag(cpu) OVER device AS before,"
        " lag(cpu, 24) OVER device AS yesterday FROM reading JOIN busy USING (sn)"
        " WINDOW device AS (PARTITION BY sn ORDER BY moment)) GROUP BY sn)",
    )
    assert 0.85 < hour < 0.99
    assert 0.5 < day < 0.9


def test_servers_of_a_model_differ_by_four_per_cent(fleet: duckdb.DuckDBPyConnection) -> None:
    """The ratio of power to the model's curve: deviation 0.04 as stated, mean 1, constant."""
    mean, deviation, drift = row(
        fleet,
        "WITH ratio AS (SELECT sn, avg(power / watts) AS all_days,"
        f" avg(power / watts) FILTER (moment < TIMESTAMPTZ '{START}' + INTERVAL 14 DAYS) AS first,"
        f" avg(power / watts) FILTER (moment >= TIMESTAMPTZ '{START}' + INTERVAL 14 DAYS) AS last"
        " FROM reading JOIN curve USING (product_id, load) GROUP BY sn)"
        " SELECT avg(all_days), stddev(all_days), max(abs(first - last)) FROM ratio",
    )
    assert mean == pytest.approx(1, abs=0.008)
    assert deviation == pytest.approx(0.04, abs=0.005)
    assert drift < 0.01


def test_servers_differ_more_than_their_hours(fleet: duckdb.DuckDBPyConnection) -> None:
    """Share of variance between servers (ICC): above a half, and the rest is time."""
    shares = row(
        fleet,
        "SELECT var_pop(cpu) / (var_pop(cpu) + avg(cpu_within)),"
        " var_pop(power) / (var_pop(power) + avg(power_within)) FROM (SELECT avg(cpu) AS cpu,"
        " var_pop(cpu) AS cpu_within, avg(power) AS power, var_pop(power) AS power_within"
        " FROM reading GROUP BY sn)",
    )
    assert shares == (pytest.approx(0.65, abs=0.12), pytest.approx(0.86, abs=0.08))


def test_no_reading_leaves_its_curve(fleet: duckdb.DuckDBPyConnection) -> None:
    """By more than how servers differ, the meter's coins and rounding: a hard bound."""
    joined, wrong = row(
        fleet,
        "SELECT count(*), count(*) FILTER ("
        f" power < floor(watts * (1 - {SPREAD_MAX}) + least)"
        f" OR power > floor(watts * (1 + {SPREAD_MAX}) + least + step * {parameters.COINS}))"
        " FROM reading JOIN curve USING (product_id, load)",
    )
    assert (joined, wrong) == (DEVICES * DAYS * 24, 0)


def test_meters_are_noisy_as_stated(fleet: duckdb.DuckDBPyConnection) -> None:
    """What is left of power after curve and server: a hundredth of the model's range."""
    (deviation,) = row(
        fleet,
        "WITH part AS (SELECT sn, product_id, avg(power / watts) AS spread FROM reading"
        " JOIN curve USING (product_id, load) GROUP BY ALL), span AS (SELECT product_id,"
        " max(watts) - min(watts) AS span FROM curve GROUP BY ALL)"
        " SELECT stddev((power - watts * spread) / span) FROM reading"
        " JOIN curve USING (product_id, load) JOIN part USING (sn, product_id)"
        " JOIN span USING (product_id)",
    )
    assert deviation == pytest.approx(parameters.METER_DEVIATION, rel=0.1)


def test_load_is_within_the_bounds_stated(fleet: duckdb.DuckDBPyConnection) -> None:
    """Hours are clipped, then a reading differs by at most a fifth."""
    least, most = row(fleet, "SELECT min(load), max(load) FROM reading")
    assert least >= round(parameters.LOAD_MIN * 0.8)
    assert most <= round(parameters.LOAD_MAX * 1.2)


def test_every_model_and_every_site_is_used(fleet: duckdb.DuckDBPyConnection) -> None:
    """Evenly: no model has twice the servers of another, every site the same."""
    found = fleet.execute(
        "SELECT product_id, location, count(DISTINCT sn) FROM reading GROUP BY ALL"
    ).fetchall()
    by_model: dict[str, int] = {}
    by_site: dict[str, int] = {}
    for product_id, location, count in found:
        by_model[product_id] = by_model.get(product_id, 0) + count
        by_site[location] = by_site.get(location, 0) + count
    assert set(by_model) == {model.product_id for model in models()}
    assert max(by_model.values()) < 2 * min(by_model.values())
    assert list(by_site.values()) == [DEVICES // 4] * 4


def test_values_are_as_coarse_as_those_of_ilo(fleet: duckdb.DuckDBPyConnection) -> None:
    """Whole watts, tenths of a per cent."""
    assert row(
        fleet,
        "SELECT count(*) FILTER (power <> round(power)),"
        " count(*) FILTER (cpu <> round(cpu * 10) / 10) FROM reading",
    ) == (0, 0)
