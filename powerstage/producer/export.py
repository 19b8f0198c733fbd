"""A real producer's export taken in: plain files, checked, then cut into periods.

Two forms are known: the upstream form (a README whose front matter names the files, an
inventory, data files) and a folder of such files without it, named as the contract says or as
``inventory.parquet`` beside other Parquet files.
"""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from powerstage.checks import (
    Checker,
    FileFormat,
    InputFile,
    Report,
    Window,
    add_hints,
    compile_plan,
    merge,
)
from powerstage.checks.files import reader
from powerstage.checks.rules import microseconds, start_us
from powerstage.contract import Contract, default, front_matter, loads
from powerstage.contract.load import load, read_text
from powerstage.contract.model import DatasetName, ExportFiles
from powerstage.contract.profile import is_export_path
from powerstage.engine import connect, sql_name, sql_text
from powerstage.errors import UsageError
from powerstage.producer.parquet import write_parquet
from powerstage.producer.source import Source

README: Final = "README.md"
CONTRACT: Final = "contract.odcs.yaml"
# A column of ours, by which readings are cut: no contract's column has a colon in its name.
_START: Final = '"at:start_us"'
_FORMATS: Final[dict[str, FileFormat]] = {".csv": "csv", ".parquet": "parquet"}
# data-2026-11-01.csv covers that day, data-2026-11-01T05.csv that hour.
_NAMED: Final = re.compile(
    r"(?<![0-9])(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})(T(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})?)?"
    r"(?![0-9])"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A producer's plain files, and the contract that they follow."""

    folder: Path
    contract: Contract
    inventory: Path
    telemetry: tuple[Path, ...]

    @property
    def inventory_format(self) -> FileFormat:
        """``csv`` or ``parquet``."""
        return _FORMATS[self.inventory.suffix]

    @property
    def telemetry_format(self) -> FileFormat:
        """``csv`` or ``parquet``."""
        return _FORMATS[self.telemetry[0].suffix]


def open_export(folder: Path | str, contract: Contract | None = None) -> Export:
    """Find the files of an export.

    Args:
        folder: where it is.
        contract: what it follows; None takes ``contract.odcs.yaml`` in the folder, or without
            one the default contract, and of a README's front matter the customer, the file
            names and the update interval.

    Raises:
        UsageError: there is no such folder, or files that should be there are not.
        ContractError: the contract or the front matter is wrong.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", fix="name the folder of an export")
    if (folder / "commits").is_dir():
        raise UsageError(
            f"{folder} is a feed, no export: it has commits in it",
            fix=f"powerstage validate {folder}, or consume it",
        )
    contract = contract or _own_contract(folder)
    readme = folder / README
    # A byte order mark is what some editors put before the first line.
    text = read_text(readme).removeprefix("\ufeff") if readme.is_file() else ""
    if text.startswith("---"):
        front = front_matter.parse(text, str(readme))
        names = ExportFiles(devices=front.devices, data=front.data)
        if contract is None:
            # The prose below is no part of the agreement: to mend a word is no new version.
            agreed = front_matter.to_contract(replace(front, body=""))
            contract = loads(agreed, f"{readme} and the default contract")
    else:
        contract = contract or default()
        names = _names_by_custom(folder, contract)
    inventory = _one(folder, names.devices)
    telemetry = tuple(path for path in _all(folder, names.data) if path != inventory)
    for path in (inventory, *telemetry):
        if path.suffix not in _FORMATS:
            raise UsageError(
                f"{path} is neither .csv nor .parquet", fix="export CSV or Parquet files"
            )
    if len({path.suffix for path in telemetry}) != 1:
        raise UsageError(f"{folder} mixes CSV and Parquet data files", fix="export one of them")
    return Export(folder=folder, contract=contract, inventory=inventory, telemetry=telemetry)


def _own_contract(folder: Path) -> Contract | None:
    """The contract that an export brings along."""
    return load(folder / CONTRACT) if (folder / CONTRACT).is_file() else None


def check_export(export: Export, checker: Checker) -> Report:
    """The data unit tests on a whole export: its inventory, then its readings against it."""
    contract = export.contract
    inventory = checker.check(
        compile_plan(contract, "inventory", export.inventory_format),
        [_input(export.inventory, contract)],
    )
    unusable = {"file.readable", "columns.agreed", "types.agreed"}
    usable = not unusable & {finding.check.id for finding in inventory.findings}
    telemetry = checker.check(
        compile_plan(contract, "telemetry", export.telemetry_format, with_inventory=usable),
        [_input(path, contract) for path in export.telemetry],
        inventory=[(export.inventory, export.inventory_format)] if usable else [],
    )
    return add_hints(merge(inventory, telemetry), contract)


def named_window(path: Path, interval: timedelta) -> Window | None:
    """What a file's name says it covers: a day, an hour, or a delivery interval from a minute."""
    match = _NAMED.search(path.stem)
    if match is None:
        return None
    try:
        start = datetime.fromisoformat(match["date"]).replace(
            hour=int(match["hour"] or 0), minute=int(match["minute"] or 0), tzinfo=UTC
        )
        length = timedelta(days=1)
        if match["hour"]:
            length = interval if match["minute"] else max(interval, timedelta(hours=1))
        return Window(start=start, end=start + length)
    except (ValueError, OverflowError):
        # No such day, or the last that there is.
        return None


class ExportSource:
    """An export as something that can be published: a ``Source``. Use as a context manager.

    The files are read once, into a DuckDB file in a temporary folder, sorted by time, so that
    a period costs its own readings only. They must have passed ``check_export``.
    """

    def __init__(self, export: Export) -> None:
        self.contract = export.contract
        self._export = export
        self._folder = tempfile.TemporaryDirectory(prefix="powerstage-export-")
        self._connection = connect(database=str(Path(self._folder.name, "export.duckdb")))
        self._connection.execute(f"SET TimeZone = {sql_text(export.contract.timezone)}")
        self._load("inventory", [export.inventory], export.inventory_format, "SELECT * FROM given")
        self._load(
            "telemetry",
            export.telemetry,
            export.telemetry_format,
            f"SELECT *, {start_us(self.contract.roles)} AS {_START} FROM given ORDER BY {_START}",
        )
        self._connection.execute("SET TimeZone = 'UTC'")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()
        self._folder.cleanup()

    def parts(self) -> Sequence[Source]:
        """All in one."""
        return [self]

    def periods(self) -> Sequence[datetime]:
        """The periods that hold a reading, in order."""
        seconds = int(self.contract.delivery_interval.total_seconds())
        rows = self._connection.execute(
            f"SELECT DISTINCT {_START} // 1000000 // {seconds} * {seconds} AS period"
            " FROM telemetry ORDER BY period"
        ).fetchall()
        return [datetime.fromtimestamp(period, UTC) for (period,) in rows]

    def snapshots(self) -> Sequence[datetime]:
        """The first period: an export knows one inventory."""
        return self.periods()[:1]

    def write_inventory(self, period: datetime, path: Path) -> int:  # noqa: ARG002 - one for all
        """Write the inventory as Parquet; its number of rows."""
        return self._write("inventory", "true", path)

    def write_telemetry(self, period: datetime, path: Path) -> int:
        """Write the readings of one period as Parquet; their number."""
        first_us = int(period.timestamp()) * 1_000_000
        end_us = first_us + microseconds(self.contract.delivery_interval)
        return self._write("telemetry", f"{_START} >= {first_us} AND {_START} < {end_us}", path)

    def _write(self, dataset: DatasetName, where: str, path: Path) -> int:
        columns = self.contract.dataset(dataset)
        names = ", ".join(sql_name(column.name) for column in columns.columns)
        key = ", ".join(sql_name(name) for name in columns.key)
        query = f"SELECT {names} FROM {dataset} WHERE {where} ORDER BY {key}"
        # A connection of its own: several periods may be written at once.
        with self._connection.cursor() as connection:
            return write_parquet(connection, query, path)

    def _load(
        self, dataset: DatasetName, paths: Sequence[Path], format_: FileFormat, query: str
    ) -> None:
        with tempfile.TemporaryDirectory(dir=self._folder.name) as links:
            # Links without characters that a glob would read as its own.
            for index, path in enumerate(paths):
                Path(links, f"file{index}").symlink_to(path.resolve())
            columns = ", ".join(
                f"CAST({sql_name(column.name)} AS {column.type}) AS {sql_name(column.name)}"
                for column in self.contract.dataset(dataset).columns
            )
            rows = " UNION ALL ".join(
                f"SELECT {columns} FROM {reader(f'{links}/file{index}', format_)}"
                for index in range(len(paths))
            )
            self._connection.execute(f"CREATE TABLE {dataset} AS WITH given AS ({rows}) {query}")


def _input(path: Path, contract: Contract) -> InputFile:
    return InputFile(
        path=path, name=path.name, window=named_window(path, contract.delivery_interval)
    )


def _names_by_custom(folder: Path, contract: Contract) -> ExportFiles:
    if (folder / contract.export.devices).is_file():
        return contract.export
    if (folder / "inventory.parquet").is_file():
        return ExportFiles(devices="inventory.parquet", data="*.parquet")
    return contract.export


def _one(folder: Path, name: str) -> Path:
    _require_name(folder, name)
    path = folder / name
    if not path.is_file():
        raise UsageError(
            f"{folder} has no inventory: no file is called {name}", fix=_nearest(folder, name)
        )
    return path


def _all(folder: Path, pattern: str) -> list[Path]:
    _require_name(folder, pattern)
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    found = [folder / name for name in names if fnmatchcase(name, pattern)]
    if not found:
        raise UsageError(
            f"{folder} has no data: no file matches {pattern}", fix=_nearest(folder, pattern)
        )
    return found


def _require_name(folder: Path, name: str) -> None:
    if not is_export_path(name):
        raise UsageError(
            f"{name!r} is not the name of files in {folder}",
            fix="name files of the export's own folder",
        )


def _nearest(folder: Path, name: str) -> str:
    names = sorted(path.name for path in folder.iterdir())
    near = get_close_matches(name, names, n=3, cutoff=0.4) or names[:3]
    there = f"; the folder holds {', '.join(near)}" if near else "; the folder is empty"
    readme = f", or correct it in the front matter of {README}" if README in names else ""
    return f"give the file that name{readme}{there}"
