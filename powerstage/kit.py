"""The kit: what the two sides take home once they have agreed.

The contract, mock data as plain files and as a feed, and the data unit tests as SQL with a runner
that needs duckdb and pytest alone. ``kit_files/`` holds what is copied and filled in.
"""

import json
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any, Final

import powerstage
from powerstage.checks import Checker, FileFormat, Plan, Report, compile_plan
from powerstage.checks.counts import ScanCheck
from powerstage.checks.files import READERS, TYPE_NAMES
from powerstage.consumer import Lake, consume
from powerstage.consumer.judge import INVENTORY_ACCEPTED
from powerstage.contract import Column, Contract, Dataset, default, front_matter, loads
from powerstage.contract.model import DatasetName
from powerstage.display.terminal import counted
from powerstage.errors import ContractError
from powerstage.producer import (
    MockSource,
    check_export,
    open_export,
    publish,
    synthesise,
    write_export,
)
from powerstage.producer.export import CONTRACT
from powerstage.store import FolderStore, local_folder

_TESTS: Final = ("conftest.py", "test_data.py")
_KINDS: Final[tuple[tuple[DatasetName, FileFormat], ...]] = (
    ("inventory", "csv"),
    ("inventory", "parquet"),
    ("telemetry", "csv"),
    ("telemetry", "parquet"),
)
# What a runner knows of files and of the period of their delivery, empty where they have none.
_PROMISED: Final = (
    "CREATE TABLE promised AS SELECT unnest($1::VARCHAR[]) AS file, unnest($2::BIGINT[]) AS rows,"
    " $3::VARCHAR AS period"
)
# No row is at fault where a number is not as agreed.
_NO_SAMPLES: Final = "SELECT '', 0, '' WHERE false"
_PERIOD_US: Final = (
    "(SELECT epoch_us(strptime(nullif(any_value(period), ''), '%Y-%m-%dT%H%M')) FROM promised)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What was written: where, how many periods and readings, how many checks.

    ``reports`` say what the checks find in it, named by what they are on.
    """

    folder: Path
    periods: int
    readings: int
    checks: int
    reports: tuple[tuple[str, Report], ...]


def write_kit(
    contract: Contract,
    folder: Path | str,
    *,
    devices: int = 12,
    start: datetime,
    days: int = 1,
    seed: int = 7,
) -> Kit:
    """Write a kit, and judge it: rules of the contract's own may ask for what mock data are not.

    The same arguments give the same bytes on one version of DuckDB.

    Args:
        contract: what was agreed.
        folder: where; made if absent, refused if it holds anything.
        devices: how many servers.
        start: of the first period, UTC.
        days: how many days of periods.
        seed: decides every value.

    Raises:
        UsageError: an option is out of range, or the folder holds something; nothing was written.
        ContractError: a query of the contract cannot be run; nothing was written.
        WorkerError: the worker that judges was killed from outside.
    """
    folder = local_folder(folder)
    with Checker() as checker:
        if problems := checker.query_complaints(contract):
            # It runs where no worker is: what that would not run does not come into it.
            raise ContractError(
                "a kit carries no query that the worker would not run", problems=problems
            )
    source = synthesise(
        # One inventory, in the export and in the feed.
        contract,
        devices=devices,
        start=start,
        days=days,
        seed=seed,
        frozen=True,
    )
    write_export(source, folder, "csv")
    (folder / CONTRACT).write_bytes(contract.text.encode())
    end = source.periods()[-1] + contract.delivery_interval
    # No clock: the data decide about every byte.
    deliveries = publish(source, FolderStore(folder / "feed"), clock=lambda: end)
    checks = _checks(loads(contract.text, CONTRACT))
    _write_tests(folder / "tests", checks)
    readings = sum(item.rows for item in deliveries if item.slot.dataset == "telemetry")
    (folder / "README.md").write_text(_readme(source, seed, readings), encoding="utf-8")
    return Kit(
        folder=folder,
        periods=len(source.periods()),
        readings=readings,
        checks=len(checks["checks"]),
        reports=_judged(contract, folder, end),
    )


def _judged(contract: Contract, folder: Path, now: datetime) -> tuple[tuple[str, Report], ...]:
    """What a producer's check of the export says, and what a consumer's of each delivery does."""
    with Checker() as checker:
        export = check_export(open_export(folder, contract), checker)
    with (
        tempfile.TemporaryDirectory(prefix="powerstage-kit-") as temporary,
        Lake(Path(temporary), make=True) as lake,
    ):
        feed = FolderStore(folder / "feed")
        consumed = consume(feed, lake, clock=lambda: now, contract=contract, send_receipts=False)
    deliveries = ((str(found.slot), found.report) for found in consumed.judgements)
    return ((str(folder), export), *deliveries)


def _write_tests(folder: Path, checks: dict[str, Any]) -> None:
    folder.mkdir()
    text = json.dumps(checks, indent=1, ensure_ascii=False)
    (folder / "checks.json").write_text(text + "\n", encoding="utf-8")
    for name in _TESTS:
        (folder / name).write_text(_resource(name), encoding="utf-8")


def _checks(contract: Contract) -> dict[str, Any]:
    """The checks as a runner needs them: SQL, and the words for what it finds."""
    plans = {
        f"{dataset}.{format_}": _plan(contract, dataset, format_) for dataset, format_ in _KINDS
    }
    ids = [INVENTORY_ACCEPTED.id]
    for plan in plans.values():
        ids += [check["id"] for check in plan["file_checks"]]
        ids += [known["check"]["id"] for scan in plan["scans"] for known in scan["checks"]]
    return {
        "contract": f"{contract.name} {contract.version}",
        "checks": list(dict.fromkeys(ids)),
        "export": asdict(contract.export),
        "readers": {f".{name}": _reader(sql) for name, sql in READERS.items()},
        "type_names": TYPE_NAMES,
        "promised": _PROMISED,
        "inventory_check": asdict(INVENTORY_ACCEPTED),
        "plans": plans,
    }


def _reader(sql: str) -> str:
    """A reader that names the file of each row; path and columns are put in as literals."""
    quoted = sql.replace("{path}", "'{path}'").replace("{{{columns}}}", "{columns}")
    return f"FROM {quoted.removesuffix(')')}, filename = 'at:file')"


def _plan(contract: Contract, dataset: DatasetName, format_: FileFormat) -> dict[str, Any]:
    plan = compile_plan(contract, dataset, format_)
    interval_us = contract.delivery_interval // timedelta(microseconds=1)
    files_checks = (plan.readable_check, plan.columns_check, plan.types_check)
    return {
        "columns": [
            [name, "VARCHAR" if format_ == "csv" else type_] for name, type_ in plan.columns
        ],
        "file_checks": [asdict(check) for check in files_checks],
        "delivered": _resource("place.sql", interval_us=interval_us) + plan.delivered,
        "scans": [_scan(plan, interval_us), *(_query(plan, query) for query in plan.queries)],
    }


def _scan(plan: Plan, interval_us: int) -> dict[str, Any]:
    """What counts the failures of most checks; where it cannot be done, a file is unreadable."""
    prepare = [f"SET TimeZone = '{plan.timezone}'", "CREATE VIEW delivered AS {delivered}"]
    if plan.dataset == "telemetry":
        window = {"start": _PERIOD_US, "end": f"{_PERIOD_US} + {interval_us}"}
        prepare += [
            "CREATE VIEW inventory AS {inventory}",
            *plan.window,
            *(
                f"SET VARIABLE window_{name} = coalesce({sql}, getvariable('window_{name}'))"
                for name, sql in window.items()
            ),
            *plan.prepare,
        ]
    scan, checks = plan.scan, list(plan.scan_checks)
    if plan.format == "parquet":
        # Only a commit promises rows, and its files are Parquet.
        scan = scan.replace("SELECT ", f"SELECT ({plan.rows_check.count}), ", 1)
        checks.insert(0, plan.rows_check)
    return {
        "prepare": [*prepare, *plan.sums],
        "sql": scan,
        "checks": [_scan_check(scanned) for scanned in checks],
        "blamed": asdict(plan.readable_check),
    }


def _query(plan: Plan, query: ScanCheck) -> dict[str, Any]:
    """A query of the contract's own: by itself, over views in the contract's columns."""
    sources = {"inventory": "{inventory}"} | {plan.dataset: "{delivered}"}
    return {
        "prepare": [f"SET TimeZone = '{plan.timezone}'"]
        + [
            f"CREATE VIEW {name} AS SELECT {columns} FROM ({sources[name]})"
            for name, columns in plan.views.items()
        ],
        "sql": query.count,
        "checks": [_scan_check(query)],
        "blamed": asdict(query.check),
    }


def _scan_check(scanned: ScanCheck) -> dict[str, Any]:
    check = scanned.check
    return {
        "check": asdict(check) | {"sql": check.sql or scanned.samples},
        "recount": scanned.recount,
        "share_max": scanned.share_max,
        "samples": scanned.samples or _NO_SAMPLES,
    }


def _readme(source: MockSource, seed: int, readings: int) -> str:
    contract, start = source.contract, source.start
    is_default = contract.sha256 == default().sha256
    option = "" if is_default else f" --contract {CONTRACT}"
    at = f"{start:%Y-%m-%d}" if start.time() == datetime.min.time() else f"{start:%Y-%m-%dT%H:%M}"
    command = (
        f"powerstage kit NEW-FOLDER --devices {source.fleet.devices} --start {at}"
        f" --days {source.days} --seed {seed}{option}"
    )
    front = front_matter.write(contract, devices="inventory.csv", data="data-*-*-*.csv")
    return front.removesuffix(contract.purpose + "\n") + _resource(
        "README.md",
        name=contract.name,
        version=contract.version,
        purpose=contract.purpose,
        devices=f"{source.fleet.devices:,}",
        readings=f"{readings:,}",
        delivery_interval=_length(contract.delivery_interval),
        lateness=_length(contract.lateness),
        reading_interval=_length(contract.roles.reading_interval),
        inventory=_columns(contract.inventory),
        telemetry=_columns(contract.telemetry),
        measures="\n".join(
            f"| {_cell(measure.name)} | {_cell(measure.unit)} | {measure.minimum:g} |"
            f" {measure.maximum:g} |"
            for measure in contract.measures
        ),
        completeness=f"{contract.completeness:.1%}",
        powerstage=powerstage.__version__,
        command=command,
    )


def _columns(dataset: Dataset) -> str:
    rows = "\n".join(
        f"| `{column.name}` | {column.type} | {_rules(column)} |" for column in dataset.columns
    )
    key = ", ".join(f"`{name}`" for name in dataset.key)
    return (
        f"Columns of the {dataset.name}; no two rows have the same {key}:\n\n"
        f"| column | type | rules |\n| --- | --- | --- |\n{rows}"
    )


def _rules(column: Column) -> str:
    rules = ["never null"] if column.required else []
    if column.pattern is not None:
        rules.append(f"matches `{_cell(column.pattern)}`")
    if column.allowed:
        rules.append("one of " + ", ".join(f"`{_cell(value)}`" for value in column.allowed))
    if column.minimum is not None:
        rules.append(f"at least {column.minimum:g}")
    if column.maximum is not None:
        rules.append(f"at most {column.maximum:g}")
    return ", ".join(rules)


def _cell(text: str) -> str:
    """A text inside a table of Markdown."""
    return text.replace("|", "\\|")


def _length(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    units = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
    unit = next(unit for unit, of_seconds in units.items() if seconds % of_seconds == 0)
    return counted(seconds // units[unit], unit)


def _resource(file: str, **values: object) -> str:
    """A file of ``kit_files``, with values put in for its ``$names`` where there are any."""
    text = resources.files("powerstage").joinpath("kit_files", file).read_text("utf-8")
    return Template(text).substitute(values) if values else text
