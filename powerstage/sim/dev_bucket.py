"""A real bucket to try things out in: made, set up, and seeded with mock data."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from powerstage.errors import StoreRefusedError, UsageError
from powerstage.producer import Published, Source, publish
from powerstage.store import CountingStore, MemoryStore, Store
from powerstage.store.bucket import Bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """What was done to a bucket, or would be.

    ``is_new`` says that it was made, ``is_ours`` that its settings were made, too.
    ``requests`` are those for objects, by S3's names for them; ``sent_bytes`` what they carried.
    """

    is_new: bool
    is_ours: bool
    published: tuple[Published, ...]
    requests: dict[str, int]
    sent_bytes: int


def seed_dev_bucket(
    bucket: Bucket, source: Source, *, clock: Callable[[], datetime], dry_run: bool = False
) -> Seeded:
    """Make a bucket, or check one that is there and empty, and publish a source into it.

    Cut off once the bucket has its tag, and run again, it finishes. The policy comes last: it is
    the one setting that may refuse what is still to be done.

    Args:
        bucket: with the feed as its store.
        source: what to publish; its contract goes along.
        clock: the time, for ``created_at``.
        dry_run: change nothing, and publish into memory, to see what it takes.

    Raises:
        UsageError: the bucket is not ours, and not empty.
        StoreRefusedError: it is not ours, and its settings are not as they should be; or it is
            ours, and protects another feed. Nothing was changed.
    """
    is_new = not bucket.is_there()
    is_ours = is_new or bucket.is_ours()
    if not is_ours:
        _require_fit(bucket)
    elif not is_new:
        bucket.require_no_other_policy()
    store: Store = MemoryStore(bucket.store.url) if dry_run else bucket.store
    counting = CountingStore(store)
    if is_new and not dry_run:
        bucket.create()
    if is_ours and not dry_run:
        bucket.set_up()
    published = publish(source, counting, clock=clock)
    if is_ours and not dry_run:
        bucket.close_up()
    return Seeded(
        is_new=is_new,
        is_ours=is_ours,
        published=tuple(published),
        requests=dict(sorted(counting.requests.items())),
        sent_bytes=counting.sent_bytes,
    )


def _require_fit(bucket: Bucket) -> None:
    if not bucket.is_empty():
        raise UsageError(
            f"{bucket.url} is not empty, and was not made here",
            fix="name a bucket that is not there yet",
        )
    wrong = [seen for seen in bucket.observe_settings() if seen.state != "ok"]
    if wrong:
        raise StoreRefusedError(
            f"{bucket.url} was not made here, and is not set up as it should be",
            cause="\n".join(f"{seen.subject}: {seen.words}" for seen in wrong),
            fix="\n".join(
                ["name a bucket that is not there yet, or:", *(seen.fix for seen in wrong)]
            ),
        )
