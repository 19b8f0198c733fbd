"""``powerstage validate``: the data unit tests, and what they found."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from powerstage.cli.common import (
    contract_option,
    json_option,
    leave,
    load_contract,
    now,
    results,
)
from powerstage.consumer import Judgement
from powerstage.display import Terminal
from powerstage.display.document import consumed_part, document, report_part
from powerstage.display.findings import CheckSummary, feed_results, summarise
from powerstage.display.github import annotations, step_summary
from powerstage.display.junit import junit
from powerstage.display.report import show_feed, show_judgement, show_report
from powerstage.display.terminal import DIM
from powerstage.errors import UsageError
from powerstage.validate import Validated
from powerstage.validate import validate as validate_target

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@click.command()
@click.argument("target")
@click.option(
    "--inventory",
    "inventory_path",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="For a telemetry file: the inventory that it refers to.",
)
@contract_option
@click.option(
    "--since",
    metavar="WHEN",
    help="Of a feed: only periods from a moment on (UTC), or from so long ago: 24h, 7d.",
)
@click.option(
    "--check", "checks", metavar="ID", multiple=True, help="Count only this check; repeatable."
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="error",
    show_default=True,
    help="What makes the exit code 1.",
)
@click.option(
    "--failing-rows",
    "failing_rows",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write all failing rows as Parquet, and missing readings beside it.",
)
@click.option(
    "--junit",
    "junit_path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a test case per check as JUnit's XML.",
)
@json_option
def validate(
    target: str,
    *,
    inventory_path: Path | None,
    contract_path: Path | None,
    since: str | None,
    checks: tuple[str, ...],
    fail_on: str,
    failing_rows: Path | None,
    junit_path: Path | None,
    as_json: bool,
) -> None:
    """Run the data unit tests on TARGET: a file, an export, a feed or one delivery.

    A delivery is named by the URL of its commit. No receipt is written, and no lake. In GitHub's
    actions, what fails is annotated and summarised there.
    """
    if junit_path is not None and not junit_path.parent.is_dir():
        raise UsageError(f"there is no folder {junit_path.parent}", fix="make it, or name another")
    terminal = results(as_json)
    is_delivery = target.endswith(".json")

    def show(judgement: Judgement) -> None:
        if judgement.report.findings or is_delivery:
            show_judgement(terminal, judgement, target if not is_delivery else "")

    validated = validate_target(
        target,
        clock=now,
        contract=load_contract(contract_path),
        inventory=inventory_path,
        since=None if since is None else _moment(since, now()),
        checks=checks,
        failing_rows=failing_rows,
        on_judgement=show,
    )
    code = _code(validated, fail_on)
    _show(terminal, validated, failing_rows)
    consumed = validated.consumed
    of_feed = feed_results(consumed) if consumed and validated.slot is None else []
    feed = [result for result in of_feed if not checks or result.check.id in checks]
    summaries = summarise(validated.reports, feed)
    if junit_path:
        junit_path.write_bytes(
            junit(
                target,
                validated.contract.name,
                validated.folder,
                summaries,
                warnings_fail=fail_on == "warning",
            )
        )
    _tell_github(terminal, validated, summaries)
    part = report_part(validated.reports[0][1]) if consumed is None else consumed_part(consumed)
    leave(code, as_json, document("validate", code, target=target, **part))


def _code(validated: Validated, fail_on: str) -> int:
    if fail_on == "never":
        return 0
    return 0 if validated.ok and not (fail_on == "warning" and validated.warns) else 1


def _show(terminal: Terminal, validated: Validated, failing_rows: Path | None) -> None:
    """What is shown once all is known: deliveries were shown as they were judged."""
    if validated.consumed is None:
        ((name, report),) = validated.reports
        show_report(terminal, name, report, validated.folder)
    else:
        show_feed(terminal, validated.target, validated.consumed)
    if failing_rows:
        terminal.line(("failing rows ", DIM), str(failing_rows))
    elif terminal.is_for_people and not validated.ok:
        terminal.line("")
        terminal.line(("all failing rows: --failing-rows FILE; SQL that finds them: --json", DIM))


def _tell_github(terminal: Terminal, validated: Validated, checks: list[CheckSummary]) -> None:
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in annotations(checks, validated.folder):
            terminal.line(line)
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(step_summary(validated.target, checks, validated.folder))


def _moment(text: str, today: datetime) -> datetime:
    """A moment in ISO 8601, or one so long before today."""
    try:
        if match := re.fullmatch(r"(\d{1,6})([mhdw])", text):
            return today - timedelta(**{_UNITS[match[2]]: int(match[1])})
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"--since {text} is neither a moment nor a duration",
            fix="write 2026-11-02, 2026-11-02T05:00Z, 90m, 24h, 7d or 2w",
        ) from None
