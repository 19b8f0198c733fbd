"""``powerstage gc``: what a feed can do without."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import click

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
from powerstage.consumer import feed_contract
from powerstage.display import Terminal
from powerstage.display.document import document
from powerstage.display.terminal import BOLD, DIM, GOOD, counted
from powerstage.janitor import GRACE, Waste, delete_waste, find_waste


@click.command()
@click.argument("feed")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@click.option(
    "--grace",
    "grace_days",
    type=click.IntRange(min=1),
    default=GRACE // timedelta(days=1),
    show_default=True,
    metavar="DAYS",
    help="Leave alone what was uploaded later than so long ago.",
)
@click.option(
    "--expired",
    is_flag=True,
    help="Delete, too, the data of periods that the contract's retention no longer keeps.",
)
@contract_option
@yes_option
@json_option
def gc(
    feed: str,
    *,
    dry_run: bool,
    grace_days: int,
    expired: bool,
    contract_path: Path | None,
    yes_write_to: str | None,
    as_json: bool,
) -> None:
    """Delete the data in FEED that no commit names: what interrupted uploads have left.

    Commits and receipts stay for ever. A version that is uploaded meanwhile is left alone.
    """
    store = open_to_write(feed, yes_write_to)
    contract = (load_contract(contract_path) or feed_contract(store)) if expired else None
    waste = find_waste(store, now=now(), grace=timedelta(days=grace_days), contract=contract)
    if not dry_run:
        waste = list(delete_waste(store, waste))
    _show(results(as_json), feed, waste, is_deleted=not dry_run)
    objects = [
        {"key": item.object.key, "bytes": item.object.size_bytes, "why": item.why} for item in waste
    ]
    leave(0, as_json, document("gc", 0, feed=feed, dry_run=dry_run, objects=objects))


def _show(terminal: Terminal, feed: str, waste: Sequence[Waste], *, is_deleted: bool) -> None:
    for item in waste:
        terminal.line(f"  {item.object.key}", (f"   {item.why}", DIM))
    size_bytes = sum(item.object.size_bytes for item in waste)
    words = "deleted from" if is_deleted else "would be deleted from"
    terminal.line(
        ("✓ ", GOOD),
        (counted(len(waste), "object"), BOLD),
        f" {words} {feed}   {size_bytes:,} bytes",
    )
