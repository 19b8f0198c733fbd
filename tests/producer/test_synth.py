"""Mock data: a function of the seed alone, believable, and never a finding."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from powerstage.checks import Checker, InputFile, compile_plan, merge
from powerstage.contract import Contract
from powerstage.engine import connect
from powerstage.errors import UsageError
from powerstage.producer import MockSource, synthesise
from tests.conftest import START
from tests.producer.conftest import HALF_DAYS, HOURLY, edited, rows

FIVE_MINUTES = ("intervalSeconds: 3600", "intervalSeconds: 300")
QUARTER_HOURS = (HOURLY, "    value: 15\n    unit: min\n")
POWER = "            - measure: server power"
LIMITS = "unit: C, minimum: 18, maximum: 27"
TEMPERATURE = (
    (
        POWER,
        f"            - {{measure: inlet temperature, {LIMITS}}}\n{POWER}",
    ),
    (
        "          - value: server power",
        "          - value: server power\n          - value: inlet temperature",
    ),
    ("          - value: W", "          - value: W\n          - value: C"),
)
RACK = (
    "      - name: value\n",
    "      - {name: rack, logicalType: string, physicalType: VARCHAR}\n      - name: value\n",
)


# As in the SQL that makes mock data.
ZONE = (
    "      - name: location\n        description: Code",
    """\
      - {name: zone, logicalType: string, physicalType: VARCHAR}
      - {name: device_key, logicalType: string, physicalType: VARCHAR}
      - name: location
        description: Code""",
)


@dataclass(frozen=True)
class Written:
    """Mock data as files: an inventory, and a file per period."""

    inventory: Path
    telemetry: list[Path]

    def query(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """The answer to a query over ``inventory`` and ``telemetry``."""
        with connect() as connection:
            for name, paths in (("inventory", [self.inventory]), ("telemetry", self.telemetry)):
                texts = [str(path) for path in paths]
                connection.execute(f"CREATE VIEW {name} AS FROM read_parquet({texts})")
            return connection.execute(sql).fetchall()


def write(source: MockSource, folder: Path) -> Written:
    """Write all of a source."""
    inventory = folder / "inventory.parquet"
    source.write_inventory(source.snapshots()[0], inventory)
    telemetry = []
    for index, period in enumerate(source.periods()):
        telemetry.append(folder / f"{index:04}.parquet")
        source.write_telemetry(period, telemetry[-1])
    return Written(inventory, telemetry)


@pytest.fixture(scope="module")
def week(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Twenty devices over a week from a Monday, in deliveries of 12 hours."""
    source = synthesise(edited(contract, HALF_DAYS), devices=20, start=START, days=7)
    return write(source, tmp_path_factory.mktemp("week"))


def period_bytes(source: MockSource, period: datetime, folder: Path) -> tuple[bytes, bytes]:
    """Inventory and one period as they are sent."""
    source.write_inventory(period, folder / "i")
    source.write_telemetry(period, folder / "t")
    return (folder / "i").read_bytes(), (folder / "t").read_bytes()


def test_the_same_seed_gives_the_same_bytes(contract: Contract, tmp_path: Path) -> None:
    """A retry rewrites what is there."""
    one, other = (
        period_bytes(synthesise(contract, devices=50, start=START, seed=3), START, tmp_path)
        for _ in range(2)
    )
    assert one == other


