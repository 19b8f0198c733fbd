"""``powerstage kit``: what the two sides take home."""

from datetime import UTC, datetime
from pathlib import Path

import click

from powerstage.cli.common import contract_option, json_option, leave, load_contract, results
from powerstage.contract import default
from powerstage.display.document import contract_part, document
from powerstage.display.findings import CheckSummary, agreed_at, count_words, summarise
from powerstage.display.terminal import BAD, DIM, GOOD, Terminal, counted
from powerstage.kit import write_kit

_FORMATS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%MZ")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--devices", default=12, show_default=True, help="How many servers.")
@click.option(
    "--start",
    type=click.DateTime(formats=_FORMATS),
    default="2026-11-02",
    show_default=True,
    help="First period, UTC.",
)
@click.option("--days", default=1, show_default=True, help="How many days.")
@click.option("--seed", default=7, show_default=True, help="Decides every value.")
@contract_option
@json_option
def kit(
    folder: Path,
    *,
    devices: int,
    start: datetime,
    days: int,
    seed: int,
    contract_path: Path | None,
    as_json: bool,
) -> None:
    """Write contract, mock data and data unit tests into the new folder DIR.

    Exit 1 if the mock data break a rule of the contract: one of its own that asks for what they
    are not.

    The data are there as plain files and as a feed; the tests need duckdb and pytest alone. The
    README in it says to both sides what to do next.
    """
    contract = load_contract(contract_path) or default()
    written = write_kit(
        contract, folder, devices=devices, start=start.replace(tzinfo=UTC), days=days, seed=seed
    )
    broken = [summary for summary in summarise(written.reports) if summary.outcome == "fail"]
    terminal = results(as_json)
    terminal.line(
        ("✗ ", BAD) if broken else ("✓ ", GOOD),
        f"a kit in {folder}: {counted(written.periods, 'period')},"
        f" {counted(written.readings, 'reading')}, {counted(written.checks, 'check')}",
    )
    terminal.line(f"  read {folder / 'README.md'}, or run: pytest {folder / 'tests'}")
    for summary in broken:
        _show_broken(terminal, summary)
    code = 1 if broken else 0
    leave(
        code,
        as_json,
        document(
            "kit",
            code,
            kit=str(folder),
            contract=contract_part(contract),
            periods=written.periods,
            readings=written.readings,
            checks=written.checks,
            broken=[summary.check.id for summary in broken],
        ),
    )


def _show_broken(terminal: Terminal, summary: CheckSummary) -> None:
    """A rule that the mock data of its own contract break: it asks for what they are not."""
    check, (name, first) = summary.check, summary.findings[0]
    more = f" and {len(summary.findings) - 1} more" if summary.findings[1:] else ""
    counted = first.detail or count_words(first.failed, first.total, check)
    terminal.line(
        ("error ", BAD), f"its mock data break {check.id}: {check.words} (in {name}{more})"
    )
    terminal.line(("  cause  ", DIM), f"{counted}, expected {check.expected}; {agreed_at(check)}")
    terminal.line(
        ("  fix    ", DIM),
        "mend the rule, or make other data (--devices, --days, --start), into a new folder",
    )
