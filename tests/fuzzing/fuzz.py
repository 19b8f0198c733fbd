"""Spoilt files and commits, judged one after the other: each must get a verdict.

Files go through the real worker, which is kept. What fails ends the run: its input is written
down, and seed and number say how it was made.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from powerstage.consumer import Judgement
from tests.fuzzing import mutate_commit, mutate_parquet
from tests.fuzzing.desk import Desk, unfit_texts

# Of so many, one is judged a second time, or a sound file after it.
AGAIN_EVERY: Final = 20
SOUND_EVERY: Final = 100
# Most spoilt commits promise no file: what is wrong with them needs no worker to be found.
_EMPTY_COMMITS: Final = 9


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of a run: verdicts by mutation, and what they cost."""

    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    complaints: Counter[str] = field(default_factory=Counter)
    deaths: int = 0
    slowest_seconds: float = 0.0
    slowest: int = -1

    @property
    def count(self) -> int:
        """How many were judged."""
        return self.verdicts.total()

    def add(self, kind: str, judgement: Judgement, *, is_dead: bool) -> None:
        """Count a verdict."""
        self.verdicts[kind, judgement.verdict] += 1
        if is_dead:
            self.deaths += 1
            self.complaints["; ".join(f.detail for f in judgement.report.findings)] += 1

    def lines(self) -> Iterator[str]:
        """For people."""
        names = ("accepted", "rejected", "unreadable")
        yield f"{'':<14}" + "".join(f"{name:>12}" for name in names)
        kinds = sorted({kind for kind, _ in self.verdicts})
        for kind in kinds:
            yield f"{kind:<14}" + "".join(f"{self.verdicts[kind, name]:>12,}" for name in names)
        totals = [sum(self.verdicts[kind, name] for kind in kinds) for name in names]
        yield f"{'all':<14}" + "".join(f"{total:>12,}" for total in totals)
        yield (
            f"{self.deaths} killed their worker;"
            f" the slowest was {self.slowest}, {self.slowest_seconds:.1f} s"
        )
        for words, count in self.complaints.most_common():
            yield f"  {count}: {words}"


def fuzz_files(desk: Desk, seed: int, numbers: Iterable[int], tally: Tally) -> None:
    """Judge these spoilt files, and now and then a sound one: what one does, no other suffers."""
    desk.require_sound_worker()
    for number in numbers:
        kind, body = mutate_parquet.mutated(desk.files, seed, number)
        with _kept(body, f"file-{seed}-{number}"):
            worker = desk.worker
            judgement = _timed(desk.judge_file, body, tally, number)
            if number % AGAIN_EVERY == 0:
                _require_same(desk.judge_file(body), judgement)
            is_dead = desk.worker != worker
            if is_dead or number % SOUND_EVERY == 0:
                desk.require_sound_worker()
        tally.add(kind, judgement, is_dead=is_dead)


def fuzz_commits(desk: Desk, seed: int, numbers: Iterable[int], tally: Tally) -> None:
    """Judge these spoilt commits."""
    body = desk.files[0]
    bases = [desk.commit(None).to_json()] * _EMPTY_COMMITS + [desk.commit(body).to_json()]
    for number in numbers:
        kind, record = mutate_commit.mutated(bases, seed, number)
        with _kept(record, f"commit-{seed}-{number}"):
            judgement = _timed(desk.judge_record, record, tally, number)
            if number % AGAIN_EVERY == 0:
                _require_same(desk.judge_record(record), judgement)
        tally.add(kind, judgement, is_dead=False)


def _timed(
    judge: Callable[[bytes], Judgement], spoilt: bytes, tally: Tally, number: int
) -> Judgement:
    started = time.monotonic()
    judgement = judge(spoilt)
    seconds = time.monotonic() - started
    if seconds > tally.slowest_seconds:
        tally.slowest_seconds, tally.slowest = seconds, number
    if unfit := unfit_texts(judgement):
        raise AssertionError(f"not fit to be shown: {unfit[0]!r}")
    return judgement


def _require_same(again: Judgement, judgement: Judgement) -> None:
    if _essence(again) != _essence(judgement):
        raise AssertionError(f"{_essence(judgement)}, and then {_essence(again)}")


def _essence(judgement: Judgement) -> tuple[str, list[str]]:
    return judgement.verdict, [finding.check.id for finding in judgement.report.findings]


@contextmanager
def _kept(spoilt: bytes, name: str) -> Iterator[None]:
    """What goes wrong leaves its input behind."""
    try:
        yield
    except Exception as error:
        path = Path(tempfile.gettempdir(), f"powerstage-fuzz-{name}")
        path.write_bytes(spoilt)
        error.add_note(f"{name} (what, seed, number) is in {path}")
        raise


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--files", type=int, default=1_000, metavar="N")
    parser.add_argument("--commits", type=int, default=5_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    asked = parser.parse_args()
    for fuzz, count in ((fuzz_commits, asked.commits), (fuzz_files, asked.files)):
        tally, started = Tally(), time.monotonic()
        try:
            with tempfile.TemporaryDirectory() as folder, Desk(Path(folder)) as desk:
                fuzz(desk, asked.seed, range(count), tally)
        finally:
            print(f"{fuzz.__name__}: {tally.count:,} in {time.monotonic() - started:.0f} s")
            print("\n".join(tally.lines()), flush=True)


if __name__ == "__main__":
    main()
