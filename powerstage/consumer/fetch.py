"""Bring a delivery's objects here, and believe nothing about them but what was hashed."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from powerstage.contract import Commit, CommitKey, DataFile, Slot
from powerstage.contract.strict_json import RECORD_BYTES_MAX
from powerstage.errors import ObjectNotFoundError, RecordError
from powerstage.store import Get, read

# Damage on the way is gone at the next read, damage in the store is not.
_READS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What was found under a data file's key; ``size_bytes`` is None if nothing was."""

    size_bytes: int | None
    sha256: str

    def is_as_promised(self, file: DataFile) -> bool:
        """Whether these are the bytes that the commit names."""
        return (self.size_bytes, self.sha256) == (file.bytes, file.sha256)


def read_commit(store: Get, slot: Slot) -> Commit:
    """The commit of a slot.

    Raises:
        RecordError: it is malformed, or names another slot, however often it is read.
        ObjectNotFoundError: there is none.
    """
    for attempt in range(1, _READS + 1):
        try:
            commit = Commit.from_json(read(store, str(CommitKey(slot=slot)), RECORD_BYTES_MAX))
        except RecordError:
            if attempt == _READS:
                raise
            continue
        if commit.slot != slot:
            raise RecordError(f"the commit under the key of {slot} is that of {commit.slot}")
        return commit
    raise AssertionError("unreachable")


def fetch(store: Get, file: DataFile, path: Path) -> Fetched:
    """Write a data file to a path and say what came; other bytes are read again, then believed."""
    fetched = Fetched(size_bytes=None, sha256="")
    # Other bytes are the store's only if they match its own checksum: the next reads ask for it.
    for sha256 in (file.sha256, *[""] * (_READS - 1)):
        try:
            fetched = _write(store.get(file.key, sha256=sha256), path, file.bytes)
        except ObjectNotFoundError:
            return Fetched(size_bytes=None, sha256="")
        if fetched.is_as_promised(file):
            break
    return fetched


def _write(chunks: Iterator[bytes], path: Path, bytes_max: int) -> Fetched:
    """Hash and keep what comes, but no more than was promised: the rest is refused anyway."""
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as out:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            if size > bytes_max:
                break
            out.write(chunk)
    return Fetched(size_bytes=size, sha256=digest.hexdigest())
