"""Which periods each fault gets: its own, in a row, neither the first nor the last of all."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from powerstage.contract import Contract
from powerstage.contract.calendar import in_runs
from powerstage.errors import UsageError
from powerstage.faults.draw import draw
from powerstage.faults.fault import Fault

# A period without a neighbour on both sides leaves no gap when it is missing.
_EDGES: Final = 2
_MICROSECOND: Final = timedelta(microseconds=1)


def lay_out(
    faults: Sequence[Fault], periods: Sequence[datetime], contract: Contract, *, seed: int
) -> dict[str, tuple[datetime, ...]]:
    """The periods of each fault, by its name.

    Raises:
        UsageError: there are too few, or no site's clock changes in one.
    """
    inner = list(periods[1:-1])
    lengths = {fault.name: _length(fault, contract.delivery_interval) for fault in faults}
    placed: dict[str, tuple[datetime, ...]] = {}
    for fault in faults:
        if fault.target.at_clock_change:
            period = clock_change(contract, inner, seed=seed)
            if period is None:
                raise UsageError(
                    f"{fault.name}: no site's clock changes between the first and the last period",
                    fix="--faults: leave it out, or --start a day before a clock change",
                )
            inner.remove(period)
            placed[fault.name] = (period,)
    runs = in_runs(inner, contract.delivery_interval)
    guests: list[dict[str, int]] = [{} for _ in runs]
    # The longest first: what is short fits in anywhere.
    for name in sorted(lengths, key=lambda name: (-lengths[name], draw(seed, name))):
        if name in placed:
            continue
        roomy = [
            index
            for index, run in enumerate(runs)
            if len(run) - sum(guests[index].values()) >= lengths[name]
        ]
        if not roomy:
            raise UsageError(
                f"faults: {len(faults)}, which need {sum(lengths.values()) + _EDGES} periods;"
                f" there are {len(periods)}",
                cause="each needs periods of its own, in a row, between the first and the last",
                fix="--faults: name fewer, or ask for more --days",
            )
        guests[roomy[draw(seed, f"run of {name}") % len(roomy)]][name] = lengths[name]
    for run, names in zip(runs, guests, strict=True):
        placed |= _seated(run, names, seed)
    return placed


def clock_change(contract: Contract, periods: Sequence[datetime], *, seed: int) -> datetime | None:
    """One of the periods in which a site's clock changes, or None."""
    changing = [period for period in periods if _changes(contract, period)]
    return changing[draw(seed, "clock change") % len(changing)] if changing else None


def _changes(contract: Contract, period: datetime) -> bool:
    moments = (period - _MICROSECOND, period + contract.delivery_interval - _MICROSECOND)
    zones = {site.timezone for site in contract.sites}
    return any(
        len({moment.astimezone(ZoneInfo(zone)).utcoffset() for moment in moments}) > 1
        for zone in zones
    )


def _length(fault: Fault, interval: timedelta) -> int:
    """How many periods a fault takes."""
    return max(fault.target.periods, -(-fault.target.lasts // interval))


def _seated(
    run: Sequence[datetime], names: Mapping[str, int], seed: int
) -> dict[str, tuple[datetime, ...]]:
    """The faults of a run, and the periods that nobody needs, in an order that the seed decides."""
    free = len(run) - sum(names.values())
    order = sorted(
        [*names, *(f"free {run[0]:%Y-%m-%dT%H:%M} {index}" for index in range(free))],
        key=lambda name: draw(seed, name),
    )
    seated, next_ = {}, 0
    for name in order:
        length = names.get(name, 1)
        if name in names:
            seated[name] = tuple(run[next_ : next_ + length])
        next_ += length
    return seated
