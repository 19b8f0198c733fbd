"""How many faults of each kind findings about the feed show, and how often they are wrong."""

from collections.abc import Iterator
from typing import Final

from powerstage.contract import default
from tests.benchmarks.report import Table
from tests.consumer.history import (
    KINDS,
    fault_of,
    found_in,
    history,
    share_found,
    spoil,
    with_intervals,
)

DAYS: Final = 9
# Devices for the recall, and for false alarms: a feed of the demo's size has thirty.
SPOILT: Final = 100
FEED: Final = 30
# Of each reading interval in seconds, the devices of all clean feeds; a fleet at a time.
CLEAN: Final = {3_600: 30_000, 300: 900}
_FLEET: Final = 1_500


def tables(smoke: bool) -> Iterator[Table]:
    """Which share is found of each kind, and how many findings clean readings have."""
    clean = {3_600: FEED} if smoke else CLEAN
    shares = {seconds: _shares(seconds) for seconds in clean}
    faults = [fault_of(default(), kind) for kind in KINDS]
    yield Table(
        name="recall",
        words=(
            f"A fault in each of {SPOILT} devices over {DAYS} days, at the magnitude of the"
            " catalogue, an hour delivered at a time: the share that is found."
        ),
        columns=("fault", "magnitude", "check", *map(_interval, clean)),
        rows=tuple(
            (
                f"`{fault.name}`",
                str(fault.magnitude),
                f"`{fault.check}`",
                *(f"{shares[seconds][fault.name]:.0%}" for seconds in clean),
            )
            for fault in faults
        ),
    )
    yield Table(
        name="false alarms",
        words=f"Findings on clean devices over {DAYS} days; a feed has {FEED}.",
        columns=("readings", "devices", "feeds", "findings"),
        rows=tuple(
            (_interval(seconds), devices, devices / FEED, _false_alarms(seconds, devices))
            for seconds, devices in clean.items()
        ),
    )


def _false_alarms(seconds: int, devices: int) -> int:
    contract = with_intervals(default(), reading_seconds=seconds, delivery_hours=1)
    wrong = 0
    for seed in range(devices // _FLEET or 1):
        clean = history(contract, devices=min(_FLEET, devices), days=DAYS, seed=seed)
        wrong += len(found_in(clean, contract, "clean"))
    return wrong


def _shares(seconds: int) -> dict[str, float]:
    contract = with_intervals(default(), reading_seconds=seconds, delivery_hours=1)
    connection = history(contract, devices=SPOILT, days=DAYS, seed=7)
    shares = {}
    for kind in KINDS:
        fault = fault_of(contract, kind)
        rows = spoil(connection, contract, fault, seed=7)
        shares[kind] = share_found(rows, fault, found_in(connection, contract, "spoilt"))
    return shares


def _interval(seconds: int) -> str:
    return f"readings of {seconds // 60} min"
