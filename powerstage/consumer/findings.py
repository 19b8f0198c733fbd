"""What several periods show of the values: sensors that stick, drift, jump, and the like.

The power of each device is held against a line of its own over the load that it had.
Nothing else is known of it, and what is neither power (W, kW) nor load (%) has no line; only a
repeated period is seen without one. The thresholds are such that clean mock data show nothing;
``docs/findings.md`` has what they find of each kind of fault.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from powerstage.checks import Check, Checker, FeedFinding, feed_check, held_to_form
from powerstage.consumer.accepted_rows import files_query
from powerstage.consumer.lake import Lake
from powerstage.consumer.receipts import rules_of
from powerstage.consumer.value_queries import value_statements
from powerstage.contract import Contract

# What is looked at: the last weeks, and of a fleet that has more readings in them a share of the
# devices, another one each day.
WINDOW: Final = timedelta(days=28)
READINGS_MAX: Final = 30_000_000
# The devices are looked at in so many readings at a time: the worker's memory has an end.
_BATCH_READINGS: Final = 1_000_000

VALUE_CHECKS: Final = tuple(
    feed_check(id_, words, expected)
    for id_, words, expected in (
        ("value.stuck", "power moves when load does", "another value when load has moved"),
        ("value.coarse", "power comes in fine steps", "steps as fine as in its history"),
        ("value.noisy", "power is no noisier than it was", "the deviation of its history"),
        ("value.jump", "power is not shifted against load", "the device's own line over load"),
        ("value.drift", "power does not drift against load", "the device's own line over load"),
        ("value.replayed", "no period says what an earlier one said", "values of its own"),
    )
)
_WITHOUT_A_LINE: Final = frozenset({"value.replayed"})
_BY_ID: Final = {check.id: check for check in VALUE_CHECKS}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOOKED_AT: Final = "looked at"


def value_checks(contract: Contract) -> tuple[Check, ...]:
    """Those that a contract has: without power or load no device has a line."""
    if contract.power is None or contract.load is None:
        return tuple(check for check in VALUE_CHECKS if check.id in _WITHOUT_A_LINE)
    return VALUE_CHECKS


def find_values(lake: Lake, checker: Checker, contract: Contract) -> tuple[FeedFinding, ...]:
    """What the accepted readings of the last weeks show, in the order of devices and times.

    Of each period the highest accepted revision counts, in whatever order it came. Where nothing
    was accepted since they were looked at last, and the contract is the same, it is what it was.

    Raises:
        WorkerError: the worker could not look at them.
    """
    ledger = lake.ledger
    looked_at = f"{rules_of(contract)} {ledger.accepted_count()}"
    if ledger.fact(_LOOKED_AT) == looked_at:
        return tuple(ledger.value_findings())
    periods, files, readings = _recent(lake)
    with held_to_form("findings"):
        found = findings_of(
            contract,
            files_query(contract, "telemetry", files),
            lambda statements: checker.ask_rows(statements, files, in_file=True),
            periods=len(periods),
            shares=_parts(readings, READINGS_MAX),
            share=max(periods, default=_EPOCH).toordinal(),
            batches=_parts(min(readings, READINGS_MAX), _BATCH_READINGS),
        )
    ledger.set_value_findings(found)
    ledger.set_fact(_LOOKED_AT, looked_at)
    return found


def findings_of(
    contract: Contract,
    readings: str,
    ask: Callable[[Sequence[str]], Sequence[Sequence[Any]]],
    *,
    periods: int,
    shares: int = 1,
    share: int = 0,
    batches: int = 1,
) -> tuple[FeedFinding, ...]:
    """What some readings show.

    Args:
        contract: which measures there are, and how long intervals are.
        readings: SQL for the readings, with the contract's columns.
        ask: runs statements in a database of their own, and gives the rows of the last.
        periods: how many periods they are of.
        shares: how many shares of the devices there are.
        share: which of them is looked at; a number past the last begins anew.
        batches: in how many parts its devices are looked at.
    """
    statements = value_statements(
        contract, readings, periods=periods, shares=shares, share=share, batches=batches
    )
    found = [_finding(contract, row) for row in ask(statements)] if statements else []
    return tuple(sorted(found, key=_place))


def _recent(lake: Lake) -> tuple[list[datetime], list[Path], int]:
    """The latest periods within the window, their files, and how many readings they hold."""
    exposed = lake.ledger.exposed("telemetry")
    recent = [item for item in exposed if exposed[-1][0].period - item[0].period < WINDOW]
    shown = {slot for slot, _ in recent}
    return (
        [slot.period for slot in shown],
        sorted(lake.data_path(digest) for _, digests in recent for digest in digests),
        sum(entry.rows for entry in lake.ledger.entries() if entry.slot in shown),
    )


def _parts(readings: int, readings_max: int) -> int:
    return max(1, -(-readings // readings_max))


def _place(finding: FeedFinding) -> tuple[str, datetime, str]:
    return finding.device or "", finding.start, finding.check.id


def _finding(contract: Contract, row: Sequence[Any]) -> FeedFinding:
    """Only ids, times and numbers are taken from the worker: words are ours."""
    id_, device, first, last, numbers = row
    check = _BY_ID[id_]
    interval, power = contract.roles.reading_interval, contract.power
    return FeedFinding(
        check=check,
        device=str(device),
        # A period is repeated in all its measures.
        measure=None if check.id in _WITHOUT_A_LINE or power is None else power.name,
        start=_EPOCH + int(first) * interval,
        end=_EPOCH + (int(last) + 1) * interval,
        numbers=tuple((str(name), round(float(value), 2)) for name, value in numbers.items()),
    )
