"""Processes that do parts of the work: on this machine, or on a Dask cluster of the user's.

Both are ``concurrent.futures`` executors behind the same front. A task is a function of ours with
its arguments; no credentials travel: each process finds its own, as boto3 does.
"""

import multiprocessing
import multiprocessing.connection
import os
import pickle
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

import powerstage
from powerstage.errors import EnvironmentFailedError, PowerstageError, UsageError, WorkerError

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS_MAX: Final = 10
# So long a cluster may be without a worker: one that died is often started anew.
LONELY_SECONDS_MAX: Final = 30
_LOOK_EVERY_SECONDS: Final = 1
_ADDRESS: Final = re.compile(r"(tcp|tls|ws|wss)://[^/\s]+:[0-9]+")
_AGAIN: Final = "run it again: what was done stays, nothing else was committed"
P = ParamSpec("P")
T = TypeVar("T")


def versions() -> dict[str, str]:
    """What must be alike where a part of the work is done, lest it be another work."""
    return {"powerstage": powerstage.__version__, "DuckDB": version("duckdb")}


class Workers(Executor):
    """An executor whose tasks are done by others, and whose errors are ours.

    What a task raises is raised here; what happened to whoever was at it is a ``WorkerError``.

    Args:
        executor: the one that does it.
        count: how many tasks it does at once.
    """

    def __init__(self, executor: Executor, count: int) -> None:
        self.count = count
        self._executor = executor
        self._turn = threading.Lock()
        self._waiting: set[Future[Any]] = set()

    def submit(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a function called; all must be such that can be pickled."""
        task = pickle.dumps((call, args, kwargs))
        done: Future[T] = Future()
        try:
            found = self._executor.submit(run, versions(), task)
        except BrokenProcessPool as error:
            raise _gone(str(error)) from error
        with self._turn:
            self._waiting.add(done)
        done.add_done_callback(partial(_cancel_too, found))
        found.add_done_callback(partial(self._settle, done))
        return done

    def give_up(self, error: WorkerError) -> None:
        """Let nobody wait any more."""
        for done in list(self._waiting):
            self._settle(done, _failed(error))

    def _settle(self, done: Future[T], found: Future[T]) -> None:
        with self._turn:
            if done not in self._waiting:
                return
            self._waiting.discard(done)
        if not done.set_running_or_notify_cancel():
            return
        error = CancelledError() if found.cancelled() else found.exception()
        if error is None:
            done.set_result(found.result())
        else:
            done.set_exception(error if isinstance(error, PowerstageError) else _translated(error))


def _cancel_too(found: Future[Any], done: Future[Any]) -> None:
    """Let nobody do what nobody waits for."""
    if done.cancelled():
        found.cancel()


def _failed(error: WorkerError) -> Future[Any]:
    failed: Future[Any] = Future()
    failed.set_exception(error)
    return failed


def run(wanted: dict[str, str], task: bytes) -> Any:  # noqa: ANN401 - whatever the task returns
    """Do a task; called where it is done.

    Raises:
        EnvironmentFailedError: versions differ.
    """
    here = f"the worker on {socket.gethostname()} (process {os.getpid()})"
    if wanted != versions():
        raise EnvironmentFailedError(
            f"{here} runs {_listed(versions())}, this is {_listed(wanted)}",
            fix="install the same versions there",
        )
    import duckdb  # noqa: PLC0415 - where parts are done it is there anyway

    call, args, kwargs = pickle.loads(task)  # noqa: S301 - it comes from whoever started us
    try:
        return call(*args, **kwargs)
    except (OSError, MemoryError, duckdb.Error) as error:
        raise WorkerError(
            f"{here} failed",
            cause=f"{type(error).__name__}: {error}",
            fix=f"see to its disk, memory and TMPDIR; then {_AGAIN}",
        ) from error
    except PowerstageError as error:
        error.message = f"{here}: {error.message}"
        error.fix = f"there, where that worker was started: {error.fix}"
        raise


@contextmanager
def local_processes(count: int) -> Iterator[Workers]:
    """Processes of this machine, until the block is left."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_follow_parent)
    try:
        yield Workers(pool, count)
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def cluster(address: str) -> Iterator[Workers]:
    """The workers of a Dask cluster, until the block is left; it stays as it is.

    Args:
        address: of its scheduler: ``tcp://host:8786``.

    Raises:
        EnvironmentFailedError: there is none, or it has no workers; or Dask is not installed.
    """
    client = _connected(address)
    ended = threading.Event()
    try:
        workers = Workers(_OnDask(client), sum(client.nthreads().values()))
        watch = threading.Thread(target=_watch, args=(client, workers, ended, address))
        watch.start()
        try:
            yield workers
        finally:
            ended.set()
            watch.join()
    finally:
        client.close()


class _OnDask(Executor):
    """Dask's own executor leaves a future open for ever where the connection breaks meanwhile."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def submit(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a function called by a worker."""
        done: Future[T] = Future()
        theirs = self._client.submit(call, *args, pure=False, **kwargs)
        done.add_done_callback(partial(_cancel_too, theirs))
        theirs.add_done_callback(partial(_take, done))
        return done


def _take(done: Future[T], theirs: Any) -> None:  # noqa: ANN401 - Dask is not typed
    """Settle a future with what became of one of Dask's, whatever that is."""
    if not done.set_running_or_notify_cancel():
        return
    try:
        done.set_result(theirs.result())
    except BaseException as error:  # noqa: BLE001 - whoever waits is told
        done.set_exception(error)


def _connected(address: str) -> "Client":
    if not _ADDRESS.fullmatch(address):
        raise UsageError(
            f"{address!r} is no address of a scheduler",
            fix="--scheduler reads like tcp://host:8786",
        )
    try:
        # They take a second to import, and few have them.
        import dask  # noqa: PLC0415

        # What it would log of lost workers comes back as errors.
        quiet = dict.fromkeys(("distributed", "distributed.client", "tornado"), "critical")
        with dask.config.set({"logging": quiet}):
            from distributed import Client  # noqa: PLC0415
    except ImportError as error:
        raise EnvironmentFailedError(
            "--scheduler needs Dask, which is not installed",
            fix="pip install 'powerstage[dask]'",
        ) from error
    try:
        client = Client(address, timeout=CONNECT_SECONDS_MAX, set_as_default=False)
    except (TypeError, ValueError, ImportError) as error:
        raise UsageError(
            f"cannot connect to {address}",
            cause=str(error),
            fix="configure Dask for it (distributed.comm.tls), or name tcp://host:8786",
        ) from error
    except OSError as error:
        raise EnvironmentFailedError(
            f"no scheduler answers at {address}",
            cause=str(error),
            fix="start one (dask scheduler), or correct --scheduler",
        ) from error
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS_MAX)
    except TimeoutError as error:
        client.close()
        raise EnvironmentFailedError(
            f"the scheduler at {address} has no workers",
            fix=f"start some: dask worker {address}",
        ) from error
    return client


