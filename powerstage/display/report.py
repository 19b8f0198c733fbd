"""A report on data, for people: what passed, what failed, where exactly, and what was agreed."""

from collections.abc import Sequence
from typing import Final

from powerstage.checks import PERIOD_MISSING, CheckResult, FeedFinding, Report, Sample
from powerstage.consumer import Consumed, Judgement
from powerstage.contract import period_text
from powerstage.contract.calendar import Gap
from powerstage.contract.receipt import utc_text
from powerstage.display.terminal import BAD, BOLD, DIM, GOOD, WARN, Span, Terminal

_FEED_FINDINGS_SHOWN: Final = 20
_STYLES = {"accepted": GOOD, "rejected": BAD, "unreadable": BAD}


def show_report(terminal: Terminal, name: str, report: Report) -> None:
    """One thing that was checked, and its findings."""
    mark: Span = ("✓ ", GOOD) if report.ok else ("✗ ", BAD)
    terminal.line(mark, (name, BOLD))
    terminal.line(f"  {_counts(report)} · {report.rows:,} rows")
    for finding in report.findings:
        show_finding(terminal, finding)


def show_finding(terminal: Terminal, finding: CheckResult) -> None:
    """One check that did not pass, with up to five of its rows."""
    style = BAD if finding.outcome == "fail" else WARN
    share = f" ({finding.failed / finding.total:.3%})" if finding.total else ""
    terminal.line("")
    terminal.line(
        ("  ✗ " if finding.outcome == "fail" else "  ! ", style),
        (finding.check.words, style),
        f"   {finding.failed:,} of {finding.total:,} {finding.check.counts}{share}",
    )
    if finding.detail:
        terminal.line(f"    {finding.detail}")
    _show_samples(terminal, finding.samples)
    terminal.line(
        ("    check ", DIM),
        finding.check.id,
        ("   expected ", DIM),
        finding.check.expected,
        ("   at ", DIM),
        finding.check.at,
    )


def show_judgement(terminal: Terminal, judgement: Judgement) -> None:
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
    if len(findings) == 1 and not findings[0].samples:
        # One line is enough, and a broken inventory breaks many deliveries.
        (finding,) = findings
        words = finding.detail or finding.check.words
        terminal.line(*head, f"   {words}", (f"   check {finding.check.id}", DIM))
        return
    terminal.line(*head, (f"   {_counts(judgement.report)} · {judgement.report.rows:,} rows", DIM))
    for finding in findings:
        show_finding(terminal, finding)
    if findings:
        terminal.line("")


def show_consumed(terminal: Terminal, consumed: Consumed) -> None:
    """The sum of a run of the consumer, and what is wrong with the feed as a whole."""
    verdicts = [judgement.verdict for judgement in consumed.judgements]
    counts = ", ".join(
        f"{verdicts.count(verdict)} {verdict}"
        for verdict in ("accepted", "rejected", "unreadable")
        if verdict in verdicts
    )
    rows = sum(
        judgement.report.rows
        for judgement in consumed.judgements
        if judgement.verdict == "accepted" and judgement.slot.dataset == "telemetry"
    )
    refused = f", {consumed.known_refused} of them not accepted" if consumed.known_refused else ""
    terminal.line(
        (f"{len(verdicts)} new", BOLD),
        f"{': ' + counts if counts else ''}, {rows:,} readings accepted;"
        f" {consumed.known} judged before{refused}",
    )
    show_gaps(terminal, consumed.gaps)
    show_feed_findings(terminal, consumed.feed_findings)
    for stray in consumed.strays:
        terminal.line(("! ", WARN), f"not a commit: {stray}")


def show_gaps(terminal: Terminal, gaps: Sequence[Gap]) -> None:
    """Periods that nobody delivered."""
    for gap in gaps:
        last = "" if gap.periods == 1 else f" to {period_text(gap.last)}"
        terminal.line(
            ("! ", WARN),
            f"missing: {period_text(gap.first)}{last}"
            f" ({gap.periods} period{'s' if gap.periods > 1 else ''} never delivered)",
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
        more = len(shown) - _FEED_FINDINGS_SHOWN
        terminal.line(("! ", WARN), f"and {more:,} more findings about the feed: --json has all")


def _counts(report: Report) -> str:
    failed = len(report.findings)
    return f"{report.passed} checks pass" + (f", {failed} do not" if failed else "")


def _show_samples(terminal: Terminal, samples: Sequence[Sample]) -> None:
    if not samples:
        return
    names = list(dict.fromkeys(name for sample in samples for name, _ in sample.values))
    headers = [
        *(["file"] if any(s.file for s in samples) else []),
        *(["row"] if any(s.row for s in samples) else []),
        *names,
    ]
    rows = []
    for sample in samples:
        values = dict(sample.values)
        place = {"file": _short(sample.file), "row": f"{sample.row:,}"} if sample.file else {}
        rows.append([(place | values).get(header, "") for header in headers])
    terminal.line("")
    terminal.table(headers, rows)
    terminal.line("")


def _short(key: str) -> str:
    """An object's name without its folders, and of a digest the first digits."""
    name = key.rsplit("/", maxsplit=1)[-1]
    stem, dot, suffix = name.partition(".")
    return f"{stem[:12]}…{dot}{suffix}" if len(stem) == 64 else name
