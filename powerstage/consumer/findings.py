"""What several periods show of the values: sensors that stick, drift, jump, and the like.

The power of each device is held against a line of its own: medians over the load that it had.
Nothing else is known of it, and what is neither power (W, kW) nor load (%) has no line; only a
repeated period is seen without one. The thresholds are such that clean mock data show nothing;
``docs/findings.md`` has what they find of each kind of fault.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from powerstage.checks import Check, Checker, FeedFinding, feed_check, held_to_form
from powerstage.consumer.accepted_rows import files_query
from powerstage.consumer.lake import Lake
from powerstage.contract import Contract
from powerstage.engine import sql_double, sql_file, sql_name, sql_text

# What is looked at: the last weeks, and of a large fleet so many readings of them at most.
WINDOW: Final = timedelta(days=28)
READINGS_MAX: Final = 20_000_000
# The devices are looked at in so many readings at a time: the worker's memory has an end.
_BATCH_READINGS: Final = 2_000_000
_FINDINGS_MAX: Final = 1_000

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

# A device without so much history has no line.
_HISTORY_MIN: Final = timedelta(days=2)
_READINGS_MIN: Final = 48
_PART_READINGS: Final = 24
_PARTS_MAX: Final = 24
_NEAR_MIN: Final = 12
_NEAR_MAX: Final = 50
# A meter of whole watts: none is more exact than this.
_DEVIATION_MIN: Final = 0.5
# A reading that is further off, in deviations, counts as this: one spike is no finding.
_OFF_MAX: Final = 4.0
# Windows: long enough to show it, and no longer than a day's work takes to look into.
_JUMPS: Final = tuple(timedelta(hours=hours) for hours in (3, 6, 12, 24, 48))
_NOISY: Final = timedelta(hours=6)
_COARSE: Final = timedelta(hours=12)
_DRIFT: Final = timedelta(days=2)
_WINDOW_READINGS_MIN: Final = 4
_STEP_WATTS: Final = 10
# Thresholds. In deviations of a normal distribution, or nats: the logarithm of how improbable it
# is. A thousand clean feeds stay below all of them.
_JUMP_MIN: Final = 6.2
_DRIFT_MIN: Final = 6.0
_NOISY_MIN: Final = 5.8
_NATS_MIN: Final = 18.0
_REPLAY_NATS_MIN: Final = 20.0
_STUCK_NATS_MAX: Final = 6.0
_ROUND_NATS_MAX: Final = 4.0
# A shift of less than this share of the power is within what honest changes make.
_SHARE_MIN: Final = 0.03
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PACKAGE: Final = "powerstage.consumer"


def value_checks(contract: Contract) -> tuple[Check, ...]:
    """Those that a contract has: without power or load no device has a line."""
    if contract.power is None or contract.load is None:
        return tuple(check for check in VALUE_CHECKS if check.id in _WITHOUT_A_LINE)
    return VALUE_CHECKS


def find_values(lake: Lake, checker: Checker, contract: Contract) -> tuple[FeedFinding, ...]:
    """What the accepted readings of the last weeks show, in the order of devices and times.

    Of each period the highest accepted revision counts, in whatever order it came.

    Raises:
        WorkerError: the worker could not look at them.
    """
    files, readings = _recent(lake)
    if not readings:
        return ()
    query = files_query(contract, "telemetry", files)
    with held_to_form("findings"):
        return findings_of(
            contract,
            query,
            lambda statements: checker.ask_rows(statements, files),
            batches=-(-readings // _BATCH_READINGS),
        )


def findings_of(
    contract: Contract,
    readings: str,
    ask: Callable[[Sequence[str]], Sequence[Sequence[Any]]],
    *,
    batches: int = 1,
) -> tuple[FeedFinding, ...]:
    """What some readings show.

    Args:
        contract: which measures there are, and how long intervals are.
        readings: SQL for the readings, with the contract's columns.
        ask: runs statements in a database of their own, and gives the rows of the last.
        batches: in how many parts the devices are looked at.
    """
    found = [
        _finding(contract, row)
        for batch in range(batches)
        for statements in _statements(contract)
        for row in ask([_reading_view(contract, readings, batch, batches), *statements])
    ]
    return tuple(sorted(found, key=_place))


def _statements(contract: Contract) -> Iterator[list[str]]:
    """Statements over a view ``reading``, the last of each list a query for findings."""
    interval = contract.roles.reading_interval
    period = contract.delivery_interval // interval
    yield [
        _file(
            "replayed.sql",
            period_slots=period,
            nats_min=_REPLAY_NATS_MIN,
            findings_max=_FINDINGS_MAX,
        )
    ]
    power, load = contract.power, contract.load
    if power is None or load is None:
        return
    yield [
        _file(
            "residual.sql",
            load=sql_text(load.name),
            power=sql_text(power.name),
            watts=sql_double(power.watts),
            parts_max=_PARTS_MAX,
            part_readings=_PART_READINGS,
            readings_min=max(_READINGS_MIN, _HISTORY_MIN // interval),
            near_min=_NEAR_MIN,
            near_max=_NEAR_MAX,
            deviation_min=_DEVIATION_MIN,
            step=_STEP_WATTS,
            off_max=_OFF_MAX,
        ),
        _file(
            "candidate.sql",
            step=_STEP_WATTS,
            round_nats_max=_ROUND_NATS_MAX,
            stuck_nats_max=_STUCK_NATS_MAX,
            nats_min=_NATS_MIN,
            **_jumps(contract),
            noisy_before=_before(contract, _NOISY),
            noisy_min=_NOISY_MIN,
            readings_of_window_min=_WINDOW_READINGS_MIN,
            coarse_before=_before(contract, _COARSE),
            drift_before=_before(contract, _DRIFT),
            drift_min=_DRIFT_MIN,
            slots_a_day=timedelta(days=1) / interval,
        ),
        _file("finding.sql", findings_max=_FINDINGS_MAX),
    ]


def _reading_view(contract: Contract, readings: str, batch: int, batches: int) -> str:
    """A statement that creates the view ``reading``: of the devices of a batch.

    Its columns are device, measure, slot (the number of the interval since 1970) and value.
    """
    roles = contract.roles
    device, stamp = sql_name(roles.device), f"epoch_us({sql_name(roles.stamp)})"
    interval_us = roles.reading_interval // timedelta(microseconds=1)
    start = stamp if roles.start is not None else f"({stamp} - {interval_us})"
    return (
        f"CREATE OR REPLACE TEMP VIEW reading AS SELECT {device} AS device,"
        f" {sql_name(roles.measure)} AS measure, {start} // {interval_us} AS slot,"
        f" {sql_name(roles.value)}::DOUBLE AS value FROM ({readings})"
        f" WHERE md5_number_lower({device}) % {batches} = {batch}"
    )


def _recent(lake: Lake) -> tuple[list[Path], int]:
    """The files of the latest periods within the window, and how many readings they hold."""
    exposed = lake.ledger.exposed("telemetry")
    files: list[Path] = []
    readings = 0
    for slot, digests in reversed(exposed):
        entry = lake.ledger.entry(slot)
        readings += entry.rows if entry else 0
        if exposed[-1][0].period - slot.period >= WINDOW or readings > READINGS_MAX:
            readings -= entry.rows if entry else 0
            break
        files += [lake.data_path(digest) for digest in digests]
    return sorted(files), readings


def _place(finding: FeedFinding) -> tuple[str, datetime, str]:
    return finding.device or "", finding.start, finding.check.id


def _jumps(contract: Contract) -> dict[str, str]:
    """The parts of the query that each length of a jump has."""
    before = {f"jump{length // timedelta(hours=1)}": _before(contract, length) for length in _JUMPS}
    sums = "sum(off) OVER {0} AS {0}, count(off) OVER {0} AS {0}_readings"
    expected = "avg(expected) OVER {0} AS {0}_expected"
    window = "{} AS (PARTITION BY device ORDER BY slot RANGE BETWEEN {} PRECEDING AND CURRENT ROW)"
    return {
        "jump_sums": ", ".join(f"{sums}, {expected}".format(name) for name in before),
        "jump_windows": ", ".join(window.format(name, count) for name, count in before.items()),
        "jumps": " UNION ALL ".join(
            _file("jump.sql", jump=name, before=count, jump_min=_JUMP_MIN, share_min=_SHARE_MIN)
            for name, count in before.items()
        ),
    }


def _before(contract: Contract, length: timedelta) -> int:
    """How many intervals of a window of this length are before its last."""
    return max(0, length // contract.roles.reading_interval - 1)


def _file(name: str, **values: object) -> str:
    return sql_file(_PACKAGE, name, **values)


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
