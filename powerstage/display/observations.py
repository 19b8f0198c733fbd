"""What was seen of the surroundings, a line each, with what to do about it."""

from collections.abc import Iterable
from typing import Final

from powerstage.display.terminal import BAD, DIM, GOOD, WARN, Terminal
from powerstage.store import Observation

_STYLES: Final = {"ok": GOOD, "warning": WARN, "problem": BAD}


def show_observations(terminal: Terminal, observations: Iterable[Observation]) -> None:
    """State, subject, words; below, where there is one, the fix."""
    for seen in observations:
        terminal.line((f"{seen.state:<7}", _STYLES[seen.state]), f"  {seen.subject}: {seen.words}")
        if seen.fix:
            terminal.line(("  fix    ", DIM), seen.fix)
