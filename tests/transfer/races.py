"""Many histories, one seed after the other: what does not hold ends the run and names its seed."""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.transfer.history import play
from tests.transfer.stage import in_process
from tests.transfer.wire import Wire

# A harness in which none of these ever happens would prove nothing.
SOMETIMES: Final = (
    "409",
    "412 other",
    "412 own",
    "a bogus hint",
    "an orphan removed",
    "an orphan removed that had just come again",
    "an orphan spared by its grace",
    "judged again",
    "late arrival applied",
    "refused, then judged again and accepted",
    "rejected, then superseded",
    "restart between ledger and receipt",
    "two consumers judge the same commit",
)


# Those that once failed: tests play them first.
FAILED_SEEDS: Final = Path(__file__).with_name("failed_seeds.txt")


def failed_seeds() -> list[int]:
    """The first word of each line that is no comment."""
    lines = FAILED_SEEDS.read_text(encoding="utf-8").splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


def race(wire: Wire, folder: Path, seeds: Iterable[int]) -> Counter[str]:
    """Play these seeds; what was seen.

    Raises:
        AssertionError, PowerstageError: something did not hold; a note says which seed it was.
    """
    seen: Counter[str] = Counter()
    for seed in seeds:
        history = play(wire, folder, seed)
        seen += history.seen
        seen["requests"] += len(history.trace)
    return seen


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="scripts/races", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    asked = parser.parse_args()
    started = time.monotonic()
    with in_process() as wire, tempfile.TemporaryDirectory() as folder:
        seen = race(wire, Path(folder), range(asked.seed, asked.seed + asked.seeds))
    print(f"{asked.seeds:,} histories in {time.monotonic() - started:.0f} s")
    for what, count in sorted(seen.items()):
        print(f"  {count:>8,}  {what}")


if __name__ == "__main__":
    main()
