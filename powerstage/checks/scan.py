"""Inside the worker: run a plan over files, and answer with counts and samples as JSON types.

Footers first: where columns or types are not those agreed, no row is looked at.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import duckdb

from powerstage.checks import files
from powerstage.checks.counts import SAMPLES_MAX, TEXT_CHARACTERS_MAX
from powerstage.checks.views import Job, views
from powerstage.engine import Connection, sql_text

NAMES_MAX: Final = 20
# What a reader raises about a file; none of these is a fault of the engine.
COMPLAINTS: Final = (duckdb.Error, ValueError)
ENGINE_FAULTS: Final = (
    duckdb.InternalException,
    duckdb.FatalException,
    duckdb.OutOfMemoryException,
)

Outcome: TypeAlias = dict[str, Any]


def run(connection: Connection, job: Job) -> dict[str, Any]:
    """The outcome of every check of the job's plan that could be run, and the rows seen."""
    plan = job["plan"]
    outcomes = _look_at_footers(connection, job)
    if any(found["failed"] for found in outcomes):
        return {"outcomes": outcomes, "rows": 0}
    try:
        for statement in views(job):
            connection.execute(statement)
        if job["inventory"]:
            ((devices,),) = connection.execute("SELECT count(*) FROM inventory").fetchall()
            if devices > job["devices_max"]:
                outcomes.append(_too_many(plan, f"{devices} devices"))
                return {"outcomes": outcomes, "rows": 0}
        for statement in (*plan["window"], *plan["prepare"]):
            connection.execute(statement)
        outcomes += _scan(connection, job)
    except ENGINE_FAULTS:
        raise
    except COMPLAINTS as error:
        return unreadable(job, error)
    rows_id = plan["rows_check"]["check"]["id"]
    rows = next(found["total"] for found in outcomes if found["id"] == rows_id)
    return {"outcomes": outcomes, "rows": rows}


def unreadable(job: Job, error: Exception) -> dict[str, Any]:
    """The answer for files that no reader can make sense of."""
    name = job["files"][0]["name"] if len(job["files"]) == 1 else ""
    broken = outcome(
        job["plan"]["readable_check"],
        failed=1,
        total=len(job["files"]),
        samples=[_sample(name, 0, {})] if name else [],
        detail=complaint(job, error),
    )
    return {"outcomes": [broken], "rows": 0}


def complaint(job: Job, error: Exception) -> str:
    """The reader's complaint, with the names that people know for the files."""
    words = files.complaint(error)
    for file in job["files"]:
        words = words.replace(file["path"], file["name"])
    return words


def _look_at_footers(connection: Connection, job: Job) -> list[Outcome]:
    plan = job["plan"]
    agreed = dict(plan["columns"])
    broken, complaints, columns, types = [], [], [], []
    for file in job["files"]:
        try:
            found = files.columns(connection, file["path"], plan["format"])
            _refuse_long(connection, file, job)
        except ENGINE_FAULTS:
            raise
        except COMPLAINTS as error:
            broken.append(_sample(file["name"], 0, {}))
            complaints.append(complaint(job, error))
            continue
        if wrong := _wrong_columns([name for name, _ in found], agreed):
            columns.append(_sample(file["name"], 0, wrong))
        elif plan["format"] == "parquet" and (wrong := _wrong_types(dict(found), agreed)):
            types.append(_sample(file["name"], 0, wrong))
    total = len(job["files"])
    return [
        outcome(
            plan["readable_check"],
            failed=len(broken),
            total=total,
            samples=broken,
            detail="; ".join(complaints[:SAMPLES_MAX]),
        ),
        outcome(plan["columns_check"], failed=len(columns), total=total, samples=columns),
        outcome(plan["types_check"], failed=len(types), total=total, samples=types),
    ]


def _refuse_long(connection: Connection, file: Job, job: Job) -> None:
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


def _scan(connection: Connection, job: Job) -> list[Outcome]:
    plan = job["plan"]
    ((positions,),) = connection.execute("SELECT getvariable('positions')").fetchall()
    if positions is not None and positions > job["positions_max"]:
        return [_too_many(plan, f"{positions} readings")]
    for statement in plan["sums"]:
        connection.execute(statement)
    (counts,) = connection.execute(plan["scan"]).fetchall()
    # Every check of the scan but that of the grid counts rows; one is always there.
    promised = _count_promised(connection, job, rows=counts[0][1])
    return [
        _counted(connection, scanned, counted)
        for scanned, counted in zip(
            (plan["rows_check"], *plan["scan_checks"]), (promised, *counts), strict=True
        )
    ]


def _too_many(plan: Job, what: str) -> Outcome:
    """Always an error: nothing is accepted that was not looked at."""
    detail = f"{what} are expected: more than can be judged at once"
    return outcome(plan["rows_check"]["check"], failed=1, total=0, detail=detail)


def _count_promised(connection: Connection, job: Job, *, rows: int) -> list[int]:
    """How many rows are missing or too many, of how many; none where none were promised."""
    promised = [(file["name"], file["rows"]) for file in job["files"]]
    if any(count is None for _, count in promised):
        return [0, rows]
    connection.execute("CREATE TEMP TABLE promised (file VARCHAR, rows BIGINT)")
    connection.executemany("INSERT INTO promised VALUES (?, ?)", promised)
    ((counted,),) = connection.execute(job["plan"]["rows_check"]["count"]).fetchall()
    return list(counted)


def _counted(connection: Connection, scanned: Job, counted: list[Any] | None) -> Outcome:
    if counted is None:
        ((counted,),) = connection.execute(scanned["recount"]).fetchall()
    failed, total, *rest = counted
    observed = rest[0] if rest else None
    if failed <= total * scanned["share_max"]:
        return outcome(scanned["check"], failed=0, total=total, observed=observed)
    try:
        found = connection.execute(scanned["samples"]).fetchall() if scanned["samples"] else []
    except duckdb.OutOfMemoryException:
        # The counts are known: what fails is not turned into what cannot be read.
        found = []
    samples = [_sample(*sample) for sample in found]
    return outcome(scanned["check"], failed=failed, total=total, samples=samples, observed=observed)


def outcome(
    check: Job,
    *,
    failed: int,
    total: int,
    samples: Iterable[Job] = (),
    detail: str = "",
    observed: float | None = None,
) -> Outcome:
    """What came out of a check, as JSON types that fit an answer."""
    return {
        "id": check["id"],
        "failed": int(failed),
        "total": int(total),
        "samples": list(samples)[:SAMPLES_MAX],
        "detail": detail[: 5 * TEXT_CHARACTERS_MAX],
        "observed": observed,
    }


def _sample(file: str, row: int, values: Mapping[str, object]) -> Job:
    texts = {
        name: "null" if value is None else str(value)[:TEXT_CHARACTERS_MAX]
        for name, value in values.items()
    }
    return {"file": file, "row": row, "values": texts}
