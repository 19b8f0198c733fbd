"""The harness sees what it is for: every deliberate error of the protocol is caught."""

from collections.abc import Callable
from pathlib import Path

import pytest

from powerstage.errors import ConflictError
from tests.transfer.mutants import MUTANTS
from tests.transfer.races import race
from tests.transfer.test_every_fault import Delivered, cases
from tests.transfer.wire import Wire

SEEDS = 100


def hunt_steps(wire: Wire, folder: Path) -> None:
    """Let the consumer die between its own steps."""
    delivered = Delivered(wire, folder)
    at = 0
    while delivered.consume_and_crash(at):
        at += 1


def hunt_faults(wire: Wire, folder: Path) -> None:
    """Lose the replies, and then everything, from some request on."""
    delivered = Delivered(wire, folder)
    for fault in ("reply lost", "crash before"):
        for _, faults in cases(delivered.publishes, fault):
            delivered.publish(faults)
        for _, faults in cases(delivered.consumes, fault):
            delivered.consume(faults)


def hunt_races(wire: Wire, folder: Path) -> None:
    """Play histories."""
    race(wire, folder, range(SEEDS))


HUNTS = {"steps": hunt_steps, "faults": hunt_faults, "races": hunt_races}


@pytest.mark.parametrize(
    ("ground", "mutant"),
    [
        pytest.param(ground, mutant, id=mutant.__name__)
        for ground, mutants in MUTANTS.items()
        for mutant in mutants
    ],
)
def test_a_protocol_with_an_error_is_caught(
    ground: str,
    mutant: Callable[[pytest.MonkeyPatch], None],
    wire: Wire,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Something that must hold does not, or a calm run is told of a conflict with nobody."""
    mutant(monkeypatch)
    with pytest.raises((AssertionError, ConflictError)):
        HUNTS[ground](wire, tmp_path)
