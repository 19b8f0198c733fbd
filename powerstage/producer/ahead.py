"""Telemetry written ahead of its use: while one period is sent, the next are being made."""

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from powerstage.contract import period_text
from powerstage.engine import processors
from powerstage.producer.source import Source


def write_ahead(
    source: Source, periods: Sequence[datetime], folder: Path, *, workers: int | None = None
) -> Generator[tuple[datetime, Path, int]]:
    """Write the readings of periods side by side; yield them in order, with file and rows.

    At most one file more than there are workers stands in the folder that was not yielded
    yet; a file that was yielded is the caller's to remove.

    Args:
        source: where the readings come from.
        periods: which, in the order in which they are wanted.
        folder: where the files go: ``2026-11-02T0500.parquet``.
        workers: how many periods at once; None for one per processor.
    """
    count = workers or processors()
    ahead: deque[tuple[datetime, Path, Future[int]]] = deque()
    pool = ThreadPoolExecutor(count, thread_name_prefix="powerstage-write")
    try:
        for period in periods:
            path = folder / f"{period_text(period)}.parquet"
            ahead.append((period, path, pool.submit(source.write_telemetry, period, path)))
            if len(ahead) > count:
                yield _done(ahead)
        while ahead:
            yield _done(ahead)
    finally:
        pool.shutdown(cancel_futures=True)


def _done(ahead: deque[tuple[datetime, Path, Future[int]]]) -> tuple[datetime, Path, int]:
    period, path, rows = ahead.popleft()
    return period, path, rows.result()
