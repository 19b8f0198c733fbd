"""A delivery with nothing in it: a retraction of what was delivered, or a period without data."""

from collections.abc import Callable
from datetime import datetime

from powerstage.contract import Commit, Contract, InventoryPin, Slot, period_text
from powerstage.contract.calendar import is_period
from powerstage.errors import ConflictError, UsageError
from powerstage.producer.feed import (
    Feed,
    Heads,
    Published,
    contract_pin,
    create_commit,
    feed_name,
    inventory_in_force,
    published,
    signature,
    standing_commit,
)
from powerstage.store import Store


def retract(
    store: Store, contract: Contract, period: datetime, *, clock: Callable[[], datetime]
) -> Published:
    """Say that a period of telemetry holds nothing: its readings are taken back.

    Where nothing was delivered, it is said that there is nothing to deliver: silence is told from
    absence.

    Args:
        store: the feed.
        contract: what was agreed.
        period: its start, UTC.
        clock: the time, for ``created_at``.

    Raises:
        UsageError: it is no period of the contract, or one of which nothing can be said yet; or the
            feed has no inventory for it.
        ConflictError: another producer was faster with other content, or the feed carries another
            contract of the same version.
    """
    if not is_period(period, contract.delivery_interval):
        raise UsageError(
            f"{period_text(period)} is no period of the contract",
            cause=f"a delivery covers {contract.delivery_interval}, counted from midnight UTC",
            fix="a period reads like 2026-11-01T0500",
        )
    feed = Feed(contract, store, clock)
    feed.refuse_other_contract()
    heads = feed.heads
    head = heads.get(("telemetry", period))
    before = standing_commit(store, head) if head else None
    if before is not None and not before.files:
        return published(before, "unchanged")
    if before is None and period + contract.delivery_interval > clock():
        raise UsageError(
            f"{period_text(period)} has not ended, and nothing was delivered for it",
            cause="what is said of it stays in the feed for ever",
            fix="say it when the period is over, or correct the period",
        )
    commit = Commit(
        feed=feed_name(store.url),
        slot=Slot(
            dataset="telemetry", period=period, revision=before.slot.revision + 1 if before else 0
        ),
        supersedes=before.identity if before else None,
        contract=contract_pin(contract),
        inventory=before.inventory if before else _pin(store, heads, period),
        files=(),
        reason="retraction" if before else "no-data",
        **signature(clock),
    )
    feed.put_contract()
    stands = create_commit(store, commit)
    if (stands.identity, stands.contract) != (commit.identity, commit.contract):
        raise ConflictError(
            f"{commit.slot} was written by {stands.producer or 'somebody'} at the same time",
            cause=f"it holds {stands.rows} rows",
            fix="run it again, if they are to be taken back, too",
        )
    return published(commit, "new")


def _pin(store: Store, heads: Heads, period: datetime) -> InventoryPin:
    slot = inventory_in_force(heads, period)
    if slot is None:
        raise UsageError(
            f"there is no inventory for {period_text(period)} in {store.url}",
            fix="publish the inventory with the first period that has readings",
        )
    return InventoryPin(slot=slot, identity=standing_commit(store, slot).identity)