def test_the_first_readings_of_a_seed_are_these(contract: Contract, tmp_path: Path) -> None:
    """On any machine, in any version of DuckDB."""
    source = synthesise(contract, devices=2, start=START, seed=7)
    source.write_telemetry(START + timedelta(hours=9), tmp_path / "t")
    assert [(row["sn"], row["location"], row["value"]) for row in rows(tmp_path / "t")] == [
        ("8899000007", "ND-01", 24.8),
        ("8899000007", "ND-01", 136.0),
        ("8899007926", "ND-02", 0.6),
        ("8899007926", "ND-02", 82.0),
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


def test_a_period_is_the_same_in_a_longer_run(contract: Contract, tmp_path: Path) -> None:
    """Whatever was made before it, and in which order."""
    alone = synthesise(contract, devices=5, start=START + timedelta(hours=5))
    run = synthesise(contract, devices=5, start=START - timedelta(days=2), days=4)
    for period in (run.periods()[60], run.periods()[2]):
        run.write_telemetry(period, tmp_path / "other")
    period = alone.periods()[0]
    assert period_bytes(alone, period, tmp_path) == period_bytes(run, period, tmp_path)


def test_periods_follow_one_another(contract: Contract) -> None:
    """From the start, without gaps, over the days asked for."""
    source = synthesise(edited(contract, QUARTER_HOURS, FIVE_MINUTES), start=START, days=2)
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


def test_serial_numbers_are_unique(contract: Contract, tmp_path: Path) -> None:
    """In a fleet as large as a fleet can be."""
    synthesise(contract, devices=1_000_000, start=START).write_inventory(START, tmp_path / "i")
    with duckdb.connect() as connection:
        counts = connection.execute(
            f"SELECT count(*), count(DISTINCT sn) FROM read_parquet('{tmp_path}/i')"
        ).fetchall()
    assert counts == [(1_000_000, 1_000_000)]


def test_every_site_has_devices_and_every_device_a_site(week: Written, contract: Contract) -> None:
    """The sites are those of the contract."""
    found = week.query("SELECT DISTINCT location FROM inventory")
    assert {code for (code,) in found} == {site.code for site in contract.sites}


def test_readings_say_of_a_device_what_the_inventory_says(week: Written) -> None:
    """Model, product number and site are the same in both."""
    columns = "sn, model, product_id, location"
    assert (
        week.query(
            f"SELECT DISTINCT {columns} FROM telemetry EXCEPT SELECT {columns} FROM inventory"
        )
        == []
    )


def test_power_rises_with_utilisation(week: Written) -> None:
    """Of each device: by rank, over a week."""
    found = week.query(
        "WITH reading AS (PIVOT telemetry ON type USING first(value) GROUP BY sn, start_time),"
        " ranked AS (SELECT sn,"
        ' rank() OVER (PARTITION BY sn ORDER BY "server cpu utilization") AS load,'
        ' rank() OVER (PARTITION BY sn ORDER BY "server power") AS power FROM reading)'
        " SELECT corr(load, power) FROM ranked GROUP BY sn"
    )
    assert len(found) == 20
    assert min(correlation for (correlation,) in found) > 0.95


def test_an_idle_server_draws_power(week: Written) -> None:
    """Far more than nothing, and less than at work."""
    ((least,),) = week.query("SELECT min(value) FROM telemetry WHERE unit = 'W'")
    assert least > 50


@pytest.mark.parametrize(
    ("busy", "calm"),
    [
        ("hour(clock) BETWEEN 11 AND 16 AND isodow(clock) < 6", "hour(clock) BETWEEN 1 AND 5"),
        ("isodow(clock) < 6", "isodow(clock) > 5"),
    ],
    ids=["day and night", "week and weekend"],
)
def test_load_follows_the_clock_of_the_site(
    week: Written, contract: Contract, busy: str, calm: str
) -> None:
    """At every site, in its own time: more at work than at night or at weekends."""
    zones = " ".join(f"WHEN '{site.code}' THEN '{site.timezone}'" for site in contract.sites)
    found = week.query(
        f"WITH local AS (SELECT *, timezone(CASE location {zones} END, start_time) AS clock"
        " FROM telemetry WHERE unit = '%')"
        f" SELECT avg(value) FILTER (WHERE {busy}) / avg(value) FILTER (WHERE {calm})"
        " FROM local GROUP BY location"
    )
    assert len(found) == 4
    assert min(ratio for (ratio,) in found) > 1.1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"devices": 0}, "--devices"),
        ({"devices": 1_000_001}, "--devices"),
        ({"days": 0}, "--days"),
        ({"days": 3_661}, "--days"),
        ({"seed": -1}, "--seed"),
        ({"seed": 2**63}, "--seed"),
        ({"start": START + timedelta(minutes=30)}, "--start"),
        ({"start": START + timedelta(microseconds=1)}, "--start"),
        ({"start": START.replace(tzinfo=None)}, "--start"),
        ({"start": START.replace(year=1969)}, "--start"),
        ({"start": START.replace(year=9999)}, "--start"),
    ],
)
def test_an_option_out_of_range_is_named(
    contract: Contract, options: dict[str, Any], words: str
) -> None:
    """A usage error, with the option in its fix."""
    with pytest.raises(UsageError) as caught:
        synthesise(contract, **({"start": START} | options))
    assert words in caught.value.fix


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([("'^[0-9A-Z]{10}$'", "'^[0-9A-Z]{7}$'")], "serial numbers"),
        ([(RACK[0], RACK[1].replace("VARCHAR}", "VARCHAR, required: true}"))], "'rack'"),
    ],
    ids=["pattern", "column"],
)
def test_a_contract_that_mock_data_cannot_keep_is_refused(
    contract: Contract, changes: list[tuple[str, str]], words: str
) -> None:
    """Before anything is written, with what stands in the way."""
    with pytest.raises(UsageError, match=words):
        synthesise(edited(contract, *changes), start=START)


@pytest.mark.parametrize(
    ("changes", "seed"),
    [
        *(([HALF_DAYS], seed) for seed in (0, 1, 2**63 - 1)),
        ([HALF_DAYS, FIVE_MINUTES], 7),
        ([HALF_DAYS, RACK, *TEMPERATURE], 7),
        ([HALF_DAYS, ZONE], 7),
        ([HALF_DAYS, ("maximum: 2000", "maximum: 150"), ("maximum: 100\n", "maximum: 20\n")], 7),
    ],
    ids=[
        "seed 0",
        "seed 1",
        "last seed",
        "five minutes",
        "more columns",
        "names of ours",
        "narrow ranges",
    ],
)
def test_mock_data_pass_every_check(
    contract: Contract,
    checker: Checker,
    tmp_path: Path,
    changes: list[tuple[str, str]],
    seed: int,
) -> None:
    """Whatever the seed, and whatever the contract says."""
    agreed = edited(contract, *changes)
    source = synthesise(agreed, devices=23, start=START, seed=seed)
    written = write(source, tmp_path)
    inventory = checker.check(
        compile_plan(agreed, "inventory"), [InputFile(path=written.inventory, name="inventory")]
    )
    telemetry = checker.check(
        compile_plan(agreed, "telemetry"),
        [InputFile(path=path, name=path.name) for path in written.telemetry],
        inventory=[(written.inventory, "parquet")],
    )
    slots = timedelta(days=1) // agreed.roles.reading_interval
    assert merge(inventory, telemetry).findings == ()
    assert (inventory.rows, telemetry.rows) == (23, 23 * slots * len(agreed.measures))
