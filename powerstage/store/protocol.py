"""What a store can do: one Protocol per verb, so that a room asks for no more than it needs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """One object as a listing shows it: key relative to the store, size, last write (UTC)."""

    key: str
    size_bytes: int
    modified_at: datetime


PAGE: Final = 1_000


class Get(Protocol):
    """Read a whole object."""

    def get(self, key: str, *, sha256: str = "") -> Iterator[bytes]:
        """The object's bytes in chunks of at most 1 MiB; ``ObjectNotFoundError`` if absent.

        Absence and refusal are raised by the call itself, not by the first chunk.

        ``sha256`` is the digest that the caller will hold the bytes to: the store need not look
        whether they were damaged on the way. Other bytes then need not be those that it holds.
        """
        ...


class Put(Protocol):
    """Write a whole object, in place of any that stands there."""

    def put(self, key: str, body: bytes | Path, *, sha256: str = "") -> None:
        """Write the bytes, or those of the file; a reader sees all of them or none.

        ``sha256`` is their digest in hex where it is known: a server that looks at digests
        refuses other bytes, and nobody has to hash them again.
        """
        ...


class PutIfAbsent(Protocol):
    """Write a whole object where none stands: the primitive that every record rests on."""

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """True if this call created the object, False if one stood there and was left alone.

        ``StoreUnavailableError`` means that the outcome is unknown: read the key back.
        """
        ...


class List(Protocol):
    """See what is there."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every object whose key starts with the prefix, in the byte order of the keys."""
        ...


class Page(Protocol):
    """See a part of what is there."""

    def page(self, prefix: str, after: str) -> Sequence[ObjectInfo]:
        """Up to 1,000 objects under the prefix whose keys come after one, in their order."""
        ...


class Head(Protocol):
    """See whether one object is there."""

    def head(self, key: str) -> ObjectInfo | None:
        """The object's facts, or None if it is absent."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionInfo:
    """One version of an object; ``version`` is empty where a store has no others.

    ``is_whole`` is False for what is none yet, or never will be: the draft of an upload.
    """

    key: str
    version: str
    size_bytes: int
    modified_at: datetime
    is_whole: bool = True


class Versions(Protocol):
    """See and delete single versions of objects: for the janitor of a feed, and nobody else."""

    def versions(self, prefix: str) -> Iterator[VersionInfo]:
        """Every version of every object whose key starts with the prefix, and drafts if any."""
        ...

    def delete_version(self, version: VersionInfo) -> None:
        """Delete this version and no other; nothing happens where it is gone."""
        ...


class Store(Get, Put, PutIfAbsent, List, Page, Head, Protocol):
    """All verbs. ``url`` is what people call the store."""

    @property
    def url(self) -> str:
        """``s3://bucket/prefix`` or a path, without a trailing slash."""
        ...


class VersionedStore(Store, Versions, Protocol):
    """All verbs, and the janitor's."""
