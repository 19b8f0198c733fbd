"""How far a command is: a bar on a terminal, lines in a log, and results untouched."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from powerstage.display import Progress
from powerstage.display.progress import LINE_EVERY_SECONDS
from tests.conftest import ROOT


def test_a_log_has_a_line_now_and_then() -> None:
    """However fast deliveries come, a line waits until its time."""
    log, seconds = io.StringIO(), iter([0.0, 1, LINE_EVERY_SECONDS, LINE_EVERY_SECONDS, 11, 12])
    with Progress("publish", 5, stream=log, clock=lambda: next(seconds)) as progress:
        for _ in range(4):
            progress.add(500_000)
    assert log.getvalue() == "publish  2/5  1.0 MB\n"


def _on_a_terminal(*arguments: str | Path, **environment: str) -> tuple[str, str]:
    """Run the command line with a terminal as standard error; what went to either output."""
    ours, theirs = pty.openpty()
    known = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(
        [sys.executable, "-m", "powerstage", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env=known | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80"} | environment,
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:
            # So Linux says that the other end is closed.
            pass
        os.close(ours)
        assert process.stdout is not None
        results = process.stdout.read()
    assert process.returncode == 0, shown
    return results, shown.decode()


@pytest.mark.parametrize(("no_color", "is_coloured"), [("", True), ("1", False)])
def test_a_terminal_sees_a_bar(tmp_path: Path, no_color: str, is_coloured: bool) -> None:
    """With all deliveries in it at last; in colour, unless NO_COLOR is set."""
    _, shown = _on_a_terminal("synth", tmp_path / "feed", "--devices", "3", NO_COLOR=no_color)
    assert "━" in shown
    assert "25/25" in shown
    assert ("\x1b[3" in shown) == is_coloured


def test_results_hold_nothing_of_the_bar(tmp_path: Path) -> None:
    """What goes to standard output is the same, whether somebody watches or not."""
    feed, lake = tmp_path / "feed", tmp_path / "lake"
    _on_a_terminal("synth", feed, "--devices", "3")
    results, shown = _on_a_terminal("consume", feed, "--into", lake)
    assert "25/25" in shown
    assert "\x1b" not in results
    assert "25 accepted" in results
