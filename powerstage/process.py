"""The worker as its parent sees it: a process that is asked, may die of it, and says of what."""

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import powerstage
from powerstage.errors import WorkerError

ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
# A worker that is past its own limits and still here was stopped by somebody.
SILENCE_SECONDS_MAX: Final = 60
# Exit codes of the worker; the second: under a limit of the machine that is narrower than ours.
DIED_OF_MEMORY: Final = 70
DIED_OF_NARROW_LIMITS: Final = 71
BREAKS_READER: Final = "it breaks the reader"
# Signals that come from people, from the system or from us, never from a file.
_FROM_OUTSIDE: Final = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
# Those by which the worker's own limits end it.
_OF_LIMITS: Final = {
    signal.SIGXCPU: "it takes more CPU time than anything honest",
    signal.SIGALRM: "it takes more time than anything honest",
}


class Worker:
    """The child process."""

    def __init__(self) -> None:
        package = Path(powerstage.__file__).parents[1]
        self._home = tempfile.TemporaryDirectory(prefix="powerstage-worker-")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "powerstage.checks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._home.name,
            # Nothing of ours but where the package is: no credentials, no proxies.
            env={"HOME": self._home.name, "PYTHONPATH": str(package), "LANG": "C.UTF-8"},
        )

    def ask(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a job; None if the worker died of it, or is not to be trusted any more.

        Raises:
            WorkerError: it was killed or stopped from outside.
        """
        stdin = self._process.stdin
        if stdin is None:
            raise WorkerError("the worker has no input")
        try:
            stdin.write(json.dumps(job).encode() + b"\n")
            stdin.flush()
            line = self._read_line(job["seconds_max"] + SILENCE_SECONDS_MAX)
        except BrokenPipeError:
            line = b""
        if line:
            return _parsed(line)
        self._process.wait()
        self._refuse_outside_death()
        return None

    @property
    def is_over_its_limits(self) -> bool:
        """Whether it died of CPU or time: a fresh worker would, too."""
        code = self._process.returncode
        return code is not None and code < 0 and signal.Signals(-code) in _OF_LIMITS

    def cause_of_death(self) -> str:
        """In words, after ``ask`` gave None.

        Raises:
            WorkerError: it is the machine that is to blame, or the worker, and no file.
        """
        code = self._process.poll()
        if code is None:
            return BREAKS_READER
        if code >= 0 and code != DIED_OF_MEMORY:
            raise WorkerError(
                f"the worker that reads delivered files ended with code {code}",
                cause="this machine gives it less memory than it needs"
                if code == DIED_OF_NARROW_LIMITS
                else "this is a defect of powerstage, or of something it rests on",
                fix="raise the limits (ulimit -v, ulimit -t), then run it again: nothing is lost"
                if code == DIED_OF_NARROW_LIMITS
                else "run it again; if it ends so again, report it",
            )
        if code >= 0:
            return "it takes more memory than anything honest"
        died_of = signal.Signals(-code)
        return _OF_LIMITS.get(died_of, f"it kills the reader (signal {died_of.name})")

    def kill(self) -> None:
        """End the process; who waits for its answer is told."""
        self._process.kill()

    def close(self) -> None:
        """End the process, and forget it."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                # What it was not told before it died, it need not be told.
                with suppress(BrokenPipeError):
                    pipe.close()
        self._process.kill()
        self._process.wait()
        self._home.cleanup()

    def _read_line(self, seconds_max: int) -> bytes:
        """A whole line; none if the output ended before, and what there is if it is too long."""
        stdout = self._process.stdout
        if stdout is None:
            raise WorkerError("the worker has no output")
        line = bytearray()
        while len(line) <= ANSWER_BYTES_MAX:
            ready, _, _ = select.select([stdout], [], [], seconds_max)
            if not ready:
                raise WorkerError(
                    f"the worker gave no answer in {seconds_max} s, though it has limits",
                    cause="it was stopped, or the machine is too busy",
                    fix="run it again",
                )
            chunk = os.read(stdout.fileno(), 65_536)
            if not chunk:
                return b""
            line += chunk
            if line.endswith(b"\n"):
                break
        return bytes(line)

    def _refuse_outside_death(self) -> None:
        code = self._process.returncode
        if code < 0 and signal.Signals(-code) in _FROM_OUTSIDE:
            name = signal.Signals(-code).name
            raise WorkerError(
                f"the worker that reads delivered files was killed from outside ({name})",
                cause="a person, or the system for want of memory",
                fix="run it again: nothing was judged and nothing is lost",
            )


def _parsed(line: bytes) -> dict[str, Any] | None:
    """What a file has got hold of may say anything."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


_started: Final[list[Worker]] = []


def start_early(count: int = 1) -> None:
    """Start workers for whoever needs one first, so that so many are there.

    It takes as long as the imports of a command that will need it; side by side, neither waits.
    """
    while len(_started) < count:
        _started.append(Worker())


def started_worker() -> Worker:
    """The worker that was started early, or a new one."""
    return _started.pop(0) if _started else Worker()


@atexit.register
def _close_unused() -> None:
    while _started:
        _started.pop().close()
