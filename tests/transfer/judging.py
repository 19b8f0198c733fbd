"""Judging without a worker: what is tested here is the transfer, and a verdict takes no process.

A delivery is rejected if it says that it is spoilt. That the bytes judged are those that their
commit names is held here, for every delivery that is ever judged.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, Final, ParamSpec, Self, TypeVar

from powerstage.checks import FailingRows, InputFile, Report, fails, passes
from powerstage.checks.plan import Plan

SPOILT: Final = b"spoilt"
P = ParamSpec("P")
T = TypeVar("T")


class StubChecker:
    """In the place of ``Checker``."""

    def __init__(self, failing_rows: FailingRows | None = None) -> None:
        del failing_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None:
        """Nothing is open."""

    def kill(self) -> None:
        """Nothing is alive."""

    def check(self, plan: Plan, files: Sequence[InputFile], **_: object) -> Report:
        """Every check passes, but for the last one of what is spoilt."""
        bodies = {file.name: file.path.read_bytes() for file in files}
        for name, body in bodies.items():
            assert hashlib.sha256(body).hexdigest() == Path(name).stem, "other bytes were judged"
        *others, last = plan.checks
        is_spoilt = any(body.startswith(SPOILT) for body in bodies.values())
        results = [*map(passes, others), fails(last) if is_spoilt else passes(last)]
        return Report(results=tuple(results), rows=sum(file.rows or 0 for file in files))

    def write_database(
        self, database: Path, statements: Sequence[str], files: Sequence[Path]
    ) -> None:
        """The views are the names of the files that they are over."""
        del statements
        database.write_text("\n".join(sorted({file.name for file in files})), encoding="utf-8")

    def write_parquet(self, queries: Mapping[Path, str], files: Sequence[Path]) -> None:
        """Nobody looks at roll-ups here."""
        del files
        for path in queries:
            path.touch()

    def ask_rows(
        self, statements: Sequence[str], files: Sequence[Path], *, in_file: bool = False
    ) -> list[list[Any]]:
        """There are no findings."""
        del statements, files, in_file
        return []


class InlineExecutor(Executor):
    """In the place of a pool: work is done when it is submitted, so that runs repeat exactly."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def submit(
        self, call: Callable[P, T], /, *arguments: P.args, **keywords: P.kwargs
    ) -> Future[T]:
        """Do it."""
        future: Future[T] = Future()
        try:
            future.set_result(call(*arguments, **keywords))
        except Exception as error:  # noqa: BLE001 - a pool keeps it for who asks, too
            future.set_exception(error)
        return future
