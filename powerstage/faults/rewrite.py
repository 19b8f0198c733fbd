"""Write a file anew, with the rows of a query over it in their place."""

from pathlib import Path

from powerstage.engine import connect, sql_text
from powerstage.faults.changes import create_plan
from powerstage.faults.plan import PlannedFault
from powerstage.producer import write_parquet


def rewrite(planned: PlannedFault, query: str, path: Path, other: Path | None = None) -> int:
    """Replace a Parquet file by a query's rows; their number.

    Args:
        planned: whose rows the query finds in ``planned``.
        query: over ``clean``, the file as it is, and ``other``.
        path: the file.
        other: where other readings stand; None for the file itself.
    """
    clean = path.with_suffix(".clean")
    path.rename(clean)
    # One thread, and a connection for each file: the same bytes, whoever calls.
    with connect(threads=1) as connection:
        create_plan(connection, planned.rows)
        for view, file in (("clean", clean), ("other", other or clean)):
            connection.execute(
                f"CREATE TEMP VIEW {view} AS SELECT * FROM read_parquet({sql_text(str(file))})"
            )
        rows = write_parquet(connection, query, path)
    clean.unlink()
    return rows
