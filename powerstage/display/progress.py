"""How far a long command is: a bar on a terminal, a line now and then in a log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

# Of a log: what takes less says nothing but its result.
LINE_EVERY_SECONDS: Final = 10.0


class Progress:
    """Deliveries done of all, and their bytes; use it as a context manager.

    Args:
        stage: what is being done to them, in a word.
        total: how many there are; it may be set later.
        stream: standard error, as a rule: results go elsewhere.
        clock: seconds of a clock that never goes back.
    """

    def __init__(
        self, stage: str, total: int, *, stream: TextIO, clock: Callable[[], float]
    ) -> None:
        self.total = total
        self._stage, self._stream, self._clock = stage, stream, clock
        self._done = self._bytes = 0
        self._told_at = clock()
        self._bar = _bar(stream) if stream.isatty() else None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._task = self._bar.add_task(self._stage, total=self.total or None, told="")
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def add(self, size_bytes: int) -> None:
        """One more is done."""
        self._done += 1
        self._bytes += size_bytes
        told = f"{self._done:,}/{self.total:,}  {self._bytes / 1e6:,.1f} MB"
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, total=self.total, told=told)
        elif self._clock() - self._told_at >= LINE_EVERY_SECONDS:
            self._told_at = self._clock()
            self._stream.write(f"{self._stage}  {told}\n")
            self._stream.flush()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Within, the bar is out of the way of other lines."""
        if self._bar is None:
            yield
            return
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()


def _bar(stream: TextIO) -> "Bar":
    # Imported for people only: a log needs no colour.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(compact=True),
        console=Console(file=stream),
        # It leaves nothing behind; and what others write to standard output stays theirs.
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        refresh_per_second=4,
    )
