"""Jobs that ask for rows: their tables may be longer than memory."""

from pathlib import Path

from powerstage.checks import Checker
from powerstage.checks.worker import ROWS_MEMORY

# 160 MB that cannot be compressed.
LONG = "CREATE TABLE long AS SELECT hash(range) AS number FROM range(20_000_000)"


def test_a_long_table_stands_in_its_file_alone() -> None:
    """Longer than the memory that there is, and nothing of it had to be put aside."""
    with Checker() as checker:
        ((count, aside),) = checker.ask_rows(
            [LONG, "SELECT count(*), (SELECT count(*) FROM duckdb_temporary_files()) FROM long"],
            [],
            in_file=True,
        )
    assert (ROWS_MEMORY, count, aside) == ("128MiB", 20_000_000, 0)


def test_a_job_leaves_no_file() -> None:
    """Its folder is the worker's own, which lives on."""
    with Checker() as checker:
        ((database,),) = checker.ask_rows(
            [
                "CREATE TABLE one AS SELECT 1",
                "SELECT path FROM duckdb_databases() WHERE path <> ''",
            ],
            [],
            in_file=True,
        )
        folder = Path(database).parent
        assert (folder.exists(), folder.parent.exists()) == (False, True)
