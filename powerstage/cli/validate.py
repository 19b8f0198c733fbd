"""``powerstage validate``: the data unit tests, and what they found."""

from pathlib import Path

import click

from powerstage.cli.common import (
    contract_option,
    json_option,
    leave,
    load_contract,
    now,
    results,
)
from powerstage.display.document import consumed_part, document, report_part
from powerstage.display.report import show_consumed, show_judgement, show_report
from powerstage.validate import validate as validate_target


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
@json_option
def validate(
    target: str, *, inventory_path: Path | None, contract_path: Path | None, as_json: bool
) -> None:
    """Run the data unit tests on TARGET: a file, an export, a feed or one delivery.

    A delivery is named by the URL of its commit. Nothing is written: no receipt, no lake.
    """
    terminal = results(as_json)
    validated = validate_target(
        target,
        clock=now,
        contract=load_contract(contract_path),
        inventory=inventory_path,
        on_judgement=lambda judgement: show_judgement(terminal, judgement),
    )
    code = 0 if validated.ok else 1
    if validated.consumed is None:
        ((name, report),) = validated.reports
        show_report(terminal, name, report)
        part = report_part(report)
    else:
        show_consumed(terminal, validated.consumed)
        part = consumed_part(validated.consumed)
    leave(code, as_json, document("validate", code, target=target, **part))
