"""That no two rows share a key: a reading per device, measure and interval, a row per device."""

from powerstage.checks.result import Check
from powerstage.checks.rules import FILE, GRID_SLOT
from powerstage.contract.model import Contract, Dataset
from powerstage.engine import sql_name


def unique_columns(contract: Contract, dataset: Dataset) -> list[str]:
    """SQL names of what no two rows share: the key, with the slot for a stamp that jitters."""
    jitters = dataset.name == "telemetry" and contract.roles.jitter
    return [
        GRID_SLOT if jitters and name == contract.roles.stamp else sql_name(name)
        for name in dataset.key
    ]


def unique_check(contract: Contract, dataset: Dataset, unique: list[str]) -> Check:
    """The check, in words."""
    shared = [
        "interval" if column == GRID_SLOT else name
        for name, column in zip(dataset.key, unique, strict=True)
    ]
    return Check(
        id="key.unique",
        words=f"no two rows have the same {', '.join(shared)}",
        expected="one row per key",
        severity="error",
        at=contract.at(dataset.rule),
        counts="surplus rows",
    )


def distinct(unique: list[str]) -> list[str]:
    """SQL for distinct keys, keys expected (unknown), keys present."""
    key = unique[0] if len(unique) == 1 else f"({', '.join(unique)})"
    return [
        f"count(DISTINCT {key}) FILTER (WHERE {_known(unique)})",
        "NULL",
        f"count(*) FILTER (WHERE {_known(unique)})",
    ]


def duplicates(dataset: Dataset, unique: list[str], source: str) -> str:
    """A query for keys that come twice: the key (the first of its stamps), rows, two files."""
    firsts = ", ".join(f"min({sql_name(name)})" for name in dataset.key)
    columns = ", ".join(unique)
    return (
        f"SELECT {firsts}, count(*), min({FILE}), max({FILE}) FROM {source}"
        f" WHERE {_known(unique)} GROUP BY {columns} HAVING count(*) > 1 ORDER BY {columns} LIMIT 5"
    )


def _known(unique: list[str]) -> str:
    return " AND ".join(f"{column} IS NOT NULL" for column in unique)
