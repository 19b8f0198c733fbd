"""The data unit tests on whatever holds data: a file, an export, a feed or one delivery.

Nothing is written: no receipt, no lake; failing rows, where they are asked for.
"""

import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from powerstage.checks import (
    PERIOD_MISSING,
    Checker,
    FailingRows,
    FileFormat,
    InputFile,
    Report,
    add_hints,
    compile_plan,
    merge,
)
from powerstage.consumer import Consumed, Judgement, Lake, consume
from powerstage.consumer.consume import COMMIT_KEY, feed_checks, feed_contract
from powerstage.consumer.discover import discover
from powerstage.consumer.judge import DELIVERY_CHECKS
from powerstage.consumer.lake import LEDGER_FILE
from powerstage.contract import CommitKey, Contract, Slot, default, parse_key, period_text
from powerstage.contract.calendar import find_gaps
from powerstage.contract.layout import COMMITS
from powerstage.contract.model import DatasetName
from powerstage.errors import NothingToJudgeError, RecordError, UsageError
from powerstage.producer import Export, check_export, open_export
from powerstage.store import Store, open_store

_SUFFIXES: Final[dict[str, FileFormat]] = {".csv": "csv", ".parquet": "parquet"}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Validated:
    """What came of a target.

    ``reports`` are named by what they are on: the file, the export, each delivery; the files that
    they name stand in ``folder``. ``consumed`` is the whole run where the target is a feed or a
    delivery, ``slot`` that of a delivery.
    """

    target: str
    folder: str
    contract: Contract
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

    @property
    def warns(self) -> bool:
        """Whether a check only warned."""
        return any(
            finding.outcome == "warn" for _, report in self.reports for finding in report.findings
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Which deliveries and checks count: those from a moment on, those named; None for all."""

    since: datetime | None
    checks: frozenset[str] | None

    def report(self, report: Report) -> Report:
        """What counts of a report: what keeps rows from being looked at always does."""
        checks = self.checks
        if checks is None:
            return report
        counted = tuple(
            result
            for result in report.results
            if result.check.id in checks
            or (result.outcome == "fail" and result.check.counts == "files")
        )
        return replace(report, results=counted)

    def judgement(self, judgement: Judgement) -> Judgement:
        """A judgement, as if what does not count had not been looked at."""
        report = self.report(judgement.report)
        verdict = "accepted" if report.ok else judgement.verdict
        return replace(judgement, report=report, verdict=verdict)

    def consumed(self, consumed: Consumed, slots: Collection[Slot] | None) -> Consumed:
        """A run of the consumer on these slots, or on all."""
        gaps = consumed.gaps
        if slots is not None:
            periods = [slot.period for slot in slots if slot.dataset == "telemetry"]
            gaps = find_gaps(periods, consumed.contract.delivery_interval)
        return replace(
            consumed,
            judgements=tuple(self.judgement(judgement) for judgement in consumed.judgements),
            gaps=gaps if self.counts(PERIOD_MISSING.id) else (),
            strays=consumed.strays if self.counts(COMMIT_KEY.id) else (),
            feed_findings=consumed.feed_findings
            and tuple(
                finding for finding in consumed.feed_findings if self.counts(finding.check.id)
            ),
        )

    def counts(self, check: str) -> bool:
        """Whether a check does."""
        return self.checks is None or check in self.checks


def validate(
    target: str,
    *,
    clock: Callable[[], datetime],
    contract: Contract | None = None,
    inventory: Path | None = None,
    since: datetime | None = None,
    checks: Collection[str] = (),
    failing_rows: Path | None = None,
    on_judgement: Callable[[Judgement], None] = lambda _: None,
) -> Validated:
    """Run the data unit tests on a target.

    Args:
        target: a file, a folder with an export or a feed in it, the URL of a feed, or that of
            the commit of one delivery.
        clock: tells the time.
        contract: what was agreed; None takes that of the feed or the export, else the default.
        inventory: for a telemetry file: the inventory that it refers to.
        since: of a feed: judge only deliveries of periods that start then or later (UTC).
        checks: ids of the checks that count; all where there are none.
        failing_rows: a Parquet file to write with all rows that fail: see
            ``powerstage.checks.FailingRows``.
        on_judgement: is told of each delivery as soon as it is judged.

    Raises:
        UsageError: the target is nothing that can be judged, or there is no such check.
        NothingToJudgeError: there is nothing, or nothing from then on.
        ContractError: the contract is wrong.
        StoreUnavailableError, WorkerError: no verdict.
    """
    part = _Part(since=since, checks=frozenset(checks) or None)
    path = Path(target)
    with _kept(failing_rows, checks) as kept:
        if is_in_feed(target):
            return _validate_feed(
                target, clock, contract, part, kept=kept, on_judgement=on_judgement
            )
        if since is not None:
            raise UsageError(f"{target} has no deliveries", fix="leave --since out, or name a feed")
        if path.is_file():
            agreed = contract or default()
            _require_known(part, agreed)
            with Checker(kept) as checker:
                report = _check_file(checker, agreed, path, inventory)
        else:
            export = find_export(path, contract)
            agreed = export.contract
            _require_known(part, agreed)
            with Checker(kept) as checker:
                report = check_export(export, checker)
    return Validated(
        target=target,
        folder=str(path.parent if path.is_file() else path),
        contract=agreed,
        reports=((target, part.report(report)),),
    )


@contextmanager
def _kept(path: Path | None, checks: Collection[str]) -> Iterator[FailingRows | None]:
    """Where failing rows are kept, and then written."""
    if path is None:
        yield None
        return
    if not path.parent.is_dir() or path.suffix != ".parquet":
        raise UsageError(
            f"{path} cannot hold failing rows", fix="name a .parquet file in a folder that is there"
        )
    with FailingRows(path, checks) as failing_rows:
        yield failing_rows
        with Checker() as checker:
            checker.write_failing_rows(failing_rows)


def _require_known(part: _Part, contract: Contract) -> None:
    """Raise ``UsageError`` for the id of a check that nothing here has."""
    datasets: tuple[DatasetName, ...] = ("inventory", "telemetry")
    known = {
        check.id
        for dataset in datasets
        for format_ in _SUFFIXES.values()
        for check in compile_plan(contract, dataset, format_).checks
    }
    known |= {check.id for check in (*DELIVERY_CHECKS, *feed_checks(contract))}
    for id_ in sorted((part.checks or set()) - known):
        near = get_close_matches(id_, sorted(known), n=3, cutoff=0.4) or sorted(known)
        raise UsageError(f"there is no check {id_}", fix=f"name one of {', '.join(near)}")


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
            return add_hints(other, contract)
    return add_hints(merge(*reports, telemetry), contract)


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
    part: _Part,
    *,
    kept: FailingRows | None,
    on_judgement: Callable[[Judgement], None],
) -> Validated:
    feed, slot = split_delivery(target)
    store = open_store(feed)
    if part.checks is not None:
        contract = contract or feed_contract(store)
        _require_known(part, contract)
    slots = _slots(store, slot, part)
    with (
        tempfile.TemporaryDirectory(prefix="powerstage-validate-") as folder,
        Lake(Path(folder), make=True) as lake,
    ):
        consumed = consume(
            store,
            lake,
            clock=clock,
            contract=contract,
            only=slots,
            send_receipts=False,
            failing_rows=kept,
            on_judgement=lambda judgement: on_judgement(part.judgement(judgement)),
        )
    if slot is not None and not consumed.judgements:
        raise NothingToJudgeError(
            f"{slot} was not delivered to {feed}", fix=f"powerstage status {feed}"
        )
    consumed = part.consumed(consumed, slots)
    return Validated(
        target=target,
        folder=store.url,
        contract=consumed.contract,
        reports=tuple((str(found.slot), found.report) for found in consumed.judgements),
        consumed=consumed,
        slot=slot,
    )


def _slots(store: Store, slot: Slot | None, part: _Part) -> frozenset[Slot] | None:
    """The deliveries that count; None for all."""
    if slot is not None:
        return frozenset([slot])
    since = part.since
    if since is None:
        return None
    found = discover(store).slots
    later = frozenset(slot for slot in found if slot.period >= since)
    if found and not later:
        raise NothingToJudgeError(
            f"{store.url} has no delivery of a period from {since:%Y-%m-%dT%H:%M:%SZ} on",
            fix=f"the last period is {period_text(max(slot.period for slot in found))}",
        )
    return later


def is_in_feed(target: str) -> bool:
    """Whether a target is a feed, or a delivery in one, by its name and what stands there."""
    return "://" in target or target.endswith(".json") or Path(target, "commits").is_dir()


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
