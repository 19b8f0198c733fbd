"""Measure and print; each row is a ratio or a figure beside its goal."""

import os
import statistics
import subprocess
import sys
from collections.abc import Sequence

RUNS = 11
HELP_GOAL_MS = 150


def main() -> None:
    """Print the table."""
    bare = cpu_ms([sys.executable, "-c", "pass"])
    help_ = cpu_ms([sys.executable, "-m", "powerstage", "--help"])
    print(f"Medians of {RUNS} runs, CPU time of the process (user and system).\n")
    print("| what | measured | goal | beside it |")
    print("| --- | --- | --- | --- |")
    print(
        f"| `powerstage --help` | {help_:.0f} ms | {HELP_GOAL_MS} ms"
        f" | `python -c pass`: {bare:.0f} ms |"
    )


def cpu_ms(command: Sequence[str]) -> float:
    """The median CPU time of a command, in milliseconds."""
    return statistics.median(_cpu_ms(command) for _ in range(RUNS))


def _cpu_ms(command: Sequence[str]) -> float:
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    user = after.children_user - before.children_user
    system = after.children_system - before.children_system
    return (user + system) * 1000


if __name__ == "__main__":
    main()
