"""What a command takes: seconds, CPU, and the memory of it and all that it starts (Linux)."""

import os
import select
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.report import Spread

# The columns that ``taken`` fills.
TAKEN: Final = ("wall s", "CPU s", "peak MB")
# To look takes time from what is looked at, where all processors are busy.
_LOOK_EVERY_MS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of a command.

    ``peak_bytes`` is the most that any one of its processes held, ``sum_bytes`` the most that
    all of them held together; pages that two share count twice there.
    """

    code: int
    output: str
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    sum_bytes: int


def measure(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Measured:
    """Run a command to its end, and look at its processes while it runs."""
    peaks: dict[int, int] = {}
    sum_bytes = 0
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=os.environ | (environment or {}),
        )
        ended = select.poll()
        ended.register(os.pidfd_open(process.pid), select.POLLIN)
        while not ended.poll(_LOOK_EVERY_MS):
            held = {pid: _held_bytes(pid) for pid in _tree(process.pid)}
            # What has ended holds nothing any more.
            peaks |= {pid: max(peak, peaks.get(pid, 0)) for pid, (_, peak) in held.items()}
            sum_bytes = max(sum_bytes, sum(now for now, _ in held.values()))
        wall_seconds = time.perf_counter() - started
        # The CPU of its children is in it, once it has waited for them.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        return Measured(
            code=process.returncode,
            output=output.read().decode(errors="replace"),
            wall_seconds=wall_seconds,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            peak_bytes=max(peaks.values(), default=0),
            sum_bytes=sum_bytes,
        )


def passing(
    command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None
) -> Measured:
    """As ``measure``, of a command that has to succeed.

    Raises:
        RuntimeError: it did not; with what it said.
    """
    measured = measure(command, environment=environment)
    if measured.code:
        raise RuntimeError(f"{command} ended with {measured.code}:\n{measured.output[-2000:]}")
    return measured


def taken(runs: Sequence[Measured]) -> tuple[Spread, Spread, Spread]:
    """Wall seconds, CPU seconds, and the MB that all processes held together at most."""
    return (
        Spread.of(run.wall_seconds for run in runs),
        Spread.of(run.cpu_seconds for run in runs),
        Spread.of(run.sum_bytes / 1e6 for run in runs),
    )


def cpu_seconds_below() -> float:
    """The CPU time of all processes below this one: a server's, while nothing else runs."""
    return sum(cpu_seconds_of(pid) for pid in _tree(os.getpid())[1:])


def cpu_seconds_of(pid: int) -> float:
    """The CPU time of a process and of its children that have ended; none if it has, too."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _tree(pid: int) -> list[int]:
    """A process and all below it; those that end meanwhile are left out."""
    found = [pid]
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += _tree(int(child))
    except OSError:
        return found
    return found


def _held_bytes(pid: int) -> tuple[int, int]:
    """Resident memory, and the most there was of it since the process's program began."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0, 0
    kibibytes = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
    now, peak = (int(kibibytes[key][0]) if key in kibibytes else 0 for key in ("VmRSS", "VmHWM"))
    return now * 1024, peak * 1024
