"""A contestant of the transfer in a process of its own: what it moves, and what that alone took."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from powerstage.store import open_store
from powerstage.store.s3 import S3Store

BUCKET: Final = "bench"
BARE: Final = "bare"
START: Final = datetime(2026, 11, 2, tzinfo=UTC)
# Of the files to publish and a folder for what is consumed: what moves them.
Contestant: TypeAlias = Callable[[Path, Path], Callable[[], None]]
T = TypeVar("T")


def store_of(prefix: str) -> S3Store:
    """The store under a prefix of the bucket."""
    store = open_store(f"s3://{BUCKET}/{prefix}".rstrip("/"), create_bucket=not prefix)
    assert isinstance(store, S3Store)
    return store


def empty(store: S3Store, prefix: str) -> None:
    """Delete all objects of the bucket's store that stand under a prefix."""
    while page := store.page(prefix, ""):
        store.client.delete_objects(
            Bucket=BUCKET, Delete={"Objects": [{"Key": info.key} for info in page]}
        )


def each(move: Callable[[T], None], things: Sequence[T], threads: int) -> None:
    """Move all things, some at once."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(move, things))


def run(contestants: Mapping[str, Contestant]) -> None:
    """Run the contestant that the arguments name; print the seconds of moving alone as JSON."""
    name, files = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="powerstage-moved-") as scratch:
        move = contestants[name](Path(files), Path(scratch))
        before, wall = os.times(), time.perf_counter()
        move()
        seconds, after = time.perf_counter() - wall, os.times()
    cpu = after.user + after.system - before.user - before.system
    print(json.dumps({"wall_seconds": seconds, "cpu_seconds": cpu}))
