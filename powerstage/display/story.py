"""The demo and the producer's view, for people."""

from powerstage.contract import Receipt, period_text
from powerstage.display.report import show_feed_findings, show_gaps
from powerstage.display.terminal import BAD, BOLD, DIM, GOOD, Terminal, counted
from powerstage.producer import FeedStatus, Published


def show_published(terminal: Terminal, feed: str, published: list[Published]) -> None:
    """What a run of publish sent, and what it found there."""
    new = [item for item in published if item.state == "new"]
    rows = sum(item.rows for item in new if item.slot.dataset == "telemetry")
    terminal.line(
        ("✓ ", GOOD),
        (f"{len(new)} new", BOLD),
        f", {len(published) - len(new)} unchanged → {feed}"
        f"   {counted(rows, 'reading')}, {sum(item.size_bytes for item in new):,} bytes sent",
    )


def show_status(terminal: Terminal, status: FeedStatus) -> None:
    """A feed as its producer sees it."""
    telemetry = [d for d in status.deliveries if d.slot.dataset == "telemetry"]
    terminal.line((status.feed, BOLD))
    span = ""
    if telemetry:
        first, last = telemetry[0].slot.period, telemetry[-1].slot.period
        span = f", {period_text(first)} to {period_text(last)}"
    terminal.line(
        f"  {len(telemetry)} telemetry and {len(status.deliveries) - len(telemetry)} inventory"
        f" deliveries{span}"
    )
    if not status.consumers:
        terminal.line("  no consumer has sent a receipt yet")
    for consumer in status.consumers:
        counts = status.verdicts(consumer)
        words = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
        terminal.line(f"  {consumer}: {words}")
    for delivery in status.deliveries:
        for receipt in delivery.receipts:
            if receipt.verdict != "accepted":
                _show_receipt(terminal, receipt)
    show_gaps(terminal, status.gaps or ())
    show_feed_findings(terminal, status.feed_findings)


def _show_receipt(terminal: Terminal, receipt: Receipt) -> None:
    terminal.line(
        ("  ✗ ", BAD), (str(receipt.slot), BOLD), f" {receipt.verdict} by {receipt.consumer}"
    )
    for check in receipt.checks:
        terminal.line(f"      {check.words}", (f"   {check.id}", DIM))
        for sample in check.sample[:1]:
            terminal.line((f"        {sample}", DIM))
