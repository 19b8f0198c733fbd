"""Choices that a seed and a name decide, the same everywhere."""

from collections.abc import Sequence
from typing import TypeVar

from powerstage.faults.draw import draw

T = TypeVar("T")


class Dice:
    """A row of choices."""

    def __init__(self, seed: int, name: str) -> None:
        self._seed = seed
        self._name = name
        self._thrown = 0

    def below(self, limit: int) -> int:
        """A number from 0 to below the limit; ``ValueError`` where there is none."""
        if limit < 1:
            raise ValueError("nothing to choose from")
        self._thrown += 1
        return draw(self._seed, f"{self._name} {self._thrown}") % limit

    def pick(self, things: Sequence[T]) -> T:
        """One of them."""
        return things[self.below(len(things))]

    def bytes(self, count: int) -> bytes:
        """So many bytes."""
        return bytes(self.below(256) for _ in range(count))
