"""``powerstage consume`` and ``status``: a feed, judged and looked at."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from powerstage.checks import FileFormat
from powerstage.cli.common import (
    contract_option,
    json_option,
    leave,
    load_contract,
    now,
    on_cluster,
    open_to_write,
    progress,
    refuse_both,
    results,
    stopping,
    workers_options,
    yes_option,
)
from powerstage.consumer import Consumed, Judgement, Lake, follow
from powerstage.consumer import consume as consume_feed
from powerstage.consumer.consume import FETCHERS
from powerstage.contract import Contract
from powerstage.display import Terminal
from powerstage.display.document import (
    consumed_part,
    document,
    status_part,
)
from powerstage.display.report import show_consumed, show_judgement
from powerstage.display.story import show_status
from powerstage.errors import UsageError
from powerstage.producer import status as feed_status
from powerstage.store import HintQueue, Store, open_store

if TYPE_CHECKING:
    from powerstage.workers import Workers

_SUFFIXES: dict[str, FileFormat] = {".csv": "csv", ".parquet": "parquet"}


@click.command()
@click.argument("feed")
@click.option(
    "--into",
    "lake_path",
    required=True,
    metavar="LAKE",
    type=click.Path(path_type=Path),
    help="Folder for accepted data and the ledger.",
)
@click.option(
    "--follow",
    "is_following",
    is_flag=True,
    help="Go on with whatever comes, until Ctrl-C or SIGTERM.",
)
@click.option(
    "--every",
    "every_seconds",
    type=click.FloatRange(min=0.1),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="With --follow: how often to look.",
)
@click.option(
    "--queue",
    "queue_url",
    metavar="URL",
    help="With --follow: an SQS queue that the bucket notifies, to look sooner.",
)
@click.option("--rejudge", is_flag=True, help="Judge again all that was refused.")
@click.option("--as", "name", default="consumer", show_default=True, help="What receipts call you.")
@workers_options
@contract_option
@yes_option
@json_option
def consume(
    feed: str,
    *,
    lake_path: Path,
    is_following: bool,
    every_seconds: float,
    queue_url: str | None,
    rejudge: bool,
    name: str,
    worker_count: int | None,
    scheduler: str | None,
    contract_path: Path | None,
    yes_write_to: str | None,
    as_json: bool,
) -> None:
    """Discover, fetch, judge and record what FEED delivers; send receipts.

    With --follow it goes on until it is told to stop, and --json prints a line for each look that
    found something.

    Exit 1 if this run rejected a delivery or could not read it, or a period is missing. Run
    it again at any time: what was judged is not judged again, unless it was refused by rules that
    were mended since. `status` shows all verdicts.
    """
    refuse_both(worker_count, scheduler)
    if not is_following:
        _refuse_following_options()
    store = open_to_write(feed, yes_write_to)
    contract = load_contract(contract_path)
    terminal = results(as_json)

    def show(judgement: Judgement) -> None:
        if judgement.report.findings:
            show_judgement(terminal, judgement, feed)

    with Lake(lake_path, make=True) as lake, on_cluster(scheduler) as cluster:
        if is_following:
            hints = HintQueue(queue_url, store.url) if queue_url else None
            with stopping() as stopped:
                for consumed in follow(
                    store,
                    lake,
                    clock=now,
                    wait=stopped.wait,
                    every=timedelta(seconds=every_seconds),
                    hints=hints,
                    name=name,
                    contract=contract,
                    rejudge=rejudge,
                    fetchers=_fetchers(cluster),
                    workers=worker_count,
                    executor=cluster,
                    on_judgement=show,
                ):
                    _show_look(terminal, consumed, feed, as_json=as_json)
            return
        consumed = _consume_once(
            store,
            lake,
            show,
            name=name,
            contract=contract,
            rejudge=rejudge,
            worker_count=worker_count,
            cluster=cluster,
        )
    show_consumed(terminal, consumed)
    code = _code(consumed)
    leave(code, as_json, document("consume", code, feed=feed, **consumed_part(consumed)))


def _refuse_following_options() -> None:
    said = click.get_current_context().get_parameter_source
    for option, name in (("--every", "every_seconds"), ("--queue", "queue_url")):
        if said(name) is not click.core.ParameterSource.DEFAULT:
            raise UsageError(
                f"{option} is for --follow", fix=f"say --follow, or leave {option} out"
            )


def _consume_once(
    store: Store,
    lake: Lake,
    show: Callable[[Judgement], None],
    *,
    name: str,
    contract: Contract | None,
    rejudge: bool,
    worker_count: int | None,
    cluster: "Workers | None",
) -> Consumed:
    """Consume what there is, and show how far it is."""
    with progress("consume") as shown:

        def expect(count: int) -> None:
            shown.total = count

        def show_one(judgement: Judgement) -> None:
            if judgement.report.findings:
                with shown.aside():
                    show(judgement)
            shown.add(sum(file.bytes for file, _ in judgement.files))

        return consume_feed(
            store,
            lake,
            clock=now,
            name=name,
            contract=contract,
            rejudge=rejudge,
            fetchers=_fetchers(cluster),
            workers=worker_count,
            executor=cluster,
            on_discovered=expect,
            on_judgement=show_one,
        )


def _fetchers(cluster: "Workers | None") -> int:
    """Whoever has judged a delivery finds the next one waiting."""
    return max(FETCHERS, 2 * cluster.count) if cluster else FETCHERS


def _show_look(terminal: Terminal, consumed: Consumed, feed: str, *, as_json: bool) -> None:
    """What came of one look, where something did: a line for people, and one for programs."""
    if not consumed.judgements:
        return
    show_consumed(terminal, consumed)
    if as_json:
        code = _code(consumed)
        told = document("consume", code, feed=feed, **consumed_part(consumed))
        click.echo(json.dumps(told, ensure_ascii=True))


@click.command()
@click.argument("feed")
@json_option
def status(feed: str, *, as_json: bool) -> None:
    """Show the deliveries of FEED, the verdicts on them, and what is missing.

    Exit 1 if a consumer did not accept a delivery, or a period is missing.
    """
    seen = feed_status(open_store(feed), clock=now)
    show_status(results(as_json), seen)
    refused = any(
        receipt.verdict != "accepted"
        for delivery in seen.deliveries
        for receipt in delivery.receipts
    )
    code = 1 if refused or seen.gaps else 0
    leave(code, as_json, document("status", code, **status_part(seen)))


def _code(consumed: Consumed) -> int:
    if any(judgement.verdict != "accepted" for judgement in consumed.judgements):
        return 1
    return 1 if consumed.gaps or consumed.strays else 0
