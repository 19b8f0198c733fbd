"""Measure and print; each row is a ratio or a figure beside its goal."""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

import duckdb

from powerstage.engine import processors
from tests.benchmarks import findings, page, peer_faults, synthesis, transfer, validation

RUNS = 11
HELP_GOAL_MS = 150


def main() -> None:
    """Print the tables named as arguments, or all; ``--smoke`` for a quick run of them."""
    smoke = "--smoke" in sys.argv
    parts: dict[str, Callable[[], Iterator[str]]] = {
        "start": start,
        "synthesis": synthesis_part,
        "findings": findings_part,
        "validation": lambda: validation.table(smoke=smoke),
        "transfer": lambda: transfer.table(smoke=smoke),
        "page": lambda: page.table(smoke=smoke),
        "faults": lambda: peer_faults.table(smoke=smoke),
    }
    names = [name for name in sys.argv[1:] if name != "--smoke"] or list(parts)
    if unknown := set(names) - set(parts):
        sys.exit(f"no such part: {', '.join(unknown)}; choose from {', '.join(parts)}")
    for name in names:
        for line in parts[name]():
            print(line, flush=True)
        print()


def start() -> Iterator[str]:
    """How long ``--help`` takes."""
    bare = cpu_ms([sys.executable, "-c", "pass"])
    help_ = cpu_ms([sys.executable, "-m", "powerstage", "--help"])
    yield f"Medians of {RUNS} runs, CPU time of the process (user and system).\n"
    yield "| what | measured | goal | beside it |"
    yield "| --- | --- | --- | --- |"
    yield (
        f"| `powerstage --help` | {help_:.0f} ms | {HELP_GOAL_MS} ms"
        f" | `python -c pass`: {bare:.0f} ms |"
    )


def synthesis_part() -> Iterator[str]:
    """How fast mock data are made."""
    yield (
        f"{synthesis.DEVICES:,} devices, readings of {synthesis.INTERVAL_SECONDS} s,"
        f" {synthesis.DAYS} days; medians of {synthesis.ROUNDS} rounds;"
        f" DuckDB {duckdb.__version__}, {processors()} processors.\n"
    )
    yield from synthesis.table()
    yield f"\n{synthesis.memory()}"


def findings_part() -> Iterator[str]:
    """Which share of faults findings about the feed show, and how many are false."""
    yield (
        f"A fault in each of {findings.SPOILT} devices over {findings.DAYS} days, at the magnitude"
        " of the catalogue; an hour is delivered at a time.\n"
    )
    yield from findings.recall()
    yield ""
    yield from findings.false_alarms()


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
