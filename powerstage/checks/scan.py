"""Inside the worker: run a plan over files, and answer with counts and samples as JSON types.

Footers first: where columns or types are not those agreed, no row is looked at.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import duckdb

from powerstage.checks import files
from powerstage.checks.rules import FILE, FILE_END, FILE_START, RAW_PREFIX, ROW
from powerstage.engine import sql_name, sql_text

SAMPLES_MAX: Final = 5
TEXT_CHARACTERS_MAX: Final = 200
NAMES_MAX: Final = 20
# What a reader raises about a file; none of these is a fault of the engine.
_COMPLAINTS: Final = (duckdb.Error, ValueError)
_ENGINE_FAULTS: Final = (
    duckdb.InternalException,
    duckdb.FatalException,
    duckdb.OutOfMemoryException,
)

# How a value is written in a CSV, where DuckDB would take more for one.
_INTEGER: Final = "[+-]?[0-9]+"
_FORMS: Final = {
    "BIGINT": _INTEGER,
    "INTEGER": _INTEGER,
    "DOUBLE": r"(?i)[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?(nan|inf|infinity)",
    "BOOLEAN": "(?i)true|false",
    "DATE": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
}

Job: TypeAlias = dict[str, Any]
Outcome: TypeAlias = dict[str, Any]


def run(connection: duckdb.DuckDBPyConnection, job: Job) -> dict[str, Any]:
    """The outcome of every check of the job's plan that could be run, and the rows seen."""
    plan = job["plan"]
    outcomes = _look_at_footers(connection, job)
    if any(outcome["failed"] for outcome in outcomes):
        return {"outcomes": outcomes, "rows": 0}
    try:
        connection.execute(f"CREATE TEMP VIEW delivered AS {_delivered(job)}")
        if job["inventory"]:
            connection.execute(f"CREATE TEMP VIEW inventory AS {_inventory(job)}")
        for statement in plan["prepare"]:
            connection.execute(statement)
        outcomes += _scan(connection, job)
    except _ENGINE_FAULTS:
        raise
    except _COMPLAINTS as error:
        return unreadable(job, error)
    rows = next(o["total"] for o in outcomes if o["id"] == plan["rows_check"]["id"])
    return {"outcomes": outcomes, "rows": rows}


def unreadable(job: Job, error: Exception) -> dict[str, Any]:
    """The answer for files that no reader can make sense of."""
    name = job["files"][0]["name"] if len(job["files"]) == 1 else ""
    outcome = _outcome(
        job["plan"]["readable_check"],
        failed=1,
        total=len(job["files"]),
        samples=[_sample(name, 0, {})] if name else [],
        detail=_complaint(job, error),
    )
    return {"outcomes": [outcome], "rows": 0}


def paths(job: Job) -> list[str]:
    """Every file that the job may open."""
    return [file["path"] for file in (*job["files"], *job["inventory"])]


def _look_at_footers(connection: duckdb.DuckDBPyConnection, job: Job) -> list[Outcome]:
    plan = job["plan"]
    agreed = dict(plan["columns"])
    broken, complaints, columns, types = [], [], [], []
    for file in job["files"]:
        try:
            found = files.columns(connection, file["path"], plan["format"])
            _refuse_long(connection, file, job)
        except _ENGINE_FAULTS:
            raise
        except _COMPLAINTS as error:
            broken.append(_sample(file["name"], 0, {}))
            complaints.append(_complaint(job, error))
            continue
        if wrong := _wrong_columns([name for name, _ in found], agreed):
            columns.append(_sample(file["name"], 0, wrong))
        elif plan["format"] == "parquet" and (wrong := _wrong_types(dict(found), agreed)):
            types.append(_sample(file["name"], 0, wrong))
    total = len(job["files"])
    return [
        _outcome(
            plan["readable_check"],
            failed=len(broken),
            total=total,
            samples=broken,
            detail="; ".join(complaints[:SAMPLES_MAX]),
        ),
        _outcome(plan["columns_check"], failed=len(columns), total=total, samples=columns),
        _outcome(plan["types_check"], failed=len(types), total=total, samples=types),
    ]