def _watch(client: "Client", workers: Workers, ended: threading.Event, address: str) -> None:
    """A cluster without workers lets everybody wait for ever: nobody should."""
    lonely_seconds = 0
    while not ended.wait(_LOOK_EVERY_SECONDS):
        alone = client.status != "running" or not client.scheduler_info()["workers"]
        lonely_seconds = lonely_seconds + _LOOK_EVERY_SECONDS if alone else 0
        if lonely_seconds >= LONELY_SECONDS_MAX:
            workers.give_up(
                WorkerError(
                    f"no worker is left at {address}",
                    cause=f"for {LONELY_SECONDS_MAX} s",
                    fix=f"start some (dask worker {address}), then {_AGAIN}",
                )
            )


def _follow_parent() -> None:
    """End when whoever started us has ended; Ctrl-C is theirs to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def _gone(cause: str) -> WorkerError:
    return WorkerError("a worker is gone", cause=cause, fix=_AGAIN)


def _translated(error: BaseException) -> WorkerError:
    if isinstance(error, BrokenProcessPool):
        return _gone(str(error))
    if isinstance(error, CancelledError | OSError):
        return WorkerError(
            "a part of the work was dropped",
            cause="the scheduler or the way to it is gone, or somebody cancelled it",
            fix=f"see that scheduler and workers are up (theirs end with it), then {_AGAIN}",
        )
    if type(error).__name__ == "KilledWorker":
        return WorkerError("workers died of a part of the work", cause=str(error), fix=_AGAIN)
    return WorkerError(
        "a worker failed",
        cause=f"{type(error).__name__}: {error}",
        fix=f"there must be {_listed(versions())}, as here; then {_AGAIN}",
    )


def _listed(found: dict[str, str]) -> str:
    return " and ".join(f"{name} {number}" for name, number in found.items())
