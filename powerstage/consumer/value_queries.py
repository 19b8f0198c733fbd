"""SQL for findings about values, and the thresholds that it has."""

from collections.abc import Iterator
from datetime import timedelta
from math import log
from typing import Final

from powerstage.contract import Contract
from powerstage.contract.model import Measure
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
_NATS_MIN: Final = 18.0
_REPLAY_NATS_MIN: Final = 20.0
_STUCK_NATS_MAX: Final = 6.0
_ROUND_NATS_MAX: Final = 4.0
# A shift of less than this share of the power is within what honest changes make.
_SHARE_MIN: Final = 0.03
_PACKAGE: Final = "powerstage.consumer"


def reading_views(contract: Contract, readings: str, *, shares: int, share: int) -> list[str]:
    """Statements that create the view ``reading``: of a share of the devices.

    Its columns are device (a number; the table ``device`` has the names), measure, slot (the number
    of the interval since 1970) and value.

    Args:
        contract: what columns mean.
        readings: SQL for the readings, with the contract's columns.
        shares: how many shares of the devices there are.
        share: which of them is looked at; a number past the last begins anew.
    """
    roles = contract.roles
    device, stamp = sql_name(roles.device), f"epoch_us({sql_name(roles.stamp)})"
    interval_us = roles.reading_interval // timedelta(microseconds=1)
    start = stamp if roles.start is not None else f"({stamp} - {interval_us})"
    delivered = (
        f"SELECT {device} AS device, {sql_name(roles.measure)} AS measure,"
        f" {start} // {interval_us} AS slot, {sql_name(roles.value)}::DOUBLE AS value"
        f" FROM ({readings})"
    )
    return sql_statements(
        _PACKAGE, "reading.sql", delivered=delivered, shares=shares, share=share % shares
    )


def value_queries(contract: Contract, *, periods: int, batches: int) -> Iterator[list[str]]:
    """Statements over a view ``reading``, the last of each list a query for findings.

    Where nothing can be found in so few periods, nothing is asked.

    Args:
        contract: which measures there are, and how long intervals are.
        periods: how many periods the readings are of.
        batches: in how many parts the devices are looked at.
    """
    slots = periods * _period_slots(contract)
    power, load = contract.power, contract.load
    if power is not None and load is not None and slots >= _readings_min(contract):
        yield _against_lines(contract, power, load, batches)
    # A period of few readings is repeated by chance.
    nats_max = _period_slots(contract) * len(contract.measures) * log(slots + 1)
    if periods > 1 and nats_max >= _REPLAY_NATS_MIN:
        yield _replayed(contract, batches)


def _replayed(contract: Contract, batches: int) -> list[str]:
    slots = _period_slots(contract)
    return [
        *sql_statements(_PACKAGE, "repeated.sql", period_slots=slots),
        *(
            _file(
                "replayed.sql",
                period_slots=slots,
                nats_min=_REPLAY_NATS_MIN,
                batches=batches,
                batch=batch,
            )
            for batch in range(batches)
        ),
        f"FROM replayed ORDER BY name, slot_first LIMIT {_FINDINGS_MAX}",
    ]


def _against_lines(contract: Contract, power: Measure, load: Measure, batches: int) -> list[str]:
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
        "drift_min": _DRIFT_MIN,
        "readings_of_window_min": _WINDOW_READINGS_MIN,
        "slots_a_day": timedelta(days=1) / contract.roles.reading_interval,
        "batches": batches,
        **_jumps(contract),
        **_window(contract, "noisy", _NOISY),
        **_window(contract, "coarse", _COARSE),
        **_window(contract, "drift", _DRIFT),
    }
    return [
        *sql_statements(_PACKAGE, "paired.sql", **values),
        *(
            _file(name, batch=batch, **values)
            for batch in range(batches)
            for name in ("residual.sql", "stuck.sql", "candidate.sql")
        ),
        _file("finding.sql", findings_max=_FINDINGS_MAX),
    ]


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
