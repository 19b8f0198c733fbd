"""Producers who race, lie, correct and retract, consumers who crash and lose their lakes."""

from pathlib import Path

import pytest

from tests.transfer import invariants
from tests.transfer.history import play
from tests.transfer.races import SOMETIMES, failed_seeds, race
from tests.transfer.wire import Wire

SEEDS = 50


def test_every_history_comes_to_the_same_rest(wire: Wire, tmp_path: Path) -> None:
    """At every instant what must hold does; and what is hard did happen."""
    seen = race(wire, tmp_path, [*failed_seeds(), *range(SEEDS)])
    assert [what for what in SOMETIMES if not seen[what]] == []


def test_a_failure_says_how_to_repeat_it(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind what happened."""

    def fail(*_: object) -> None:
        raise AssertionError("write-once")

    monkeypatch.setattr(invariants, "require_write_once", fail)
    with pytest.raises(AssertionError) as failed:
        play(wire, tmp_path, 17)
    assert "scripts/races --seed 17 --seeds 1" in failed.value.__notes__[0]


def test_a_seed_repeats_its_history(wire: Wire, tmp_path: Path) -> None:
    """Request by request: what fails once fails again."""
    first, again = (play(wire, tmp_path, 17).trace for _ in range(2))
    assert first == again
    assert play(wire, tmp_path, 18).trace != first
