"""The worker: what it cannot do, and what its death means."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from powerstage.checks import Checker, InputFile, compile_plan
from powerstage.checks.plan import Plan
from powerstage.contract import Contract
from powerstage.errors import WorkerError
from powerstage.producer import MockSource


@pytest.fixture
def file(source: MockSource, tmp_path: Path) -> InputFile:
    """A sound inventory."""
    source.write_inventory(source.start, tmp_path / "inventory.parquet")
    return InputFile(path=tmp_path / "inventory.parquet", name="inventory.parquet")


@pytest.fixture
def plan(contract: Contract) -> Plan:
    """The checks of an inventory."""
    return compile_plan(contract, "inventory")


def worker_pid(checker: Checker) -> int:
    """The process behind a checker."""
    worker = checker._worker
    assert worker is not None
    return worker._process.pid


def test_one_worker_serves_many_files(plan: Plan, file: InputFile) -> None:
    """Starting a process for each file would be most of the work."""
    with Checker() as checker:
        assert checker.check(plan, [file]).ok
        first = worker_pid(checker)
        assert checker.check(plan, [file]).ok
        assert worker_pid(checker) == first


def test_it_ends_with_its_checker(plan: Plan, file: InputFile) -> None:
    """No process is left behind."""
    with Checker() as checker:
        checker.check(plan, [file])
        pid = worker_pid(checker)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_killed_from_outside_is_no_verdict(plan: Plan, file: InputFile) -> None:
    """SIGKILL comes from people or the system: an error, and the next check works."""
    with Checker() as checker:
        checker.check(plan, [file])
        os.kill(worker_pid(checker), signal.SIGKILL)
        with pytest.raises(WorkerError, match="killed from outside"):
            checker.check(plan, [file])
        assert checker.check(plan, [file]).ok


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGXCPU"])
def test_a_file_that_kills_two_workers_is_unreadable(
    plan: Plan, file: InputFile, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A worker that dies by itself is replaced once; then the file is to blame."""
    dying = f"import os, signal, sys; sys.stdin.readline(); os.kill(os.getpid(), signal.{name})"
    started = []
    popen = subprocess.Popen

    def start(command: list[str], **options: object) -> object:
        started.append(command)
        return popen([sys.executable, "-c", dying], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", start)
    with Checker() as checker:
        report = checker.check(plan, [file])
    assert [finding.check.id for finding in report.findings] == ["file.readable"]
    assert len(started) == 2


def test_it_has_no_credentials(
    monkeypatch: pytest.MonkeyPatch, plan: Plan, file: InputFile
) -> None:
    """What the parent may do, the process that reads foreign files may not."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with Checker() as checker:
        checker.check(plan, [file])
        environment = Path(f"/proc/{worker_pid(checker)}/environ").read_bytes()
    assert b"AWS_" not in environment
    assert b"secret" not in environment


def test_its_engine_opens_no_other_file(plan: Plan, file: InputFile, tmp_path: Path) -> None:
    """A plan that reads, writes or unlocks more than its own files gets nowhere."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret", encoding="utf-8")
    stolen = tmp_path / "stolen.csv"
    for statement in (
        f"CREATE TABLE t AS SELECT * FROM read_text('{secret}')",
        f"COPY (SELECT 1) TO '{stolen}'",
        f"ATTACH '{tmp_path}/x.duckdb'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
    ):
        hostile = Plan(
            **{name: getattr(plan, name) for name in plan.__dataclass_fields__}
            | {"prepare": (statement,)}
        )
        with Checker() as checker:
            report = checker.check(hostile, [file])
        assert [finding.check.id for finding in report.findings] == ["file.readable"], statement
    assert not stolen.exists()


def test_its_memory_is_limited(plan: Plan, file: InputFile) -> None:
    """What wants more than 2 GiB is refused, and takes nobody down with it."""
    greedy = Plan(
        **{name: getattr(plan, name) for name in plan.__dataclass_fields__}
        | {
            "prepare": (
                "CREATE TABLE t AS SELECT repeat('x', 1000000) || i AS x FROM range(5000) r(i)",
            )
        }
    )
    with Checker() as checker:
        report = checker.check(greedy, [file])
        assert [finding.check.id for finding in report.findings] == ["file.readable"]
        assert checker.check(plan, [file]).ok
