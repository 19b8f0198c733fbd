"""``powerstage consume``, ``validate`` and ``status``: a feed, judged and looked at."""

import tempfile
from pathlib import Path

import click

from powerstage.checks import Checker, FileFormat, InputFile, Report, compile_plan, merge
from powerstage.cli.common import (
    contract_option,
    json_option,
    leave,
    load_contract,
    now,
    open_to_write,
    results,
    yes_option,
)
from powerstage.consumer import Consumed, Lake
from powerstage.consumer import consume as consume_feed
from powerstage.consumer.lake import LEDGER_FILE
from powerstage.contract import CommitKey, Contract, Slot, default, parse_key
from powerstage.contract.layout import COMMITS
from powerstage.display.document import (
    consumed_part,
    document,
    report_part,
    status_part,
)
from powerstage.display.report import show_consumed, show_judgement, show_report
from powerstage.display.story import show_status
from powerstage.errors import NothingToJudgeError, RecordError, UsageError
from powerstage.producer import check_export, open_export
from powerstage.producer import status as feed_status
from powerstage.store import open_store

_SUFFIXES: dict[str, FileFormat] = {".csv": "csv", ".parquet": "parquet"}


@click.command()
@click.argument("feed")
@click.option(
    "--into",
    "lake_path",
    required=True,
    metavar="LAKE",
    type=click.Path(path_type=Path),
    help="Folder for accepted data and the ledger.",
)
@click.option("--as", "name", default="consumer", show_default=True, help="What receipts call you.")
@contract_option
@yes_option
@json_option
def consume(
    feed: str,
    *,
    lake_path: Path,
    name: str,
    contract_path: Path | None,
    yes_write_to: str | None,
    as_json: bool,
) -> None:
    """Discover, fetch, judge and record what FEED delivers; send receipts.

    Exit 1 if this run rejected a delivery or could not read it, or a period is missing. Run
    it again at any time: what was judged is not judged again, and `status` shows all verdicts.
    """
    store = open_to_write(feed, yes_write_to)
    contract = load_contract(contract_path)
    terminal = results(as_json)
    with Lake(lake_path, make=True) as lake:
        consumed = consume_feed(
            store,
            lake,
            clock=now,
            name=name,
            contract=contract,
            on_judgement=lambda judgement: (
                None
                if judgement.report.ok and not judgement.report.findings
                else show_judgement(terminal, judgement)
            ),
        )
    show_consumed(terminal, consumed)
    code = _code(consumed)
    leave(code, as_json, document("consume", code, feed=feed, **consumed_part(consumed)))


@click.command()
@click.argument("target")
@click.option(
    "--inventory",
    "inventory_path",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="For a telemetry file: the inventory that it refers to.",
)
@contract_option
@json_option
def validate(
    target: str, *, inventory_path: Path | None, contract_path: Path | None, as_json: bool
) -> None:
    """Run the data unit tests on TARGET: a file, an export, a feed or one delivery.

    A delivery is named by the URL of its commit. Nothing is written: no receipt, no lake.
    """
    contract = load_contract(contract_path)
    path = Path(target)
    if "://" not in target and not target.endswith(".json"):
        if path.is_file():
            _validate_file(path, contract, inventory_path, as_json=as_json)
        if not (path / "commits").is_dir():
            _validate_export(path, contract, as_json=as_json)
    _validate_feed(target, contract, as_json=as_json)


@click.command()
@click.argument("feed")
@json_option
def status(feed: str, *, as_json: bool) -> None:
    """Show the deliveries of FEED, the verdicts on them, and what is missing.

    Exit 1 if a consumer did not accept a delivery, or a period is missing.
    """
    seen = feed_status(open_store(feed))
    show_status(results(as_json), seen)
    refused = any(
        receipt.verdict != "accepted"
        for delivery in seen.deliveries
        for receipt in delivery.receipts
    )
    code = 1 if refused or seen.gaps else 0
    leave(code, as_json, document("status", code, **status_part(seen)))


def _validate_file(
    path: Path, contract: Contract | None, inventory_path: Path | None, *, as_json: bool
) -> None:
    agreed = contract or default()
    with Checker() as checker:
        report = _check_file(checker, agreed, path, inventory_path)
    _leave_report(str(path), report, as_json=as_json)


def _check_file(
    checker: Checker, contract: Contract, path: Path, inventory_path: Path | None
) -> Report:
    """Take a file for telemetry, or for an inventory if it has just those columns."""
    file = [InputFile(path=path, name=path.name)]
    format_ = _format(path)
    inventory = [(inventory_path, _format(inventory_path))] if inventory_path else []
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


def _validate_export(path: Path, contract: Contract | None, *, as_json: bool) -> None:
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
    export = open_export(path, contract)
    with Checker() as checker:
        report = check_export(export, checker)
    _leave_report(str(path), report, as_json=as_json)


def _validate_feed(target: str, contract: Contract | None, *, as_json: bool) -> None:
    feed, slot = _delivery(target)
    store = open_store(feed)
    terminal = results(as_json)
    with (
        tempfile.TemporaryDirectory(prefix="powerstage-validate-") as folder,
        Lake(Path(folder), make=True) as lake,
    ):
        consumed = consume_feed(
            store,
            lake,
            clock=now,
            contract=contract,
            only=None if slot is None else [slot],
            send_receipts=False,
            on_judgement=lambda judgement: show_judgement(terminal, judgement),
        )
    if slot is not None and not consumed.judgements:
        raise NothingToJudgeError(
            f"{slot} was not delivered to {feed}", fix=f"powerstage status {feed}"
        )
    show_consumed(terminal, consumed)
    code = _code(consumed, only=slot)
    leave(code, as_json, document("validate", code, target=target, **consumed_part(consumed)))


def _delivery(target: str) -> tuple[str, Slot | None]:
    """The feed, and the slot where the target is the URL of a commit."""
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


def _code(consumed: Consumed, only: Slot | None = None) -> int:
    if any(judgement.verdict != "accepted" for judgement in consumed.judgements):
        return 1
    return 1 if only is None and (consumed.gaps or consumed.strays) else 0


def _format(path: Path) -> FileFormat:
    if path.suffix not in _SUFFIXES:
        raise UsageError(f"{path} is neither .csv nor .parquet", fix="name a CSV or a Parquet file")
    return _SUFFIXES[path.suffix]


def _leave_report(name: str, report: Report, *, as_json: bool) -> None:
    show_report(results(as_json), name, report)
    code = 0 if report.ok else 1
    leave(code, as_json, document("validate", code, target=name, **report_part(report)))
