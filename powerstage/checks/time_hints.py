"""Guesses at the cause of findings about time: local time, summer time, another grid."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from powerstage.checks.plan import Window
from powerstage.checks.result import CheckResult, Report, Sample
from powerstage.contract.model import Contract

_HOUR = timedelta(hours=1)


def shift_hints(
    finding: CheckResult, report: Report, contract: Contract, window: Window | None
) -> Iterator[str]:
    """Readings outside of their period: by how much, if all by the same."""
    starts = [start for sample in finding.samples if (start := _start(sample, contract))]
    if not starts or window is None:
        return
    by = _shift(starts, report, contract, window)
    if not by or by % timedelta(minutes=15):
        return
    words = f"all of them are {_length(abs(by))} {'late' if by > timedelta() else 'early'}"
    zones = [site.timezone for site in contract.sites if _offset(site.timezone, starts[0]) == by]
    if zones:
        yield f"{words}, as local time of {zones[0]} is to UTC: write stamps as UTC"
    elif abs(by) == _HOUR:
        yield f"{words}: summer time, or the file of another hour"
    else:
        yield f"{words}: local time written as UTC, or the file of another period"


def grid_hints(finding: CheckResult, contract: Contract) -> Iterator[str]:
    """Stamps beside the grid: how far, if all as far."""
    interval = contract.roles.reading_interval
    stamps = [_moment(dict(sample.values).get(contract.roles.stamp)) for sample in finding.samples]
    late = {(stamp - datetime(1970, 1, 1, tzinfo=UTC)) % interval for stamp in stamps if stamp}
    if len(late) != 1 or None in stamps:
        return
    (by,) = late
    if by in {timedelta(minutes=30), timedelta(minutes=15), timedelta(minutes=45)}:
        yield f"all are {_length(by)} beside it: local time of a zone with such an offset?"
    elif by:
        yield (
            f"all are {_length(by)} after it: round stamps down, or agree on jitterSeconds"
            if by < interval / 2
            else f"all are {_length(interval - by)} before it: round stamps to the grid"
        )


def interval_hints(finding: CheckResult, contract: Contract) -> Iterator[str]:
    """Intervals of another length: which, if all have the same."""
    roles = contract.roles
    lengths = set()
    for sample in finding.samples:
        values = dict(sample.values)
        start, end = _moment(values.get(roles.start or "")), _moment(values.get(roles.end))
        if start is None or end is None:
            return
        lengths.add(end - start)
    if len(lengths) != 1:
        return
    (length,) = lengths
    if not length:
        yield f"{roles.start} and {roles.end} are the same: a moment, not an interval"
    elif length < timedelta():
        yield f"{roles.end} is before {roles.start}: the two may be swapped"
    else:
        yield f"all of them last {_length(length)}"


def missing_hints(finding: CheckResult, report: Report) -> Iterator[str]:
    """Readings that are not there: whether several devices lack the same."""
    if any(result.check.id == "reading.in_period" for result in report.findings):
        # What is missing here stands in another period.
        return
    runs = {
        (values.get("from"), values.get("to"))
        for values in (dict(sample.values) for sample in finding.samples)
    }
    devices = {dict(sample.values).get("device") for sample in finding.samples}
    if len(runs) == 1 and len(devices) > 1:
        ((first, last),) = runs
        span = f"at {first}" if first == last else f"from {first} to {last}"
        yield f"several devices are silent {span}: an export that is cut off, or a site's gap"


def _shift(
    starts: list[datetime], report: Report, contract: Contract, window: Window
) -> timedelta | None:
    """How much later than they should be, if the rest of the period is missing as much."""
    length = window.end - window.start
    interval = contract.roles.reading_interval
    if length == interval:
        moved = {start - window.start for start in starts}
        return moved.pop() if len(moved) == 1 else None
    runs = [
        (_moment(values.get("from")), _moment(values.get("to")))
        for result in report.findings
        if result.check.id == "grid.complete"
        for values in (dict(sample.values) for sample in result.samples)
    ]
    if not runs:
        return None
    first, last = runs[0]
    if first is None or last is None or last - first + interval >= length:
        return None
    if all(start >= window.end for start in starts) and first == window.start:
        return last - first + interval
    if all(start < window.start for start in starts) and last + interval == window.end:
        return -(last - first + interval)
    return None


def _start(sample: Sample, contract: Contract) -> datetime | None:
    stamp = _moment(dict(sample.values).get(contract.roles.stamp))
    if stamp is None or contract.roles.start is not None:
        return stamp
    return stamp - contract.roles.reading_interval


def _moment(text: str | None) -> datetime | None:
    """A stamp as DuckDB shows it, in UTC; None for what is none, or is out of Python's years."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None


def _offset(timezone: str, moment: datetime) -> timedelta | None:
    try:
        return moment.astimezone(ZoneInfo(timezone)).utcoffset()
    except (ZoneInfoNotFoundError, OverflowError):
        return None


def _length(length: timedelta) -> str:
    seconds = length.total_seconds()
    for unit, of_seconds in (("h", 3600), ("min", 60)):
        if seconds >= of_seconds and seconds % of_seconds == 0:
            return f"{seconds / of_seconds:g} {unit}"
    return f"{seconds:g} s"
