"""The process that parses files from outside: one job a line in, one answer a line out.

It has limits on memory, CPU, time and disk, and no credentials, and its DuckDB can open the
files of the job and nothing else. Whatever a file does to it, the parent lives.
"""

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Final

import duckdb

from powerstage.checks import query, scan, views
from powerstage.engine import Connection, connect_without_macros, sql_text
from powerstage.process import DIED_OF_MEMORY, DIED_OF_NARROW_LIMITS

# Of address space, a quarter of which is taken before any file is read: the engine should meet its
# own limit first, which does not depend on where its blocks happen to lie.
MEMORY_BYTES_MAX: Final = 3 * 1024**3
ENGINE_MEMORY: Final = "1GiB"
# Of rows of many files there is no end: their tables stand in a file, and in here what is at work.
ROWS_MEMORY: Final = "128MiB"
ENGINE_DISK: Final = "4GiB"
# A delivery has a file or two, its inventory one.
LINKS_MAX: Final = 64


def main() -> None:
    """Answer jobs until the input ends."""
    answers, engine = _private_stdout(), _Engine(Path.cwd())
    _limit(resource.RLIMIT_AS, MEMORY_BYTES_MAX)
    _limit(resource.RLIMIT_CORE, 0)
    # Whoever started us may be deaf to what ends a hang.
    for name in (signal.SIGXCPU, signal.SIGALRM):
        signal.signal(name, signal.SIG_DFL)
    for line in sys.stdin.buffer:
        job = json.loads(line)
        _allow_cpu_seconds(job["cpu_seconds_max"])
        signal.setitimer(signal.ITIMER_REAL, job["seconds_max"])
        answer = _answer(job, engine)
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if "engine_is_broken" in answer:
            return


class _Engine:
    """A DuckDB for many jobs: to open one takes as long as to scan a small file.

    It can open a few names and nothing else; for each job they become links to its files. Each job
    has a connection of its own, and with it all that it makes: views, tables and variables.

    Args:
        folder: of the worker alone, for the links.
    """

    def __init__(self, folder: Path) -> None:
        self._links = [folder.resolve() / f"file{number}" for number in range(LINKS_MAX)]
        self._connection: Connection | None = None

    def connect(self) -> Connection:
        """A connection for one job."""
        if self._connection is None:
            self._connection = connect_without_macros(threads=2, memory_limit=ENGINE_MEMORY)
            # The names stay, the files change.
            self._connection.execute("SET enable_external_file_cache = false")
            self._connection.execute("SET GLOBAL TimeZone = 'UTC'")
            _lock(self._connection, [str(link) for link in self._links], "UTC")
        return self._connection.cursor()

    def links(self, paths: Iterable[str]) -> dict[str, str] | None:
        """Links to files, by their paths; None where that cannot be, as on another disk."""
        links = dict(zip(dict.fromkeys(paths), map(str, self._links[1:]), strict=False))
        if not links.keys() >= set(paths):
            return None
        try:
            for path, link in links.items():
                Path(link).hardlink_to(Path(path).resolve())
        except OSError:
            return None
        return links

    @property
    def draft(self) -> str:
        """Where it can write: a name that is no link."""
        return str(self._links[0])

    def link(self, job: views.Job) -> views.Job | None:
        """The job by the names of links; None where that cannot be.

        A zone of the job's own cannot be set.
        """
        links = self.links(views.paths(job)) if job["plan"]["timezone"] == "UTC" else None
        if links is None:
            return None
        named = {
            part: [file | {"path": links[file["path"]]} for file in job[part]]
            for part in ("files", "inventory")
        }
        return job | named

    def unlink(self) -> None:
        """Forget the files of the last job."""
        for link in self._links:
            link.unlink(missing_ok=True)


