"""The numbers of a lake: how much there is, how much there should be, and what is said of it."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import jsonschema
import pytest

from powerstage.checks import Checker
from powerstage.consumer import Lake, consume
from powerstage.consumer.look_over import look_over
from powerstage.consumer.overview import Overview
from powerstage.contract import Contract, loads
from powerstage.display.document import document
from powerstage.display.overview import mean_kw, overview_part
from powerstage.display.page import render
from powerstage.engine import sql_text
from powerstage.producer import MockSource, publish, synthesise
from powerstage.store import MemoryStore, Store
from tests.conftest import ROOT, START, clock


def _agreed(contract: Contract, *, reading: timedelta, delivery: timedelta) -> Contract:
    """The default contract with other intervals, of whole minutes at least."""
    minutes = f"value: {delivery // timedelta(minutes=1)}\n    unit: min"
    text = contract.text.replace("value: 1\n    unit: h", minutes)
    seconds = f"intervalSeconds: {reading // timedelta(seconds=1)}"
    return loads(text.replace("intervalSeconds: 3600", seconds), "agreed")


def _consumed(store: Store, lake: Path, contract: Contract | None = None) -> None:
    with Lake(lake, make=True) as opened:
        consume(store, opened, clock=clock, contract=contract)


def _look(lake: Path) -> Overview:
    with Lake(lake) as opened, Checker() as checker:
        return look_over(opened, checker, now=clock())


class _Edited:
    """A source of which some rows are others. A ``Source``."""

    def __init__(
        self, source: MockSource, *, inventory: str = "*", telemetry: str = "*", contract: Contract
    ) -> None:
        self._source, self.contract = source, contract
        self._inventory, self._telemetry = inventory, telemetry

    def parts(self) -> Sequence["_Edited"]:
        """All in one."""
        return [self]

    def periods(self) -> Sequence[datetime]:
        """Those of the source."""
        return self._source.periods()

    def snapshots(self) -> Sequence[datetime]:
        """Those of the source."""
        return self._source.snapshots()

    def write_inventory(self, period: datetime, path: Path) -> int:
        """That of the source, with other columns."""
        return _rewrite(path, self._inventory, self._source.write_inventory(period, path))

    def write_telemetry(self, period: datetime, path: Path) -> int:
        """That of the source, with other columns."""
        return _rewrite(path, self._telemetry, self._source.write_telemetry(period, path))


def _rewrite(path: Path, columns: str, rows: int) -> int:
    draft = path.with_suffix(".draft")
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT {columns} FROM read_parquet({sql_text(str(path))}))"
            f" TO {sql_text(str(draft))} (FORMAT parquet)"
        )
    draft.replace(path)
    return rows


def _feed(contract: Contract) -> Store:
    """Six devices of a day, clean."""
    store = MemoryStore()
    publish(synthesise(contract, devices=6, start=START, seed=7), store, clock=clock)
    return store


@pytest.mark.parametrize(
    ("reading_minutes", "delivery_minutes"),
    [(15, 90), (40, 120), (45, 180), (120, 1440), (480, 1440), (5, 15)],
)
def test_what_is_clean_lacks_nothing(
    contract: Contract, tmp_path: Path, reading_minutes: int, delivery_minutes: int
) -> None:
    """Whatever divides a day: there are as many readings as there should be, in each bucket."""
    agreed = _agreed(
        contract,
        reading=timedelta(minutes=reading_minutes),
        delivery=timedelta(minutes=delivery_minutes),
    )
    _consumed(_feed(agreed), tmp_path / "lake")
    seen = _look(tmp_path / "lake")
    assert seen.fleet.readings == seen.fleet.expected == 6 * 2 * 1440 // reading_minutes
    assert {known.use.readings - known.use.expected for known in seen.buckets} == {0}
    # Else the one of two buckets that has a reading more would seem to draw more.
    assert len({known.use.expected for known in seen.buckets if known.site == "DE-1"}) == 1


_DATES = "".join(
    f"""      - name: {name}
        logicalType: date
        physicalType: DATE
