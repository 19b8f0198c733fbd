"""SQL for what accepted files hold, under the contract that is agreed now."""

from collections.abc import Sequence
from pathlib import Path

from powerstage.contract import Contract
from powerstage.contract.model import DatasetName
from powerstage.engine import sql_name, sql_text


def files_query(contract: Contract, dataset: DatasetName, files: Sequence[Path]) -> str:
    """SQL for the rows of accepted files, with the columns of a contract."""
    columns = contract.dataset(dataset).columns
    names = ", ".join(
        f"{sql_name(column.name)}::{column.type} AS {sql_name(column.name)}" for column in columns
    )
    empty = ", ".join(f"NULL::{column.type} AS {sql_name(column.name)}" for column in columns)
    if not files:
        return f"SELECT {empty} WHERE false"
    paths = ", ".join(sql_text(str(path)) for path in files)
    # Files of an earlier contract may lack a column of this one: there it is null.
    return (
        f"SELECT {names} FROM (SELECT {empty} WHERE false UNION ALL BY NAME"
        f" FROM read_parquet([{paths}], union_by_name = true, hive_partitioning = false))"
    )
