"""boto3 alone: the requests that ours makes, and the bytes alone, one request a file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from powerstage.contract.layout import COMMITS, DATA
from powerstage.store import ObjectInfo
from powerstage.store.s3 import CHUNK_BYTES, S3Store
from tests.benchmarks.moving import BARE, BUCKET, each, run, store_of

# As many as ours has, each way; a test of the benchmarks holds them to it.
THREADS: Final = 8
# As large as records are.
_RECORD: Final = b"x" * 1_000


def put_bytes(files: Path, _: Path) -> Callable[[], None]:
    """Put each file by one request."""
    store = store_of(BARE)
    return lambda: each(lambda path: _put(store, path), list(files.iterdir()), THREADS)


def put_requests(files: Path, _: Path) -> Callable[[], None]:
    """Put each file, and create a record after it."""
    store = store_of(BARE)

    def put(path: Path) -> None:
        _put(store, path)
        _create(store, f"commits/{path.name}")

    return lambda: each(put, list(files.iterdir()), THREADS)


def get_bytes(_: Path, scratch: Path) -> Callable[[], None]:
    """Get each data object of the feed into a file by one request."""
    store = store_of("feed")
    keys = [info.key for info in store.list(f"{DATA}telemetry/")]
    return lambda: each(lambda key: _get(store, key, scratch), keys, THREADS)


def get_requests(_: Path, scratch: Path) -> Callable[[], None]:
    """List the commits, get each and the data object that it names, and create a record."""
    store = store_of("feed")

    def get(info: ObjectInfo) -> None:
        found = store.client.get_object(Bucket=BUCKET, Key=store.prefix + info.key)
        (file,) = json.load(found["Body"])["files"]
        _get(store, file["key"], scratch)
        _create(store, info.key)

    return lambda: each(get, list(store.list(f"{COMMITS}telemetry/")), THREADS)


def _put(store: S3Store, path: Path) -> None:
    with path.open("rb") as file:
        store.client.put_object(Bucket=BUCKET, Key=store.prefix + path.name, Body=file)


def _get(store: S3Store, key: str, scratch: Path) -> None:
    found = store.client.get_object(Bucket=BUCKET, Key=store.prefix + key)
    with (scratch / Path(key).name).open("wb") as file:
        file.writelines(found["Body"].iter_chunks(CHUNK_BYTES))


def _create(store: S3Store, name: str) -> None:
    """Write a record where none stands."""
    key = f"{BARE}/{store.prefix}{name}"
    store.client.put_object(Bucket=BUCKET, Key=key, Body=_RECORD, IfNoneMatch="*")


CONTESTANTS: Final = {
    "put_bytes": put_bytes,
    "put_requests": put_requests,
    "get_bytes": get_bytes,
    "get_requests": get_requests,
}

if __name__ == "__main__":
    run(CONTESTANTS)