def _refuse_long(connection: duckdb.DuckDBPyConnection, file: Job, job: Job) -> None:
    """A few hundred bytes can claim two hundred million rows; believe no such footer."""
    if job["plan"]["format"] != "parquet" or job["rows_max"] is None:
        return
    query = f"SELECT num_rows FROM parquet_file_metadata({sql_text(file['path'])})"
    ((rows,),) = connection.execute(query).fetchall()
    if not 0 <= rows <= job["rows_max"]:
        raise ValueError(f"the footer claims {rows} rows; at most {job['rows_max']} are read")


def _wrong_columns(found: list[str], agreed: dict[str, str]) -> dict[str, str]:
    wrong = {}
    if missing := [name for name in agreed if name not in found]:
        wrong["missing"] = _names(missing)
    if extra := [name for name in found if name not in agreed]:
        wrong["not agreed"] = _names(extra)
    if doubled := [name for name in agreed if found.count(name) > 1]:
        wrong["more than once"] = _names(doubled)
    return wrong


def _wrong_types(found: dict[str, str], agreed: dict[str, str]) -> dict[str, str]:
    wrong = [name for name in agreed if found[name] != agreed[name]]
    return {name: f"{found[name]}, not {agreed[name]}" for name in wrong}


def _names(names: list[str]) -> str:
    more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    return ", ".join(name[:TEXT_CHARACTERS_MAX] for name in names[:NAMES_MAX]) + more


def _scan(connection: duckdb.DuckDBPyConnection, job: Job) -> list[Outcome]:
    plan = job["plan"]
    if plan["complete_check"]:
        ((positions,),) = connection.execute("SELECT getvariable('positions')").fetchall()
        if positions > job["positions_max"]:
            detail = f"{positions} readings are expected: more than can be judged at once"
            # Always an error: nothing is accepted that was not looked at.
            return [_outcome(plan["rows_check"], failed=1, total=0, detail=detail)]
    ((rows, distinct, expected, present, *counts),) = connection.execute(plan["scan"]).fetchall()
    source = "delivered" if plan["dataset"] == "inventory" else "reading"
    outcomes = [_rows_outcome(connection, job, rows)]
    for check, failed in zip(plan["row_checks"], counts, strict=True):
        samples = _row_samples(connection, plan, check, source) if failed else []
        outcomes.append(_outcome(check["check"], failed=failed, total=rows, samples=samples))
    doubled = present - distinct
    samples = _duplicate_samples(connection, plan) if doubled else []
    outcomes.append(_outcome(plan["unique_check"], failed=doubled, total=rows, samples=samples))
    if plan["complete_check"]:
        missing = int(expected) - distinct
        enough = missing <= expected * (1 - plan["completeness"]) * (1 + 1e-9)
        samples = [] if enough else _missing_samples(connection, plan)
        outcomes.append(
            _outcome(
                plan["complete_check"],
                failed=0 if enough else missing,
                total=int(expected),
                samples=samples,
            )
        )
    return outcomes


def _rows_outcome(connection: duckdb.DuckDBPyConnection, job: Job, rows: int) -> Outcome:
    promised = {file["name"]: file["rows"] for file in job["files"]}
    if None in promised.values():
        return _outcome(job["plan"]["rows_check"], failed=0, total=rows)
    counts = dict.fromkeys(promised, rows)
    if len(promised) > 1:
        query = f"SELECT {FILE}, count(*) FROM delivered GROUP BY ALL"
        counts = dict.fromkeys(promised, 0) | dict(connection.execute(query).fetchall())
    wrong = [name for name in promised if counts[name] != promised[name]]
    return _outcome(
        job["plan"]["rows_check"],
        failed=sum(abs(promised[name] - counts[name]) for name in wrong),
        total=rows,
        samples=[
            _sample(name, 0, {"rows": counts[name], "promised": promised[name]}) for name in wrong
        ],
    )


def _row_samples(
    connection: duckdb.DuckDBPyConnection, plan: Job, check: Job, source: str
) -> list[Job]:
    columns = list(dict.fromkeys([*plan["key"], *check["values"]]))
    texts = ", ".join(f"{sql_name(column)}::VARCHAR" for column in columns)
    rows = connection.execute(
        f"SELECT {FILE}, {ROW}, {texts} FROM {source} WHERE {check['predicate']}"
        f" ORDER BY {FILE}, {ROW} LIMIT {SAMPLES_MAX}"
    ).fetchall()
    return [
        _sample(
            file,
            row,
            {
                name.removeprefix(RAW_PREFIX): value
                for name, value in zip(columns, values, strict=True)
            },
        )
        for file, row, *values in rows
    ]


