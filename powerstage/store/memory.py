"""A store in memory: for tests, and for runs that must leave no trace."""

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from powerstage.errors import ObjectNotFoundError
from powerstage.store.keys import check_key
from powerstage.store.protocol import PAGE, ObjectInfo, VersionInfo

CHUNK_BYTES: Final = 1024 * 1024
# Nothing here is ordered by time, so a store without a clock has one moment for all.
_WRITTEN_AT: Final = datetime(1970, 1, 1, tzinfo=UTC)


class MemoryStore:
    """Objects in a dictionary. Safe between threads."""

    def __init__(self, url: str = "memory") -> None:
        self._url = url
        self._objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """What people call it."""
        return self._url

    def get(self, key: str, *, sha256: str = "") -> Iterator[bytes]:
        """The object's bytes in chunks."""
        del sha256
        with self._lock:
            body = self._objects.get(check_key(key))
        if body is None:
            raise ObjectNotFoundError(f"there is no {key} in {self.url}")
        return (body[at : at + CHUNK_BYTES] for at in range(0, len(body), CHUNK_BYTES))

    def put(self, key: str, body: bytes | Path, *, sha256: str = "") -> None:
        """Write an object, in place of any that stands there."""
        del sha256
        content = body if isinstance(body, bytes) else body.read_bytes()
        with self._lock:
            self._objects[check_key(key)] = content

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write an object where none stands."""
        with self._lock:
            if check_key(key) in self._objects:
                return False
            self._objects[key] = body
            return True

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every object whose key starts with the prefix, in byte order."""
        with self._lock:
            found = [(key, len(body)) for key, body in self._objects.items()]
        for key, size in sorted(found):
            if key.startswith(prefix):
                yield ObjectInfo(key=key, size_bytes=size, modified_at=_WRITTEN_AT)

    def page(self, prefix: str, after: str) -> Sequence[ObjectInfo]:
        """Up to 1,000 objects after a key."""
        return list(islice((info for info in self.list(prefix) if info.key > after), PAGE))

    def head(self, key: str) -> ObjectInfo | None:
        """The object's facts, or None."""
        with self._lock:
            body = self._objects.get(check_key(key))
        if body is None:
            return None
        return ObjectInfo(key=key, size_bytes=len(body), modified_at=_WRITTEN_AT)

    def versions(self, prefix: str) -> Iterator[VersionInfo]:
        """Every object under the prefix: there are no versions."""
        return (
            VersionInfo(
                key=info.key, version="", size_bytes=info.size_bytes, modified_at=info.modified_at
            )
            for info in self.list(prefix)
        )

    def delete_version(self, version: VersionInfo) -> None:
        """Delete an object."""
        with self._lock:
            self._objects.pop(version.key, None)
