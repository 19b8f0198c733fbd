"""Readings of many devices over some days, clean or with one fault in each, and what is found.

Devices are looked at one by one, so a fleet of a thousand is as many small feeds at once. Faults
are put in by the catalogue's own records, at their own magnitudes.
"""

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb

from powerstage.checks import FeedFinding
from powerstage.consumer.findings import WINDOW, findings_of
from powerstage.contract import Contract, loads
from powerstage.engine import connect, sql_text
from powerstage.faults import Fault, catalogue
from powerstage.faults.changes import PlanRow, changed_readings, create_plan
from powerstage.faults.draw import draw
from powerstage.faults.fault import Change
from powerstage.producer import synthesise

START: Final = datetime(2026, 11, 2, tzinfo=UTC)
KINDS: Final = (
    "stuck_value",
    "power_drift",
    "power_offset",
    "noise_burst",
    "coarse_rounding",
    "swapped_devices",
    "replayed_hour",
)
_MICROSECOND: Final = timedelta(microseconds=1)
# Not in the first hours of a day alone, nor at the edges of the history.
_FIRST_HOURS: Final = 24
_POWER: Final = "server power"


def with_intervals(contract: Contract, *, reading_seconds: int, delivery_hours: int) -> Contract:
    """The default contract with other intervals."""
    text = contract.text.replace("value: 1\n    unit: h", f"value: {delivery_hours}\n    unit: h")
    text = text.replace("intervalSeconds: 3600", f"intervalSeconds: {reading_seconds}")
    return loads(text, "agreed")


def history(
    contract: Contract, *, devices: int, days: int, seed: int, only: range | None = None
) -> duckdb.DuckDBPyConnection:
    """A connection with a table ``clean``: all readings of a fleet, or ``only`` of some places.

    It is made in deliveries of a day, which are few; no value depends on that.
    """
    seconds = contract.roles.reading_interval // timedelta(seconds=1)
    daily = with_intervals(contract, reading_seconds=seconds, delivery_hours=24)
    source = synthesise(daily, devices=devices, start=START, days=days, seed=seed)
    source = source if only is None else source.part(only)
    connection = connect(threads=1)
    with tempfile.TemporaryDirectory(prefix="powerstage-history-") as folder:
        for period in source.periods():
            source.write_telemetry(period, Path(folder, f"{period:%Y-%m-%d}.parquet"))
        query = f"FROM read_parquet({sql_text(f'{folder}/*.parquet')})"
        connection.execute(f"CREATE TABLE clean AS {query} ORDER BY sn, start_time, type")
    return connection


def found_in(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    table: str,
    *,
    shares: int = 1,
    share: int = 0,
    batches: int = 1,
) -> tuple[FeedFinding, ...]:
    """What is found in a table of readings."""
    return findings_of(
        contract,
        f"FROM {table}",
        lambda statements: [connection.execute(text).fetchall() for text in statements][-1],
        periods=WINDOW // contract.delivery_interval,
        shares=shares,
        share=share,
        batches=batches,
    )


def fault_of(contract: Contract, name: str) -> Fault:
    """The record of the catalogue."""
    return next(fault for fault in catalogue(contract) if fault.name == name)


def spoil(
    connection: duckdb.DuckDBPyConnection, contract: Contract, fault: Fault, *, seed: int
) -> list[PlanRow]:
    """Create a table ``spoilt``: a fault in each device that it may hit, when the seed says."""
    (change,) = fault.effects
    assert isinstance(change, Change)
    length = max(fault.target.lasts, contract.delivery_interval)
    before_us = contract.roles.reading_interval // _MICROSECOND
    delivery_us = contract.delivery_interval // _MICROSECOND
    hours = connection.execute(
        "SELECT date_diff('hour', min(start_time), max(start_time)) FROM clean"
    ).fetchall()[0][0]
    hours_free = hours - length // timedelta(hours=1) - 2 * _FIRST_HOURS
    rows = []
    for device, twin in _devices(connection, fault):
        place = draw(seed, f"{fault.name} in {device}")
        first = START + timedelta(hours=_FIRST_HOURS + place % hours_free)
        first_us = int(first.timestamp()) * 1_000_000
        rows += [
            PlanRow(
                device=one,
                measure=_POWER if fault.target.measures == "power" else None,
                first_us=first_us,
                last_us=first_us + length // _MICROSECOND - 1,
                other_device=other,
                other_start_us=first_us - before_us if change.donor == "before all" else None,
                earlier_us=delivery_us if change.donor == "before" else 0,
                draw=place,
            )
            for one, other in ([(device, twin), (twin, device)] if twin else [(device, None)])
        ]
    connection.execute("CREATE OR REPLACE TEMP VIEW other AS FROM clean")
    create_plan(connection, rows)
    connection.execute(f"CREATE OR REPLACE TABLE spoilt AS {changed_readings(contract, change)}")
    return rows


def share_found(rows: list[PlanRow], fault: Fault, found: Sequence[FeedFinding]) -> float:
    """How many of the faults in a plan are found by their own check, on a device that they hit."""
    seen = {
        row.device
        for row in rows
        for finding in found
        if finding.device == row.device
        and finding.check.id == fault.check
        and _overlap(row, finding)
    }
    # Of a pair, one device is enough.
    faults = {frozenset({row.device, row.other_device} - {None}) for row in rows}
    return sum(bool(devices & seen) for devices in faults) / len(faults)


def _overlap(row: PlanRow, finding: FeedFinding) -> bool:
    first, last = (moment.timestamp() * 1e6 for moment in (finding.start, finding.end))
    return first <= row.last_us and last > row.first_us


def _devices(connection: duckdb.DuckDBPyConnection, fault: Fault) -> list[tuple[str, str | None]]:
    """The devices that a fault may hit, as the catalogue has it; each with its twin for a pair."""
    if fault.target.devices == "pair":
        return connection.execute(
            """
            SELECT sn, twin
            FROM (
                SELECT sn, lead(sn) OVER series AS twin, row_number() OVER series AS place
                FROM (SELECT DISTINCT sn, model FROM clean)
                WINDOW series AS (PARTITION BY model ORDER BY sn)
            )
            WHERE place % 2 = 1 AND twin IS NOT NULL
            """
        ).fetchall()
    least = 20 if fault.target.devices == "busy" else 0
    return connection.execute(
        "SELECT sn, NULL FROM clean WHERE type = 'server cpu utilization'"
        f" GROUP BY sn HAVING avg(value) > {least} ORDER BY sn"
    ).fetchall()
