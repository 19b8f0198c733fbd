"""Lines for people. On a terminal with colour; on a pipe plain, never wrapped, never cut.

Texts come from outside: control characters, and those that turn the direction of writing,
are shown, not obeyed.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TextIO, TypeAlias

from powerstage.contract.safe_text import safe

if TYPE_CHECKING:
    from rich.console import Console

GOOD: Final = "green"
BAD: Final = "red"
WARN: Final = "yellow"
DIM: Final = "dim"
BOLD: Final = "bold"

Span: TypeAlias = str | tuple[str, str]


class Terminal:
    """Writes lines to a stream.

    Args:
        stream: standard output for results, standard error for talk.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._console: Console | None = None
        if self._stream.isatty():
            # Imported for people only: a pipe needs no colour.
            from rich import console  # noqa: PLC0415

            self._console = console.Console(
                file=self._stream, markup=False, highlight=False, emoji=False, soft_wrap=True
            )

    @property
    def is_for_people(self) -> bool:
        """Whether a person looks on, and no program."""
        return self._console is not None

    def fits(self, headers: Sequence[str], rows: Sequence[Sequence[Span]]) -> bool:
        """Whether a table is no wider than the terminal; a pipe has no width."""
        if self._console is None:
            return True
        return sum(_widths(headers, rows)) + 2 * len(headers) <= self._console.width

    def line(self, *spans: Span) -> None:
        """Write a line of texts, some with a style."""
        parts = [(span, "") if isinstance(span, str) else span for span in spans]
        if self._console is None:
            self._stream.write("".join(safe(text) for text, _ in parts) + "\n")
            return
        from rich.text import Text  # noqa: PLC0415

        self._console.print(Text.assemble(*[(safe(text), style) for text, style in parts]))

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[Span]]) -> None:
        """Write a table; each column as wide as its widest cell is shown."""
        widths = _widths(headers, rows)
        self.line("  ", (_padded([safe(header) for header in headers], widths), BOLD))
        self.line("  ", ("─" * (sum(widths) + 2 * (len(widths) - 1)), DIM))
        for row in rows:
            spans: list[Span] = ["  "]
            for index, cell in enumerate(row):
                text = _text(cell)
                gap = " " * (widths[index] - _width(text) + 2) if index < len(row) - 1 else ""
                spans += [cell if isinstance(cell, tuple) else text, gap]
            self.line(*spans)


def counted(number: int, noun: str, plural: str = "") -> str:
    """How many of something there are, in words: ``1 row``, ``1,200 rows``, ``2 deliveries``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def deliveries(number: int) -> str:
    """How many deliveries, in words."""
    return counted(number, "delivery", "deliveries")


def _widths(headers: Sequence[str], rows: Sequence[Sequence[Span]]) -> list[int]:
    cells = [[_text(cell) for cell in row] for row in [list(headers), *rows]]
    return [max(_width(row[index]) for row in cells) for index in range(len(headers))]


def _text(cell: Span) -> str:
    return safe(cell if isinstance(cell, str) else cell[0])


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = zip(row, widths, strict=True)
    return "  ".join(text + " " * (width - _width(text)) for text, width in cells).rstrip()


def _width(text: str) -> int:
    """How many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - few texts need it

    return cell_len(text)
