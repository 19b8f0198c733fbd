"""What ``scripts/seed-dev-bucket`` runs: a real bucket, made, seeded, and deleted again."""

from datetime import UTC, datetime
from pathlib import Path

import click

from powerstage.cli import main
from powerstage.cli.common import (
    contract_option,
    load_contract,
    now,
    require_allowed,
    results,
    yes_option,
)
from powerstage.contract import default
from powerstage.display.terminal import BOLD, GOOD, Terminal, deliveries
from powerstage.producer import synthesise
from powerstage.sim import Seeded, seed_dev_bucket
from powerstage.store import open_bucket

PROGRAM = "scripts/seed-dev-bucket"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("feed")
@click.option("--devices", default=40, show_default=True, help="How many places for servers.")
@click.option(
    "--start",
    type=click.DateTime(formats=["%Y-%m-%d"]),
    default="2026-11-02",
    show_default=True,
    help="First day, UTC.",
)
@click.option("--days", default=1, show_default=True, help="How many days.")
@click.option("--seed", default=7, show_default=True, help="Decides every value.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option("--teardown", is_flag=True, help="Delete the bucket that this script made.")
@contract_option
@yes_option
def dev_bucket(
    feed: str,
    *,
    devices: int,
    start: datetime,
    days: int,
    seed: int,
    dry_run: bool,
    teardown: bool,
    contract_path: Path | None,
    yes_write_to: str | None,
) -> None:
    """Make the bucket of FEED and fill it with mock data, or delete it again.

    FEED is s3://bucket/prefix. A bucket that is there is only checked, and must be empty;
    --teardown deletes none but a bucket that this script made.
    """
    bucket = open_bucket(feed)
    if not dry_run:
        require_allowed(bucket.store, yes_write_to)
    terminal = results(as_json=False)
    if teardown:
        versions = bucket.delete(dry_run=dry_run)
        would = "would be deleted" if dry_run else "deleted"
        terminal.line(("✓ ", GOOD), f"{bucket.url} and {versions:,} versions of objects {would}")
        return
    source = synthesise(
        load_contract(contract_path) or default(),
        devices=devices,
        start=start.replace(tzinfo=UTC),
        days=days,
        seed=seed,
    )
    seeded = seed_dev_bucket(bucket, source, clock=now, dry_run=dry_run)
    _show(terminal, bucket.store.url, seeded, dry_run=dry_run)


def _show(terminal: Terminal, feed: str, seeded: Seeded, *, dry_run: bool) -> None:
    if seeded.is_new:
        terminal.line(("✓ ", GOOD), "the bucket would be made" if dry_run else "the bucket is made")
    if seeded.is_ours:
        words = "would be made" if dry_run else "are made, the policy last"
        terminal.line(("✓ ", GOOD), f"its settings {words}")
    else:
        terminal.line(("✓ ", GOOD), "the bucket is empty, and its settings are as they should be")
    new = sum(delivery.state == "new" for delivery in seeded.published)
    words = "would be published" if dry_run else "published"
    terminal.line(("✓ ", GOOD), (deliveries(new), BOLD), f" {words} in {feed}")
    counts = ", ".join(f"{count:,} {verb}" for verb, count in seeded.requests.items())
    terminal.line(f"  cost: {counts}; {seeded.sent_bytes:,} bytes sent")
    if not dry_run:
        terminal.line(f"  next: powerstage doctor {feed}")


if __name__ == "__main__":
    main(dev_bucket, PROGRAM)
