"""A delivery to spoil, and the judge with his worker: what both kinds of fuzzing share."""

import hashlib
import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyarrow.parquet

from powerstage.checks import Checker
from powerstage.consumer import Judgement
from powerstage.consumer.judge import Inventory, Judge
from powerstage.contract import (
    Commit,
    CommitKey,
    ContractPin,
    DataFile,
    InventoryPin,
    Slot,
    default,
)
from powerstage.contract.layout import data_key
from powerstage.contract.safe_text import safe
from powerstage.producer import synthesise
from powerstage.store import MemoryStore

START: Final = datetime(2026, 11, 2, tzinfo=UTC)
TEXT_CHARACTERS_MAX: Final = 1_000
# How else than DuckDB does a producer's library may write the same rows.
_FORMS: Final = (
    {"compression": "none", "row_group_size": 5, "write_page_index": True},
    {"compression": "snappy", "use_dictionary": False, "data_page_version": "2.0"},
    {"compression": "zstd", "data_page_size": 64, "write_batch_size": 4},
    {"compression": "gzip", "use_dictionary": False, "write_page_checksum": True},
    {
        "compression": "none",
        "use_dictionary": False,
        "column_encoding": {
            "value": "BYTE_STREAM_SPLIT",
            "sn": "DELTA_BYTE_ARRAY",
            "model": "DELTA_LENGTH_BYTE_ARRAY",
            "start_time": "DELTA_BINARY_PACKED",
        },
    },
)


class Desk:
    """One period of six devices, and the means to judge what is put in its place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._contract = default()
        source = synthesise(self._contract, devices=6, start=START, days=1, seed=7)
        self.inventory = folder / "inventory.parquet"
        source.write_inventory(START, self.inventory)
        telemetry = folder / "telemetry.parquet"
        self.rows = source.write_telemetry(START, telemetry)
        table = pyarrow.parquet.read_table(telemetry)
        self.files = [telemetry.read_bytes(), *(_written(table, form) for form in _FORMS)]
        self.slot = Slot(dataset="telemetry", period=START)
        self._checker = Checker()
        self.incoming = folder / "incoming"
        self.incoming.mkdir()

    def __enter__(self) -> Self:
        self._checker.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._checker.__exit__(kind, error, trace)

    @property
    def worker(self) -> int:
        """The process that judged last; 0 where it died."""
        worker = self._checker._worker
        return 0 if worker is None else worker._process.pid

    def commit(self, body: bytes | None) -> Commit:
        """The commit of a delivery with this file, or with none."""
        contract = self._contract
        files = () if body is None else (self._data_file(body),)
        return Commit(
            feed="feed",
            slot=self.slot,
            supersedes=None,
            contract=ContractPin(
                name=contract.name, version=contract.version, sha256=contract.sha256
            ),
            inventory=InventoryPin(slot=replace(self.slot, dataset="inventory"), identity="0" * 64),
            files=files,
            reason="" if files else "no-data",
        )

    def judge(self, record: bytes, body: bytes) -> Judgement:
        """The verdict on this record of a commit, with this file in the feed."""
        store = MemoryStore()
        store.put(str(CommitKey(slot=self.slot)), record)
        store.put(self._data_file(body).key, body)
        judge = Judge(store, self._contract, self._checker, self._inventory_of)
        judgement = judge.judge(self.slot, self.incoming)
        for path in self.incoming.iterdir():
            path.unlink()
        return judgement

    def judge_file(self, body: bytes) -> Judgement:
        """The verdict on a delivery of this file, by a commit that vouches for it."""
        return self.judge(self.commit(body).to_json(), body)

    def judge_record(self, record: bytes) -> Judgement:
        """The verdict on this record of a commit; the file that one may name is there."""
        return self.judge(record, self.files[0])

    def require_sound_worker(self) -> None:
        """A sound file is accepted, whatever was read before it."""
        judgement = self.judge_file(self.files[0])
        if judgement.verdict != "accepted":
            raise AssertionError(f"a sound file is {judgement.verdict} after it")

    def _inventory_of(self, slot: Slot) -> Inventory | None:
        del slot
        return Inventory(identity="0" * 64, verdict="accepted", files=(self.inventory,))

    def _data_file(self, body: bytes) -> DataFile:
        sha256 = hashlib.sha256(body).hexdigest()
        key = str(data_key(self.slot, sha256))
        return DataFile(key=key, bytes=len(body), sha256=sha256, rows=self.rows)


def unfit_texts(judgement: Judgement) -> list[str]:
    """What a terminal would obey, or what is too long for it."""
    findings = judgement.report.findings
    texts = [finding.detail for finding in findings]
    texts += [
        text
        for finding in findings
        for sample in finding.samples
        for pair in (("file", sample.file), *sample.values)
        for text in pair
    ]
    return [text for text in texts if safe(text) != text or len(text) > TEXT_CHARACTERS_MAX]


def _written(table: pyarrow.Table, form: dict[str, object]) -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out, store_schema=False, **form)
    return out.getvalue()
