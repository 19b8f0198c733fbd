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
from powerstage.contract import CommitKey, period_text
from powerstage.display.findings import count_words
from powerstage.display.overview import detail, duration


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
    words: str
    facts: str = ""
    findings: tuple[LookFinding, ...] = ()
    held: str = ""
    command: str = ""


def looks(overview: Overview, lake: Path) -> Iterator[Look]:
    """Deliveries that were refused, late, restated or never came; the worst first.

    Args:
        overview: of the lake.
        lake: its folder, for the command that judges once more.
    """
    telemetry = overview.deliveries
    delivered = [
        (delivery, delivery.entry)
        for delivery in (*overview.inventories, *telemetry)
        if delivery.entry is not None
    ]
    for delivery, entry in delivered:
        if delivery.state == "rejected":
            yield _look(overview, delivery, entry, lake)
    for state, run in groupby(telemetry, key=lambda delivery: delivery.state):
        if state == "missing":
            yield _missing([delivery.period for delivery in run])
    for delivery, entry in delivered:
        warned = delivery.state == "on time" and delivery.findings
        if delivery.state in {"late", "restated"} or warned:
            yield _look(overview, delivery, entry, lake)


def _look(overview: Overview, delivery: Delivery, entry: Entry, lake: Path) -> Look:
    commit = f"{overview.feed}/{CommitKey(slot=entry.slot)}"
    is_refused = entry.verdict != "accepted"
    contract = shlex.quote(str(lake / "contract.odcs.yaml"))
    return Look(
        id=str(entry.slot),
        state=entry.verdict if is_refused else delivery.state,
        title=str(entry.slot),
        words=detail(delivery),
        facts=". ".join(_facts(delivery, entry)),
        findings=tuple(map(_finding, delivery.findings)),
        held=commit if is_refused else "",
        command=f"powerstage validate {shlex.quote(commit)} --contract {contract}"
        if delivery.findings
        else "",
    )


def _missing(periods: Sequence[datetime]) -> Look:
    first, last = period_text(periods[0]), period_text(periods[-1])
    return Look(
        id=f"missing/{first}",
        state="missing",
        title=f"telemetry/{first}" + ("" if len(periods) == 1 else f" to {last}"),
        words="nobody delivered it"
        if len(periods) == 1
        else f"{len(periods)} periods, never delivered",
    )


def _facts(delivery: Delivery, entry: Entry) -> Iterator[str]:
    if entry.rows:
        yield f"{entry.rows:,} rows"
    if delivery.arrived_at is not None:
        late = "" if delivery.late_by is None else f", {duration(delivery.late_by)} late"
        yield f"First arrived {delivery.arrived_at:%Y-%m-%d %H:%M} UTC{late}"
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
