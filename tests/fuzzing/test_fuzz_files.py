"""Spoilt Parquet files: a verdict each, from one worker that goes on."""

from pathlib import Path

from tests.fuzzing.desk import Desk
from tests.fuzzing.fuzz import Tally, fuzz_files
from tests.fuzzing.mutate_parquet import MUTATIONS

FILES = 1_000


def test_every_spoilt_file_gets_a_verdict(tmp_path: Path) -> None:
    """Of each kind of mutation; what passes does, what breaks the contract is told from noise."""
    tally = Tally()
    with Desk(tmp_path) as desk:
        fuzz_files(desk, 1, range(FILES), tally)
    assert tally.count == FILES
    assert {kind for kind, _ in tally.verdicts} == set(MUTATIONS)
    assert {verdict for _, verdict in tally.verdicts} == {"accepted", "rejected", "unreadable"}