def _duplicate_samples(connection: duckdb.DuckDBPyConnection, plan: Job) -> list[Job]:
    rows = connection.execute(_as_text(plan["duplicates"])).fetchall()
    samples = []
    for *key, count, first, last in rows:
        values = dict(zip(plan["key"], key, strict=True)) | {"rows": count}
        if first != last:
            values["also in"] = last
        samples.append(_sample(first, 0, values))
    return samples


def _missing_samples(connection: duckdb.DuckDBPyConnection, plan: Job) -> list[Job]:
    # Stamps are shown by the engine, in UTC whatever its session says.
    text = "strftime(make_timestamp({}), '%Y-%m-%dT%H:%M:%SZ')"
    rows = connection.execute(
        f"SELECT device, measure, {text.format('first_us')}, {text.format('last_us')}, missing"
        f" FROM ({plan['missing']})"
    ).fetchall()
    names = ("device", "measure", "from", "to", "missing")
    return [_sample("", 0, dict(zip(names, row, strict=True))) for row in rows]


def _as_text(query: str) -> str:
    return f"SELECT COLUMNS(*)::VARCHAR FROM ({query})"


def _delivered(job: Job) -> str:
    return " UNION ALL ".join(_delivered_file(file, job["plan"]) for file in job["files"])


def _delivered_file(file: Job, plan: Job) -> str:
    start, end = file["window_us"] or (None, None)
    place = (
        f"{sql_text(file['name'])} AS {FILE},"
        f" {'NULL' if start is None else start}::BIGINT AS {FILE_START},"
        f" {'NULL' if end is None else end}::BIGINT AS {FILE_END}"
    )
    names = [
        (sql_name(name), sql_name(RAW_PREFIX + name), type_) for name, type_ in plan["columns"]
    ]
    reader = files.reader(file["path"], plan["format"], row_numbers=True)
    if plan["format"] == "parquet":
        columns = ", ".join(f"{name}::{type_} AS {name}" for name, _, type_ in names)
        return f"SELECT {place}, file_row_number + 1 AS {ROW}, {columns} FROM {reader}"
    columns = ", ".join(
        f"{_cast(name, type_)} AS {name}, {name} AS {raw}" for name, raw, type_ in names
    )
    return f"SELECT {place}, row_number() OVER () AS {ROW}, {columns} FROM {reader}"


def _cast(name: str, type_: str) -> str:
    """A CSV's text as a value, null if it is none: DuckDB alone would take 12.7 for a 13."""
    # nullif keeps DuckDB 2 from pushing the cast into the CSV reader, where one bad value
    # makes the whole file unreadable.
    cast = f"TRY_CAST(nullif({name}, '') AS {type_})"
    form = _FORMS.get(type_)
    return (
        cast if form is None else f"CASE WHEN regexp_full_match({name}, '{form}') THEN {cast} END"
    )


def _inventory(job: Job) -> str:
    return " UNION ALL BY NAME ".join(
        f"SELECT * FROM {files.reader(file['path'], file['format'])}" for file in job["inventory"]
    )


def _outcome(
    check: Job,
    *,
    failed: int,
    total: int,
    samples: Iterable[Job] = (),
    detail: str = "",
) -> Outcome:
    return {
        "id": check["id"],
        "failed": int(failed),
        "total": int(total),
        "samples": list(samples)[:SAMPLES_MAX],
        "detail": detail[: 5 * TEXT_CHARACTERS_MAX],
    }


def _sample(file: str, row: int, values: Mapping[str, object]) -> Job:
    texts = {
        name: "null" if value is None else str(value)[:TEXT_CHARACTERS_MAX]
        for name, value in values.items()
    }
    return {"file": file, "row": row, "values": texts}


def _complaint(job: Job, error: Exception) -> str:
    """The reader's complaint, with the names that people know for the files."""
    words = files.complaint(error)
    for file in job["files"]:
        words = words.replace(file["path"], file["name"])
    return words
