"""``powerstage consume`` and ``status``: a feed, judged and looked at."""

from pathlib import Path

import click

from powerstage.checks import FileFormat
from powerstage.cli.common import (
    contract_option,
    json_option,
    leave,
    load_contract,
    now,
    open_to_write,
    results,
    yes_option,
)
from powerstage.consumer import Consumed, Lake
from powerstage.consumer import consume as consume_feed
from powerstage.display.document import (
    consumed_part,
    document,
    status_part,
)
from powerstage.display.report import show_consumed, show_judgement
from powerstage.display.story import show_status
from powerstage.producer import status as feed_status
from powerstage.store import open_store

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
@click.option("--rejudge", is_flag=True, help="Judge again all that was refused.")
@click.option("--as", "name", default="consumer", show_default=True, help="What receipts call you.")
@contract_option
@yes_option
@json_option
def consume(
    feed: str,
    *,
    lake_path: Path,
    rejudge: bool,
    name: str,
    contract_path: Path | None,
    yes_write_to: str | None,
    as_json: bool,
) -> None:
    """Discover, fetch, judge and record what FEED delivers; send receipts.

    Exit 1 if this run rejected a delivery or could not read it, or a period is missing. Run
    it again at any time: what was judged is not judged again, unless it was refused by rules that
    were mended since. `status` shows all verdicts.
    """
    store = open_to_write(feed, yes_write_to)
    contract = load_contract(contract_path)
    terminal = results(as_json)
    with Lake(lake_path, make=True) as lake:
        consumed = consume_feed(
            store,
            lake,
            clock=now,
            name=name,
            contract=contract,
            rejudge=rejudge,
            on_judgement=lambda judgement: (
                None
                if judgement.report.ok and not judgement.report.findings
                else show_judgement(terminal, judgement, feed)
            ),
        )
    show_consumed(terminal, consumed)
    code = _code(consumed)
    leave(code, as_json, document("consume", code, feed=feed, **consumed_part(consumed)))


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
