"""How many faults of each kind findings about the feed show, and how often they are wrong."""

from collections.abc import Iterator
from typing import Final

from powerstage.contract import default
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


def recall() -> Iterator[str]:
    """A row for each kind: which share is found at each reading interval."""
    yield "| fault | magnitude | check | " + " | ".join(_interval(known) for known in CLEAN) + " |"
    yield "| --- | --- | --- |" + " --- |" * len(CLEAN)
    shares = {seconds: _shares(seconds) for seconds in CLEAN}
    for kind in KINDS:
        fault = fault_of(default(), kind)
        found = " | ".join(f"{shares[seconds][kind]:.0%}" for seconds in CLEAN)
        yield f"| `{kind}` | {fault.magnitude} | `{fault.check}` | {found} |"


def false_alarms() -> Iterator[str]:
    """How many findings there are on clean readings."""
    for seconds, devices in CLEAN.items():
        contract = with_intervals(default(), reading_seconds=seconds, delivery_hours=1)
        wrong = 0
        for seed in range(devices // _FLEET or 1):
            clean = history(contract, devices=min(_FLEET, devices), days=DAYS, seed=seed)
            wrong += len(found_in(clean, contract, "clean"))
        yield (
            f"{wrong} findings on {devices:,} clean devices ({devices // FEED:,} feeds of"
            f" {FEED}), {_interval(seconds)}, {DAYS} days."
        )


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
