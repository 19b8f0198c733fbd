"""What is found about a feed as a whole: it needs several periods or a clock.

It is no part of any verdict, and stands in no receipt: deliveries that come later change it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from powerstage.checks.result import Check
from powerstage.contract import Contract, Slot
from powerstage.contract.calendar import find_gaps, in_runs, is_period


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFinding:
    """One thing that several periods, or the clock, show.

    ``start`` and ``end`` (UTC) are the time that it is about, ``numbers`` what shows it: names
    with their unit last, and values. ``device`` and ``measure`` are None where it is about none.
    """

    check: Check
    start: datetime
    end: datetime
    device: str | None = None
    measure: str | None = None
    numbers: tuple[tuple[str, float], ...] = ()

    def to_json(self) -> str:
        """All of it, for a place of our own."""
        times = {"start": self.start.isoformat(), "end": self.end.isoformat()}
        return json.dumps(asdict(self) | times, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What ``to_json`` wrote."""
        told = json.loads(text)
        times = {name: datetime.fromisoformat(told[name]) for name in ("start", "end")}
        numbers = tuple((name, value) for name, value in told["numbers"])
        return cls(**told | times | {"check": Check(**told["check"]), "numbers": numbers})


def feed_check(id_: str, words: str, expected: str) -> Check:
    """A check of the feed: it only warns."""
    return Check(
        id=id_, words=words, expected=expected, severity="warning", at="the feed", counts="findings"
    )


PERIOD_MISSING: Final = Check(
    id="period.missing",
    words="no period is missing",
    expected="a delivery for each period between the first and the last",
    severity="error",
    at="the feed",
    counts="periods",
)
PERIOD_LATE: Final = feed_check(
    "period.late", "every period arrives in time", "no later than the agreed latency after its end"
)
FEED_FRESH: Final = feed_check(
    "feed.fresh", "the feed goes on", "something new within the delivery interval and the latency"
)


def first_arrivals(written: Iterable[tuple[Slot, datetime]]) -> dict[datetime, datetime]:
    """When the first revision of each period of telemetry was written, by the store's clock."""
    arrivals: dict[datetime, datetime] = {}
    for slot, moment in sorted(written):
        if slot.dataset == "telemetry":
            arrivals.setdefault(slot.period, moment)
    return arrivals


def find_timeliness(
    contract: Contract, arrivals: Mapping[datetime, datetime], now: datetime
) -> tuple[FeedFinding, ...]:
    """Periods that are missing or came late, and whether the feed has stopped.

    A period that was due before the first delivery arrived is history that was handed in later,
    not late. A time before the end of its period is none of arrival: the store has no clock, or
    the days to come are rehearsed.

    Args:
        contract: how long a period is, and how long after its end it may arrive.
        arrivals: when each period arrived.
        now: the time.
    """
    interval, lateness = contract.delivery_interval, contract.lateness
    missing = [
        FeedFinding(
            check=PERIOD_MISSING,
            start=gap.first,
            end=gap.last + interval,
            numbers=(("periods", float(gap.periods)),),
        )
        for gap in find_gaps(arrivals, interval)
    ]
    known = _known(contract, arrivals)
    if not known:
        return tuple(missing)
    last = max(known.values())
    found = [*missing, *_late(late_periods(contract, arrivals), interval)]
    if now - last > interval + lateness:
        silent = (("hours_silent", round((now - last) / timedelta(hours=1), 2)),)
        found.append(FeedFinding(check=FEED_FRESH, start=last, end=now, numbers=silent))
    return tuple(found)


def late_periods(
    contract: Contract, arrivals: Mapping[datetime, datetime]
) -> dict[datetime, timedelta]:
    """The periods that came late, and by how much; as ``find_timeliness`` says."""
    known = _known(contract, arrivals)
    allowed = contract.delivery_interval + contract.lateness
    began = min(known.values(), default=None)
    return {
        period: moment - (period + allowed)
        for period, moment in known.items()
        if began is not None and began < period + allowed < moment
    }


def _known(contract: Contract, arrivals: Mapping[datetime, datetime]) -> dict[datetime, datetime]:
    """Arrivals that can be such."""
    interval = contract.delivery_interval
    return {
        period: moment
        for period, moment in arrivals.items()
        if is_period(period, interval) and moment >= period + interval
    }


def _late(late: Mapping[datetime, timedelta], interval: timedelta) -> list[FeedFinding]:
    """One finding for each run of late periods."""
    return [
        FeedFinding(
            check=PERIOD_LATE,
            start=run[0],
            end=run[-1] + interval,
            numbers=(
                ("periods", float(len(run))),
                (
                    "hours_late_max",
                    round(max(late[period] for period in run) / timedelta(hours=1), 2),
                ),
            ),
        )
        for run in in_runs(late, interval)
    ]
