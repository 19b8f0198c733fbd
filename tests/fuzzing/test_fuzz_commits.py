"""Spoilt commits: a verdict each, and never a traceback."""

import tempfile
from pathlib import Path

import pytest

from powerstage.consumer import Judgement
from tests.fuzzing.desk import Desk
from tests.fuzzing.fuzz import Tally, fuzz_commits
from tests.fuzzing.mutate_commit import MUTATIONS

COMMITS = 5_000


def test_every_spoilt_commit_gets_a_verdict(tmp_path: Path) -> None:
    """Of each kind of mutation; most of them are unreadable, and some are still right."""
    tally = Tally()
    with Desk(tmp_path) as desk:
        fuzz_commits(desk, 1, range(COMMITS), tally)
    assert tally.count == COMMITS
    assert {kind for kind, _ in tally.verdicts} == set(MUTATIONS)
    assert {verdict for _, verdict in tally.verdicts} == {"accepted", "rejected", "unreadable"}


def test_what_fails_leaves_its_input_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With seed and number, so that it can be done again."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []

    def judge(record: bytes) -> Judgement:
        seen.append(record)
        raise KeyError("a defect")

    desk = Desk(tmp_path)
    monkeypatch.setattr(desk, "judge_record", judge)
    with pytest.raises(KeyError) as caught:
        fuzz_commits(desk, 4, range(7, 8), Tally())
    assert (tmp_path / "powerstage-fuzz-commit-4-7").read_bytes() == seen[0]
    assert "powerstage-fuzz-commit-4-7" in caught.value.__notes__[0]
