"""What a feed can do without: data that no commit names, and data that were kept long enough.

Commits and receipts stay for ever: to delete a commit is to open its name again. Data are listed
before the commits are, and only what is older than a grace period is deleted, by its version: an
upload that is under way, or comes again, is none of what was judged.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from powerstage.contract import Commit, CommitKey, Contract, DataKey, find_key
from powerstage.contract.layout import COMMITS, DATA
from powerstage.contract.strict_json import RECORD_BYTES_MAX
from powerstage.errors import ConflictError, RecordError, UsageError
from powerstage.store import Store, VersionedStore, VersionInfo, read

# Whoever began to publish has committed long before.
GRACE: Final = timedelta(days=14)
_READERS: Final = 8

Why: TypeAlias = Literal["orphan", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waste:
    """One version of a data object that may go: no commit names it, or it was kept long enough.

    In a folder also the draft of one, which a killed upload has left.
    """

    why: Why
    object: VersionInfo


def find_waste(
    store: VersionedStore,
    *,
    now: datetime,
    grace: timedelta = GRACE,
    contract: Contract | None = None,
) -> list[Waste]:
    """What may be deleted.

    Args:
        store: the feed.
        now: the time; by the store's clock nothing that is younger than the grace is looked at.
        grace: how long after its upload an object may wait for its commit.
        contract: whose ``retention`` tells how long after its end a period is kept; None keeps all.

    Raises:
        UsageError: the grace is shorter than a day, within which somebody may still publish.
        ConflictError: a commit cannot be read: what it names is not known, so nothing is waste.
    """
    if grace < timedelta(days=1):
        raise UsageError(
            f"a grace of {grace} is too short", fix="a day at least: somebody may still publish"
        )
    old = [info for info in store.versions(DATA) if info.modified_at < now - grace]
    kept: set[str] = set()
    expired: set[str] = set()
    for commit in _commits(store):
        gone = contract is not None and _is_past(commit, contract, now)
        (expired if gone else kept).update(file.key for file in commit.files)
    return [
        Waste(why="expired" if info.key in expired else "orphan", object=info)
        for info in old
        if not info.is_whole or (info.key not in kept and isinstance(find_key(info.key), DataKey))
    ]


def delete_waste(store: VersionedStore, waste: Sequence[Waste]) -> Iterator[Waste]:
    """Delete it, version by version; yields each when it is gone."""
    for item in waste:
        store.delete_version(item.object)
        yield item


def _commits(store: Store) -> list[Commit]:
    listed = [info.key for info in store.list(COMMITS)]
    # What is no commit's key, nobody reads as one.
    keys = [key for key in listed if isinstance(find_key(key), CommitKey)]
    with ThreadPoolExecutor(_READERS, thread_name_prefix="powerstage-janitor") as pool:
        return list(pool.map(lambda key: _commit(store, key), keys))


def _commit(store: Store, key: str) -> Commit:
    try:
        return Commit.from_json(read(store, key, RECORD_BYTES_MAX))
    except RecordError as error:
        raise ConflictError(
            f"{key} in {store.url} cannot be read, so nothing is deleted",
            cause=error.message,
            fix="ask whoever wrote it: what it names is not known",
        ) from error


def _is_past(commit: Commit, contract: Contract, now: datetime) -> bool:
    """Whether a period of telemetry was kept long enough; an inventory always is kept."""
    return commit.slot.dataset == "telemetry" and contract.is_past(commit.slot.period, now)
