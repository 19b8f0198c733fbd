"""The parent's side of the worker: hand it jobs, survive its death, turn answers into results."""

import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from powerstage.checks.answer import IS_RECORDED, report_of, shown_detail
from powerstage.checks.counts import ScanCheck
from powerstage.checks.failing_rows import FailingRows
from powerstage.checks.files import FileFormat
from powerstage.checks.plan import DEVICES_MAX, POSITIONS_MAX, Plan, Window, compile_plan
from powerstage.checks.result import Check, Report, fails, merge
from powerstage.checks.script import explained
from powerstage.checks.views import copy
from powerstage.contract.model import Contract, DatasetName
from powerstage.errors import WorkerError
from powerstage.process import BREAKS_READER, Worker, started_worker

# An honest file takes a second or two.
CPU_SECONDS_MAX: Final = 100
CPU_SECONDS_PER_FILE_MAX: Final = 10
# So much longer may a busy machine take.
SLOWNESS_MAX: Final = 4
# A query of a contract's own is worth no more.
QUERY_CPU_SECONDS_MAX: Final = 60
_TRIES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A file to be checked.

    Args:
        path: where it is.
        name: what people call it.
        rows: how many rows were promised; None where nobody did.
        window: what its name says it covers; None where it says nothing.
        source: where people can open it: a path, or an ``s3://`` URL; None for ``path``.
    """

    path: Path
    name: str
    rows: int | None = None
    window: Window | None = None
    source: str | None = None


class Checker:
    """Runs plans over files in a limited worker process, which it starts when first needed.

    Use it as a context manager; it is cheap to keep and reuses its worker. Threads may share it:
    one job runs at a time.

    Args:
        failing_rows: where to keep the rows that fail; None for nowhere.
    """

    def __init__(self, failing_rows: FailingRows | None = None) -> None:
        self._worker: Worker | None = None
        self._failing_rows = failing_rows
        self._turn = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker; another is started when there is a job."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def kill(self) -> None:
        """Make the job that another thread waits for end at once, with a ``WorkerError``."""
        worker = self._worker
        if worker is not None:
            worker.kill()

    def check(
        self,
        plan: Plan,
        files: Sequence[InputFile],
        *,
        inventory: Sequence[tuple[Path, FileFormat]] = (),
        inventory_sources: Sequence[str] = (),
        rows_max: int | None = None,
    ) -> Report:
        """The report on some files of one dataset.

        Args:
            plan: the compiled checks.
            files: the files, all of the plan's format.
            inventory: for telemetry, the snapshot that it refers to, with its format.
            inventory_sources: where people can open that snapshot; by itself, where it is.
            rows_max: believe no footer that claims more; None for one's own files.

        Raises:
            WorkerError: the worker was killed from outside or made no progress: no verdict.
        """
        if not files:
            # Nothing to look at: no check has passed.
            return Report(results=(), rows=0)
        with tempfile.TemporaryDirectory(prefix="powerstage-") as folder:
            job = {
                "plan": plan.to_json(),
                "files": [
                    _file(_link(file.path, folder, f"file{index}"), file)
                    for index, file in enumerate(files)
                ],
                "inventory": [
                    {"path": _link(path, folder, f"inventory{index}"), "format": format_}
                    for index, (path, format_) in enumerate(inventory)
                ],
                "rows_max": rows_max,
                "positions_max": POSITIONS_MAX,
                "devices_max": DEVICES_MAX,
                **_limits(len(files) + len(inventory)),
            }
            checks = plan.checks[: len(plan.checks) - len(plan.queries)]
            report = self._judged(job, checks, plan.readable_check, len(files))
            if len(report.results) == len(checks):
                # Else the rows could not be looked at.
                self._keep_failing_rows(plan, report, job)
                report = merge(report, *(self._asked(job, query) for query in plan.queries))
        sources = inventory_sources or [str(path) for path, _ in inventory]
        return explained(
            report,
            plan,
            [_file(file.source or str(file.path), file) for file in files],
            [(source, format_) for source, (_, format_) in zip(sources, inventory, strict=True)],
        )

    def query_complaints(self, contract: Contract) -> tuple[str, ...]:
        """What is wrong with a contract's own queries, as ``file:line: id: words``.

        They are read as DuckDB reads them, on views without a row, and not run.

        Raises:
            WorkerError: the worker was killed from outside.
        """
        datasets: tuple[DatasetName, ...] = ("inventory", "telemetry")
        plans = {dataset: compile_plan(contract, dataset) for dataset in datasets}
        columns = {dataset: plan.columns for dataset, plan in plans.items()}
        return tuple(
            f"{query.check.at}: {query.check.id}: {words}"
            for plan in plans.values()
            for query in plan.queries
            if (words := self._query_complaint(plan, query, columns))
        )

    def _query_complaint(
        self, plan: Plan, query: ScanCheck, columns: Mapping[DatasetName, Sequence[Any]]
    ) -> str:
        job = {
            "plan": plan.to_json(),
            "query": asdict(query),
            "files": [],
            "inventory": [],
            "empty": {name: columns[name] for name in plan.views},
            **_limits(1),
        }
        answer, cause, _ = self._answer(job)
        return shown_detail(cause if answer is None else answer.get("complaint", BREAKS_READER))

    def write_database(
        self, database: Path, statements: Sequence[str], files: Sequence[Path]
    ) -> None:
        """Run statements in a new DuckDB file, which may read these files and no others.

        Raises:
            WorkerError: it could not be written.
        """
        wal = f"{database}.wal"
        self._write(database, statements, [*map(str, files), str(database), wal], str(database))

    def write_parquet(self, queries: Mapping[Path, str], files: Sequence[Path]) -> None:
        """Write a Parquet file for each query; they may read these files and no others.

        Raises:
            WorkerError: one could not be written.
        """
        job = {
            "copies": [[query, str(path)] for path, query in queries.items()],
            "paths": [str(path) for path in files],
            **_limits(len(files)),
        }
        self._done(job, f"cannot write {next(iter(queries))}")

    def write_failing_rows(self, failing_rows: FailingRows) -> None:
        """Gather what was kept of the rows that fail, and put it in its place.

        Raises:
            WorkerError: it could not be written.
        """
        for path, (query, draft, parts) in failing_rows.drafts().items():
            self._write(path, [copy(query, draft)], [*map(str, parts), str(draft)])
        failing_rows.publish()

    def _keep_failing_rows(self, plan: Plan, report: Report, job: dict[str, Any]) -> None:
        part = self._failing_rows and self._failing_rows.part(plan, report, job)
        if part:
            paths = [file["path"] for file in (*job["files"], *job["inventory"])]
            self._write(
                part.paths[0],
                part.statements,
                [*paths, *map(str, part.paths)],
                timezone=plan.timezone,
            )

    def _write(
        self,
        path: Path,
        statements: Sequence[str],
        paths: Sequence[str],
        database: str = ":memory:",
        timezone: str = "UTC",
    ) -> None:
        """Run statements in a worker that may read and write these paths."""
        job = {
            "database": database,
            "statements": list(statements),
            "paths": list(paths),
            "timezone": timezone,
            **_limits(len(paths)),
        }
        self._done(job, f"cannot write {path}")

    def ask_rows(
        self, statements: Sequence[str], files: Sequence[Path], *, in_file: bool = False
    ) -> list[list[Any]]:
        """Run statements that may read these files and no others: the rows of the last.

        ``in_file``: their tables may be longer than memory, and stand in a file.

        Raises:
            WorkerError: they could not be run.
        """
        job = {
            "rows_of": list(statements),
            "in_file": in_file,
            "paths": [str(path) for path in files],
            **_limits(len(files)),
        }
        answer = self._done(
            job,
            "cannot look at several periods at once",
            fix=IS_RECORDED,
        )
        rows: list[list[Any]] = answer["rows"]
        return rows

    def _done(self, job: dict[str, Any], failure: str, *, fix: str = "") -> dict[str, Any]:
        """The answer to a job that is no judging: it is done, or the tool is broken."""
        with self._turn:
            answer, cause, _ = self._answer(job)
            if answer is None or "error" in answer:
                self.close()
        if answer is None or "error" in answer:
            raise WorkerError(failure, cause=str(answer["error"]) if answer else cause, fix=fix)
        return answer

    def _asked(self, job: dict[str, Any], query: ScanCheck) -> Report:
        """The outcome of a query of the contract's own, a job to itself: it spoils no other."""
        limits = {
            "cpu_seconds_max": QUERY_CPU_SECONDS_MAX,
            "seconds_max": SLOWNESS_MAX * QUERY_CPU_SECONDS_MAX,
        }
        own = job | {"query": asdict(query)} | limits
        return self._judged(own, (query.check,), query.check, 1)

    def _judged(
        self, job: dict[str, Any], checks: Sequence[Check], blamed: Check, total: int
    ) -> Report:
        """What a worker found; where a fresh one dies of it, too, a check that is to blame."""
        reason = ""
        for _ in range(_TRIES):
            answer, reason, is_final = self._answer(job)
            if answer is not None:
                try:
                    return report_of(checks, answer)
                except (LookupError, TypeError, ValueError, AttributeError):
                    self.close()
                    reason = BREAKS_READER
            if is_final:
                break
        broken = fails(blamed, total=total, detail=shown_detail(reason))
        return Report(results=(broken,), rows=0)

    def _answer(self, job: dict[str, Any]) -> tuple[dict[str, Any] | None, str, bool]:
        """The answer, or None, what the worker died of, and whether another would for sure.

        A worker that failed is dropped.
        """
        with self._turn:
            return self._ask(job)

    def _ask(self, job: dict[str, Any]) -> tuple[dict[str, Any] | None, str, bool]:
        worker = self._worker = self._worker or started_worker()
        is_sound = False
        try:
            answer = worker.ask(job)
            if answer is None:
                return None, worker.cause_of_death(), worker.is_over_its_limits
            if "engine_is_broken" in answer:
                return None, str(answer["engine_is_broken"]), False
            is_sound = True
            return answer, "", False
        finally:
            if not is_sound:
                self.close()


def _file(path: str, file: InputFile) -> dict[str, Any]:
    window = None
    if file.window is not None:
        bounds = (file.window.start, file.window.end)
        window = [int(bound.timestamp()) * 1_000_000 for bound in bounds]
    return {"path": path, "name": file.name, "rows": file.rows, "window_us": window}


def _link(path: Path, folder: str, name: str) -> str:
    """A path without characters that a glob or a quote would read as its own."""
    link = Path(folder, name)
    link.symlink_to(path.resolve())
    return str(link)


def _limits(files: int) -> dict[str, int]:
    cpu_seconds_max = CPU_SECONDS_MAX + CPU_SECONDS_PER_FILE_MAX * files
    return {"cpu_seconds_max": cpu_seconds_max, "seconds_max": SLOWNESS_MAX * cpu_seconds_max}
