"""Writes all cases into a folder: run in a process with another DuckDB."""

import sys
from pathlib import Path

import duckdb

from tests.producer.mock import AGAIN, CASES, LARGE, write, write_side_by_side

if __name__ == "__main__":
    version, folder = sys.argv[1:]
    if duckdb.__version__ != version:
        sys.exit(f"this is DuckDB {duckdb.__version__}, not {version}")
    for case in (*CASES, LARGE):
        path = Path(folder, case.name)
        path.mkdir()
        write(case.source(), path)
    again = Path(folder, "again")
    again.mkdir()
    write_side_by_side(AGAIN.source(), again, workers=4)