"""
    for name in ("commissioned", "retired")
)
_SERVICE = """      - name: devices are read while they serve
        type: custom
        engine: powerstage
        severity: error
        implementation:
          rule: service
          commissioned: commissioned
          retired: retired
"""
_HALL = """      - name: hall
        logicalType: string
        physicalType: VARCHAR
"""


_RULES = "    quality:\n      - name: every"
_IN_HALLS = (
    (_RULES, _HALL + _RULES),
    ("column: location\n      sites", "column: hall\n      sites"),
)
_IN_SERVICE = ((_RULES, _DATES + _RULES.replace("quality:\n", "quality:\n" + _SERVICE)),)


def _edited(text: str, changes: Sequence[tuple[str, str]]) -> str:
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("changes", [_IN_HALLS, _IN_SERVICE], ids=["site", "service"])
def test_a_lake_of_an_earlier_contract_is_read_on(
    contract: Contract, tmp_path: Path, changes: Sequence[tuple[str, str]]
) -> None:
    """What its inventories do not say is unknown, and no reason to stop."""
    agreed = _agreed(contract, reading=timedelta(hours=1), delivery=timedelta(hours=3))
    store, text = _feed(agreed), agreed.text.replace("version: 1.0.0", "version: 1.1.0")
    _consumed(store, tmp_path / "lake")
    before = _look(tmp_path / "lake")
    _consumed(store, tmp_path / "lake", loads(_edited(text, changes), "newer"))
    assert _look(tmp_path / "lake").fleet == before.fleet


def test_devices_are_due_until_they_are_retired(contract: Contract, tmp_path: Path) -> None:
    """The day of its retirement is the last of a device."""
    plain = _agreed(contract, reading=timedelta(hours=1), delivery=timedelta(hours=12))
    agreed = loads(_edited(plain.text, _IN_SERVICE), "service")
    source = synthesise(plain, devices=6, start=START, seed=7)
    dates = "*, DATE '2026-01-01' AS commissioned, DATE '2026-11-02' AS retired"
    store = MemoryStore()
    publish(_Edited(source, inventory=dates, contract=agreed), store, clock=clock)
    _consumed(store, tmp_path / "lake")
    seen = _look(tmp_path / "lake")
    assert (seen.fleet.readings, seen.fleet.expected, seen.ghosts) == (288, 288, ())


def test_where_all_readings_were_refused_all_are_lacking(
    contract: Contract, tmp_path: Path
) -> None:
    """The inventory was accepted, and says how many there should be."""
    agreed = _agreed(contract, reading=timedelta(hours=1), delivery=timedelta(hours=12))
    store = _feed(agreed)
    for known in store.list("data/telemetry/"):
        store.put(known.key, b"no Parquet")
    _consumed(store, tmp_path / "lake")
    seen = _look(tmp_path / "lake")
    assert (seen.fleet.readings, seen.fleet.expected) == (0, 288)


class _Moving(_Edited):
    """A source of two days of which, on the second, all devices are at one site."""

    def snapshots(self) -> Sequence[datetime]:
        """One for each day."""
        return [START, START + timedelta(days=1)]

    def write_inventory(self, period: datetime, path: Path) -> int:
        """That of the day."""
        return self._at(period).write_inventory(period, path)

    def write_telemetry(self, period: datetime, path: Path) -> int:
        """That of the day."""
        return self._at(period).write_telemetry(period, path)

    def _at(self, period: datetime) -> MockSource | _Edited:
        if period < START + timedelta(days=1):
            return self._source
        moved = "* REPLACE ('ND-02' AS location)"
        return _Edited(self._source, inventory=moved, telemetry=moved, contract=self.contract)


def test_sites_that_all_devices_left_are_told(contract: Contract, tmp_path: Path) -> None:
    """What they drew before is theirs: sites add up to the fleet."""
    agreed = _agreed(contract, reading=timedelta(hours=1), delivery=timedelta(hours=12))
    source = synthesise(agreed, devices=6, start=START, days=2, seed=7)
    store = MemoryStore()
    publish(_Moving(source, contract=agreed), store, clock=clock)
    _consumed(store, tmp_path / "lake")
    seen = _look(tmp_path / "lake")
    assert {site.site: site.devices for site in seen.sites if site.devices} == {"ND-02": 6}
    assert len(seen.sites) > 1
    assert sum(site.use.energy_kwh for site in seen.sites) == seen.fleet.energy_kwh


def test_the_mean_power_of_a_site_is_that_of_the_time_it_had_devices(
    contract: Contract, tmp_path: Path
) -> None:
    """On the second day it had none, and drew nothing."""
    agreed = _agreed(contract, reading=timedelta(hours=1), delivery=timedelta(hours=12))
    source = synthesise(agreed, devices=6, start=START, days=2, seed=7)
    store = MemoryStore()
    publish(_Moving(source, contract=agreed), store, clock=clock)
    _consumed(store, tmp_path / "lake")
    seen = _look(tmp_path / "lake")
    left = next(site for site in seen.sites if site.site == "DE-1")
    assert left.length == timedelta(days=1)
    mean = mean_kw(left)
    assert mean == pytest.approx(float(left.use.energy_kwh) / 24)


def test_who_was_silent_in_a_superseded_revision_is_not(contract: Contract, tmp_path: Path) -> None:
    """The last revision of each period counts."""
    agreed = _agreed(contract, reading=timedelta(hours=1), delivery=timedelta(hours=12))
    source, store = synthesise(agreed, devices=6, start=START, seed=7), MemoryStore()
    silent = "* REPLACE (CASE WHEN sn = min(sn) OVER () THEN 'CZJ0000000' ELSE sn END AS sn)"
    publish(_Edited(source, telemetry=silent, contract=agreed), store, clock=clock)
    _consumed(store, tmp_path / "lake")
    before = _look(tmp_path / "lake")
    assert (len(before.silent), len(before.ghosts)) == (1, 1)
    publish(source, store, clock=clock, revise="the right names")
    _consumed(store, tmp_path / "lake")
    seen = _look(tmp_path / "lake")
    assert (seen.silent, seen.ghosts) == ((), ())


@pytest.mark.parametrize("period", ["2900-12-31T1200", "9999-12-31T2359"])
def test_a_wrong_year_is_no_part_of_the_time(
    contract: Contract, tmp_path: Path, period: str
) -> None:
    """A delivery of then is refused and told; nothing is expected until then."""
    agreed = _agreed(contract, reading=timedelta(hours=1), delivery=timedelta(hours=12))
    store = _feed(agreed)
    store.put(f"commits/telemetry/{period}/r000000.json", b"{}")
    _consumed(store, tmp_path / "lake")
    seen = _look(tmp_path / "lake")
    assert [known.state for known in seen.deliveries] == ["on time", "on time", "rejected"]
    assert (seen.start, seen.end) == (START, START + timedelta(days=1))
    assert render(seen, tmp_path / "lake")


def test_many_sites_have_longer_buckets(contract: Contract, tmp_path: Path) -> None:
    """All of them fit into an answer of the worker."""
    text = _agreed(contract, reading=timedelta(hours=1), delivery=timedelta(days=1)).text
    codes = "".join(
        f"        - code: AA-{site:02}\n          timezone: UTC\n" for site in range(60)
    )
    agreed = loads(text[: text.index("        - code: ND-01")] + codes, "agreed")
    store = MemoryStore()
    source = synthesise(agreed, devices=60, start=START, days=21, seed=7)
    publish(source, store, clock=clock)
    _consumed(store, tmp_path / "lake")
    seen = _look(tmp_path / "lake")
    assert seen.bucket == timedelta(hours=3)
    assert seen.fleet.readings == seen.fleet.expected


@pytest.mark.parametrize("factor", ["1e9", "1e14", "1e250"])
def test_power_beyond_all_measure_is_no_end_of_the_lake(
    contract: Contract, tmp_path: Path, factor: str
) -> None:
    """Who agrees on no limit gets what is delivered."""
    plain = _agreed(contract, reading=timedelta(minutes=5), delivery=timedelta(hours=12))
    text = plain.text[: plain.text.index("      - name: power goes with")]
    text += plain.text[plain.text.index("slaDefaultElement") :]
    agreed = loads(text.replace("maximum: 2000", "maximum: 1.0e+300"), "agreed")
    source = synthesise(plain, devices=6, start=START, seed=7)
    store = MemoryStore()
    huge = f"* REPLACE (CASE unit WHEN 'W' THEN value * {factor} ELSE value END AS value)"
    publish(_Edited(source, telemetry=huge, contract=agreed), store, clock=clock)
    _consumed(store, tmp_path / "lake")
    seen = _look(tmp_path / "lake")
    assert seen.fleet.readings == seen.fleet.expected
    assert (seen.fleet.energy_kwh > 10_000_000_000) == (factor == "1e9")


def test_names_may_hold_what_ends_a_statement(contract: Contract, tmp_path: Path) -> None:
    """A folder and a measure are called as people like."""
    agreed = _agreed(contract, reading=timedelta(hours=1), delivery=timedelta(days=1))
    text = agreed.text[: agreed.text.index("      - name: power goes with")]
    text += agreed.text[agreed.text.index("slaDefaultElement") :]
    named = loads(text.replace(": server power", ': "power;\\n$top"'), "named")
    power = "'power;' || chr(10) || '$top'"
    rename = f"* REPLACE (CASE unit WHEN 'W' THEN {power} ELSE type END AS type)"
    source, store = synthesise(agreed, devices=6, start=START, seed=7), MemoryStore()
    publish(_Edited(source, telemetry=rename, contract=named), store, clock=clock)
    _consumed(store, tmp_path / "lake;\n")
    seen = _look(tmp_path / "lake;\n")
    assert seen.fleet.power_readings == seen.fleet.power_expected == 6 * 24


def test_power_that_is_fed_back_keeps_the_schema(contract: Contract, tmp_path: Path) -> None:
    """Energy is negative where a contract lets power be."""
    agreed = _agreed(contract, reading=timedelta(hours=1), delivery=timedelta(days=1))
    text = agreed.text[: agreed.text.index("      - name: power goes with")]
    text += agreed.text[agreed.text.index("slaDefaultElement") :]
    back = loads(
        text.replace(
            "minimum: 0\n              maximum: 2000", "minimum: -2000\n              maximum: 2000"
        ),
        "back",
    )
    negative = "* REPLACE (CASE unit WHEN 'W' THEN -value ELSE value END AS value)"
    source, store = synthesise(agreed, devices=6, start=START, seed=7), MemoryStore()
    publish(_Edited(source, telemetry=negative, contract=back), store, clock=clock)
    _consumed(store, tmp_path / "lake")
    seen = _look(tmp_path / "lake")
    assert seen.fleet.energy_kwh < 0
    schema = json.loads((ROOT / "powerstage/display/result.schema.json").read_text("utf-8"))
    jsonschema.validate(document("report", 0, page="report.html", **overview_part(seen)), schema)
    assert render(seen, tmp_path / "lake")


def test_what_is_due_is_that_of_the_revision_that_is_shown(
    contract: Contract, tmp_path: Path
) -> None:
    """A revision that was refused may refer to an inventory of other devices."""
    agreed = _agreed(contract, reading=timedelta(hours=1), delivery=timedelta(hours=12))
    store = MemoryStore()
    publish(synthesise(agreed, devices=6, start=START, seed=7), store, clock=clock)
    more = synthesise(agreed, devices=9, start=START, seed=7)
    wrong = "* REPLACE (value * 1e6 AS value)"
    edited = _Edited(more, telemetry=wrong, contract=agreed)
    publish(edited, store, clock=clock, revise="more devices")
    _consumed(store, tmp_path / "lake")
    seen = _look(tmp_path / "lake")
    assert {known.state for known in seen.deliveries} == {"rejected"}
    assert (seen.fleet.readings, seen.fleet.expected) == (288, 288)
