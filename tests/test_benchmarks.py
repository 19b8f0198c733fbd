"""The benchmarks run, whatever they measure."""

import subprocess
import sys

from tests.conftest import ROOT


def test_transfer_is_measured_both_ways() -> None:
    """A quick run has a row for what is published and one for what is consumed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench", "transfer", "--smoke"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert [line.split(" | ")[2] for line in done.stdout.splitlines() if "| moto |" in line] == [
        "publish",
        "consume",
    ]