def _answer(job: dict[str, Any], engine: _Engine) -> dict[str, Any]:
    if job.keys() & {"statements", "copies"}:
        return _write(job, engine)
    is_scan = not job.keys() & {"query", "rows_of"}
    linked = engine.link(job) if is_scan else None
    try:
        if linked is not None:
            job = linked
            with engine.connect() as connection:
                return scan.run(connection, job)
        if "rows_of" in job:
            with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
                return _read_rows(job, Path(folder, "rows.duckdb"))
        with connect_without_macros(threads=2, memory_limit=ENGINE_MEMORY) as connection:
            _lock(connection, views.paths(job), job["plan"]["timezone"])
            if "empty" in job:
                return query.bind(connection, job)
            run = scan.run if is_scan else query.run
            return run(connection, job)
    except (MemoryError, duckdb.OutOfMemoryException):
        narrow = resource.getrlimit(resource.RLIMIT_AS)[0] < MEMORY_BYTES_MAX
        os._exit(DIED_OF_NARROW_LIMITS if narrow else DIED_OF_MEMORY)
    except (duckdb.InternalException, duckdb.FatalException) as error:
        return {"engine_is_broken": scan.complaint(job, error)}
    finally:
        if is_scan:
            engine.unlink()


def _read_rows(job: dict[str, Any], database: Path) -> dict[str, Any]:
    try:
        with connect_without_macros(
            threads=2,
            memory_limit=ROWS_MEMORY if job["in_file"] else ENGINE_MEMORY,
            database=str(database) if job["in_file"] else ":memory:",
        ) as connection:
            _lock(connection, [*job["paths"], str(database), f"{database}.wal"], "UTC")
            *statements, rows = job["rows_of"]
            for statement in statements:
                connection.execute(statement)
            return {"rows": connection.execute(rows).fetchall()}
    except duckdb.OutOfMemoryException:
        raise
    except (duckdb.InternalException, duckdb.FatalException) as error:
        return {"engine_is_broken": str(error)}
    except duckdb.Error as error:
        return {"error": str(error)}


def _write(job: dict[str, Any], engine: _Engine) -> dict[str, Any]:
    try:
        if "copies" in job:
            _write_parquet(job, engine)
        else:
            _write_database(job["database"], job["statements"], job["paths"], job["timezone"])
    except (duckdb.Error, OSError) as error:
        return {"error": str(error)}
    return {}


def _write_database(
    database: str, statements: Iterable[str], paths: Iterable[str], timezone: str
) -> None:
    with connect_without_macros(
        threads=2, memory_limit=ENGINE_MEMORY, database=database
    ) as connection:
        _lock(connection, paths, timezone)
        for statement in statements:
            connection.execute(statement)


def _write_parquet(job: dict[str, Any], engine: _Engine) -> None:
    """Write where the engine may, then move it to its place."""
    links = engine.links(job["paths"])
    try:
        if links is None:
            statements = [views.copy(query, place) for query, place in job["copies"]]
            places = [place for _, place in job["copies"]]
            _write_database(":memory:", statements, [*job["paths"], *places], "UTC")
            return
        with engine.connect() as connection:
            for query, place in job["copies"]:
                named = query
                for path, link in links.items():
                    named = named.replace(sql_text(path), sql_text(link))
                connection.execute(views.copy(named, engine.draft))
                shutil.move(engine.draft, place)
    finally:
        engine.unlink()


def _lock(connection: Connection, paths: Iterable[str], timezone: str) -> None:
    allowed = ", ".join(sql_text(path) for path in paths)
    connection.execute(f"SET max_temp_directory_size = {sql_text(ENGINE_DISK)}")
    connection.execute(f"SET TimeZone = {sql_text(timezone)}")
    connection.execute(f"SET allowed_paths = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _private_stdout() -> IO[str]:
    """Keep the answers apart from whatever a library may print."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _limit(kind: int, maximum: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        maximum = min(maximum, hard)
    resource.setrlimit(kind, (maximum, hard))


def _allow_cpu_seconds(seconds: int) -> None:
    """So much CPU for the next job, on top of what earlier ones used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + seconds)


if __name__ == "__main__":
    main()
