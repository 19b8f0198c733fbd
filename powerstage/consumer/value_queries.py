"""SQL for findings about values, and the thresholds that it has."""

from datetime import timedelta
from math import log
from typing import Final

from powerstage.contract import Contract
from powerstage.engine import sql_double, sql_file, sql_name, sql_statements, sql_text

_FINDINGS_MAX: Final = 1_000
# A device without so much history has no line.
HISTORY_MIN: Final = timedelta(days=2)
_READINGS_MIN: Final = 48
_PART_READINGS: Final = 24
_PARTS_MAX: Final = 72
_BLOCKS_MAX: Final = 24
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
_JUMP_MIN: Final = 6.4
_DRIFT_MIN: Final = 6.0
_NOISY_MIN: Final = 5.8
# By how much squared deviations grow at least: it counts where readings are of each minute or so.
_NOISY_SQUARES_MIN: Final = 2.0
_NATS_MIN: Final = 18.0
_REPLAY_NATS_MIN: Final = 20.0
_STUCK_NATS_MAX: Final = 6.0
_ROUND_NATS_MAX: Final = 4.0
# A shift of less than this share of the power is within what honest changes make.
_SHARE_MIN: Final = 0.03
_PACKAGE: Final = "powerstage.consumer"
# The view of all readings that are looked at, and of those that a second look is worth. The table
# of them is no temporary one: it is long, and stands in the database's file, if there is one.
_ALL: Final = "accepted_reading"
_WHICH: Final = "WHERE device IN (SELECT device FROM repeated)"


def value_statements(
    contract: Contract, readings: str, *, periods: int, shares: int, share: int, batches: int
) -> list[str]:
    """Statements of which the last is a query for findings.

    Its columns are id, device, first slot, last slot and numbers; a slot is the number of an
    interval since 1970. Only the table of all readings grows with them; the devices of a batch are
    looked at in memory. Where nothing can be found in so few periods, there are no statements.

    Args:
        contract: what columns mean, which measures there are, and how long intervals are.
        readings: SQL for the readings, with the contract's columns.
        periods: how many periods they are of.
        shares: how many shares of the devices there are.
        share: which of them is looked at; a number past the last begins anew.
        batches: in how many parts its devices are looked at.
    """
    slots = periods * _period_slots(contract)
    lines = _against_lines(contract, slots)
    repeated, replayed = _replayed(contract, periods, slots, "reading" if lines else _ALL)
    if not lines and not replayed:
        return []
    if lines:
        before, which, of_batch = [], "", [*lines, *repeated, *replayed]
    else:
        # Few devices have periods that may be repeated: the readings of no others are kept.
        before, which, of_batch = repeated, _WHICH, replayed
    return [
        *_accepted(contract, readings, shares=shares, share=share % shares, batches=batches),
        *before,
        f"CREATE OR REPLACE TABLE accepted AS FROM {_ALL} {which}",
        *sql_statements(_PACKAGE, "found.sql"),
        *(
            statement
            for batch in range(batches)
            for statement in (_file("reading.sql", batch=batch), *of_batch)
        ),
        _file("finding.sql", findings_max=_FINDINGS_MAX),
    ]


def _accepted(contract: Contract, readings: str, **values: object) -> list[str]:
    roles = contract.roles
    device, stamp = sql_name(roles.device), f"epoch_us({sql_name(roles.stamp)})"
    interval_us = roles.reading_interval // timedelta(microseconds=1)
    start = stamp if roles.start is not None else f"({stamp} - {interval_us})"
    delivered = (
        f"SELECT {device} AS device, {sql_name(roles.measure)} AS measure,"
        f" {start} // {interval_us} AS slot, {sql_name(roles.value)}::DOUBLE AS value"
        f" FROM ({readings})"
    )
    return sql_statements(_PACKAGE, "accepted.sql", delivered=delivered, **values)


def _replayed(
    contract: Contract, periods: int, slots: int, readings: str
) -> tuple[list[str], list[str]]:
    """Statements that find periods with one hash, and those that look at them closely."""
    period_slots = _period_slots(contract)
    # A period of few readings is repeated by chance.
    nats_max = period_slots * len(contract.measures) * log(slots + 1)
    if periods <= 1 or nats_max < _REPLAY_NATS_MIN:
        return [], []
    return (
        [_file("repeated.sql", readings=readings, period_slots=period_slots)],
        [_file("replayed.sql", period_slots=period_slots, nats_min=_REPLAY_NATS_MIN)],
    )


def _against_lines(contract: Contract, slots: int) -> list[str]:
    power, load = contract.power, contract.load
    if power is None or load is None or slots < _readings_min(contract):
        return []
    values: dict[str, object] = {
        "load": sql_text(load.name),
        "power": sql_text(power.name),
        "watts": sql_double(power.watts),
        "parts_max": _PARTS_MAX,
        "blocks_max": _BLOCKS_MAX,
        "part_readings": _PART_READINGS,
        "readings_min": _readings_min(contract),
        "deviation_min": _DEVIATION_MIN,
        "step": _STEP_WATTS,
        "off_max": _OFF_MAX,
        "round_nats_max": _ROUND_NATS_MAX,
        "stuck_nats_max": _STUCK_NATS_MAX,
        "nats_min": _NATS_MIN,
        "noisy_min": _NOISY_MIN,
        "noisy_squares_min": _NOISY_SQUARES_MIN,
        "drift_min": _DRIFT_MIN,
        "readings_of_window_min": _WINDOW_READINGS_MIN,
        "slots_a_day": timedelta(days=1) / contract.roles.reading_interval,
        **_jumps(contract),
        **_window(contract, "noisy", _NOISY),
        **_window(contract, "coarse", _COARSE),
        **_window(contract, "drift", _DRIFT),
    }
    names = ("paired.sql", "residual.sql", "stuck.sql", "candidate.sql")
    return [_file(name, **values) for name in names]


def _jumps(contract: Contract) -> dict[str, str]:
    """The parts of the query that each length of a jump has."""
    names = {f"jump{length // timedelta(hours=1)}": length for length in _JUMPS}
    windows = {name: _window(contract, name, length) for name, length in names.items()}
    sums = (
        "off - lag(off, {1}, 0e0) OVER () AS {0}, offs - lag(offs, {1}, 0) OVER () AS {0}_readings,"
        " (expected - lag(expected, {1}, 0e0) OVER ()) / {1} AS {0}_expected, {2} AS {0}_first"
    )
    return {
        "jump_sums": ", ".join(
            sums.format(name, window[name], window[f"{name}_first"])
            for name, window in windows.items()
        ),
        "jumps": " UNION ALL ".join(
            _file("jump.sql", jump=name, jump_min=_JUMP_MIN, share_min=_SHARE_MIN) for name in names
        ),
    }


def _window(contract: Contract, name: str, length: timedelta) -> dict[str, object]:
    """How many readings a window has, and SQL for its first slot: null where it is not whole."""
    readings = max(1, length // contract.roles.reading_interval)
    first = f"lag({{}}, {readings - 1}) OVER ()"
    return {
        name: readings,
        f"{name}_first": f"CASE WHEN {first.format('device')} = device"
        f" THEN {first.format('slot')} END",
    }


def _period_slots(contract: Contract) -> int:
    return contract.delivery_interval // contract.roles.reading_interval


def _readings_min(contract: Contract) -> int:
    return max(_READINGS_MIN, HISTORY_MIN // contract.roles.reading_interval)


def _file(name: str, **values: object) -> str:
    return sql_file(_PACKAGE, name, **values)
