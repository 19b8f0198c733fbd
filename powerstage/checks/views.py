"""The files of a job as SQL: the views that a plan runs over. Text alone, without an engine."""

from pathlib import Path
from typing import Any, TypeAlias

from powerstage.checks import files
from powerstage.checks.rules import FILE, FILE_END, FILE_START, HALF
from powerstage.engine import sql_text

Job: TypeAlias = dict[str, Any]


def views(job: Job) -> list[str]:
    """Statements that show the files."""
    shown = [f"CREATE TEMP VIEW delivered AS {delivered(job)}"]
    if job["inventory"]:
        shown.append(f"CREATE TEMP VIEW inventory AS {inventory(job)}")
    return shown


def setup(job: Job) -> list[str]:
    """Statements that show the files, and make what the scan needs."""
    return [*views(job), *job["plan"]["window"], *job["plan"]["prepare"]]


def paths(job: Job) -> list[str]:
    """Every file that the job may open."""
    return [file["path"] for file in (*job["files"], *job["inventory"])]


def copy(query: str, path: Path | str) -> str:
    """A statement that writes a query's rows as Parquet."""
    # The worker may write to this path and to no other.
    return f"COPY ({query}) TO {sql_text(str(path))} (FORMAT parquet, USE_TMP_FILE false)"


def delivered(job: Job) -> str:
    """SQL for the rows of the job's files."""
    plan, count = job["plan"], len(job["files"])
    halves = [2 * index // count for index in range(count)]
    if plan["format"] == "parquet":
        # One reader for all: over several in a UNION, what looks at neighbours takes memory.
        paths = [file["path"] for file in job["files"]]
        return _rows(job["files"], halves, plan, files.parquet_reader(paths))
    return " UNION ALL ".join(
        _rows([file], [half], plan, files.reader(file["path"], plan["format"]))
        for file, half in zip(job["files"], halves, strict=True)
    )


def _rows(of: list[Job], halves: list[int], plan: Job, reader: str) -> str:
    """SQL for the rows of some files, each with the place that it comes from."""
    windows = [file["window_us"] or ("NULL", "NULL") for file in of]
    names = [sql_text(file["name"]) for file in of]
    places: dict[str, list[Any]] = {
        FILE: names,
        FILE_START: [window[0] for window in windows],
        FILE_END: [window[1] for window in windows],
        HALF: halves,
    }
    types = {FILE: "VARCHAR", FILE_START: "BIGINT", FILE_END: "BIGINT", HALF: "BIGINT"}
    columns = [
        f"({_by_file(of, values)})::{types[name]} AS {name}" for name, values in places.items()
    ]
    return f"SELECT {', '.join(columns)}, {plan['delivered']} FROM {reader}"


def _by_file(of: list[Job], values: list[Any]) -> str:
    """SQL for what is said of the file that a row stands in."""
    if len(set(values)) == 1:
        return str(values[0])
    cases = (
        f"WHEN {sql_text(file['path'])} THEN {value}"
        for file, value in zip(of, values, strict=True)
    )
    return f"CASE {files.PATH} {' '.join(cases)} END"


def inventory(job: Job) -> str:
    """SQL for the rows of the snapshot that telemetry refers to."""
    return " UNION ALL BY NAME ".join(
        f"SELECT * FROM {files.reader(file['path'], file['format'])}" for file in job["inventory"]
    )
