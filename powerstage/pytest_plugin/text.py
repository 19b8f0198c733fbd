"""Findings and errors as texts of a test report."""

import io
from textwrap import dedent

from powerstage.checks import CheckResult
from powerstage.display import Terminal
from powerstage.display.report import show_finding, show_gaps
from powerstage.errors import PowerstageError
from powerstage.validate import Validated


def finding_words(finding: CheckResult) -> str:
    """One finding with its rows, as ``powerstage validate`` shows it."""
    stream = io.StringIO()
    show_finding(Terminal(stream), finding)
    text = dedent(stream.getvalue()).strip()
    # pytest has marks of its own.
    return text.removeprefix("✗ ").removeprefix("! ")


def validated_words(validated: Validated) -> str:
    """All findings of a target."""
    stream = io.StringIO()
    terminal = Terminal(stream)
    for name, report in validated.reports:
        if report.findings:
            terminal.line(name)
            for finding in report.findings:
                show_finding(terminal, finding)
    if validated.consumed is not None and validated.slot is None:
        show_gaps(terminal, validated.consumed.gaps)
        for stray in validated.consumed.strays:
            terminal.line(f"not a commit: {stray}")
    return stream.getvalue()


def error_words(error: PowerstageError) -> str:
    """What happened, its cause and its fix."""
    lines = [error.message]
    for name, text in (("cause", error.cause), ("fix", error.fix)):
        for index, line in enumerate(text.splitlines()):
            lines.append(f"  {name if index == 0 else '':<6} {line}")
    return "\n".join(lines)
