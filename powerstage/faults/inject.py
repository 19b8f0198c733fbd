"""Put planned faults into what a producer publishes; the plan is the truth about them."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from powerstage.contract import Commit, CommitKey, Contract, DataKey, parse_key, period_text
from powerstage.engine import connect, sql_name, sql_text
from powerstage.errors import RecordError, UsageError
from powerstage.faults.catalogue import Fault, catalogue, spoil
from powerstage.producer import Source, write_parquet
from powerstage.store import ObjectInfo, Store

# A period without a neighbour on both sides leaves no gap when it is missing.
_EDGES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """One fault, put into one period: into this device, where it hits one, and interval."""

    fault: Fault
    period: datetime
    device: str

    def to_json(self) -> dict[str, str | None]:
        """As the truth file has it."""
        return {
            "fault": self.fault.name,
            "level": self.fault.level,
            "words": self.fault.words,
            "period": period_text(self.period),
            "device": self.device if self.fault.level == "reading" else None,
            "check": self.fault.check,
            "verdict": self.fault.verdict,
        }


def plan_faults(source: Source, names: Sequence[str], *, seed: int) -> tuple[PlannedFault, ...]:
    """Give each fault a period of its own, between the first and the last, and a device.

    Args:
        source: what will be spoilt.
        names: of the faults; each may stand once.
        seed: decides about periods and devices.

    Raises:
        UsageError: an unknown fault, one that stands twice, or fewer periods than faults.
    """
    known = {fault.name: fault for fault in catalogue(source.contract)}
    for name in names:
        if name not in known:
            raise UsageError(
                f"there is no fault {name!r}", fix=f"choose from: {', '.join(sorted(known))}"
            )
        if names.count(name) > 1:
            raise UsageError(f"the fault {name} stands twice", fix="name each fault once")
    inner = list(source.periods())[1:-1]
    if len(names) > len(inner):
        raise UsageError(
            f"faults: {len(names)}, which need {len(names) + _EDGES} periods; there are"
            f" {len(source.periods())}",
            fix="ask for more days, or for fewer faults",
        )
    inner.sort(key=lambda period: _draw(seed, period_text(period)))
    devices = _devices(source)
    return tuple(
        PlannedFault(
            fault=known[name],
            period=period,
            device=devices[_draw(seed, name) % len(devices)],
        )
        for name, period in zip(names, inner, strict=False)
    )


class Injector:
    """Wraps a source and a store so that what passes through them is spoilt as planned."""

    def __init__(self, plan: Sequence[PlannedFault]) -> None:
        self._plan = {planned.period: planned for planned in plan}
        self._on_the_wire: dict[str, Fault] = {}

    def source(self, source: Source) -> Source:
        """The source with faults in readings and files, and with missing periods."""
        return _FaultySource(source, self._plan, self._on_the_wire)

    def store(self, store: Store) -> Store:
        """The store with faults in commits, and in objects on their way."""
        return _FaultyStore(store, self._plan, self._on_the_wire)


class _FaultySource:
    def __init__(
        self,
        source: Source,
        plan: dict[datetime, PlannedFault],
        on_the_wire: dict[str, Fault],
    ) -> None:
        self._source, self._plan, self._on_the_wire = source, plan, on_the_wire

    @property
    def contract(self) -> Contract:
        return self._source.contract

    def periods(self) -> Sequence[datetime]:
        missing = {
            period for period, planned in self._plan.items() if planned.fault.name == "missing_hour"
        }
        return [period for period in self._source.periods() if period not in missing]

    def snapshots(self) -> Sequence[datetime]:
        return self._source.snapshots()

    def write_inventory(self, period: datetime, path: Path) -> int:
        return self._source.write_inventory(period, path)

    def write_telemetry(self, period: datetime, path: Path) -> int:
        rows = self._source.write_telemetry(period, path)
        planned = self._plan.get(period)
        if planned is None:
            return rows
        start_us = int(period.timestamp()) * 1_000_000
        query = spoil(self.contract, planned.fault.name, planned.device, start_us)
        if query:
            return _rewrite(self.contract, query, path)
        if planned.fault.name == "truncated_file":
            with path.open("r+b") as parquet:
                parquet.truncate(path.stat().st_size // 2)
        if planned.fault.level == "wire":
            self._on_the_wire[hashlib.sha256(path.read_bytes()).hexdigest()] = planned.fault
        return rows


class _FaultyStore:
    def __init__(
        self,
        store: Store,
        plan: dict[datetime, PlannedFault],
        on_the_wire: dict[str, Fault],
    ) -> None:
        self._store, self._plan, self._on_the_wire = store, plan, on_the_wire

    @property
    def url(self) -> str:
        return self._store.url

    def get(self, key: str) -> Iterator[bytes]:
        return self._store.get(key)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        return self._store.list(prefix)

    def head(self, key: str) -> ObjectInfo | None:
        return self._store.head(key)

    def put(self, key: str, body: bytes | Path) -> None:
        named = _parsed(key)
        fault = self._on_the_wire.get(named.sha256) if isinstance(named, DataKey) else None
        if fault is None:
            self._store.put(key, body)
            return
        if fault.name == "lost_object":
            return
        content = bytearray(body if isinstance(body, bytes) else body.read_bytes())
        if fault.name == "cut_object":
            del content[len(content) // 2 :]
        else:
            content[len(content) // 2] ^= 1
        self._store.put(key, bytes(content))

    def put_if_absent(self, key: str, body: bytes) -> bool:
        named = _parsed(key)
        if isinstance(named, CommitKey) and named.slot.dataset == "telemetry":
            planned = self._plan.get(named.slot.period)
            if planned is not None and planned.fault.name == "lying_commit":
                commit = Commit.from_json(body)
                files = tuple(replace(file, rows=file.rows + 1) for file in commit.files)
                body = replace(commit, files=files).to_json()
        return self._store.put_if_absent(key, body)


def _parsed(key: str) -> object:
    try:
        return parse_key(key)
    except RecordError:
        return None


def _rewrite(contract: Contract, query: str, path: Path) -> int:
    clean = path.with_suffix(".clean")
    shutil.move(path, clean)
    key = ", ".join(sql_name(name) for name in contract.telemetry.key)
    with connect() as connection:
        connection.execute(
            f"CREATE TEMP VIEW clean AS SELECT * FROM read_parquet({sql_text(str(clean))})"
        )
        rows = write_parquet(connection, f"SELECT * FROM ({query}) ORDER BY {key}", path)
    clean.unlink()
    return rows


def _devices(source: Source) -> list[str]:
    """The devices of the source's inventory, in order."""
    with tempfile.TemporaryDirectory() as folder, connect() as connection:
        path = Path(folder, "inventory.parquet")
        source.write_inventory(source.snapshots()[0], path)
        device = sql_name(source.contract.inventory_device)
        rows = connection.execute(
            f"SELECT {device} FROM read_parquet({sql_text(str(path))}) ORDER BY {device}"
        ).fetchall()
    return [device for (device,) in rows]


def _draw(seed: int, name: str) -> int:
    """A number that seed and name decide, the same everywhere."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8])
