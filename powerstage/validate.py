"""The data unit tests on whatever holds data: a file, an export, a feed or one delivery.

Nothing is written: no receipt, no lake.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from powerstage.checks import Checker, FileFormat, InputFile, Report, compile_plan, merge
from powerstage.consumer import Consumed, Judgement, Lake, consume
from powerstage.consumer.lake import LEDGER_FILE
from powerstage.contract import CommitKey, Contract, Slot, default, parse_key
from powerstage.contract.layout import COMMITS
from powerstage.errors import NothingToJudgeError, RecordError, UsageError
from powerstage.producer import Export, check_export, open_export
from powerstage.store import open_store

_SUFFIXES: Final[dict[str, FileFormat]] = {".csv": "csv", ".parquet": "parquet"}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Validated:
    """What came of a target.

    ``reports`` are named by what they are on: the file, the export, each delivery. ``consumed``
    is the whole run where the target is a feed or a delivery, ``slot`` that of a delivery.
    """

    target: str
    reports: tuple[tuple[str, Report], ...]
    consumed: Consumed | None = None
    slot: Slot | None = None

    def __repr__(self) -> str:
        """In one line: a failed assert shows it."""
        found = [
            f"{finding.outcome} {finding.check.id} ({name})"
            for name, report in self.reports
            for finding in report.findings
        ]
        gaps = self.consumed.gaps if self.consumed and self.slot is None else ()
        missing = [f"missing {gap.periods} periods" for gap in gaps]
        return f"<validated {self.target}: {', '.join(missing + found) or 'pass'}>"

    @property
    def ok(self) -> bool:
        """Whether no check failed, and no period of a feed is missing."""
        if not all(report.ok for _, report in self.reports):
            return False
        if self.consumed is None or self.slot is not None:
            return True
        return not (self.consumed.gaps or self.consumed.strays)


def validate(
    target: str,
    *,
    clock: Callable[[], datetime],
    contract: Contract | None = None,
    inventory: Path | None = None,
    on_judgement: Callable[[Judgement], None] = lambda _: None,
) -> Validated:
    """Run the data unit tests on a target.

    Args:
        target: a file, a folder with an export or a feed in it, the URL of a feed, or that of
            the commit of one delivery.
        clock: tells the time.
        contract: what was agreed; None takes that of the feed or the export, else the default.
        inventory: for a telemetry file: the inventory that it refers to.
        on_judgement: is told of each delivery as soon as it is judged.

    Raises:
        UsageError: the target is nothing that can be judged.
        NothingToJudgeError: there is nothing.
        ContractError: the contract is wrong.
        StoreUnavailableError, WorkerError: no verdict.
    """
    path = Path(target)
    if "://" not in target and not target.endswith(".json"):
        if path.is_file():
            with Checker() as checker:
                report = _check_file(checker, contract or default(), path, inventory)
            return Validated(target=target, reports=((target, report),))
        if not (path / "commits").is_dir():
            export = find_export(path, contract)
            with Checker() as checker:
                report = check_export(export, checker)
            return Validated(target=target, reports=((target, report),))
    return _validate_feed(target, clock, contract, on_judgement)


def _check_file(
    checker: Checker, contract: Contract, path: Path, inventory_path: Path | None
) -> Report:
    """Take a file for telemetry, or for an inventory if it has just those columns."""
    file = [InputFile(path=path, name=path.name)]
    format_ = file_format(path)
    inventory = [(inventory_path, file_format(inventory_path))] if inventory_path else []
    reports = []
    if inventory_path:
        own = [InputFile(path=inventory_path, name=inventory_path.name)]
        plan = compile_plan(contract, "inventory", inventory[0][1])
        reports.append(checker.check(plan, own))
    telemetry = checker.check(
        compile_plan(contract, "telemetry", format_, with_inventory=bool(inventory)),
        file,
        inventory=inventory,
    )
    if _has_wrong_columns(telemetry) and not inventory_path:
        other = checker.check(compile_plan(contract, "inventory", format_), file)
        if not _has_wrong_columns(other):
            return other
    return merge(*reports, telemetry)


def _has_wrong_columns(report: Report) -> bool:
    return any(finding.check.id == "columns.agreed" for finding in report.findings)


def file_format(path: Path) -> FileFormat:
    """``csv`` or ``parquet``, by a file's name; ``UsageError`` if it is neither."""
    if path.suffix not in _SUFFIXES:
        raise UsageError(f"{path} is neither .csv nor .parquet", fix="name a CSV or a Parquet file")
    return _SUFFIXES[path.suffix]


def find_export(path: Path, contract: Contract | None) -> Export:
    """The export in a folder.

    Raises:
        NothingToJudgeError: there is nothing.
        UsageError: it holds something else, or a part of an export is missing.
        ContractError: the contract is wrong.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        raise NothingToJudgeError(
            f"there is nothing {'in' if path.exists() else 'at'} {path}",
            fix="name a file, a folder with an export or a feed in it, or a feed's URL",
        )
    here = path.absolute()
    in_feed = any(
        folder.name in {"inventory", "telemetry"} and f"{folder.parent.name}/" == COMMITS
        for folder in (here, *here.parents)
    )
    if in_feed or (path / LEDGER_FILE).is_file():
        raise UsageError(
            f"{path} is a lake, or a part of a feed: neither can be judged",
            fix="name the feed, or the commit of one delivery: a .json under commits/",
        )
    return open_export(path, contract)


def _validate_feed(
    target: str,
    clock: Callable[[], datetime],
    contract: Contract | None,
    on_judgement: Callable[[Judgement], None],
) -> Validated:
    feed, slot = split_delivery(target)
    store = open_store(feed)
    with (
        tempfile.TemporaryDirectory(prefix="powerstage-validate-") as folder,
        Lake(Path(folder), make=True) as lake,
    ):
        consumed = consume(
            store,
            lake,
            clock=clock,
            contract=contract,
            only=None if slot is None else [slot],
            send_receipts=False,
            on_judgement=on_judgement,
        )
    if slot is not None and not consumed.judgements:
        raise NothingToJudgeError(
            f"{slot} was not delivered to {feed}", fix=f"powerstage status {feed}"
        )
    reports = tuple((str(judgement.slot), judgement.report) for judgement in consumed.judgements)
    return Validated(target=target, reports=reports, consumed=consumed, slot=slot)


def split_delivery(target: str) -> tuple[str, Slot | None]:
    """The feed, and the slot where the target is the URL of a commit.

    Raises:
        UsageError: it is a ``.json``, and no commit's.
    """
    if not target.endswith(".json"):
        return target, None
    # From within a feed, its name is not said.
    feed, _, key = f"/{target}".rpartition("/commits/")
    feed = feed[1:] or "."
    try:
        named = parse_key(f"commits/{key}")
    except RecordError as error:
        raise UsageError(
            f"{target} is no delivery",
            cause=error.message,
            fix="name its commit: FEED/commits/telemetry/2026-11-02T0500/r000000.json",
        ) from error
    return feed, named.slot if isinstance(named, CommitKey) else None
