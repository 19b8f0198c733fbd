"""What of a lake needs a look, delivery by delivery: words and rows, ready to be shown."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from powerstage.checks import CheckResult
from powerstage.consumer.ledger import Entry
from powerstage.consumer.overview import Delivery, Overview
from powerstage.contract import CommitKey
from powerstage.contract.calendar import is_period
from powerstage.display.findings import count_words
from powerstage.display.overview import detail, duration, look_id


@dataclass(frozen=True, slots=True, kw_only=True)
class LookFinding:
    """A check that did not pass; ``rows`` are values, each with whether it is what was found."""

    id: str
    words: str
    outcome: str
    count: str
    detail: str
    expected: str
    at: str
    hints: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[str, bool], ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A delivery, or a run of periods that nobody delivered. ``id`` is its link within the page."""

    id: str
    state: str
    title: str
    name: str
    words: str
    facts: str = ""
    findings: tuple[LookFinding, ...] = ()
    held: str = ""
    command: str = ""


def looks(overview: Overview, lake: Path) -> Iterator[Look]:
    """Deliveries that were not accepted or never came, in their order; then late and restated ones.

    Args:
        overview: of the lake.
        lake: its folder, for the command that judges once more.
    """
    everything = (*overview.inventories, *overview.deliveries)
    for state, run in groupby(everything, key=lambda delivery: delivery.state):
        if state == "missing":
            yield _missing(overview, list(run))
        elif state == "rejected":
            yield from (_look(overview, delivery, lake) for delivery in run)
    for delivery in everything:
        warned = delivery.state == "on time" and delivery.findings
        if delivery.state in {"late", "restated"} or warned:
            yield _look(overview, delivery, lake)


def _look(overview: Overview, delivery: Delivery, lake: Path) -> Look:
    entry = delivery.entry
    if entry is None:
        return _missing(overview, [delivery])
    commit = f"{overview.feed}/{CommitKey(slot=entry.slot)}"
    is_refused = entry.verdict != "accepted"
    contract = shlex.quote(str(lake / "contract.odcs.yaml"))
    return Look(
        id=look_id(delivery),
        state=entry.verdict if is_refused else delivery.state,
        title=f"{'Inventory of ' if entry.slot.dataset == 'inventory' else ''}{_minute(delivery)}",
        name=str(entry.slot),
        words=detail(delivery),
        facts=". ".join(_facts(overview, delivery, entry)),
        findings=tuple(map(_finding, delivery.findings)),
        held=commit if is_refused else "",
        command=f"powerstage validate {shlex.quote(commit)} --contract {contract}"
        if delivery.findings
        else "",
    )


def _missing(overview: Overview, periods: Sequence[Delivery]) -> Look:
    first, last = periods[0], periods[-1]
    end = last.period + overview.contract.delivery_interval
    return Look(
        id=look_id(first),
        state="missing",
        title=_minute(first),
        name="" if first is last else f"to {_minute(last)}",
        words="nobody delivered it"
        if first is last
        else f"{len(periods)} periods, never delivered",
        facts=f"{_due(overview, end)} Ask for it to be published",
    )


def _minute(delivery: Delivery) -> str:
    return f"{delivery.period:%Y-%m-%d %H:%M}"


def _due(overview: Overview, end: datetime) -> str:
    """Until when a period should have arrived."""
    return f"Due by {end + overview.contract.lateness:%Y-%m-%d %H:%M} UTC."


def _facts(overview: Overview, delivery: Delivery, entry: Entry) -> Iterator[str]:
    interval = overview.contract.delivery_interval
    if entry.slot.dataset == "telemetry" and is_period(delivery.period, interval):
        end = delivery.period + interval
        yield f"Readings from {_minute(delivery)} to {end:%Y-%m-%d %H:%M} UTC"
    if entry.rows:
        yield f"{entry.rows:,} rows"
    if delivery.late_by is not None:
        due = _due(overview, delivery.period + interval)
        yield f"{due} It came {duration(delivery.late_by)} late"
    if delivery.arrived_at is not None:
        yield f"First arrived {delivery.arrived_at:%Y-%m-%d %H:%M} UTC"
    if entry.slot.revision:
        yield f"Revision {entry.slot.revision}" + (f": {entry.reason}" if entry.reason else "")
    if entry.judged_at:
        yield f"Judged {entry.judged_at}"


def _finding(result: CheckResult) -> LookFinding:
    check = result.check
    names = list(dict.fromkeys(name for sample in result.samples for name, _ in sample.values))
    columns = ("file", "row", *names) if any(s.file for s in result.samples) else tuple(names)

    def cells(values: dict[str, str]) -> tuple[tuple[str, bool], ...]:
        return tuple((values.get(name, ""), name in result.found) for name in columns)

    return LookFinding(
        id=check.id,
        words=check.words,
        outcome=result.outcome,
        count=count_words(result.failed, result.total, check),
        detail=result.detail,
        expected=check.expected,
        at=check.at,
        hints=result.hints,
        columns=columns,
        rows=tuple(
            cells(
                {
                    "file": sample.file.rpartition("/")[2],
                    "row": f"{sample.row:,}" if sample.row else "",
                }
                | dict(sample.values)
            )
            for sample in result.samples
        ),
    )
