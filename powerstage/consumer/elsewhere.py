"""Data unit tests run by other processes, which fetch for themselves what they look at."""

import atexit
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from powerstage.checks import Checker, FileFormat, InputFile, Plan, Report
from powerstage.consumer.fetch import fetch
from powerstage.contract import DataFile
from powerstage.errors import EnvironmentFailedError, StoreUnavailableError
from powerstage.store import Get, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Checks by an executor: what was fetched and hashed here is looked at there. ``Checks``.

    Only names, digests and findings travel.

    Args:
        executor: whose processes reach the store.
        store: the feed.
    """

    executor: Executor
    store: Store

    def check(
        self,
        plan: Plan,
        files: Sequence[InputFile],
        *,
        inventory: Sequence[tuple[Path, FileFormat]] = (),
        inventory_sources: Sequence[str] = (),
        rows_max: int | None = None,
    ) -> Report:
        """The report on files of a delivery."""
        feed = f"{self.store.url}/"
        listed = [
            (_data_file(source.removeprefix(feed), path), format_)
            for source, (path, format_) in zip(inventory_sources, inventory, strict=True)
        ]
        told = [(_data_file(file.name, file.path), file) for file in files]
        return self.executor.submit(
            check_fetched,
            self.store,
            plan,
            told,
            inventory=listed,
            inventory_sources=list(inventory_sources),
            rows_max=rows_max,
        ).result()


def check_fetched(
    store: Get,
    plan: Plan,
    files: Sequence[tuple[DataFile, InputFile]],
    *,
    inventory: Sequence[tuple[DataFile, FileFormat]],
    inventory_sources: Sequence[str],
    rows_max: int | None,
) -> Report:
    """The report on files that are fetched first; called where they are looked at.

    Raises:
        StoreUnavailableError: other bytes came than those that were hashed before.
        EnvironmentFailedError: this process does not find a file.
        WorkerError: no verdict.
    """
    with tempfile.TemporaryDirectory(prefix="powerstage-check-") as folder, _checker() as checker:
        return checker.check(
            plan,
            [replace(known, path=_fetched(store, file, folder)) for file, known in files],
            inventory=[(_fetched(store, file, folder), format_) for file, format_ in inventory],
            inventory_sources=inventory_sources,
            rows_max=rows_max,
        )


def _data_file(key: str, path: Path) -> DataFile:
    """The facts of a file that was hashed: its name is its digest."""
    return DataFile(key=key, bytes=path.stat().st_size, sha256=Path(key).stem, rows=0)


def _fetched(store: Get, file: DataFile, folder: str) -> Path:
    path = Path(folder, file.sha256)
    found = fetch(store, file, path)
    if found.size_bytes is None:
        raise EnvironmentFailedError(
            f"a worker finds no {file.key}",
            cause="its settings name another store, its credentials may not read, or it shares no"
            " such folder",
            fix="give it the same AWS_ENDPOINT_URL, AWS_REGION and rights as here",
        )
    if not found.is_as_promised(file):
        raise StoreUnavailableError(
            f"{file.key} came with other bytes than before", fix="run it again"
        )
    return path


_idle: Final[list[Checker]] = []


@contextmanager
def _checker() -> Iterator[Checker]:
    """A checker that nobody else uses; to start one takes as long as to judge a delivery."""
    try:
        checker = _idle.pop()
    except IndexError:
        checker = Checker()
    try:
        yield checker
    finally:
        _idle.append(checker)


@atexit.register
def _close_idle() -> None:
    while _idle:
        _idle.pop().close()
