"""Periods in a row: which of them are missing from a feed."""

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


def find_gaps(periods: Iterable[datetime], interval: timedelta) -> tuple[Gap, ...]:
    """The periods missing between the first and the last of some, in runs."""
    ordered = sorted(set(periods))
    return tuple(
        Gap(
            first=before + interval, last=after - interval, periods=(after - before) // interval - 1
        )
        for before, after in pairwise(ordered)
        if after - before > interval
    )
