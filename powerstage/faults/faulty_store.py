"""A store with faults in commits, in objects on their way, and with second revisions."""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from powerstage.contract import Commit, CommitKey, Contract, DataFile, DataKey, Slot, find_key
from powerstage.contract.layout import data_key
from powerstage.contract.strict_json import RECORD_BYTES_MAX
from powerstage.errors import ConflictError
from powerstage.faults.changes import changed_readings
from powerstage.faults.edits import another
from powerstage.faults.fault import Effect, Nothing, Record, Restate, Wire
from powerstage.faults.plan import PlannedFault
from powerstage.faults.rewrite import rewrite
from powerstage.store import ObjectInfo, Store, read

_OBJECT_BYTES_MAX: Final = 512 * 1024 * 1024


class FaultyStore:
    """A store that spoils what is written to it as planned. A ``Store``."""

    def __init__(
        self,
        store: Store,
        contract: Contract,
        plan: Mapping[datetime, PlannedFault],
        sent: Mapping[str, datetime],
    ) -> None:
        self._store, self._contract, self._plan, self._sent = store, contract, plan, sent
        self._restated: dict[datetime, DataFile] = {}

    @property
    def url(self) -> str:
        """That of the store."""
        return self._store.url

    def get(self, key: str, *, sha256: str = "") -> Iterator[bytes]:
        """What stands there, spoilt or not."""
        return self._store.get(key, sha256=sha256)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """What stands there, without second revisions: their producer knows nothing of them."""
        return (info for info in self._store.list(prefix) if not self._is_ours(info.key))

    def page(self, prefix: str, after: str) -> Sequence[ObjectInfo]:
        """A part of what stands there, without second revisions."""
        return [info for info in self._store.page(prefix, after) if not self._is_ours(info.key)]

    def head(self, key: str) -> ObjectInfo | None:
        """What stands there, spoilt or not."""
        return self._store.head(key)

    def put(self, key: str, body: bytes | Path, *, sha256: str = "") -> None:
        """Write an object, or what is planned to become of it."""
        named = find_key(key)
        period = self._sent.get(named.sha256) if isinstance(named, DataKey) else None
        effect = self._effect(period)
        if period is not None and isinstance(effect, Wire):
            self._spoil(period, effect, key, _content(body))
            return
        self._store.put(key, body, sha256=sha256)
        if period is not None and isinstance(effect, Restate):
            self._put_restated(period, effect, _content(body))

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write a record, or what is planned to stand in its place."""
        named = find_key(key)
        if not isinstance(named, CommitKey) or named.slot.dataset != "telemetry":
            return self._store.put_if_absent(key, body)
        effect = self._effect(named.slot.period)
        if isinstance(effect, Record):
            body = effect.edit(Commit.from_json(body), self._contract.delivery_interval)
            moved = replace(named.slot, period=named.slot.period + effect.moved)
            key = str(CommitKey(slot=moved))
        is_new = self._store.put_if_absent(key, body)
        if restated := self._restated.get(named.slot.period):
            self._commit_restated(Commit.from_json(body), restated)
        return is_new

    def refuse_clean(self) -> None:
        """Raise ``ConflictError`` for a clean delivery that stands where a fault is planned.

        What is in the files themselves, whoever publishes compares; the rest would be left out.
        """
        for period in self._plan:
            slot = Slot(dataset="telemetry", period=period)
            if self._store.head(str(CommitKey(slot=slot))) and self._is_clean(slot):
                raise ConflictError(
                    f"{self._plan[period].fault.name} cannot be put into {slot}:"
                    f" it stands in {self._store.url} already",
                    fix="name a new feed: what was delivered cannot be spoilt any more",
                )

    def _is_clean(self, slot: Slot) -> bool:
        """Whether what stands there lacks a fault that is not in its files."""
        effect = self._effect(slot.period)
        if isinstance(effect, Restate):
            return self._store.head(str(CommitKey(slot=replace(slot, revision=1)))) is None
        if isinstance(effect, Wire):
            commit = Commit.from_json(
                read(self._store, str(CommitKey(slot=slot)), RECORD_BYTES_MAX)
            )
            return all(self._arrived(file) for file in commit.files)
        return isinstance(effect, Record) or (isinstance(effect, Nothing) and effect.held_back)

    def _arrived(self, file: DataFile) -> bool:
        """Whether an object stands there as its commit says."""
        if self._store.head(file.key) is None:
            return False
        content = read(self._store, file.key, _OBJECT_BYTES_MAX)
        return hashlib.sha256(content).hexdigest() == file.sha256

    def _effect(self, period: datetime | None) -> Effect | None:
        planned = self._plan.get(period) if period is not None else None
        return planned.effect(period) if planned and period is not None else None

    def _is_ours(self, key: str) -> bool:
        named = find_key(key)
        return (
            isinstance(named, CommitKey)
            and named.slot.revision > 0
            and named.slot.dataset == "telemetry"
            and isinstance(self._effect(named.slot.period), Restate)
        )

    def _spoil(self, period: datetime, wire: Wire, key: str, content: bytes) -> None:
        if wire.swap:
            before = CommitKey(slot=Slot(dataset="telemetry", period=self._plan[period].period))
            commit = Commit.from_json(read(self._store, str(before), RECORD_BYTES_MAX))
            (file,) = commit.files
            arrives: bytes | None = read(self._store, file.key, _OBJECT_BYTES_MAX)
            self._store.put(file.key, content)
        else:
            arrives = wire.edit(content) if wire.edit else content
        if arrives is not None:
            self._store.put(key, arrives)

    def _put_restated(self, period: datetime, restate: Restate, content: bytes) -> None:
        with tempfile.TemporaryDirectory(prefix="powerstage-faults-") as folder:
            path = Path(folder, "restated.parquet")
            path.write_bytes(content)
            query = changed_readings(self._contract, restate.change)
            rows = rewrite(self._plan[period], query, path)
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            slot = Slot(dataset="telemetry", period=period, revision=1)
            key = str(data_key(slot, sha256))
            self._restated[period] = DataFile(
                key=key, bytes=path.stat().st_size, sha256=sha256, rows=rows
            )
            self._store.put(key, path)

    def _commit_restated(self, first: Commit, file: DataFile) -> None:
        effect = self._effect(first.slot.period)
        is_broken = isinstance(effect, Restate) and effect.breaks_chain
        second = replace(
            first,
            slot=replace(first.slot, revision=1),
            supersedes=another(first.identity) if is_broken else first.identity,
            files=(file,),
            reason="values corrected",
        )
        self._store.put_if_absent(str(CommitKey(slot=second.slot)), second.to_json())


def _content(body: bytes | Path) -> bytes:
    return body if isinstance(body, bytes) else body.read_bytes()
