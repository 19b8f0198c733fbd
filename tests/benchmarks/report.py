"""What a part found, in one form: tables whose cells are texts, figures, spreads and goals."""

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What several runs took: the median, the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """The spread of some values, of which there is one at least."""
        found = sorted(values)
        return cls(median=statistics.median(found), least=found[0], most=found[-1])

    def __str__(self) -> str:
        if self.least == self.most:
            return figure(self.median)
        return f"{figure(self.median)} ({figure(self.least)} to {figure(self.most)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A figure with its goal: at most that, or at least where ``is_floor``."""

    measured: float | Spread
    goal: float
    is_floor: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the figure, of a spread the median, reaches its goal."""
        reached = self.measured.median if isinstance(self.measured, Spread) else self.measured
        return reached >= self.goal if self.is_floor else reached <= self.goal

    @property
    def limit(self) -> str:
        """The goal in words."""
        return f"goal: at {'least' if self.is_floor else 'most'} {figure(self.goal)}"

    def __str__(self) -> str:
        measured = text(self.measured)
        return (
            f"{measured}, {self.limit}" if self.is_met else f"**{measured}**, {self.limit}: missed"
        )


Cell: TypeAlias = str | float | Spread | Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of one part: its name, and the words above it. Columns have their units last."""

    name: str
    words: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def markdown(self) -> Iterator[str]:
        """Its lines."""
        yield from (f"**{self.name}**: {self.words}", "")
        yield _line(self.columns)
        yield _line(["---"] * len(self.columns))
        for row in self.rows:
            yield _line([text(cell) for cell in row])

    def document(self) -> dict[str, Any]:
        """The same for programs: a row is an object, with the columns as its keys."""
        rows = [dict(zip(self.columns, map(_value, row), strict=True)) for row in self.rows]
        return {"name": self.name, "words": self.words, "rows": rows}

    def missed(self) -> Iterator[str]:
        """A line for each goal that was missed: in which row, in which column."""
        for row in self.rows:
            which = ", ".join(cell for cell in row if isinstance(cell, str))
            for column, cell in zip(self.columns, row, strict=True):
                if isinstance(cell, Judged) and not cell.is_met:
                    yield f"{self.name}: {which}: {column}: {text(cell.measured)}, {cell.limit}"


def figure(number: float) -> str:
    """A number with three digits, or all before the point."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def text(cell: Cell) -> str:
    """A cell as people read it."""
    return figure(cell) if isinstance(cell, int | float) else str(cell)


def _value(cell: Cell) -> Any:
    if isinstance(cell, Judged):
        return asdict(cell) | {"is_met": cell.is_met}
    return asdict(cell) if isinstance(cell, Spread) else cell


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
