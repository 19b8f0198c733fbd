"""``powerstage demo``: the whole story, told."""

import time
from pathlib import Path

import click

from powerstage.cli.common import (
    contract_option,
    fault_names,
    json_option,
    leave,
    load_contract,
    now,
    program,
    require_allowed,
    results,
)
from powerstage.contract import default
from powerstage.display.document import consumed_part, document
from powerstage.display.terminal import BAD, BOLD, DIM, GOOD, Terminal, counted
from powerstage.faults import all_faults, names_by_level, truth_of
from powerstage.producer import synthesise
from powerstage.sim.demo import (
    PAGE,
    START,
    DemoOptions,
    DemoResult,
    FaultOutcome,
    default_faults,
    demo_store,
    run_demo,
)


@click.command(epilog=f"\b\nFaults:\n{names_by_level()}")
@click.option("--devices", default=40, show_default=True, help="How many servers.")
@click.option("--days", default=3, show_default=True, help="How many days.")
@click.option("--seed", default=7, show_default=True, help="Decides every value and fault.")
@click.option(
    "--faults",
    default="default",
    show_default=True,
    help="Names separated by commas, 'default', 'all' or 'none'.",
)
@click.option(
    "--into",
    "folder",
    default="powerstage-demo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder for the lake, a copy of the feed, and the truth about the faults.",
)
@click.option("--endpoint-url", help="Play against this S3 instead of the embedded one.")
@click.option("--yes-write-to", metavar="s3://BUCKET", help="Allow an S3 that is elsewhere.")
@contract_option
@json_option
def demo(
    *,
    devices: int,
    days: int,
    seed: int,
    faults: str,
    folder: Path,
    endpoint_url: str | None,
    yes_write_to: str | None,
    contract_path: Path | None,
    as_json: bool,
) -> None:
    """Synthesise, inject faults, publish, consume, and show what was caught.

    Exit 1 if a fault was missed or a clean delivery was blamed; a fault that no check
    sees yet counts for nothing.
    """
    contract = load_contract(contract_path) or default()
    names = default_faults(contract) if faults == "default" else fault_names(faults)
    if faults == "all":
        source = synthesise(contract, devices=devices, start=START, days=days, seed=seed)
        names = all_faults(source)
    options = DemoOptions(
        contract=contract,
        devices=devices,
        days=days,
        seed=seed,
        faults=names,
        folder=folder,
    )
    terminal = results(as_json)
    terminal.line(
        ("powerstage demo", BOLD),
        f"  seed {seed}, {counted(devices, 'device')}, {counted(days, 'day')},"
        f" {counted(len(names), 'fault')}",
    )
    stages = _Stages(terminal)
    with demo_store(
        endpoint_url, lambda store: require_allowed(store, yes_write_to), clock=now
    ) as (store, server):
        terminal.line((f"{server}, files in {folder}", DIM))
        terminal.line("")
        stages.done("start S3", store.url)
        result = run_demo(options, store, clock=now, on_stage=stages.done)
    _show(terminal, result, folder)
    code = 0 if result.ok else 1
    outcomes = [
        truth_of(outcome.planned)
        | {
            "caught_by": outcome.caught_by,
            "outcome": outcome.outcome,
            "is": outcome.came_of_it,
        }
        for outcome in result.outcomes
    ]
    leave(
        code,
        as_json,
        document(
            "demo",
            code,
            faults=outcomes,
            blamed=list(result.blamed),
            clean_deliveries=result.clean_deliveries,
            **consumed_part(result.consumed),
        ),
    )


class _Stages:
    """A line per stage, with the time that it took."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal, self._before = terminal, time.monotonic()

    def done(self, name: str, words: str) -> None:
        seconds, self._before = time.monotonic() - self._before, time.monotonic()
        self._terminal.line(("  ✓ ", GOOD), f"{name:<12}", (f"{seconds:5.1f} s  ", DIM), words)


def _show(terminal: Terminal, result: DemoResult, folder: Path) -> None:
    terminal.line("")
    if result.outcomes:
        terminal.line(("Faults put in, faults found", BOLD))
        terminal.line("")
        terminal.table(
            ["fault", "level", "period", "caught by", "result"],
            [
                [
                    outcome.planned.fault.name,
                    outcome.planned.fault.level,
                    f"{outcome.planned.period:%Y-%m-%dT%H:%MZ}",
                    outcome.caught_by,
                    _told(outcome),
                ]
                for outcome in result.outcomes
            ],
        )
        terminal.line("")
    _show_sums(terminal, result)
    for words in result.blamed:
        terminal.line(("  ✗ ", BAD), words)
    terminal.line("")
    look = next((outcome.planned for outcome in result.outcomes if _is_to_look_at(outcome)), None)
    target = f"{folder / 'feed'}"
    if look:
        target += f"/commits/telemetry/{look.period:%Y-%m-%dT%H%M}/r000000.json"
    terminal.line(("Open  ", BOLD), f"{folder / PAGE}")
    terminal.line(("Look  ", BOLD), f"{program()} validate {target}")
    terminal.line(("Then  ", BOLD), f"{program()} status {folder / 'feed'}")


def _show_sums(terminal: Terminal, result: DemoResult) -> None:
    caught = result.count("caught")
    terminal.line(
        (f"{caught} of {caught + result.count('missed')} faults caught", BOLD),
        f", {counted(len(result.blamed), 'false alarm')}"
        f" in {result.clean_deliveries} clean deliveries.",
    )
    for outcome, words in (
        ("let pass", "harmless, and let pass"),
        ("no check yet", "without a check yet: not counted"),
        ("not shown", "that so little history does not show: not counted"),
        ("undetectable", "too small for any check: not counted"),
    ):
        if count := sum(fault.outcome == outcome for fault in result.outcomes):
            terminal.line((f"  {count} {words}", DIM))


def _told(outcome: FaultOutcome) -> tuple[str, str]:
    if outcome.outcome == "missed":
        return f"✗ {outcome.came_of_it}", BAD
    if outcome.outcome in {"caught", "let pass"}:
        return f"✓ {outcome.came_of_it}", GOOD
    return f"  {outcome.outcome}", DIM


def _is_to_look_at(outcome: FaultOutcome) -> bool:
    """Whether a delivery of telemetry shows rows that are spoilt."""
    fault = outcome.planned.fault
    return outcome.outcome == "caught" and fault.level in {"value", "row", "key", "timing"}
