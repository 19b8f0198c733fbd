"""Lakes for the page to show: one with everything that can be wrong, one that is all hostile."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from powerstage.checks import Checker
from powerstage.consumer import Lake, consume
from powerstage.consumer.look_over import look_over
from powerstage.consumer.overview import Overview
from powerstage.contract import CommitKey, Contract, Slot, loads
from powerstage.engine import sql_text
from powerstage.faults import Injector, PlannedFault, plan_faults
from powerstage.producer import MockSource, publish, synthesise
from powerstage.store import FolderStore
from tests.conftest import START, clock
from tests.consumer.history import with_intervals

FAULTS = ("nan_value", "missing_hour", "silent_device", "ghost_device", "restated_site")
LATE_BY = timedelta(hours=5)
_SITES_RULE = """\
    quality:
      - name: every device at one of the sites (custom property sites)
        type: custom
        engine: powerstage
        severity: error
        implementation:
          rule: sites
"""
SCRIPT = "<script>window.hacked = 1</script>"
IMAGE = '<img src=x onerror="window.hacked = 1">'


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A lake, what was done to its feed, and the overview of it."""

    lake: Path
    feed: Path
    overview: Overview
    planned: dict[str, PlannedFault]
    late: Slot | None = None

    def ask(self, query: str) -> list[Any]:
        """Rows of a query over its views."""
        with duckdb.connect(str(self.lake / "lake.duckdb"), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(query).fetchall()


def look(lake: Path) -> Overview:
    """The overview of a lake, now."""
    with Lake(lake) as opened, Checker() as checker:
        return look_over(opened, checker, now=clock())


def faulty_lake(contract: Contract, folder: Path) -> Shown:
    """Three days of 24 devices in deliveries of three hours; one refused, one late, and so on."""
    agreed = with_intervals(contract, reading_seconds=3600, delivery_hours=3)
    source = synthesise(agreed, devices=24, start=START, days=3, seed=7)
    plan = plan_faults(source, FAULTS, seed=7)
    injector, store = Injector(plan, agreed), FolderStore(folder / "feed")
    publish(injector.source(source), injector.store(store), clock=clock)
    spoilt = {period for planned in plan for period in planned.periods}
    late = next(period for period in source.periods()[3:] if period not in spoilt)
    slots = [
        Slot(dataset="telemetry", period=period)
        for period in source.periods()
        if store.head(str(CommitKey(slot=Slot(dataset="telemetry", period=period))))
    ]
    for slot in slots:
        moment = slot.period + agreed.delivery_interval
        if slot.period == late:
            moment += agreed.lateness + LATE_BY
        os.utime(folder / "feed" / str(CommitKey(slot=slot)), (moment.timestamp(),) * 2)
    with Lake(folder / "lake", make=True) as lake:
        consume(store, lake, clock=clock)
    return Shown(
        lake=folder / "lake",
        feed=folder / "feed",
        overview=look(folder / "lake"),
        planned={planned.fault.name: planned for planned in plan},
        late=Slot(dataset="telemetry", period=late),
    )


class _Hostile:
    """A source whose devices, models and sites are HTML. A ``Source``."""

    def __init__(self, source: MockSource) -> None:
        self._source = source
        self.contract = source.contract

    def parts(self) -> Sequence["_Hostile"]:
        """All in one."""
        return [self]

    def periods(self) -> Sequence[datetime]:
        """Those of the source."""
        return self._source.periods()

    def snapshots(self) -> Sequence[datetime]:
        """Those of the source."""
        return self._source.snapshots()

    def write_inventory(self, period: datetime, path: Path) -> int:
        """That of the source, with other names."""
        rows = self._source.write_inventory(period, path)
        self._rename(path)
        return rows

    def write_telemetry(self, period: datetime, path: Path) -> int:
        """That of the source, with other names; of the second period, a value out of range."""
        rows = self._source.write_telemetry(period, path)
        self._rename(path, "value * 1e6" if period == self.periods()[1] else "value")
        return rows

    def _rename(self, path: Path, value: str = "") -> None:
        draft = path.with_suffix(".draft")
        values = f", {value} AS value" if value else ""
        with duckdb.connect() as connection:
            connection.execute(
                f"COPY (SELECT * REPLACE (sn || {sql_text(IMAGE)} AS sn,"
                f" {sql_text(SCRIPT)} AS model, location || {sql_text(SCRIPT)} AS location{values})"
                f" FROM {sql_text(str(path))}) TO {sql_text(str(draft))} (FORMAT parquet)"
            )
        draft.replace(path)


def hostile_lake(contract: Contract, folder: Path) -> Shown:
    """A day of three devices with names that are HTML; one delivery is refused, one corrected."""
    text = with_intervals(contract, reading_seconds=3600, delivery_hours=12).text
    for rule in ("'^[0-9A-Z]{10}$'", "'^[A-Z]{2}(-[A-Z]{1,2})?-[0-9A-Z]{1,2}$'"):
        assert rule in text
        text = text.replace(rule, "'^.*$'")
    assert _SITES_RULE in text
    agreed = loads(text.replace(_SITES_RULE, ""), "hostile")
    store = FolderStore(folder / "feed")
    for seed, reason in ((7, ""), (8, f"late data {IMAGE}")):
        source = synthesise(agreed, devices=3, start=START, days=1, seed=seed)
        publish(_Hostile(source), store, clock=clock, revise=reason)
    with Lake(folder / "lake", make=True) as lake:
        consume(store, lake, clock=clock)
    return Shown(
        lake=folder / "lake", feed=folder / "feed", overview=look(folder / "lake"), planned={}
    )
