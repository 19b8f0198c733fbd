"""For GitHub's actions: an annotation for each check that did not pass, and a summary."""

import html
import re
from collections.abc import Iterator, Sequence
from typing import Final

from powerstage.contract.safe_text import safe
from powerstage.display.findings import (
    CheckSummary,
    agreed_at,
    contract_line,
    count_words,
    passed_words,
    place,
    row_words,
)

# GitHub refuses a summary of more than 1 MiB.
SUMMARY_BYTES_MAX: Final = 900_000
_ROWS_MAX: Final = 5
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]#|~!@$:])")


def annotations(checks: Sequence[CheckSummary], folder: str) -> Iterator[str]:
    """A line for each check that did not pass; GitHub shows ten of each kind, errors first here."""
    for outcome, command in (("fail", "error"), ("warn", "warning")):
        for summary in checks:
            if summary.outcome == outcome:
                yield _annotation(command, summary, folder)


def step_summary(target: str, checks: Sequence[CheckSummary], folder: str) -> str:
    """The results as Markdown; nothing in them is read as markup."""
    findings = [summary for summary in checks if summary.findings]
    mark = "❌" if any(summary.outcome == "fail" for summary in findings) else "✅"
    passed = passed_words(len(checks) - len(findings), len(findings))
    text = f"### {mark} powerstage validate {_markdown(target)}\n\n{passed}\n\n"
    for index, summary in enumerate(findings):
        part = _part(summary, folder)
        if len((text + part).encode()) > SUMMARY_BYTES_MAX:
            return f"{text}And {len(findings) - index} more.\n"
        text += part
    return text


def _annotation(command: str, summary: CheckSummary, folder: str) -> str:
    check = summary.check
    file, line = contract_line(check)
    properties = {"file": file, "line": line, "title": check.id} if file else {"title": check.id}
    name, finding = summary.findings[0]
    first = (
        f"{place(finding.samples[0], folder) or name} {row_words(finding, finding.samples[0])}"
        if finding.samples
        else f"{name} {finding.detail}"
    )
    lines = [
        f"{check.words}: {count_words(summary.failed, summary.total, check)}",
        f"first: {first}",
        *([] if file else [f"agreed at {agreed_at(check)}"]),
        *(f"hint: {hint}" for hint in summary.hints),
    ]
    words = ",".join(f"{key}={_property(safe(value))}" for key, value in properties.items())
    return f"::{command} {words}::{_data(chr(10).join(safe(line) for line in lines))}"


def _part(summary: CheckSummary, folder: str) -> str:
    check = summary.check
    counted = count_words(summary.failed, summary.total, check)
    where = f"check {_markdown(check.id)}, agreed at {_markdown(agreed_at(check))}"
    lines = [
        f"#### {_markdown(check.words)}",
        f"{summary.outcome}, {counted}, {where}",
        *(f"hint: {_markdown(hint)}" for hint in summary.hints),
    ]
    rows = [
        f"| {_markdown(place(sample, folder) or name)} | {_markdown(row_words(finding, sample))} |"
        for name, finding in summary.findings
        for sample in finding.samples
    ]
    rows = rows or [
        f"| {_markdown(name)} | {_markdown(finding.detail)} |" for name, finding in summary.findings
    ]
    table = "\n".join(["| where | what |", "| --- | --- |", *rows[:_ROWS_MAX]])
    more = f"\n\nand {len(rows) - _ROWS_MAX} more" if len(rows) > _ROWS_MAX else ""
    return "\n\n".join([*lines, table]) + more + "\n\n"


def _markdown(text: str) -> str:
    """A text that Markdown shows as it is."""
    return _MARKDOWN.sub(r"\\\1", html.escape(safe(text), quote=False))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
