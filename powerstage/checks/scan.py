"""Inside the worker: run a plan over files, and answer with counts and samples as JSON types.

Footers first: where columns or types are not those agreed, no row is looked at.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import duckdb

from powerstage.checks import files
from powerstage.checks.counts import SAMPLES_MAX
from powerstage.checks.rules import FILE, FILE_END, FILE_START
from powerstage.engine import sql_text

TEXT_CHARACTERS_MAX: Final = 200
NAMES_MAX: Final = 20
# What a reader raises about a file; none of these is a fault of the engine.
_COMPLAINTS: Final = (duckdb.Error, ValueError)
_ENGINE_FAULTS: Final = (
    duckdb.InternalException,
    duckdb.FatalException,
    duckdb.OutOfMemoryException,
)

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
        for statement in (*plan["window"], *plan["prepare"]):
            connection.execute(statement)
        outcomes += _scan(connection, job)
    except _ENGINE_FAULTS:
        raise
    except _COMPLAINTS as error:
        return unreadable(job, error)
    rows_id = plan["rows_check"]["check"]["id"]
    rows = next(outcome["total"] for outcome in outcomes if outcome["id"] == rows_id)
    return {"outcomes": outcomes, "rows": rows}


def unreadable(job: Job, error: Exception) -> dict[str, Any]:
    """The answer for files that no reader can make sense of."""
    name = job["files"][0]["name"] if len(job["files"]) == 1 else ""
    outcome = _outcome(
        job["plan"]["readable_check"],
        failed=1,
        total=len(job["files"]),
        samples=[_sample(name, 0, {})] if name else [],
        detail=complaint(job, error),
    )
    return {"outcomes": [outcome], "rows": 0}


def complaint(job: Job, error: Exception) -> str:
    """The reader's complaint, with the names that people know for the files."""
    words = files.complaint(error)
    for file in job["files"]:
        words = words.replace(file["path"], file["name"])
    return words


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
            complaints.append(complaint(job, error))
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
    ((positions,),) = connection.execute("SELECT getvariable('positions')").fetchall()
    if positions is not None and positions > job["positions_max"]:
        detail = f"{positions} readings are expected: more than can be judged at once"
        # Always an error: nothing is accepted that was not looked at.
        return [_outcome(plan["rows_check"]["check"], failed=1, total=0, detail=detail)]
    (counts,) = connection.execute(plan["scan"]).fetchall()
    # Every check of the scan but that of the grid counts rows; one is always there.
    promised = _count_promised(connection, job, rows=counts[0][1])
    return [
        _counted(connection, scanned, failed, total)
        for scanned, (failed, total) in zip(
            (plan["rows_check"], *plan["scan_checks"]), (promised, *counts), strict=True
        )
    ]


def _count_promised(connection: duckdb.DuckDBPyConnection, job: Job, *, rows: int) -> list[int]:
    """How many rows are missing or too many, of how many; none where none were promised."""
    promised = [(file["name"], file["rows"]) for file in job["files"]]
    if any(count is None for _, count in promised):
        return [0, rows]
    connection.execute("CREATE TEMP TABLE promised (file VARCHAR, rows BIGINT)")
    connection.executemany("INSERT INTO promised VALUES (?, ?)", promised)
    ((counted,),) = connection.execute(job["plan"]["rows_check"]["count"]).fetchall()
    return list(counted)


def _counted(
    connection: duckdb.DuckDBPyConnection, scanned: Job, failed: int, total: int
) -> Outcome:
    if failed <= total * scanned["share_max"]:
        return _outcome(scanned["check"], failed=0, total=total)
    try:
        found = connection.execute(scanned["samples"]).fetchall()
    except duckdb.OutOfMemoryException:
        # The counts are known: what fails is not turned into what cannot be read.
        found = []
    samples = [_sample(*sample) for sample in found]
    return _outcome(scanned["check"], failed=failed, total=total, samples=samples)


def _delivered(job: Job) -> str:
    return " UNION ALL ".join(_delivered_file(file, job["plan"]) for file in job["files"])


def _delivered_file(file: Job, plan: Job) -> str:
    start, end = file["window_us"] or (None, None)
    place = (
        f"{sql_text(file['name'])} AS {FILE},"
        f" {'NULL' if start is None else start}::BIGINT AS {FILE_START},"
        f" {'NULL' if end is None else end}::BIGINT AS {FILE_END}"
    )
    reader = files.reader(file["path"], plan["format"])
    return f"SELECT {place}, {plan['delivered']} FROM {reader}"


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
