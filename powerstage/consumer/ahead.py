"""Deliveries judged ahead of their record: side by side, each in a worker of its own.

What is accepted and large is rolled up at once, while its bytes are warm and others are fetched.
"""

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Final, Self

from powerstage.checks import Checker, FailingRows, FileFormat, InputFile, Plan, Report
from powerstage.consumer.elsewhere import Elsewhere
from powerstage.consumer.judge import Inventory, Judge, Judgement
from powerstage.consumer.rollup import Rollups
from powerstage.contract import Contract, Slot
from powerstage.engine import processors
from powerstage.errors import WorkerError
from powerstage.store import Store

# A worker takes some tenths of a second to start: few deliveries are judged by one.
_DELIVERIES_PER_WORKER: Final = 12
# Smaller ones are rolled up many at a time, later: a job costs as much as so many readings.
_ROLLED_UP_ROWS_MIN: Final = 50_000


class _UnknownInventoryError(Exception):
    """A delivery pins an inventory that was not judged before."""


def judge_ahead(
    slots: Sequence[Slot],
    folder: Path,
    *,
    store: Store,
    contract: Contract,
    checker: Checker,
    rollups: Rollups,
    inventory_of: Callable[[Slot], Inventory | None],
    agreed: Collection[str] = (),
    failing_rows: FailingRows | None = None,
    fetchers: int = 1,
    workers: int | None = None,
    executor: Executor | None = None,
) -> Generator[list[tuple[Slot, Judgement | None]]]:
    """Judge deliveries side by side; yield them in order, as many together as are ready.

    One without a judgement comes alone.

    At most one delivery more than are at work stands in the folder that was not yielded yet. The
    files of those that were yielded are removed when the next are asked for.

    Args:
        slots: of the deliveries, in the order in which they are wanted.
        folder: where the fetched files go.
        store: where the feed is.
        contract: the contract that was agreed.
        checker: one of those that judge; the caller may use it meanwhile.
        rollups: those of the lake.
        inventory_of: what is known of a pinned inventory; called side by side. Where it is
            None, so is the judgement: only the caller can judge that inventory first.
        agreed: the digests of contracts that deliveries may follow, beside that one.
        failing_rows: where to keep the rows that fail; None for nowhere.
        fetchers: how many deliveries are fetched at once, if there are fewer workers than that.
        workers: how many judge on this machine at most; None for one per processor.
        executor: judges in their place.

    Raises:
        StoreUnavailableError, WorkerError: no verdict.
    """

    def known_inventory(slot: Slot) -> Inventory:
        found = inventory_of(slot)
        if found is None:
            raise _UnknownInventoryError
        return found

    count = workers_for(len(slots), workers)
    ahead: deque[tuple[Slot, Future[Judgement | None]]] = deque()
    checkers = [checker, *(Checker(failing_rows) for _ in range(count - 1))]
    free = _Free(checkers)
    checks = free if executor is None else Elsewhere(executor=executor, store=store)
    judge = Judge(store, contract, checks, known_inventory, agreed)
    at_once = max(count, fetchers)
    with _Judges(judge, checkers, free, rollups, at_once) as judges:
        for slot in slots:
            ahead.append((slot, judges.start(slot, folder)))
            if len(ahead) > at_once:
                yield from _handed_on(ahead, judges)
        while ahead:
            yield from _handed_on(ahead, judges)


def workers_for(deliveries: int, workers: int | None) -> int:
    """How many workers judge so many deliveries; None for at most one per processor."""
    return min(workers or processors(), -(-deliveries // _DELIVERIES_PER_WORKER))


def _handed_on(
    ahead: deque[tuple[Slot, Future[Judgement | None]]], judges: "_Judges"
) -> Generator[list[tuple[Slot, Judgement | None]]]:
    """The next, with those after it that are judged by now; then their files are removed."""
    slot, future = ahead.popleft()
    ready = [(slot, future.result())]
    while ready[0][1] is not None and ahead and _is_judged(ahead[0][1]):
        slot, future = ahead.popleft()
        ready.append((slot, future.result()))
    yield ready
    judges.remove([judgement for _, judgement in ready if judgement is not None])


def _is_judged(future: Future[Judgement | None]) -> bool:
    return future.done() and future.exception() is None and future.result() is not None


def _remove(judgements: Sequence[Judgement]) -> None:
    for judgement in judgements:
        for _, path in judgement.files:
            path.unlink(missing_ok=True)


class _Free:
    """Several checkers as one: whichever is free. ``Checks``."""

    def __init__(self, checkers: Sequence[Checker]) -> None:
        self._checkers: SimpleQueue[Checker] = SimpleQueue()
        self._is_closed = False
        for checker in checkers:
            self._checkers.put(checker)

    def close(self) -> None:
        """Let nobody begin any more."""
        self._is_closed = True

    def check(
        self,
        plan: Plan,
        files: Sequence[InputFile],
        *,
        inventory: Sequence[tuple[Path, FileFormat]] = (),
        inventory_sources: Sequence[str] = (),
        rows_max: int | None = None,
    ) -> Report:
        """The report of the next that is free."""
        with self.one() as checker:
            return checker.check(
                plan,
                files,
                inventory=inventory,
                inventory_sources=inventory_sources,
                rows_max=rows_max,
            )

    @contextmanager
    def one(self) -> Iterator[Checker]:
        """The next that is free."""
        checker = self._checkers.get()
        try:
            if self._is_closed:
                raise WorkerError("nobody waits for this verdict any more")
            yield checker
        finally:
            self._checkers.put(checker)


class _Judges:
    """Threads that fetch, and judge with a checker of those that are free."""

    def __init__(
        self,
        judge: Judge,
        checkers: Sequence[Checker],
        free: _Free,
        rollups: Rollups,
        at_once: int,
    ) -> None:
        self._judge, self._checkers, self._free, self._rollups = judge, checkers, free, rollups
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="powerstage-judge")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            # Nobody waits for the verdicts of what is still at work.
            self._free.close()
            for checker in self._checkers:
                checker.kill()
        self._pool.shutdown(cancel_futures=True)
        # The first is the caller's, who may go on with it; a killed worker is of no use.
        for checker in self._checkers if kind is not None else self._checkers[1:]:
            checker.close()

    def start(self, slot: Slot, folder: Path) -> Future[Judgement | None]:
        """Judge a delivery when it is its turn."""
        return self._pool.submit(self._judged, slot, folder)

    def remove(self, judgements: Sequence[Judgement]) -> None:
        """Remove the files that stand yet, and let nobody wait for the disk meanwhile."""
        self._pool.submit(_remove, judgements)

    def _judged(self, slot: Slot, folder: Path) -> Judgement | None:
        try:
            judgement = self._judge.judge(slot, folder)
        except _UnknownInventoryError:
            return None
        is_large = judgement.report.rows >= _ROLLED_UP_ROWS_MIN
        if judgement.verdict == "accepted" and slot.dataset == "telemetry" and is_large:
            files = {file.sha256: path for file, path in judgement.files}
            # It is no part of the verdict: what failed is tried again when all are recorded.
            with suppress(WorkerError, OSError), self._free.one() as checker:
                self._rollups.write(checker, files)
        return judgement
