"""Periods in a row, and which of them are missing from a feed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A run of periods that nobody delivered: the first and the last, and how many."""

    first: datetime
    last: datetime
    periods: int


def period_of(moment: datetime, interval: timedelta) -> datetime:
    """The start of the period that a moment (UTC) falls into."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // interval * interval


def is_period(start: datetime, interval: timedelta) -> bool:
    """Whether a moment (UTC) starts a period, and one that ends before time does."""
    last = datetime.max.replace(tzinfo=start.tzinfo)
    return period_of(start, interval) == start and start <= last - interval


def in_runs(periods: Iterable[datetime], interval: timedelta) -> list[list[datetime]]:
    """The periods in their order, in runs without a gap."""
    runs: list[list[datetime]] = []
    for period in sorted(periods):
        if runs and period - runs[-1][-1] == interval:
            runs[-1].append(period)
        else:
            runs.append([period])
    return runs


def find_gaps(periods: Iterable[datetime], interval: timedelta) -> tuple[Gap, ...]:
    """The periods missing between the first and the last of some, in runs.

    A start that is none of a period counts for nothing.
    """
    ordered = sorted({period for period in periods if is_period(period, interval)})
    return tuple(
        Gap(
            first=before + interval, last=after - interval, periods=(after - before) // interval - 1
        )
        for before, after in pairwise(ordered)
        if after - before > interval
    )
