"""``powerstage synth``, ``publish`` and ``retract``: the producer's commands."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from powerstage.checks import Checker
from powerstage.cli.common import (
    PERIOD,
    contract_option,
    fault_names,
    json_option,
    leave,
    load_contract,
    now,
    on_cluster,
    open_to_publish,
    open_to_write,
    progress,
    refuse_both,
    results,
    workers_options,
    yes_option,
)
from powerstage.consumer import feed_contract
from powerstage.contract import Contract, ContractKey, default, period_text
from powerstage.display.document import document, published_part, report_part
from powerstage.display.report import show_report
from powerstage.display.story import show_published
from powerstage.display.terminal import BAD, GOOD, counted
from powerstage.errors import UsageError
from powerstage.faults import (
    Injector,
    all_faults,
    names_by_level,
    plan_faults,
    truth_of,
    write_truth,
)
from powerstage.producer import (
    ExportSource,
    Published,
    Source,
    check_export,
    open_export,
    synthesise,
    write_export,
)
from powerstage.producer import publish as publish_source
from powerstage.producer import retract as retract_period
from powerstage.producer.publish import SENDERS
from powerstage.store import Store

if TYPE_CHECKING:
    from powerstage.workers import Workers

_SHOWN_MAX = 3
_FORMATS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%MZ")


@click.command(epilog=f"\b\nFaults:\n{names_by_level()}")
@click.argument("feed")
@click.option("--devices", default=40, show_default=True, help="How many places for servers.")
@click.option(
    "--start",
    type=click.DateTime(formats=_FORMATS),
    default="2026-11-02",
    show_default=True,
    help="First period, UTC.",
)
@click.option("--days", default=1, show_default=True, help="How many days.")
@click.option("--seed", default=7, show_default=True, help="Decides every value.")
@click.option(
    "--fuzz",
    type=click.IntRange(0, 86_400),
    default=0,
    metavar="SECONDS",
    help="Take readings up to so many seconds late, as far as the contract allows.",
)
@click.option(
    "--faults", default="", help="Faults to put in: names separated by commas, 'all' or 'none'."
)
@click.option(
    "--export",
    "export_format",
    type=click.Choice(["csv", "parquet"]),
    help="Write a plain export into the folder FEED instead.",
)
@workers_options
@contract_option
@yes_option
@json_option
def synth(
    feed: str,
    *,
    devices: int,
    start: datetime,
    days: int,
    seed: int,
    fuzz: int,
    faults: str,
    export_format: str | None,
    worker_count: int | None,
    scheduler: str | None,
    contract_path: Path | None,
    yes_write_to: str | None,
    as_json: bool,
) -> None:
    """Publish mock inventory and telemetry as deliveries into FEED.

    FEED is s3://bucket/prefix or a folder. The same seed gives the same data.
    """
    refuse_both(worker_count, scheduler)
    contract = load_contract(contract_path) or default()
    source = synthesise(
        contract,
        devices=devices,
        start=start.replace(tzinfo=UTC),
        days=days,
        seed=seed,
        fuzz=timedelta(seconds=fuzz),
        # A plain export knows one inventory.
        frozen=export_format is not None,
    )
    terminal = results(as_json)
    shared = worker_count is not None or scheduler is not None
    if export_format is not None:
        if fault_names(faults) or shared:
            raise UsageError(
                "--export goes with neither --faults nor --workers nor --scheduler",
                fix="publish into a feed",
            )
        write_export(source, feed, "csv" if export_format == "csv" else "parquet")
        terminal.line(
            ("✓ ", GOOD), f"an export of {counted(len(source.periods()), 'period')} in {feed}"
        )
        leave(0, as_json, document("synth", 0, export=feed, periods=len(source.periods())))
    source.start_early()
    store = open_to_publish(feed, yes_write_to)
    names = all_faults(source) if faults == "all" else fault_names(faults)
    if names and shared:
        raise UsageError(
            "--faults does not go with --workers or --scheduler",
            cause="what a fault does to one delivery may rest on the one before",
            fix="leave one of them out",
        )
    plan = plan_faults(source, names, seed=seed)
    injector = Injector(plan, contract)
    # What a fault does to one delivery may rest on the one before.
    if plan:
        published = _publish(injector.source(source), injector.store(store), senders=1)
    elif worker_count is not None:
        from powerstage.workers import local_processes

        with local_processes(worker_count) as processes:
            published = _publish(source, store, workers=processes)
    else:
        with on_cluster(scheduler) as cluster:
            published = _publish(source, store, workers=cluster)
    show_published(terminal, feed, published)
    for planned in plan:
        terminal.line(
            f"  fault {planned.fault.name} in {period_text(planned.period)}: {planned.fault.words}"
        )
    truth_path = _truth_path(store, feed) if plan else None
    if truth_path:
        write_truth(truth_path, plan, seed=seed, feed=store.url)
        terminal.line(f"  the truth about them is in {truth_path}")
    truth = [truth_of(planned) for planned in plan]
    leave(
        0,
        as_json,
        document(
            "synth",
            0,
            feed=feed,
            faults=truth,
            truth=str(truth_path) if truth_path else None,
            **published_part(published),
        ),
    )


def _publish(
    source: Source,
    store: Store,
    *,
    senders: int = SENDERS,
    workers: "Workers | None" = None,
    revise: str = "",
) -> list[Published]:
    """Publish a source, and show how far it is."""
    with progress("publish", len(source.periods()) + len(source.snapshots())) as shown:
        return publish_source(
            source,
            store,
            clock=now,
            revise=revise,
            # Whoever has done a part finds the next one waiting.
            senders=max(senders, 2 * workers.count) if workers else senders,
            executor=workers,
            on_delivery=lambda delivery: shown.add(delivery.size_bytes),
        )


def _truth_path(store: Store, feed: str) -> Path:
    """Beside a folder, else in the working folder: never inside the feed."""
    if feed.startswith("s3://"):
        # Of two feeds in one working folder, each has its own.
        return Path(f"{store.url.removeprefix('s3://').replace('/', '-')}.truth.json")
    folder = Path(feed).resolve()
    return folder.parent / f"{folder.name}.truth.json"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("feed")
@click.option(
    "--revise",
    default="",
    metavar="REASON",
    help="Replace what stands there and differs by new revisions, and say why: 'late data'.",
)
@contract_option
@yes_option
@json_option
def publish(
    folder: Path,
    feed: str,
    *,
    revise: str,
    contract_path: Path | None,
    yes_write_to: str | None,
    as_json: bool,
) -> None:
    """Check the export in FOLDER and publish it as deliveries into FEED.

    FOLDER holds an inventory and data files (CSV or Parquet), and says what was agreed: in
    contract.odcs.yaml, in a README with front matter, or by --contract.
    Nothing is sent unless all of it keeps the contract. Run it again after any interruption.
    """
    export = open_export(folder, load_contract(contract_path))
    store = open_to_publish(feed, yes_write_to)
    if contract_path is None:
        _require_version_of(store, export.contract)
    terminal = results(as_json)
    with Checker() as checker:
        report = check_export(export, checker)
    show_report(terminal, str(folder), report, str(folder))
    if not report.ok:
        terminal.line("")
        terminal.line(("nothing was sent", BAD), ": the export does not keep the contract")
        leave(1, as_json, document("publish", 1, feed=feed, export=report_part(report)))
    with ExportSource(export) as source:
        published = _publish(source, store, revise=revise)
    show_published(terminal, feed, published)
    leave(
        0,
        as_json,
        document("publish", 0, feed=feed, export=report_part(report), **published_part(published)),
    )


def _require_version_of(store: Store, contract: Contract) -> None:
    """Under another version than a feed has, nobody publishes by oversight: consumers refuse it."""
    ours = str(ContractKey(name=contract.name, version=contract.version))
    theirs = [info.key for info in store.list("contract/")]
    if theirs and ours not in theirs:
        raise UsageError(
            f"{store.url} carries {', '.join(theirs[:_SHOWN_MAX])}, the export follows"
            f" {contract.name} {contract.version}",
            fix="name the contract with --contract FILE, if that is what was agreed",
        )


@click.command()
@click.argument("feed")
@click.argument("period", type=PERIOD)
@contract_option
@yes_option
@json_option
def retract(
    feed: str,
    period: datetime,
    *,
    contract_path: Path | None,
    yes_write_to: str | None,
    as_json: bool,
) -> None:
    """Say that a PERIOD of FEED holds nothing: its readings are taken back.

    PERIOD reads like 2026-11-01T0500 or 2026-11-01T05:00Z. Where nothing was delivered, it is said
    that there is nothing to deliver. What was delivered stays in the feed, under its revision.
    """
    store = open_to_write(feed, yes_write_to)
    contract = load_contract(contract_path) or feed_contract(store)
    retracted = retract_period(store, contract, period, clock=now)
    terminal = results(as_json)
    show_published(terminal, feed, [retracted])
    leave(0, as_json, document("retract", 0, feed=feed, **published_part([retracted])))
