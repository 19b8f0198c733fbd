"""What is done to bytes: of files before they are hashed, of commits, of objects on their way."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeAlias

from powerstage.contract import Commit, DataFile, InventoryPin
from powerstage.contract.layout import data_key
from powerstage.engine import connect, sql_text

MINUTE: Final = timedelta(minutes=1)

CommitEdit: TypeAlias = Callable[[Commit, timedelta], bytes]


def cut(path: Path) -> None:
    """Leave the first half of a file."""
    os.truncate(path, path.stat().st_size // 2)


def emptied(path: Path) -> None:
    """Leave a file of no byte."""
    os.truncate(path, 0)


def as_csv(path: Path) -> None:
    """Write the rows of a Parquet file as a CSV, in its place."""
    text = path.with_suffix(".csv")
    with connect(threads=1) as connection:
        connection.execute(
            f"COPY (FROM read_parquet({sql_text(str(path))})) TO {sql_text(str(text))}"
            " (FORMAT csv, HEADER)"
        )
    text.replace(path)


def flipped(body: bytes) -> bytes:
    """One bit changed, in the middle."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def halved(body: bytes) -> bytes:
    """The first half."""
    return body[: len(body) // 2]


def lost(_body: bytes) -> None:
    """Nothing."""


def one_row_more(commit: Commit, _interval: timedelta) -> bytes:
    """Each file with a row more than it has."""
    return _with_files(commit, lambda file: replace(file, rows=file.rows + 1))


def one_byte_more(commit: Commit, _interval: timedelta) -> bytes:
    """Each file with a byte more than it has."""
    return _with_files(commit, lambda file: replace(file, bytes=file.bytes + 1))


def another_object(commit: Commit, _interval: timedelta) -> bytes:
    """Each file under a digest that no object has."""

    def renamed(file: DataFile) -> DataFile:
        sha256 = another(file.sha256)
        return replace(file, sha256=sha256, key=str(data_key(commit.slot, sha256)))

    return _with_files(commit, renamed)


def files_twice(commit: Commit, _interval: timedelta) -> bytes:
    """Each file twice."""
    return replace(commit, files=commit.files * 2).to_json()


def after_naming(commit: Commit, _interval: timedelta) -> bytes:
    """A row more, and the identity of before."""
    record = json.loads(commit.to_json())
    record["files"][0]["rows"] += 1
    return json.dumps(record, indent=1).encode()


def half_record(commit: Commit, _interval: timedelta) -> bytes:
    """The first half of the record."""
    return halved(commit.to_json())


def another_contract(commit: Commit, _interval: timedelta) -> bytes:
    """The contract's name and version, with the digest of another text."""
    pin = replace(commit.contract, sha256=another(commit.contract.sha256))
    return replace(commit, contract=pin).to_json()


def undelivered_inventory(commit: Commit, _interval: timedelta) -> bytes:
    """A revision of the inventory that is still to come."""
    pin = _pin(commit)
    slot = replace(pin.slot, revision=pin.slot.revision + 1)
    return replace(commit, inventory=replace(pin, slot=slot)).to_json()


def another_inventory(commit: Commit, _interval: timedelta) -> bytes:
    """The inventory's slot, with another identity."""
    pin = _pin(commit)
    return replace(commit, inventory=replace(pin, identity=another(pin.identity))).to_json()


def supersedes_nothing(commit: Commit, _interval: timedelta) -> bytes:
    """A first revision that names one before it."""
    return replace(commit, supersedes=another(commit.identity)).to_json()


def minute_later(commit: Commit, _interval: timedelta) -> bytes:
    """The delivery of a period that starts a minute later."""
    return replace(commit, slot=replace(commit.slot, period=commit.slot.period + MINUTE)).to_json()


def period_later(commit: Commit, interval: timedelta) -> bytes:
    """The record of the next period."""
    return replace(
        commit, slot=replace(commit.slot, period=commit.slot.period + interval)
    ).to_json()


def _with_files(commit: Commit, edit: Callable[[DataFile], DataFile]) -> bytes:
    return replace(commit, files=tuple(map(edit, commit.files))).to_json()


def _pin(commit: Commit) -> InventoryPin:
    if commit.inventory is None:
        raise ValueError(f"{commit.slot} refers to no inventory")
    return commit.inventory


def another(digest: str) -> str:
    """A digest of nothing that there is."""
    return hashlib.sha256(digest.encode()).hexdigest()
