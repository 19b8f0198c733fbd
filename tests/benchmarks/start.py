"""How long ``--help`` takes, beside Python itself."""

import sys
from collections.abc import Iterator
from typing import Final

from tests.benchmarks.measure import passing
from tests.benchmarks.report import Judged, Spread, Table

ROUNDS: Final = 11
GOAL_MS: Final = 150
_HELP: Final = [sys.executable, "-m", "powerstage", "--help"]
_BARE: Final = [sys.executable, "-c", "pass"]


def tables(smoke: bool) -> Iterator[Table]:
    """One table of two rows."""
    rounds = 1 if smoke else ROUNDS
    help_, bare = (
        Spread.of(passing(command).cpu_seconds * 1000 for _ in range(rounds))
        for command in (_HELP, _BARE)
    )
    yield Table(
        name="start",
        words=f"CPU time of the process, user and system; medians of {rounds} rounds.",
        columns=("command", "CPU ms"),
        rows=(
            ("`powerstage --help`", Judged(measured=help_, goal=GOAL_MS)),
            ("`python -c pass`", bare),
        ),
    )
