"""Write-once records: created by whoever comes first, read back whenever in doubt."""

from typing import Final, Protocol

from powerstage.errors import (
    ObjectNotFoundError,
    RecordError,
    StoreRefusedError,
    StoreUnavailableError,
)
from powerstage.store.protocol import Get, PutIfAbsent, Store

_ATTEMPTS: Final = 5
_RECORD_BYTES_MAX: Final = 1024 * 1024


class GetAndPutIfAbsent(Get, PutIfAbsent, Protocol):
    """What it takes to create a record."""


def create(store: GetAndPutIfAbsent, key: str, body: bytes) -> bytes:
    """Create a record, unless one stands there; the bytes that stand there afterwards.

    A refusal, a conflict, a timeout and a lost reply all mean the same: read it back. Records
    never change, so what is read is final, and the caller compares it with its own.

    Raises:
        StoreUnavailableError: after five attempts nothing is known.
        RecordError: what stands there is larger than a record may be.
    """
    last: StoreUnavailableError | None = None
    for _ in range(_ATTEMPTS):
        try:
            if store.put_if_absent(key, body):
                return body
        except StoreUnavailableError as error:
            last = error
        try:
            return read(store, key, _RECORD_BYTES_MAX)
        except (ObjectNotFoundError, StoreUnavailableError) as error:
            last = error if isinstance(error, StoreUnavailableError) else last
    raise last or StoreUnavailableError(f"{key} is refused, and is not there either")


def require_write_once(store: Store, key: str, standing: bytes) -> None:
    """Refuse a store that would write over a record.

    What stands there is created once more, with the same bytes: a store that ignores the
    condition gives itself away, and nothing is lost.

    Raises:
        StoreRefusedError: it did not refuse.
        StoreUnavailableError: after five attempts nothing is known.
    """
    last: StoreUnavailableError | None = None
    for _ in range(_ATTEMPTS):
        try:
            created = store.put_if_absent(key, standing)
        except StoreUnavailableError as error:
            last = error
            continue
        if created:
            raise StoreRefusedError(
                f"{store.url} cannot hold a feed: it writes over what must be written once",
                cause=f"{key} stands there, and to create it once more (If-None-Match: *) was not"
                " refused with 412: two producers could replace each other's commits",
                fix="publish to a store that honours conditional writes; docs/stores.md names some",
            )
        return
    raise last or StoreUnavailableError(f"{key} was not answered for")


def read(store: Get, key: str, bytes_max: int) -> bytes:
    """A whole object that is known to be small.

    Raises:
        RecordError: it is larger than that.
        ObjectNotFoundError: it is not there.
    """
    body = b""
    for chunk in store.get(key):
        body += chunk
        if len(body) > bytes_max:
            raise RecordError(f"{key} is larger than {bytes_max} bytes")
    return body
