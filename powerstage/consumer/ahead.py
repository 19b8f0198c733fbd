"""Deliveries judged ahead of their record: side by side, each in a worker of its own."""

import shutil
from collections import deque
from collections.abc import Callable, Collection, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Final, Self

from powerstage.checks import Checker, FailingRows
from powerstage.consumer.judge import Inventory, Judge, Judgement
from powerstage.contract import Contract, Slot
from powerstage.engine import processors
from powerstage.store import Store

# A worker takes some tenths of a second to start: few deliveries are judged by one.
_DELIVERIES_PER_WORKER: Final = 12


class _UnknownInventoryError(Exception):
    """A delivery pins an inventory that was not judged before."""


def judge_ahead(
    slots: Sequence[Slot],
    folder: Path,
    *,
    store: Store,
    contract: Contract,
    checker: Checker,
    inventory_of: Callable[[Slot], Inventory | None],
    agreed: Collection[str] = (),
    failing_rows: FailingRows | None = None,
) -> Generator[tuple[Slot, Judgement | None]]:
    """Judge deliveries side by side; yield them in order.

    At most one delivery more than there are workers stands in the folder that was not yielded
    yet. The files of one that was yielded are gone when the next is asked for.

    Args:
        slots: of the deliveries, in the order in which they are wanted.
        folder: where the fetched files go, a folder for each delivery.
        store: where the feed is.
        contract: the contract that was agreed.
        checker: one of those that judge; the caller may use it meanwhile.
        inventory_of: what is known of a pinned inventory; called side by side. Where it is
            None, so is the judgement: only the caller can judge that inventory first.
        agreed: the digests of contracts that deliveries may follow, beside that one.
        failing_rows: where to keep the rows that fail; None for nowhere.

    Raises:
        StoreUnavailableError, WorkerError: no verdict.
    """

    def known_inventory(slot: Slot) -> Inventory:
        found = inventory_of(slot)
        if found is None:
            raise _UnknownInventoryError
        return found

    workers = min(processors(), -(-len(slots) // _DELIVERIES_PER_WORKER))
    ahead: deque[tuple[Slot, Path, Future[Judgement | None]]] = deque()
    checkers = [checker, *(Checker(failing_rows) for _ in range(workers - 1))]

    def judge(checker: Checker) -> Judge:
        return Judge(store, contract, checker, known_inventory, agreed)

    with _Judges(judge, checkers) as judges:
        for number, slot in enumerate(slots):
            place = folder / str(number)
            ahead.append((slot, place, judges.start(slot, place)))
            yield from _finished(ahead, keep=workers)
        yield from _finished(ahead, keep=0)


def _finished(
    ahead: deque[tuple[Slot, Path, Future[Judgement | None]]], keep: int
) -> Generator[tuple[Slot, Judgement | None]]:
    while len(ahead) > keep:
        slot, place, future = ahead.popleft()
        yield slot, future.result()
        shutil.rmtree(place)


class _Judges:
    """Threads that judge, each delivery with a checker of those that are free."""

    def __init__(self, judge_with: Callable[[Checker], Judge], checkers: Sequence[Checker]) -> None:
        self._judge_with, self._checkers = judge_with, checkers
        self._free: SimpleQueue[Checker] = SimpleQueue()
        for checker in self._checkers:
            self._free.put(checker)
        self._pool = ThreadPoolExecutor(
            max(1, len(checkers)), thread_name_prefix="powerstage-judge"
        )

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
            for checker in self._checkers:
                checker.kill()
        self._pool.shutdown(cancel_futures=True)
        # The first is the caller's, who may go on with it; a killed worker is of no use.
        for checker in self._checkers if kind is not None else self._checkers[1:]:
            checker.close()

    def start(self, slot: Slot, folder: Path) -> Future[Judgement | None]:
        """Judge a delivery when a worker is free."""
        return self._pool.submit(self._judge, slot, folder)

    def _judge(self, slot: Slot, folder: Path) -> Judgement | None:
        folder.mkdir()
        checker = self._free.get()
        try:
            return self._judge_with(checker).judge(slot, folder)
        except _UnknownInventoryError:
            return None
        finally:
            self._free.put(checker)
