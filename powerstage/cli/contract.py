"""``powerstage contract``: the agreement, checked, read, compared and converted."""

from pathlib import Path

import click

from powerstage.checks import Checker
from powerstage.cli.common import json_option, leave, results
from powerstage.contract import Contract, default, diff, front_matter, lint, load, loads
from powerstage.contract.load import DEFAULT_NAME, default_text, read_text
from powerstage.display import document
from powerstage.display.changes import show_changes
from powerstage.display.document import changes_part
from powerstage.display.terminal import BAD, BOLD, DIM, GOOD, Terminal
from powerstage.errors import UsageError

_FILE = click.argument("file", type=click.Path(path_type=Path), required=False)


@click.group()
def contract() -> None:
    """The agreement: check, read, compare and convert it. Without FILE, the default contract."""


@contract.command("lint")
@_FILE
@json_option
def lint_command(file: Path | None, *, as_json: bool) -> None:
    """Check a contract: every complaint with file and line. Exit 1 if there is one.

    Where there is none, the contract's own SQL is tried on tables without a row, in the worker.
    """
    name = DEFAULT_NAME if file is None else str(file)
    text = default_text() if file is None else read_text(file)
    problems = lint(text, name) or _query_complaints(loads(text, name))
    terminal = results(as_json)
    for problem in problems:
        terminal.line(("✗ ", BAD), problem)
    if not problems:
        terminal.line(("✓ ", GOOD), f"{name} is sound")
    code = 1 if problems else 0
    leave(code, as_json, document("contract lint", code, problems=list(problems)))


@contract.command()
@_FILE
@json_option
@click.option("--text", is_flag=True, help="The file itself, to start an own contract from.")
def show(file: Path | None, *, as_json: bool, text: bool) -> None:
    """Show what a contract says."""
    agreed = default() if file is None else load(file)
    if text and as_json:
        raise UsageError("--text does not go with --json", fix="ask for one of them")
    if text:
        click.echo(agreed.text, nl=False)
        return
    if not as_json:
        _show(results(as_json), agreed)
    leave(0, as_json, document("contract show", 0, contract=_facts(agreed)))


@contract.command("diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@json_option
def diff_command(old: Path, new: Path, *, as_json: bool) -> None:
    """Say what changed between two contracts, and whom it breaks. Exit 1 if anybody."""
    before, after = load(old), load(new)
    changes = diff(before, after)
    show_changes(results(as_json), before, after, changes)
    code = 1 if any(change.breaks for change in changes) else 0
    leave(code, as_json, document("contract diff", code, **changes_part(before, after, changes)))


@contract.command("import")
@click.argument("readme", type=click.Path(path_type=Path))
@click.option(
    "--contract",
    "base",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The contract to write the front matter into; else the default.",
)
def import_command(readme: Path, base: Path | None) -> None:
    """Turn the front matter of an old README into a contract, on standard output."""
    front = front_matter.parse(read_text(readme), str(readme))
    click.echo(front_matter.to_contract(front, None if base is None else load(base).text), nl=False)


@contract.command()
@_FILE
def export(file: Path | None) -> None:
    """Turn a contract into a README with the old front matter, on standard output."""
    click.echo(front_matter.write(default() if file is None else load(file)), nl=False)


def _query_complaints(agreed: Contract) -> tuple[str, ...]:
    with Checker() as checker:
        return checker.query_complaints(agreed)


def _show(terminal: Terminal, agreed: Contract) -> None:
    terminal.line((f"{agreed.name} {agreed.version}", BOLD), (f"   {agreed.path}", DIM))
    terminal.line(f"  customer            {agreed.tenant}")
    terminal.line(f"  a delivery covers   {agreed.delivery_interval}")
    terminal.line(f"  a reading covers    {agreed.roles.reading_interval}")
    if agreed.roles.jitter:
        terminal.line(f"  it starts at most   {agreed.roles.jitter} late")
    terminal.line(f"  may be late by      {agreed.lateness}")
    terminal.line(f"  kept for            {agreed.retention.days} days")
    terminal.line(f"  completeness        {agreed.completeness:.1%}")
    terminal.line(f"  bare time stamps    {agreed.timezone}")
    terminal.line(f"  sites               {', '.join(site.code for site in agreed.sites)}")
    for measure in agreed.measures:
        terminal.line(
            f"  {measure.name:<19} {measure.minimum:g} to {measure.maximum:g} {measure.unit}"
        )
    for dataset in (agreed.inventory, agreed.telemetry):
        terminal.line("")
        terminal.line((dataset.name, BOLD), f"   key: {', '.join(dataset.key)}")
        terminal.table(
            ["column", "type", "required", "agreed values"],
            [
                [
                    column.name,
                    column.type,
                    "yes" if column.required else "no",
                    column.pattern or ", ".join(column.allowed),
                ]
                for column in dataset.columns
            ],
        )


def _facts(agreed: Contract) -> dict[str, object]:
    return {
        "name": agreed.name,
        "version": agreed.version,
        "sha256": agreed.sha256,
        "tenant": agreed.tenant,
        "delivery_interval_seconds": int(agreed.delivery_interval.total_seconds()),
        "reading_interval_seconds": int(agreed.roles.reading_interval.total_seconds()),
        "jitter_seconds": int(agreed.roles.jitter.total_seconds()),
        "lateness_seconds": int(agreed.lateness.total_seconds()),
        "retention_days": agreed.retention.days,
        "completeness": agreed.completeness,
        "timezone": agreed.timezone,
        "sites": {site.code: site.timezone for site in agreed.sites},
        "measures": [
            {
                "measure": measure.name,
                "unit": measure.unit,
                "minimum": measure.minimum,
                "maximum": measure.maximum,
            }
            for measure in agreed.measures
        ],
        "datasets": {
            dataset.name: {
                "key": list(dataset.key),
                "columns": {column.name: column.type for column in dataset.columns},
            }
            for dataset in (agreed.inventory, agreed.telemetry)
        },
    }
