"""How we write Parquet: one way, so that the same rows are the same bytes."""

from pathlib import Path
from typing import Final

from powerstage.engine import Connection, sql_text

ROW_GROUP_ROWS: Final = 491_520


def write_parquet(connection: Connection, query: str, path: Path) -> int:
    """Write a query's rows, in its order, to a Parquet file; their number.

    The same rows give the same bytes on one version of DuckDB.
    """
    # Higher levels of zstd take longer and save nothing here; a Bloom filter per row group tells
    # a reader nothing, since every row group of telemetry holds every device.
    # DuckDB 2 marks a column as required where statistics of the whole table show no null:
    # a null in one period would change the bytes of all others.
    connection.execute("SET disabled_optimizers = 'statistics_propagation'")
    ((rows,),) = connection.execute(
        f"COPY ({query}) TO {sql_text(str(path))}"
        f" (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, WRITE_BLOOM_FILTER false,"
        f" ROW_GROUP_SIZE {ROW_GROUP_ROWS})"
    ).fetchall()
    return int(rows)
