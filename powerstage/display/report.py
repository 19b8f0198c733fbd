"""A report on data, for people: what passed, what failed, where exactly, and what was agreed.

On a pipe a finding is lines that programs read as they do a compiler's:
``file:row: error check.id: words: found="…" expected="…" …``, then a ``note``.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from powerstage.checks import PERIOD_MISSING, CheckResult, FeedFinding, Report, Sample
from powerstage.consumer import Consumed, Judgement
from powerstage.contract import period_text
from powerstage.contract.calendar import Gap
from powerstage.contract.receipt import utc_text
from powerstage.display.findings import agreed_at, count_words, passed_words, place, row_words
from powerstage.display.terminal import (
    BAD,
    BOLD,
    DIM,
    GOOD,
    WARN,
    Span,
    Terminal,
    counted,
    deliveries,
)

_FEED_FINDINGS_SHOWN: Final = 20
_STYLES = {"accepted": GOOD, "rejected": BAD, "unreadable": BAD}


def show_report(terminal: Terminal, name: str, report: Report, folder: str = "") -> None:
    """One thing that was checked, and its findings; the files that they name are in a folder."""
    mark: Span = ("✓ ", GOOD) if report.ok else ("✗ ", BAD)
    terminal.line(mark, (name, BOLD), f"   {_counts(report)}")
    for finding in report.findings:
        _show_finding(terminal, name, finding, folder)


def _show_finding(terminal: Terminal, name: str, finding: CheckResult, folder: str) -> None:
    if not terminal.is_for_people:
        for line in _plain_lines(name, finding, folder):
            terminal.line(line)
    else:
        show_finding(terminal, finding)


def show_finding(terminal: Terminal, finding: CheckResult) -> None:
    """One check that did not pass, for people: with up to five of its rows as a table."""
    check, style = finding.check, BAD if finding.outcome == "fail" else WARN
    terminal.line("")
    terminal.line(
        ("  ✗ " if finding.outcome == "fail" else "  ! ", style),
        (check.words, style),
        f"   {count_words(finding.failed, finding.total, check)}",
    )
    if finding.detail:
        terminal.line(f"    {finding.detail}")
    _show_samples(terminal, finding, style)
    for label, words in (
        ("check", check.id),
        *([] if finding.observed is None else [("found", f"{finding.observed:g}")]),
        ("expected", check.expected),
        ("agreed", agreed_at(check)),
        *(("hint", hint) for hint in finding.hints),
    ):
        terminal.line((f"    {label:<9} ", DIM), words)


def _plain_lines(name: str, finding: CheckResult, folder: str) -> Iterator[str]:
    """A line for each row that is shown, and one about all of them."""
    check = finding.check
    kind = "error" if finding.outcome == "fail" else "warning"
    words = f"{check.words}: {finding.detail}" if finding.detail else check.words
    for sample in finding.samples:
        where = place(sample, folder) or name
        yield f"{where}: {kind} {check.id}: {words}: {row_words(finding, sample)}".rstrip(" :")
    if not finding.samples:
        observed = "" if finding.observed is None else f': found="{finding.observed:g}"'
        yield f"{name}: {kind} {check.id}: {words}{observed}"
    counted = count_words(finding.failed, finding.total, check)
    hints = "".join(f"; hint: {hint}" for hint in finding.hints)
    expected = f"expected {check.expected}"
    yield f"{name}: note {check.id}: {counted}; {expected}; agreed at {agreed_at(check)}{hints}"


def show_judgement(terminal: Terminal, judgement: Judgement, folder: str = "") -> None:
    """One delivery and its verdict, with the findings that led to it."""
    style = _STYLES[judgement.verdict]
    mark = "✓ " if judgement.verdict == "accepted" else "✗ "
    findings = judgement.report.findings
    head: tuple[Span, ...] = (
        (mark, style),
        (str(judgement.slot), BOLD),
        " ",
        (judgement.verdict, style),
    )
    if len(findings) == 1 and not findings[0].samples and terminal.is_for_people:
        # One line is enough, and a broken inventory breaks many deliveries.
        (finding,) = findings
        words = finding.detail or finding.check.words
        terminal.line(*head, f"   {words}", (f"   check {finding.check.id}", DIM))
        return
    terminal.line(*head, (f"   {_counts(judgement.report)}", DIM))
    for finding in findings:
        _show_finding(terminal, str(judgement.slot), finding, folder)
    if findings and terminal.is_for_people:
        terminal.line("")


def show_feed(terminal: Terminal, feed: str, consumed: Consumed) -> None:
    """What came of all deliveries of a feed, and what is wrong with it as a whole."""
    verdicts, rows = _verdicts(consumed)
    is_sound = verdicts.keys() <= {"accepted"} and not (consumed.gaps or consumed.strays)
    terminal.line(
        ("✓ ", GOOD) if is_sound else ("✗ ", BAD),
        (feed, BOLD),
        f"   {deliveries(len(consumed.judgements))}: {_verdict_words(verdicts)};"
        f" {counted(rows, 'reading')} accepted",
    )
    _show_feed(terminal, consumed)


def show_consumed(terminal: Terminal, consumed: Consumed) -> None:
    """The sum of a run of the consumer, and what is wrong with the feed as a whole."""
    verdicts, rows = _verdicts(consumed)
    counts = _verdict_words(verdicts)
    expired = f"; {consumed.expired} expired" if consumed.expired else ""
    refused = f", {consumed.known_refused} of them not accepted" if consumed.known_refused else ""
    terminal.line(
        (f"{len(consumed.judgements)} new", BOLD),
        f"{': ' + counts if counts else ''}, {counted(rows, 'reading')} accepted;"
        f" {consumed.known} judged before{refused}{expired}",
    )
    _show_feed(terminal, consumed)


def show_gaps(terminal: Terminal, gaps: Sequence[Gap]) -> None:
    """Periods that nobody delivered."""
    for gap in gaps:
        last = "" if gap.periods == 1 else f" to {period_text(gap.last)}"
        terminal.line(
            ("! ", WARN),
            f"missing: {period_text(gap.first)}{last}"
            f" ({counted(gap.periods, 'period')} never delivered)",
        )


def _show_feed(terminal: Terminal, consumed: Consumed) -> None:
    show_gaps(terminal, consumed.gaps)
    show_feed_findings(terminal, consumed.feed_findings or ())
    for stray in consumed.strays:
        terminal.line(("! ", WARN), f"not a commit: {stray}")


def _verdicts(consumed: Consumed) -> tuple[Counter[str], int]:
    """How many deliveries have each verdict, and how many readings were accepted."""
    rows = sum(
        judgement.report.rows
        for judgement in consumed.judgements
        if judgement.verdict == "accepted" and judgement.slot.dataset == "telemetry"
    )
    return Counter(judgement.verdict for judgement in consumed.judgements), rows


def _verdict_words(verdicts: Counter[str]) -> str:
    return ", ".join(
        f"{verdicts[verdict]} {verdict}"
        for verdict in ("accepted", "rejected", "unreadable")
        if verdict in verdicts
    )


def show_feed_findings(terminal: Terminal, findings: Sequence[FeedFinding]) -> None:
    """What several periods, or the clock, show; missing periods have lines of their own."""
    shown = [finding for finding in findings if finding.check.id != PERIOD_MISSING.id]
    for finding in shown[:_FEED_FINDINGS_SHOWN]:
        about = " ".join(filter(None, (finding.device, finding.measure)))
        terminal.line(
            ("! ", WARN),
            (finding.check.words, WARN),
            f"   not so: {about + ', ' if about else ''}"
            f"{utc_text(finding.start)} to {utc_text(finding.end)}",
        )
        terminal.line(
            "    ",
            " ".join(f"{name}={value:g}" for name, value in finding.numbers),
            ("   check ", DIM),
            finding.check.id,
            ("   expected ", DIM),
            finding.check.expected,
        )
    if len(shown) > _FEED_FINDINGS_SHOWN:
        more = counted(len(shown) - _FEED_FINDINGS_SHOWN, "more finding")
        terminal.line(("! ", WARN), f"and {more} about the feed: --json has all")


def _counts(report: Report) -> str:
    return f"{passed_words(report.passed, len(report.findings))} · {counted(report.rows, 'row')}"


def _show_samples(terminal: Terminal, finding: CheckResult, style: str) -> None:
    samples = finding.samples
    if not samples:
        return
    names = list(dict.fromkeys(name for sample in samples for name, _ in sample.values))
    headers = [
        *(["file"] if any(s.file for s in samples) else []),
        *(["row"] if any(s.row for s in samples) else []),
        *names,
    ]
    rows = [_row(sample, headers, finding.found, style) for sample in samples]
    terminal.line("")
    if terminal.fits(headers, rows):
        terminal.table(headers, rows)
    else:
        for sample in samples:
            terminal.line(f"    {place(sample, '')} {row_words(finding, sample)}")
    terminal.line("")


def _row(sample: Sample, headers: Sequence[str], found: Sequence[str], style: str) -> list[Span]:
    where = {"file": _short(sample.file), "row": f"{sample.row:,}" if sample.row else ""}
    values = (where if sample.file else {}) | dict(sample.values)
    texts = [(header, values.get(header, "")) for header in headers]
    return [(text, style) if header in found else text for header, text in texts]


def _short(key: str) -> str:
    """An object's name without its folders, and of a digest the first digits."""
    name = key.rsplit("/", maxsplit=1)[-1]
    stem, dot, suffix = name.partition(".")
    return f"{stem[:12]}…{dot}{suffix}" if len(stem) == 64 else name
