"""Findings as every output tells them: where a row stands, what was found there, what else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from powerstage.checks import (
    PERIOD_MISSING,
    Check,
    CheckResult,
    FeedFinding,
    Report,
    Sample,
    fails,
    passes,
)
from powerstage.consumer import Consumed
from powerstage.consumer.consume import COMMIT_KEY, feed_checks
from powerstage.contract import period_text
from powerstage.contract.load import DEFAULT_NAME
from powerstage.contract.receipt import utc_text
from powerstage.display.terminal import counted


@dataclass(slots=True, kw_only=True)
class CheckSummary:
    """One check over all that was looked at; ``findings`` are named by what they are on."""

    check: Check
    dataset: str
    failed: int = 0
    total: int = 0
    findings: list[tuple[str, CheckResult]] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """``fail``, ``warn`` or ``pass``."""
        return self.findings[0][1].outcome if self.findings else "pass"

    @property
    def hints(self) -> list[str]:
        """All hints, each once."""
        return list(dict.fromkeys(hint for _, found in self.findings for hint in found.hints))


def summarise(
    reports: Iterable[tuple[str, Report]], feed: Sequence[CheckResult] = ()
) -> list[CheckSummary]:
    """Check by check, in the order in which they were run first.

    Args:
        reports: named by what they are on.
        feed: findings about the feed as a whole.
    """
    found: dict[tuple[str, str], CheckSummary] = {}
    for name, report in (*reports, ("the feed", Report(results=tuple(feed), rows=0))):
        for result in report.results:
            check = result.check
            key = (result.dataset, check.id)
            summary = found.setdefault(key, CheckSummary(check=check, dataset=result.dataset))
            summary.total += result.total
            if result.outcome != "pass":
                summary.failed += result.failed
                summary.findings.append((name, result))
    return list(found.values())


def feed_results(consumed: Consumed) -> list[CheckResult]:
    """What came of the checks of a feed as a whole, as far as they were run."""
    gaps = tuple(
        Sample(
            file="",
            row=0,
            values=(
                ("first", period_text(gap.first)),
                ("last", period_text(gap.last)),
                ("periods", str(gap.periods)),
            ),
        )
        for gap in consumed.gaps
    )
    strays = tuple(Sample(file=key, row=0, values=()) for key in consumed.strays)
    missing = sum(gap.periods for gap in consumed.gaps)
    slots = {judgement.slot for judgement in consumed.judgements}
    periods = {slot.period for slot in slots if slot.dataset == "telemetry"}
    results = [
        _result(PERIOD_MISSING, missing, len(periods) + missing, gaps),
        _result(COMMIT_KEY, len(strays), len(slots) + len(strays), strays),
    ]
    if consumed.feed_findings is None:
        return results
    known = {result.check.id for result in results}
    for check in feed_checks(consumed.contract):
        if check.id not in known:
            found = [_sample(found) for found in consumed.feed_findings if found.check == check]
            results.append(_result(check, len(found), 0, tuple(found)))
    return results


def place(sample: Sample, folder: str) -> str:
    """Where a row stands, as editors read it: ``file:row``, ``file``, or nothing."""
    if not sample.file:
        return ""
    path = f"{folder}/{sample.file}" if folder not in {"", "."} else sample.file
    return f"{path}:{sample.row}" if sample.row else path


def passed_words(passed: int, failed: int) -> str:
    """How many checks pass, and how many do not."""
    words = f"{counted(passed, 'check passes', 'checks pass')}"
    return f"{words}, {counted(failed, 'does not', 'do not')}" if failed else words


def count_words(failed: int, total: int, check: Check) -> str:
    """How many of how many, and which share."""
    if not total:
        return counted(failed, check.counts.removesuffix("s"), check.counts)
    return f"{failed:,} of {total:,} {check.counts} ({failed / total:.3%})"


def row_words(finding: CheckResult, sample: Sample) -> str:
    """A row in one line: what was found beside what was expected, and which reading it is."""
    found = [value for name, value in sample.values if name in finding.found]
    parts = [("found", " ".join(found)), ("expected", finding.check.expected)] if found else []
    parts += [(name, value) for name, value in sample.values if name not in finding.found]
    return " ".join(f"{name}={_quoted(value)}" for name, value in parts)


def contract_line(check: Check) -> tuple[str, str]:
    """The contract's file and line; nothing where the rule stands in no file that is here."""
    file, _, line = check.at.rpartition(":")
    return (file, line) if line.isdigit() and Path(file).is_file() else ("", "")


def agreed_at(check: Check) -> str:
    """Where a rule stands, in words where that is no file of the user's."""
    file, _, line = check.at.rpartition(":")
    is_built_in = file == DEFAULT_NAME and contract_line(check) == ("", "")
    return f"line {line} of the default contract" if is_built_in else check.at


def _result(check: Check, failed: int, total: int, samples: tuple[Sample, ...]) -> CheckResult:
    if not failed:
        return passes(check, total)
    return fails(check, failed=failed, total=total, samples=samples[:5])


def _sample(finding: FeedFinding) -> Sample:
    about = [("device", finding.device), ("measure", finding.measure)]
    values = [
        *((name, value) for name, value in about if value),
        ("start", utc_text(finding.start)),
        ("end", utc_text(finding.end)),
        *((name, f"{value:g}") for name, value in finding.numbers),
    ]
    return Sample(file="", row=0, values=tuple(values))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
