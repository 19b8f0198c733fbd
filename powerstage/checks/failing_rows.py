"""Every row that fails, and every run of missing readings, kept as Parquet for a closer look.

The worker writes them, like all that comes of files from outside, once the verdict is known.
"""

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Final, Self

from powerstage.checks.counts import COMPLETE, ScanCheck
from powerstage.checks.plan import Plan
from powerstage.checks.result import Report
from powerstage.checks.rules import FILE, RAW_PREFIX, ROW
from powerstage.checks.script import query_of
from powerstage.checks.views import Job, copy, setup
from powerstage.engine import sql_name, sql_text

_OURS: Final = {
    "dataset": "NULL::VARCHAR",
    "file": "NULL::VARCHAR",
    "row": "NULL::BIGINT",
    "reasons": "NULL::VARCHAR[]",
}
_RUNS: Final = (
    "SELECT run['device'] AS device, run['measure'] AS measure,"
    " run['from']::TIMESTAMPTZ AS \"from\", run['to']::TIMESTAMPTZ AS \"to\","
    " run['missing']::BIGINT AS missing FROM ({query}) AS found(file, number, run)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is to be written of one run of a plan: statements, and the files that they write."""

    statements: tuple[str, ...]
    paths: tuple[Path, ...]


class FailingRows:
    """A Parquet file of failing rows, and beside it one of missing readings. A context manager.

    ``FILE.parquet`` has a row for each row that fails: ``dataset``, ``file``, ``row`` as findings
    have it, ``reasons`` (ids of checks), and the contract's columns as they were found, those of
    a CSV as texts; a column that has one of our names is called ``… found``.
    ``FILE.missing.parquet`` has a row for each run of readings that are not there: ``device``,
    ``measure``, ``from`` and ``to`` (the starts of the first and the last interval), ``missing``
    (their number); there is no such file where none is missing.

    Args:
        path: of the first; what stood there is replaced once all is written.
        checks: ids of the checks that count; all where there are none.
    """

    def __init__(self, path: Path, checks: Collection[str] = ()) -> None:
        self._path, self._checks = path.absolute(), checks
        self._missing_path = self._path.with_suffix(f".missing{path.suffix}")
        self._folder = tempfile.TemporaryDirectory(prefix=".failing-rows-", dir=self._path.parent)
        # By the name of its first file: deliveries are judged side by side.
        self._parts: dict[Path, list[tuple[str, Path]]] = {self._path: [], self._missing_path: []}
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    def part(self, plan: Plan, report: Report, job: Job) -> Part | None:
        """What is to be written of a run, from its job; None where no row fails."""
        failing = self._failing(plan, report)
        queries = {}
        if by_row := {id_: check for id_, check in failing.items() if check.predicate}:
            queries[self._path] = _rows(plan, by_row)
        if COMPLETE in failing:
            queries[self._missing_path] = _RUNS.format(query=query_of(failing[COMPLETE]))
        if not queries:
            return None
        copies, paths = [], []
        for path, query in queries.items():
            with self._lock:
                part = Path(self._folder.name, f"{len(self._parts[path])}-{path.name}")
                self._parts[path].append((job["files"][0]["name"], part))
            copies.append(copy(query, part))
            paths.append(part)
        return Part(statements=(*setup(job), *copies), paths=tuple(paths))

    def drafts(self) -> Mapping[Path, tuple[str, Path, Sequence[Path]]]:
        """For each file: the query that gathers its parts, its draft, and the parts."""
        found = {}
        for path, named in self._parts.items():
            parts = [part for _, part in sorted(named)]
            if parts or path == self._path:
                draft = Path(self._folder.name, f"draft-{path.name}")
                found[path] = _gathered(parts, is_rows=path == self._path), draft, parts
        return found

    def publish(self) -> None:
        """Put the drafts, which have been written, in their places."""
        self._missing_path.unlink(missing_ok=True)
        for path, (_, draft, _) in self.drafts().items():
            draft.replace(path)

    def _failing(self, plan: Plan, report: Report) -> dict[str, ScanCheck]:
        found = {finding.check.id for finding in report.findings}
        return {
            check.check.id: check
            for check in plan.scan_checks
            if check.check.id in found and (not self._checks or check.check.id in self._checks)
        }


def _rows(plan: Plan, failing: Mapping[str, ScanCheck]) -> str:
    reasons = " || ".join(
        f"CASE WHEN {check.predicate} THEN [{sql_text(id_)}] ELSE []::VARCHAR[] END"
        for id_, check in failing.items()
    )
    raw = RAW_PREFIX if plan.format == "csv" else ""
    columns = ", ".join(
        f"{sql_name(raw + name)} AS {sql_name(name + ' found' if name in _OURS else name)}"
        for name, _ in plan.columns
    )
    source = "reading" if plan.dataset == "telemetry" else "delivered"
    return (
        f"FROM (SELECT {sql_text(plan.dataset)} AS dataset, {FILE} AS file, {ROW} AS row,"
        f" {reasons} AS reasons, {columns} FROM {source}) WHERE len(reasons) > 0"
    )


def _gathered(parts: Sequence[Path], *, is_rows: bool) -> str:
    read = ", ".join(sql_text(str(part)) for part in parts)
    rows = f"FROM read_parquet([{read}], union_by_name = true, hive_partitioning = false)"
    if not is_rows:
        return rows
    # Nothing may fail: then the file says so.
    none = ", ".join(f"{empty} AS {name}" for name, empty in _OURS.items())
    empty = f"SELECT {none} WHERE false"
    return f"{empty} UNION ALL BY NAME {rows}" if parts else empty
