"""The same results as JSON types: one versioned document a command, as result.schema.json says."""

from typing import Any, Final

from powerstage.checks import CheckResult, FeedFinding, Report
from powerstage.consumer import Consumed, Judgement
from powerstage.contract import Change, Contract, period_text
from powerstage.contract.calendar import Gap
from powerstage.contract.change import KINDS
from powerstage.contract.receipt import utc_text
from powerstage.producer import FeedStatus, Published
from powerstage.store import Observation

SCHEMA: Final = "powerstage.result/2"


def document(command: str, exit_code: int, **parts: object) -> dict[str, Any]:
    """The frame of every document."""
    return {
        "schema": SCHEMA,
        "command": command,
        "ok": exit_code == 0,
        "exit_code": exit_code,
        **parts,
    }


def contract_part(contract: Contract) -> dict[str, Any]:
    """Which contract it was."""
    return {"name": contract.name, "version": contract.version, "sha256": contract.sha256}


def changes_part(old: Contract, new: Contract, changes: tuple[Change, ...]) -> dict[str, Any]:
    """What changed between two contracts."""
    return {
        "old": contract_part(old),
        "new": contract_part(new),
        "changes": [
            {
                "kind": change.kind,
                "breaks": list(change.breaks),
                "subject": change.subject,
                "words": change.words,
                "why": KINDS[change.kind].why,
                "hint": change.hint,
                "old_line": change.old_line,
                "new_line": change.new_line,
            }
            for change in changes
        ],
    }


def report_part(report: Report) -> dict[str, Any]:
    """A report, check by check."""
    return {
        "rows": report.rows,
        "checks": [_check(result) for result in report.results],
    }


def judgement_part(judgement: Judgement) -> dict[str, Any]:
    """A verdict and what led to it; of what passed, no more than its name: a feed has many."""
    report = judgement.report
    return {
        "delivery": str(judgement.slot),
        "identity": judgement.identity,
        "verdict": judgement.verdict,
        "rows": report.rows,
        "passed": [result.check.id for result in report.results if result.outcome == "pass"],
        "findings": [_check(finding) for finding in report.findings],
    }


def consumed_part(consumed: Consumed) -> dict[str, Any]:
    """A run of the consumer."""
    return {
        "contract": contract_part(consumed.contract),
        "deliveries": [judgement_part(judgement) for judgement in consumed.judgements],
        "new": len(consumed.judgements),
        "known": consumed.known,
        "known_refused": consumed.known_refused,
        "expired": consumed.expired,
        "missing": gaps_part(consumed.gaps),
        "strays": list(consumed.strays),
        "feed_findings": feed_findings_part(consumed.feed_findings or ()),
    }


def published_part(published: list[Published]) -> dict[str, Any]:
    """A run of publish."""
    return {
        "new": sum(item.state == "new" for item in published),
        "unchanged": sum(item.state == "unchanged" for item in published),
        "deliveries": [
            {
                "delivery": str(item.slot),
                "identity": item.identity,
                "rows": item.rows,
                "bytes": item.size_bytes,
                "state": item.state,
            }
            for item in published
        ],
    }


def status_part(status: FeedStatus) -> dict[str, Any]:
    """A feed as its producer sees it."""
    return {
        "feed": status.feed,
        "consumers": {consumer: dict(status.verdicts(consumer)) for consumer in status.consumers},
        "deliveries": [
            {
                "delivery": str(delivery.slot),
                "receipts": [
                    {
                        "consumer": receipt.consumer,
                        "verdict": receipt.verdict,
                        "judgement": receipt.judgement,
                        "checks": [
                            {
                                "id": check.id,
                                "outcome": check.outcome,
                                "rows": check.rows,
                                "words": check.words,
                                "sample": list(check.sample),
                            }
                            for check in receipt.checks
                        ],
                    }
                    for receipt in delivery.receipts
                ],
            }
            for delivery in status.deliveries
        ],
        "missing": None if status.gaps is None else gaps_part(status.gaps),
        "feed_findings": feed_findings_part(status.feed_findings),
    }


def observations_part(observations: tuple[Observation, ...]) -> list[dict[str, str]]:
    """What was seen of the surroundings."""
    return [
        {"subject": seen.subject, "state": seen.state, "words": seen.words, "fix": seen.fix}
        for seen in observations
    ]


def gaps_part(gaps: tuple[Gap, ...]) -> list[dict[str, Any]]:
    """Periods that nobody delivered."""
    return [
        {"first": period_text(gap.first), "last": period_text(gap.last), "periods": gap.periods}
        for gap in gaps
    ]


def feed_findings_part(findings: tuple[FeedFinding, ...]) -> list[dict[str, Any]]:
    """What several periods, or the clock, show of a feed."""
    return [
        {
            "id": finding.check.id,
            "words": finding.check.words,
            "expected": finding.check.expected,
            "severity": finding.check.severity,
            "device": finding.device,
            "measure": finding.measure,
            "start": utc_text(finding.start),
            "end": utc_text(finding.end),
            "numbers": dict(finding.numbers),
        }
        for finding in findings
    ]


def _check(result: CheckResult) -> dict[str, Any]:
    check = result.check
    return {
        "id": check.id,
        "words": check.words,
        "dataset": result.dataset,
        "outcome": result.outcome,
        "failed": result.failed,
        "total": result.total,
        "counts": check.counts,
        "expected": check.expected,
        "at": check.at,
        "detail": result.detail,
        "observed": result.observed,
        "found": list(result.found),
        "hints": list(result.hints),
        "sql": check.sql,
        "script": result.script,
        "sample": [
            {"file": sample.file, "row": sample.row, "values": dict(sample.values)}
            for sample in result.samples
        ],
    }
