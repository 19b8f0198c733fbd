"""The verdict on a delivery: a pure function of its commit, bytes, inventory and contract.

``unreadable``: what was committed cannot be got at. ``rejected``: it can, and breaks the
contract. A store that does not answer is no verdict: its error goes through.
"""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from powerstage.checks import (
    Check,
    CheckResult,
    FileFormat,
    InputFile,
    Plan,
    Report,
    Sample,
    Window,
    add_hints,
    compile_plan,
    fails,
    merge,
    passes,
)
from powerstage.consumer.fetch import fetch, read_commit
from powerstage.contract import Commit, Contract, DataFile, DataKey, Slot, Verdict
from powerstage.contract.calendar import is_period
from powerstage.contract.commit import FILE_ROWS_MAX
from powerstage.contract.safe_text import shown
from powerstage.errors import ObjectNotFoundError, RecordError
from powerstage.store import Store


def _check(id_: str, words: str, expected: str) -> Check:
    return Check(
        id=id_, words=words, expected=expected, severity="error", at="the transfer", counts="files"
    )


COMMIT_READABLE: Final = _check(
    "commit.readable", "the commit is of the agreed form", "a whole, unedited record"
)
COMMIT_CHAIN: Final = _check(
    "commit.chain", "the commit supersedes the revision before it", "the identity of that revision"
)
CONTRACT_AGREED: Final = _check(
    "contract.agreed", "the delivery follows the contract that was agreed", "the pinned contract"
)
INVENTORY_ACCEPTED: Final = _check(
    "inventory.accepted", "the inventory that it refers to was accepted", "an accepted delivery"
)
PERIOD_AGREED: Final = _check(
    "period.agreed", "the period is one of the agreed ones", "a whole number of intervals"
)
OBJECT_PRESENT: Final = _check("object.present", "every data object is there", "the object")
OBJECT_SIZE: Final = _check("object.size", "every data object has its size", "the bytes promised")
OBJECT_DIGEST: Final = _check(
    "object.digest", "every data object has its digest", "the sha256 promised"
)
# What a record says of itself may be a megabyte.
_WORDS_MAX: Final = 1_000
# Those that come before the checks of the data.
DELIVERY_CHECKS: Final = (
    COMMIT_READABLE,
    CONTRACT_AGREED,
    PERIOD_AGREED,
    COMMIT_CHAIN,
    INVENTORY_ACCEPTED,
    OBJECT_PRESENT,
    OBJECT_SIZE,
    OBJECT_DIGEST,
)
_MAKES_UNREADABLE: Final = {
    COMMIT_READABLE.id,
    OBJECT_PRESENT.id,
    OBJECT_SIZE.id,
    OBJECT_DIGEST.id,
    "file.readable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What is known of the delivery that telemetry pins: its files, if it was accepted."""

    identity: str
    verdict: Verdict
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on one delivery, and why; ``files`` are the fetched bytes, by digest.

    Those of an accepted delivery are on disk: they were waited for beside each other.
    ``commit`` is None where it could not be read.
    """

    slot: Slot
    commit: Commit | None
    verdict: Verdict
    report: Report
    files: tuple[tuple[DataFile, Path], ...] = ()

    @property
    def identity(self) -> str:
        """That of the commit; empty where it could not be read."""
        return "" if self.commit is None else self.commit.identity

    @property
    def lacks_data(self) -> bool:
        """Whether a data object is not there."""
        return any(finding.check.id == OBJECT_PRESENT.id for finding in self.report.findings)


class Checks(Protocol):
    """What runs the data unit tests: a ``Checker``, or several."""

    def check(
        self,
        plan: Plan,
        files: Sequence[InputFile],
        *,
        inventory: Sequence[tuple[Path, FileFormat]] = (),
        inventory_sources: Sequence[str] = (),
        rows_max: int | None = None,
    ) -> Report:
        """The report on some files of one dataset."""
        ...


class Judge:
    """Judges deliveries of one feed under one contract.

    Args:
        store: where the feed is.
        contract: the contract that was agreed.
        checker: runs the data unit tests.
        inventory_of: what is known of a pinned inventory slot; None if nobody delivered it.
        agreed: the digests of contracts that deliveries may follow, beside that one.
    """

    def __init__(
        self,
        store: Store,
        contract: Contract,
        checker: Checks,
        inventory_of: Callable[[Slot], Inventory | None],
        agreed: Collection[str] = (),
    ) -> None:
        self._agreed_digests = {contract.sha256, *agreed}
        self._store = store
        self._contract = contract
        self._checker = checker
        self._inventory_of = inventory_of

    def judge(self, slot: Slot, folder: Path) -> Judgement:
        """Fetch a delivery into a folder and judge it.

        Raises:
            StoreUnavailableError: the store did not answer: no verdict.
            WorkerError: the worker was killed from outside: no verdict.
        """
        try:
            commit = read_commit(self._store, slot)
        except (RecordError, ObjectNotFoundError) as error:
            words = f"{error.message}: {error.cause}" if error.cause else error.message
            broken = fails(COMMIT_READABLE, detail=shown(words, _WORDS_MAX))
            return Judgement(slot=slot, commit=None, verdict="unreadable", report=_report([broken]))
        results = [
            passes(COMMIT_READABLE),
            self._agreed(commit),
            self._on_grid(commit),
            self._chain(commit),
        ]
        inventory = None
        # Where nothing is delivered, nothing rests on an inventory.
        if commit.inventory and commit.files:
            inventory = self._inventory_of(commit.inventory.slot)
            results.append(_inventory_result(commit, inventory))
        report = _report(results)
        files: tuple[tuple[DataFile, Path], ...] = ()
        if report.ok:
            files, fetched = self._fetch(commit, folder)
            report = merge(report, fetched)
        if report.ok:
            report = merge(report, self._contents(commit, files, inventory))
        verdict = _verdict(report)
        if verdict == "accepted":
            for _, path in files:
                _sync(path)
        return Judgement(slot=slot, commit=commit, verdict=verdict, report=report, files=files)

    def _agreed(self, commit: Commit) -> CheckResult:
        ours, theirs = self._contract, commit.contract
        if theirs.sha256 in self._agreed_digests:
            return passes(CONTRACT_AGREED, 1)
        return fails(
            CONTRACT_AGREED,
            detail=f"the delivery follows {theirs.name} {theirs.version}"
            f" (sha256 {theirs.sha256[:12]}), the lake has pinned {ours.name} {ours.version}"
            f" (sha256 {ours.sha256[:12]})",
        )

    def _on_grid(self, commit: Commit) -> CheckResult:
        interval = self._contract.delivery_interval
        if is_period(commit.slot.period, interval):
            return passes(PERIOD_AGREED, 1)
        return fails(PERIOD_AGREED, detail=f"a delivery covers {interval}, counted from midnight")

    def _chain(self, commit: Commit) -> CheckResult:
        if commit.supersedes is None:
            return passes(COMMIT_CHAIN, 1)
        before = Slot(
            dataset=commit.slot.dataset,
            period=commit.slot.period,
            revision=commit.slot.revision - 1,
        )
        try:
            identity = read_commit(self._store, before).identity
        except (RecordError, ObjectNotFoundError) as error:
            words = f"{before} cannot be read: {error.message}"
            return fails(COMMIT_CHAIN, detail=shown(words, _WORDS_MAX))
        if identity == commit.supersedes:
            return passes(COMMIT_CHAIN, 1)
        return fails(
            COMMIT_CHAIN,
            detail=f"{before} has the identity {identity}, not {commit.supersedes}",
        )

    def _fetch(
        self, commit: Commit, folder: Path
    ) -> tuple[tuple[tuple[DataFile, Path], ...], Report]:
        # Two deliveries may hold the same bytes.
        name = str(commit.slot).replace("/", "-")
        files = tuple((file, folder / f"{name}-{file.sha256}") for file in commit.files)
        fetched = [(file, fetch(self._store, file, path)) for file, path in files]
        absent = [_object(file, {}) for file, found in fetched if found.size_bytes is None]
        present = [(file, found) for file, found in fetched if found.size_bytes is not None]
        cut = [
            _object(file, {"bytes": str(found.size_bytes), "promised": str(file.bytes)})
            for file, found in present
            if found.size_bytes != file.bytes
        ]
        other = [
            _object(file, {"sha256": found.sha256, "promised": file.sha256})
            for file, found in present
            if found.size_bytes == file.bytes and not found.is_as_promised(file)
        ]
        total = len(files)
        return files, _report(
            [
                _objects(OBJECT_PRESENT, absent, total),
                _objects(OBJECT_SIZE, cut, total),
                _objects(OBJECT_DIGEST, other, total),
            ]
        )

    def _contents(
        self,
        commit: Commit,
        files: Sequence[tuple[DataFile, Path]],
        inventory: Inventory | None,
    ) -> Report:
        window = Window(
            start=commit.slot.period, end=commit.slot.period + self._contract.delivery_interval
        )
        plan = compile_plan(self._contract, commit.slot.dataset, window=window)
        feed = self._store.url
        report = self._checker.check(
            plan,
            [
                InputFile(path=path, name=file.key, rows=file.rows, source=f"{feed}/{file.key}")
                for file, path in files
            ],
            inventory=[(path, "parquet") for path in (inventory.files if inventory else ())],
            inventory_sources=[f"{feed}/{key}" for key in _inventory_keys(commit, inventory)],
            rows_max=FILE_ROWS_MAX,
        )
        return add_hints(report, self._contract, window)


def _sync(path: Path) -> None:
    with path.open("rb") as fetched:
        os.fsync(fetched.fileno())


def _inventory_keys(commit: Commit, inventory: Inventory | None) -> list[str]:
    """Where the accepted files of the inventory stand in the feed."""
    if commit.inventory is None or inventory is None:
        return []
    date = commit.inventory.slot.period.date()
    return [
        str(DataKey(dataset="inventory", date=date, sha256=path.stem)) for path in inventory.files
    ]


def _inventory_result(commit: Commit, inventory: Inventory | None) -> CheckResult:
    pin = commit.inventory
    if pin is None or inventory is None:
        return fails(INVENTORY_ACCEPTED, detail=f"{pin.slot if pin else ''} was never delivered")
    if inventory.identity != pin.identity:
        return fails(
            INVENTORY_ACCEPTED,
            detail=f"{pin.slot} has the identity {inventory.identity}, not {pin.identity}",
        )
    if inventory.verdict != "accepted":
        return fails(INVENTORY_ACCEPTED, detail=f"{pin.slot} is {inventory.verdict}")
    if not inventory.files:
        return fails(INVENTORY_ACCEPTED, detail=f"{pin.slot} holds no device")
    return passes(INVENTORY_ACCEPTED, 1)


def _verdict(report: Report) -> Verdict:
    failed = {result.check.id for result in report.results if result.outcome == "fail"}
    if failed & _MAKES_UNREADABLE:
        return "unreadable"
    return "rejected" if failed else "accepted"


def _object(file: DataFile, values: dict[str, str]) -> Sample:
    return Sample(file=file.key, row=0, values=tuple(values.items()))


def _objects(check: Check, samples: list[Sample], total: int) -> CheckResult:
    if not samples:
        return passes(check, total)
    return fails(check, failed=len(samples), total=total, samples=tuple(samples[:5]))


def _report(results: Sequence[CheckResult]) -> Report:
    return Report(results=tuple(results), rows=0)
