"""Inside the worker: one query of a contract's own, which is as little to be trusted as a file.

It has a locked connection to itself, with two views and no table in it. A verdict depends on no
clock and no chance, so what would is refused, and so is what reads anything but the views.
"""

import json
import math
from collections.abc import Iterator
from typing import Any, Final

from powerstage.checks import scan
from powerstage.checks.views import Job, delivered, inventory
from powerstage.engine import Connection, sql_name

_VIEWS: Final = frozenset({"inventory", "telemetry"})
_TABLE_FUNCTIONS: Final = {"range", "generate_series", "unnest"}
# What gives another number another time, and which DuckDB does not call volatile.
_CLOCKS: Final = frozenset(
    {
        "age",
        "ago",
        "current_date",
        "current_localtime",
        "current_localtimestamp",
        "current_time",
        "current_timestamp",
        "get_current_time",
        "get_current_timestamp",
        "localtime",
        "localtimestamp",
        "now",
        "pg_sleep",
        "today",
        "transaction_timestamp",
        "txid_current",
    }
)
_VOLATILE: Final = (
    "SELECT DISTINCT function_name FROM duckdb_functions()"
    " WHERE stability = 'VOLATILE' AND function_name <> 'error'"
)


def run(connection: Connection, job: Job) -> dict[str, Any]:
    """The outcome of the job's query."""
    query = job["query"]
    try:
        _make_views(connection, job)
        if refused := refusal(connection, query["count"]):
            return _failed(job, refused)
        (((failed, total, observed),),) = connection.execute(query["count"]).fetchall()
    except scan.ENGINE_FAULTS:
        raise
    except scan.COMPLAINTS as error:
        return unreadable(job, error)
    if observed is None or not math.isfinite(observed):
        return _failed(job, "the query gives no number")
    found = scan.outcome(query["check"], failed=failed, total=total, observed=observed)
    return {"outcomes": [found], "rows": 0}


def bind(connection: Connection, job: Job) -> dict[str, Any]:
    """What is wrong with the job's query, over views without a row; empty where nothing is."""
    for name, columns in job["empty"].items():
        nulls = ", ".join(f"NULL::{type_} AS {sql_name(column)}" for column, type_ in columns)
        connection.execute(f"CREATE VIEW {name} AS SELECT {nulls} WHERE false")
    query = job["query"]["count"]
    try:
        words = refusal(connection, query)
        if not words:
            connection.execute(f"EXPLAIN {query}")
    except scan.ENGINE_FAULTS:
        raise
    except scan.COMPLAINTS as error:
        words = _cannot_be_run(job, error)
    return {"complaint": words}


def unreadable(job: Job, error: Exception) -> dict[str, Any]:
    """The answer for a query that cannot be run."""
    return _failed(job, _cannot_be_run(job, error))


def _cannot_be_run(job: Job, error: Exception) -> str:
    return f"the query cannot be run: {scan.complaint(job, error)}"


def _failed(job: Job, detail: str) -> dict[str, Any]:
    failed = scan.outcome(job["query"]["check"], failed=1, total=1, detail=detail)
    return {"outcomes": [failed], "rows": 0}


def _make_views(connection: Connection, job: Job) -> None:
    plan = job["plan"]
    sources = {"inventory": inventory(job)} if job["inventory"] else {}
    for name, source in (sources | {plan["dataset"]: delivered(job)}).items():
        connection.execute(f"CREATE VIEW {name} AS SELECT {plan['views'][name]} FROM ({source})")


def refusal(connection: Connection, query: str) -> str:
    """Why a statement with a query in it is not run; empty where nothing is against it."""
    ((text,),) = connection.execute("SELECT json_serialize_sql($1::VARCHAR)", [query]).fetchall()
    try:
        tree = json.loads(text)
    except RecursionError:
        return "the query is nested too deeply"
    if tree["error"]:
        return f"the query is not one SELECT: {tree['error_message']}"
    nodes = list(_nodes(tree))
    tables = _VIEWS.union(*(_defined(node) for node in nodes))
    impure = _CLOCKS.union(name for (name,) in connection.execute(_VOLATILE).fetchall())
    views = " and ".join(sorted(_VIEWS))
    for node in nodes:
        if foreign := _foreign_source(node, tables):
            return f"the query may read {views}, not {foreign}"
        if chance := _chance(node, impure):
            return f"a verdict depends on no clock and no chance: {chance}"
    return ""


def _foreign_source(node: Job, tables: frozenset[str]) -> str:
    """What a FROM reads that is not there to be read; empty where it is."""
    if node.get("type") == "TABLE_FUNCTION":
        function = str(node["function"]["function_name"]).lower()
        return "" if function in _TABLE_FUNCTIONS else f"{function}()"
    if node.get("type") == "BASE_TABLE":
        known = str(node["table_name"]).lower() in tables and not node["schema_name"]
        return "" if known else repr(node["table_name"])
    return ""


def _chance(node: Job, impure: frozenset[str]) -> str:
    """What makes the result another one at another time; empty where nothing does."""
    if node.get("sample"):
        return "a sample"
    function = str(node.get("function_name", "")).lower()
    # A clock may be read without brackets, and then looks like a column.
    columns = node["column_names"] if node.get("type") == "COLUMN_REF" else []
    names = [function, *([str(columns[0]).lower()] if len(columns) == 1 else [])]
    return next((name for name in names if name in impure), "")


def _defined(node: Job) -> list[str]:
    """The tables that a WITH defines."""
    return [str(entry["key"]).lower() for entry in (node.get("cte_map") or {}).get("map", ())]


def _nodes(tree: object) -> Iterator[Job]:
    """Every object of a parsed statement; without recursion, which a deep one would exhaust."""
    waiting = [tree]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            yield found
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found
