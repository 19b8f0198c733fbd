"""Producers who race, lie, correct and retract, consumers who crash and lose their lakes."""

from pathlib import Path

from tests.transfer.history import play
from tests.transfer.races import SOMETIMES, race
from tests.transfer.wire import Wire

SEEDS = 50


def test_every_history_comes_to_the_same_rest(wire: Wire, tmp_path: Path) -> None:
    """At every instant what must hold does; and what is hard did happen."""
    seen = race(wire, tmp_path, range(SEEDS))
    assert [what for what in SOMETIMES if not seen[what]] == []


def test_a_seed_repeats_its_history(wire: Wire, tmp_path: Path) -> None:
    """Request by request: what fails once fails again."""
    first, again = (play(wire, tmp_path, 17).trace for _ in range(2))
    assert first == again
    assert play(wire, tmp_path, 18).trace != first
