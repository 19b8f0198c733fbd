"""A command of powerstage with clocks in what it is made of; beyond them it imports nothing more.

Some functions are wrapped: each adds up the CPU of its thread, less that of wrapped functions
within. Of the workers, the CPU of a job counts for its kind. What is left is the rest.
"""

import atexit
import importlib
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from powerstage.process import Worker
from tests.benchmarks.measure import cpu_seconds_of

# Where to write what was spent.
TO: Final = "POWERSTAGE_PROFILE"
# What is wrapped of each command: the name of the work, and where its functions are.
_READ: Final = {"a contract read": ("contract.load:loads",)}
_RECORDS: Final = {
    "records put": ("store.s3:S3Store.put_if_absent",),
    "the feed listed, heads asked": ("store.s3:S3Store.page", "store.s3:S3Store.head"),
}
WORK: Final[Mapping[str, Mapping[str, Sequence[str]]]] = {
    "synth": _READ
    | _RECORDS
    | {
        "readings made and written as Parquet": ("producer.synth:MockSource.write_telemetry",),
        "inventory made": ("producer.synth:MockSource.write_inventory",),
        "data hashed": ("producer.part:data_file",),
        "data put": ("store.s3:S3Store.put",),
    },
    "consume": _READ
    | _RECORDS
    | {
        "commits read": ("consumer.judge:read_commit",),
        "data fetched and hashed": ("consumer.judge:fetch",),
        "ledger": ("consumer.ledger:Ledger.record", "consumer.ledger:Ledger.mark_sent"),
    },
    "report": {"page and charts written": ("display.page:render",)},
}
JOBS: Final = {
    "statements": "worker: views defined",
    "copies": "worker: roll-ups",
    "rows_of": "worker: looked at several periods",
    "query": "worker: the contract's own queries",
}


_spent: Final[Counter[str]] = Counter()
_lock: Final = threading.Lock()


class _Within(threading.local):
    """The CPU of wrapped functions within the one that runs, in this thread."""

    seconds = 0.0


_within: Final = _Within()


def _spend(work: str, seconds: float) -> None:
    with _lock:
        _spent[work] += seconds  # type: ignore[assignment]


def _clocked(call: Callable[..., Any], work: str) -> Callable[..., Any]:
    def clocked(*arguments: Any, **named: Any) -> Any:
        before, outer = time.thread_time(), _within.seconds
        _within.seconds = 0.0
        try:
            return call(*arguments, **named)
        finally:
            taken = time.thread_time() - before
            _spend(work, taken - _within.seconds)
            _within.seconds = outer + taken

    return clocked


def _ask(worker: Worker, job: dict[str, Any]) -> Any:
    pid = worker._process.pid
    kind = next((words for key, words in JOBS.items() if key in job), "worker: files judged")
    before = cpu_seconds_of(pid)
    answer = ask(worker, job)
    _spend(kind, cpu_seconds_of(pid) - before)
    return answer


ask: Final = Worker.ask


def main() -> None:
    """Run a command of powerstage with clocks in it."""
    for work, places in WORK[sys.argv[1]].items():
        for place in places:
            module, _, names = place.partition(":")
            owner: Any = importlib.import_module(f"powerstage.{module}")
            *parents, name = names.split(".")
            for parent in parents:
                owner = getattr(owner, parent)
            setattr(owner, name, _clocked(getattr(owner, name), work))
    Worker.ask = _ask  # type: ignore[assignment,method-assign]
    path = Path(os.environ[TO])
    atexit.register(lambda: path.write_text(json.dumps(_spent), "utf-8"))
    cli = importlib.import_module("powerstage.cli")
    cli.main()


if __name__ == "__main__":
    main()
