"""What a run costs: the requests and bytes that go to a store, counted on their way."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from powerstage.store.protocol import ObjectInfo, Store


class CountingStore:
    """A store that hands everything on to another.

    ``requests`` counts by what S3 calls them: PUT, GET, HEAD, LIST. Safe between threads.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.requests: Counter[str] = Counter()
        self.sent_bytes = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """That of the store."""
        return self._store.url

    def get(self, key: str, *, sha256: str = "") -> Iterator[bytes]:
        """The object's bytes in chunks."""
        self._count("GET")
        return self._store.get(key, sha256=sha256)

    def put(self, key: str, body: bytes | Path, *, sha256: str = "") -> None:
        """Write an object, in place of any that stands there."""
        self._count("PUT", len(body) if isinstance(body, bytes) else body.stat().st_size)
        self._store.put(key, body, sha256=sha256)

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write an object where none stands."""
        self._count("PUT", len(body))
        return self._store.put_if_absent(key, body)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every object whose key starts with the prefix; a request for each thousand."""
        self._count("LIST")
        for number, info in enumerate(self._store.list(prefix)):
            if number and number % 1_000 == 0:
                self._count("LIST")
            yield info

    def page(self, prefix: str, after: str) -> Sequence[ObjectInfo]:
        """Up to 1,000 objects after a key."""
        self._count("LIST")
        return self._store.page(prefix, after)

    def head(self, key: str) -> ObjectInfo | None:
        """The object's facts, or None."""
        self._count("HEAD")
        return self._store.head(key)

    def _count(self, name: str, size_bytes: int = 0) -> None:
        with self._lock:
            self.requests[name] += 1
            self.sent_bytes += size_bytes
