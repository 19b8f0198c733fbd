"""A Dask cluster as users have one: a scheduler and workers, real processes that talk over TCP."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from signal import SIGKILL
from typing import Self

from tests.servers import running, wait_for

_DASK = (sys.executable, "-m", "dask")


class Cluster:
    """A scheduler, and workers as a test wants them.

    Args:
        folder: for what workers put on disk.
        environment: that of the workers: their S3, for instance.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder, self._environment = folder, os.environ | environment
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        command = [*_DASK, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        process, log = self._stack.enter_context(running(command, os.environ, end=SIGKILL))
        said = wait_for(process, log, r"Scheduler at: +tcp://[\d.]+:\d+")
        self.address = said.split()[-1]
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def workers(self, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
        """So many processes, each of which does one thing at a time, until the block is left."""
        command = [*_DASK, "worker", self.address, "--nthreads", "1", "--no-nanny"]
        command += ["--no-dashboard", "--local-directory", str(self._folder)]
        with ExitStack() as stack:
            started = [
                stack.enter_context(running(command, self._environment, end=SIGKILL))
                for _ in range(count)
            ]
            for process, log in started:
                wait_for(process, log, r"Registered to: +" + re.escape(self.address))
            yield [process for process, _ in started]
