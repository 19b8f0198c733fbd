"""The benchmarks run, whatever they measure."""

import subprocess
import sys

from tests.conftest import ROOT


def _printed(part: str) -> list[str]:
    """The lines of a quick run of a part."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench", part, "--smoke"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_page_is_measured_in_the_making_and_in_a_browser() -> None:
    """A quick run says what one took, how large it is, and when it was drawn."""
    rows = [line.split(" | ")[0].strip("| ") for line in _printed("page") if " s |" in line]
    assert rows == ["`powerstage report`: wall", "CPU", "drawn, from its opening"]


def test_transfer_is_measured_both_ways() -> None:
    """A quick run has a row for what is published and one for what is consumed."""
    printed = _printed("transfer")
    assert [line.split(" | ")[2] for line in printed if "| moto |" in line] == [
        "publish",
        "consume",
    ]
