"""The worker: what it cannot do, and what its death means."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from powerstage import process
from powerstage.checks import Checker, InputFile, Report, compile_plan, run
from powerstage.checks.plan import Plan
from powerstage.contract import Contract
from powerstage.errors import WorkerError
from powerstage.process import started_worker
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


GREEDY = "CREATE TABLE t AS SELECT repeat('x', 1000000) || i AS x FROM range(5000) r(i)"


def prepared(plan: Plan, statement: str) -> Plan:
    """The same plan, with a statement that is none of its own."""
    return replace(plan, prepare=(statement,))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Makes workers of another kind than ours, and counts them."""

    monkeypatch: pytest.MonkeyPatch
    started: list[list[str]] = field(default_factory=list)

    def makes(self, code: str) -> None:
        """Workers that read a job and run this code."""
        self.starts(sys.executable, "-c", f"import os, signal, sys; sys.stdin.readline(); {code}")

    def starts(self, *command: str) -> None:
        """Workers of this command, to which that of ours is given."""
        popen = subprocess.Popen

        def start(ours: list[str], **options: object) -> object:
            self.started.append(ours)
            return popen([*command, *ours], **options)  # type: ignore[call-overload]

        self.monkeypatch.setattr(subprocess, "Popen", start)


@pytest.fixture
def workshop(monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """Where other workers are made; none of ours has been started early."""
    started_worker().close()
    return Workshop(monkeypatch=monkeypatch)


def complaint(report: Report) -> str:
    """What is said about a file that cannot be read, where nothing else is."""
    (finding,) = report.findings
    assert finding.check.id == "file.readable"
    return finding.detail


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT"])
def test_a_file_that_kills_two_workers_is_unreadable(
    plan: Plan, file: InputFile, workshop: Workshop, name: str
) -> None:
    """A worker that dies by itself is replaced once; then the file is to blame."""
    workshop.makes(f"os.kill(os.getpid(), signal.{name})")
    with Checker() as checker:
        assert name in complaint(checker.check(plan, [file]))
    assert len(workshop.started) == 2


@pytest.mark.parametrize(
    "answer",
    [
        "not JSON",
        "[]",
        "{}",
        '{"outcomes": [], "rows": 0}',
        '{"outcomes": [{"id": "file.readable", "failed": 0, "total": 1}], "rows": 6}',
        '{"outcomes": [{"id": "file.readable", "failed": -1, "total": 1}], "rows": 6}',
        '{"outcomes": [{"id": "file.readable", "failed": 1, "total": 1}], "rows": "6"}',
        '{"outcomes": [{"id": "file.readable", "failed": 1e400, "total": 1}], "rows": 6}',
        '{"outcomes": [{"id": "file.readable", "failed": 1, "total": 1, "samples": 5}], "rows": 6}',
        "[" * 100_000,
        '{"engine_is_broken": "an assertion"}',
    ],
    ids=range(11),
)
def test_an_answer_that_is_none_is_not_believed(
    plan: Plan, file: InputFile, workshop: Workshop, answer: str
) -> None:
    """What a file has got hold of may say anything, but not that all is well."""
    workshop.makes(f"print({answer!r}, flush=True); sys.stdin.readline()")
    with Checker() as checker:
        assert complaint(checker.check(plan, [file]))
    assert len(workshop.started) == 2


def test_an_answer_without_end_is_none(
    plan: Plan, file: InputFile, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parent keeps no more of it than an answer may have."""
    monkeypatch.setattr(process, "ANSWER_BYTES_MAX", 100_000)
    workshop.makes("[sys.stdout.write('x' * 1000) for _ in iter(int, 1)]")
    with Checker() as checker:
        assert complaint(checker.check(plan, [file])) == "it breaks the reader"


def test_a_worker_that_ends_idle_is_no_verdict(
    plan: Plan, file: InputFile, workshop: Workshop
) -> None:
    """It did not die of the file: a defect of ours, and an error that says so."""
    workshop.makes("")
    with Checker() as checker, pytest.raises(WorkerError, match="ended with code 0") as caught:
        checker.check(plan, [file])
    assert caught.value.cause.startswith("this is a defect of powerstage")


def test_narrow_limits_of_the_machine_are_no_verdict(
    plan: Plan, file: InputFile, workshop: Workshop
) -> None:
    """Where the machine gives less than our own limit, want of memory says nothing of a file."""
    workshop.starts("sh", "-c", 'ulimit -v 1000000; exec "$@"', "sh")
    with Checker() as checker, pytest.raises(WorkerError, match="ended with code 71") as caught:
        checker.check(prepared(plan, GREEDY), [file])
    assert caught.value.cause == "this machine gives it less memory than it needs"
    assert "ulimit -v" in caught.value.fix


@pytest.mark.parametrize(
    ("limit", "words"),
    [("CPU_SECONDS_MAX", "more CPU time"), ("SLOWNESS_MAX", "more time")],
)
def test_a_hang_ends_at_a_limit(
    plan: Plan, file: InputFile, monkeypatch: pytest.MonkeyPatch, limit: str, words: str
) -> None:
    """Of CPU where it works, of time where it waits; once is enough, and the next file is fine."""
    monkeypatch.setattr(run, "CPU_SECONDS_MAX", 1)
    monkeypatch.setattr(run, "CPU_SECONDS_PER_FILE_MAX", 0)
    monkeypatch.setattr(run, "SLOWNESS_MAX", 600)
    monkeypatch.setattr(run, limit, 1)
    endless = (
        "CREATE TABLE t AS SELECT sum(a.i * b.i) FROM range(10000000) a(i), range(10000000) b(i)"
    )
    waits = file.path.with_name("waits.csv")
    os.mkfifo(waits)
    csv_plan = replace(plan, format="csv")
    with Checker() as checker:
        if limit == "CPU_SECONDS_MAX":
            report = checker.check(prepared(plan, endless), [file])
        else:
            report = checker.check(csv_plan, [InputFile(path=waits, name="waits.csv")])
        assert f"takes {words} than anything honest" in complaint(report)
        monkeypatch.setattr(run, "CPU_SECONDS_MAX", 100)
        monkeypatch.setattr(run, "SLOWNESS_MAX", 4)
        assert checker.check(plan, [file]).ok


def test_a_worker_that_was_stopped_is_no_verdict(
    plan: Plan, file: InputFile, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What outlives its own limits was stopped by somebody."""
    monkeypatch.setattr(process, "SILENCE_SECONDS_MAX", -439)
    workshop.makes("os.kill(os.getpid(), signal.SIGSTOP)")
    with Checker() as checker, pytest.raises(WorkerError, match="gave no answer in 1 s"):
        checker.check(plan, [file])


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
        with Checker() as checker:
            report = checker.check(prepared(plan, statement), [file])
        assert [finding.check.id for finding in report.findings] == ["file.readable"], statement
    assert not stolen.exists()


def test_its_memory_is_limited(plan: Plan, file: InputFile) -> None:
    """What wants more than its limit is refused, and takes nobody down with it."""
    with Checker() as checker:
        report = checker.check(prepared(plan, GREEDY), [file])
        assert [finding.check.id for finding in report.findings] == ["file.readable"]
        assert checker.check(plan, [file]).ok


def test_a_worker_that_was_started_early_is_the_first_that_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However often it is asked for, one is started; after that one, others are."""
    started: list[process.Worker] = []
    monkeypatch.setattr(process, "_started", started)
    process.start_early()
    process.start_early()
    (early,) = started
    first, second = process.started_worker(), process.started_worker()
    first.close()
    second.close()
    assert first is early
    assert second is not early
