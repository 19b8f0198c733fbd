"""The parent's side of the worker: hand it jobs, survive its death, turn answers into results."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import powerstage
from powerstage.checks.files import FileFormat
from powerstage.checks.plan import POSITIONS_MAX, Plan, Window
from powerstage.checks.result import (
    Check,
    CheckResult,
    Report,
    Sample,
    fails,
    passes,
)
from powerstage.errors import WorkerError

ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
WALL_SECONDS_MAX: Final = 900
# Exit codes of the worker; the second: under a limit of the machine that is narrower than ours.
DIED_OF_MEMORY: Final = 70
DIED_OF_NARROW_LIMITS: Final = 71
_TRIES: Final = 2
# Signals that come from people, from the system or from us, never from a file.
_FROM_OUTSIDE: Final = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A file to be checked.

    Args:
        path: where it is.
        name: what people call it.
        rows: how many rows were promised; None where nobody did.
        window: what its name says it covers; None where it says nothing.
    """

    path: Path
    name: str
    rows: int | None = None
    window: Window | None = None


class Checker:
    """Runs plans over files in a limited worker process, which it starts when first needed.

    Use it as a context manager; it is cheap to keep and reuses its worker.
    """

    def __init__(self) -> None:
        self._worker: _Worker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._drop()

    def check(
        self,
        plan: Plan,
        files: Sequence[InputFile],
        *,
        inventory: Sequence[tuple[Path, FileFormat]] = (),
        rows_max: int | None = None,
    ) -> Report:
        """The report on some files of one dataset.

        Args:
            plan: the compiled checks.
            files: the files, all of the plan's format.
            inventory: for telemetry, the snapshot that it refers to, with its format.
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
            }
            return _report(plan, self._ask(job))

    def write_database(
        self, database: Path, statements: Sequence[str], files: Sequence[Path]
    ) -> None:
        """Run statements in a new DuckDB file, which may read these files and no others.

        Raises:
            WorkerError: it could not be written.
        """
        job = {
            "database": str(database),
            "statements": list(statements),
            "paths": [str(path) for path in files],
        }
        answer, _ = self._answer(job)
        if answer is None or "error" in answer:
            self._drop()
            cause = answer["error"] if answer else "the worker died of it"
            raise WorkerError(f"cannot write {database}", cause=cause)

    def ask_rows(self, statements: Sequence[str], files: Sequence[Path]) -> list[list[Any]]:
        """Run statements that may read these files and no others: the rows of the last.

        Raises:
            WorkerError: they could not be run.
        """
        job = {"query": list(statements), "paths": [str(path) for path in files]}
        answer, reason = self._answer(job)
        if answer is None or "error" in answer:
            self._drop()
            raise WorkerError(
                "cannot look at several periods at once",
                cause=answer["error"] if answer else reason,
                fix="what was judged is recorded; if it ends so again, report it",
            )
        rows: list[list[Any]] = answer["rows"]
        return rows

    def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        reason = ""
        for _ in range(_TRIES):
            answer, reason = self._answer(job)
            if answer is not None:
                if answer.get("engine_is_broken"):
                    self._drop()
                return answer
        # A fresh worker died of it too: the file is to blame.
        check = job["plan"]["readable_check"]["id"]
        outcome = {"id": check, "failed": 1, "total": len(job["files"]), "detail": reason}
        return {"outcomes": [outcome], "rows": 0}

    def _answer(self, job: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
        """The answer, or None and what the worker died of; a worker that failed is dropped."""
        worker = self._worker = self._worker or _Worker()
        try:
            answer = worker.ask(job)
        except WorkerError:
            self._drop()
            raise
        if answer is None:
            self._drop()
            return None, worker.cause_of_death()
        return answer, ""

    def _drop(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None


class _Worker:
    """The child process."""

    def __init__(self) -> None:
        package = Path(powerstage.__file__).parents[1]
        self._home = tempfile.TemporaryDirectory(prefix="powerstage-worker-")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "powerstage.checks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._home.name,
            # Nothing of ours but where the package is: no credentials, no proxies.
            env={"HOME": self._home.name, "PYTHONPATH": str(package), "LANG": "C.UTF-8"},
        )

    def ask(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a job; None if the worker died of it."""
        stdin = self._process.stdin
        if stdin is None:
            raise WorkerError("the worker has no input")
        try:
            stdin.write(json.dumps(job).encode() + b"\n")
            stdin.flush()
            line = self._read_line()
        except BrokenPipeError:
            line = b""
        if line.endswith(b"\n"):
            answer = json.loads(line)
            if isinstance(answer, dict):
                return answer
        self._process.wait()
        self._refuse_outside_death()
        return None

    def cause_of_death(self) -> str:
        """In words, after ``ask`` gave None.

        Raises:
            WorkerError: it is the machine that is to blame, or the worker, and no file.
        """
        code = self._process.returncode
        if code >= 0 and code != DIED_OF_MEMORY:
            raise WorkerError(
                f"the worker that reads delivered files ended with code {code}",
                cause="this machine gives it less memory than it needs"
                if code == DIED_OF_NARROW_LIMITS
                else "this is a defect of powerstage, or of something it rests on",
                fix="raise the limits (ulimit -v, ulimit -t), then run it again: nothing is lost"
                if code == DIED_OF_NARROW_LIMITS
                else "run it again; if it ends so again, report it",
            )
        if code == -signal.SIGXCPU:
            return "reading it takes more CPU time than any honest file"
        if code < 0:
            return f"reading it kills the reader (signal {signal.Signals(-code).name})"
        return "reading it takes more memory than any honest file"

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                # What it was not told before it died, it need not be told.
                with suppress(BrokenPipeError):
                    pipe.close()
        self._process.kill()
        self._process.wait()
        self._home.cleanup()

    def _read_line(self) -> bytes:
        stdout = self._process.stdout
        if stdout is None:
            raise WorkerError("the worker has no output")
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([stdout], [], [], WALL_SECONDS_MAX)
            if not ready:
                raise WorkerError(
                    f"the worker gave no answer in {WALL_SECONDS_MAX} s",
                    cause="the machine is too busy, or the worker was stopped",
                    fix="run it again",
                )
            chunk = os.read(stdout.fileno(), 65_536)
            line += chunk
            if not chunk or len(line) > ANSWER_BYTES_MAX:
                break
        return line

    def _refuse_outside_death(self) -> None:
        code = self._process.returncode
        if code < 0 and signal.Signals(-code) in _FROM_OUTSIDE:
            name = signal.Signals(-code).name
            raise WorkerError(
                f"the worker that reads delivered files was killed from outside ({name})",
                cause="a person, or the system for want of memory",
                fix="run it again: nothing was judged and nothing is lost",
            )


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


def _report(plan: Plan, answer: dict[str, Any]) -> Report:
    """Only ids, counts and texts are taken from the worker: words and severities are ours."""
    outcomes = {outcome["id"]: outcome for outcome in answer["outcomes"]}
    results = [_result(check, outcomes[check.id]) for check in plan.checks if check.id in outcomes]
    return Report(results=tuple(results), rows=int(answer["rows"]))


def _result(check: Check, outcome: dict[str, Any]) -> CheckResult:
    failed, total = int(outcome["failed"]), int(outcome["total"])
    if failed == 0:
        return passes(check, total)
    samples = tuple(
        Sample(
            file=str(sample["file"]),
            row=int(sample["row"]),
            values=tuple((str(name), str(value)) for name, value in sample["values"].items()),
        )
        for sample in outcome.get("samples", ())
    )
    return fails(
        check,
        failed=failed,
        total=total,
        samples=samples,
        detail=str(outcome.get("detail", "")),
    )
