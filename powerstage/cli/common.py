"""What commands share: options, the clock, the guard on writing, how a result leaves."""

import json
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import click

from powerstage.contract import Contract, load, parse_period
from powerstage.display import Progress, Terminal
from powerstage.errors import RecordError, UsageError
from powerstage.store import Store, VersionedStore, is_local, open_store

PERIOD_FORMS: Final = "a period reads like 2026-11-01T0500, T05:00 or T05:00Z, in UTC"
_MOMENT: Final = re.compile(r"(T[0-9]{2}):?([0-9]{2})Z?$")


if TYPE_CHECKING:
    from powerstage.workers import Workers


class _Period(click.ParamType[datetime]):
    """A period, as records name it, or as other tools write a moment in UTC."""

    name = "period"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The start of the period."""
        try:
            return parse_period(_MOMENT.sub(r"\1\2", str(value)))
        except RecordError as error:
            self.fail(f"{error.message}: {PERIOD_FORMS}", param, ctx)


PERIOD: Final = _Period()
_F = TypeVar("_F", bound=Callable[..., Any])


def contract_option(command: _F) -> _F:
    """``--contract FILE``."""
    return click.option(
        "--contract",
        "contract_path",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The contract that was agreed (an ODCS file).",
    )(command)


def json_option(command: _F) -> _F:
    """``--json``."""
    return click.option(
        "--json", "as_json", is_flag=True, help="One JSON document on standard output."
    )(command)


def yes_option(command: _F) -> _F:
    """``--yes-write-to``."""
    return click.option(
        "--yes-write-to",
        "yes_write_to",
        metavar="s3://BUCKET",
        help="Allow writing to this bucket, where S3 is not on this machine.",
    )(command)


def workers_options(command: _F) -> _F:
    """``--workers`` and ``--scheduler``."""
    scheduler = click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Work on a Dask cluster: tcp://host:8786. Needs powerstage[dask].",
    )
    workers = click.option(
        "--workers",
        "worker_count",
        type=click.IntRange(1, 256),
        metavar="N",
        help="Work in so many processes; by itself in threads of one, and on all processors.",
    )
    return workers(scheduler(command))


def refuse_both(worker_count: int | None, scheduler: str | None) -> None:
    """Raise ``UsageError`` where the work was given to two."""
    if worker_count is not None and scheduler is not None:
        raise UsageError(
            "--workers and --scheduler both say who does the work", fix="leave one of them out"
        )


@contextmanager
def on_cluster(scheduler: str | None) -> Iterator["Workers | None"]:
    """The cluster that was named, if one was."""
    if scheduler is None:
        yield None
    else:
        from powerstage.workers import cluster

        with cluster(scheduler) as workers:
            yield workers


def fault_names(text: str) -> tuple[str, ...]:
    """Names of faults, separated by commas; ``none`` is none of them."""
    return tuple(name.strip() for name in text.split(",") if name.strip() not in {"", "none"})


def load_contract(path: Path | None) -> Contract | None:
    """The contract in a file, or None where none was named."""
    return None if path is None else load(path)


def now() -> datetime:
    """The one place where the time comes from."""
    return datetime.now(UTC)  # noqa: TID251 - the clock that is handed to everything else


def open_to_publish(url: str, yes_write_to: str | None) -> Store:
    """A store for a feed: an empty place, or one that holds a feed; not a folder of others."""
    store = open_to_write(url, yes_write_to)
    folder = Path(url)
    if not url.startswith("s3://") and folder.is_dir():
        names = {path.name for path in folder.iterdir()}
        if names and not names & {"contract", "commits", "data"}:
            raise UsageError(
                f"{url} holds something that is no feed: {', '.join(sorted(names)[:3])}",
                fix="name a new folder, or that of a feed",
            )
    return store


def open_to_write(url: str, yes_write_to: str | None) -> VersionedStore:
    """A store that may be written to: on this machine, or in a bucket that was named for it."""
    store = open_store(url)
    require_allowed(store, yes_write_to)
    return store


def require_allowed(store: Store, yes_write_to: str | None) -> None:
    """Raise ``UsageError`` where writing was not allowed."""
    bucket = "/".join(store.url.split("/")[:3])
    if not is_local(store) and (yes_write_to or "").rstrip("/") != bucket:
        raise UsageError(
            f"{store.url} is not on this machine",
            cause=f"--yes-write-to names {yes_write_to}"
            if yes_write_to
            else "writing to a real bucket must be said twice",
            fix=f"say --yes-write-to {bucket}",
        )


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C interrupts at once."""
    stopped = threading.Event()

    def stop(*_: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before[signal.SIGINT])

    names = (signal.SIGINT, signal.SIGTERM)
    before = {name: signal.signal(name, stop) for name in names}
    try:
        yield stopped
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def program() -> str:
    """How the user called us, to be called so again."""
    called = sys.argv[0]
    # What is found on PATH is called by its name alone.
    if Path(called).name != "powerstage" or shutil.which("powerstage") == called:
        return "powerstage"
    here = Path(called).absolute()
    return str(here.relative_to(Path.cwd())) if here.is_relative_to(Path.cwd()) else called


def progress(stage: str, total: int = 0) -> Progress:
    """How far a command is, on standard error."""
    return Progress(stage, total, stream=sys.stderr, clock=time.monotonic)


def leave(code: int, as_json: bool, document: dict[str, Any]) -> NoReturn:  # noqa: FBT001
    """End a command: with its document where that was asked for, and its exit code."""
    if as_json:
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=True) + "\n")
    sys.stdout.flush()
    sys.exit(code)


def results(as_json: bool) -> Terminal:  # noqa: FBT001
    """Where lines for people go: standard output, unless a document goes there."""
    return Terminal(sys.stderr if as_json else sys.stdout)
