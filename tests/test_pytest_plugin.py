"""The pytest plugin: checks as test items, in projects and processes of their own."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from powerstage.checks import compile_plan
from powerstage.contract import Commit
from powerstage.contract.load import default_text
from powerstage.contract.model import DatasetName
from powerstage.producer import ExportSource, open_export, publish
from powerstage.store import FolderStore
from tests.conftest import ROOT, clock, export_rows, write_csv, write_upstream_export
from tests.environments import python_with_powerstage

DATA = "data-2026-11-01.csv"
FIRST, MIDDLE, LAST = (f"telemetry/2026-11-01T0{hour}00/r000000" for hour in range(3))
CODE_USAGE = 4

SpoiltRun = tuple[subprocess.CompletedProcess[str], ET.Element]


def bare_environment() -> dict[str, str]:
    """Where no CI runs, in which pytest says more, and pytest has no options of its own."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "PYTEST_", "GITHUB_"))
        and name not in {"CI", "BUILD_NUMBER"}
    }


def run_pytest(
    folder: Path, *arguments: str | Path, python: Path = Path(sys.executable), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run pytest in a project, with no plugin but ours and those that are named."""
    own = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [str(python), "-m", "pytest", "-p", "powerstage.pytest_plugin", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=folder,
        env=bare_environment() | own | environment,
    )


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The outcome of each test of ours, by its node id, of a run with ``-v``."""
    found = re.findall(r"^powerstage::(\S+) ([A-Z]+)", done.stdout, re.MULTILINE)
    return dict(found)


def not_passed(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The same without those that passed."""
    return {name: word for name, word in outcomes(done).items() if word != "PASSED"}


def write_project(folder: Path, *settings: str, tests: str = "", conftest: str = "") -> Path:
    """A project with pytest's settings, and a test file if there are tests."""
    folder.mkdir(exist_ok=True)
    (folder / "pytest.ini").write_text("\n".join(["[pytest]", *settings, ""]), "utf-8")
    if tests:
        (folder / "test_own.py").write_text(tests, "utf-8")
    if conftest:
        (folder / "conftest.py").write_text(conftest, "utf-8")
    return folder


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of 3 hours that passes; read it, but change a copy."""
    return write_upstream_export(tmp_path_factory.mktemp("clean") / "export", 3)


@pytest.fixture
def project(clean: Path, tmp_path: Path) -> Path:
    """A project without tests; in it the clean export, to be spoilt."""
    shutil.copytree(clean, tmp_path / "project" / "export")
    return write_project(tmp_path / "project")


def spoil(export: Path) -> None:
    """Give the second reading a negative value, and the fifth a unit that nobody agreed on."""
    rows = export_rows(datetime(2026, 11, 1, tzinfo=UTC), 3)
    rows[1]["value"] = "-5.0"
    rows[4]["unit"] = "furlong"
    write_csv(export / DATA, rows)


@pytest.fixture(scope="module")
def spoilt_run(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> SpoiltRun:
    """What a run on a spoilt export printed, and its JUnit report."""
    folder = write_project(tmp_path_factory.mktemp("spoilt"))
    spoil(Path(shutil.copytree(clean, folder / "export")))
    done = run_pytest(folder, "-v", "--powerstage-target=export", "--junitxml=junit.xml")
    return done, ET.parse(folder / "junit.xml").getroot()  # noqa: S314 - our own


@pytest.fixture(scope="module")
def broken_feed(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A feed of 3 periods: the second was never delivered, the last has lost its file."""
    folder = tmp_path_factory.mktemp("broken") / "feed"
    with ExportSource(open_export(clean)) as source:
        publish(source, FolderStore(folder), clock=clock)
    commits = folder / "commits"
    (file,) = Commit.from_json((commits / f"{LAST}.json").read_bytes()).files
    (folder / file.key).unlink()
    (commits / f"{MIDDLE}.json").unlink()
    return folder


def planned(export: Path) -> list[str]:
    """The ids of the checks of an export in CSV, each once."""
    contract = open_export(export).contract
    datasets: tuple[DatasetName, ...] = ("inventory", "telemetry")
    plans = [compile_plan(contract, dataset, "csv") for dataset in datasets]
    return list(dict.fromkeys(check.id for plan in plans for check in plan.checks))


def test_every_check_of_an_export_is_a_test_that_passes_or_fails(
    spoilt_run: SpoiltRun, clean: Path
) -> None:
    """One each, under the name of the target; those that the data break fail, no others."""
    done, _ = spoilt_run
    wanted = [f"export::{id_}" for id_ in planned(clean)]
    assert list(outcomes(done)) == wanted
    assert not_passed(done) == {
        "export::unit.allowed": "FAILED",
        "export::unit.of_measure": "FAILED",
        "export::value.range": "FAILED",
    }
    assert done.returncode == 1


def test_a_failure_shows_rows_values_and_what_was_agreed(spoilt_run: SpoiltRun) -> None:
    """As ``validate`` does; no line of Python."""
    done, _ = spoilt_run
    head, _, rest = done.stdout.partition("_ export: value.range _")
    failure = rest.partition("\n____")[0].partition("\n====")[0]
    row = next(line for line in failure.splitlines() if line.startswith(DATA))
    assert row.split()[:3] == [DATA, "3", "8899000001"]
    assert "-5.0" in row.split()
    assert "server power 0..2000 W" in failure
    assert re.search(r"at .*default\.odcs\.yaml:[0-9]+", failure) or "contract:" in failure
    assert "Traceback" not in done.stdout
    assert "pytest_plugin" not in done.stdout.partition("= FAILURES =")[2]
    assert "PASSED" in head


def test_junit_has_a_case_for_each_check(spoilt_run: SpoiltRun) -> None:
    """Named by target and check, with what was agreed as properties, and rows in the failure."""
    done, junit = spoilt_run
    cases = {case.get("name"): case for case in junit.iter("testcase")}
    assert len(cases) == len(outcomes(done))
    case = cases["value.range"]
    assert case.get("classname") == "powerstage.export"
    found = {item.get("name"): item.get("value") for item in case.iter("property")}
    assert (found["failed"], found["total"], found["counts"]) == ("1", "18", "rows")
    assert "server power 0..2000 W" in str(found["expected"])
    assert "-5.0" in str(case.findtext("failure"))


def test_listing_reads_no_data(project: Path) -> None:
    """What lists the tests needs no reader of data; the same project's run needs one."""
    write_project(
        project, conftest="import powerstage.checks.run as run\nrun.Checker.check = None\n"
    )
    listed = run_pytest(project, "--collect-only", "-q", "--powerstage-target=export")
    assert listed.returncode == 0
    assert "powerstage::export::grid.complete" in listed.stdout.splitlines()
    run = run_pytest(project, "-v", "--powerstage-target=export", "-k", "grid.complete")
    assert outcomes(run) == {"export::grid.complete": "ERROR"}


def test_a_check_is_selected_as_any_test_is(project: Path) -> None:
    """By its target and ``-k``, say; and no other test is run."""
    write_project(project, tests="def test_value(): pass\n")
    selected = ["powerstage::export", "-k", "value.range or sn.pattern"]
    done = run_pytest(project, "-v", "--powerstage-target=export", *selected)
    assert set(outcomes(done)) == {"export::value.range", "export::sn.pattern"}
    assert re.search(r"\b2 passed, [0-9]+ deselected", done.stdout)


def test_a_check_that_could_not_be_run_does_not_pass(project: Path) -> None:
    """It is skipped beside the test that tells why; where that was left out, it fails itself."""
    (project / "export" / DATA).write_text("not,a,reading\n1,2,3\n", "utf-8")
    target = "--powerstage-target=export"
    whole = not_passed(run_pytest(project, "-v", target))
    assert whole["export::columns.agreed"] == "FAILED"
    assert whole["export::value.range"] == "SKIPPED"
    alone = run_pytest(project, "-v", target, "powerstage::export::value.range")
    assert not_passed(alone) == {"export::value.range": "FAILED"}
    assert "the columns are those agreed" in alone.stdout


USAGE = {
    "gone": (["--powerstage-target=gone"], "there is nothing at"),
    "empty": (["--powerstage-target="], "a target is empty"),
    "contract": (
        ["--powerstage-target=export", "--powerstage-contract=bad.yaml"],
        "bad.yaml:1: ",
    ),
    "no inventory": (
        ["--powerstage-target=export", "--powerstage-inventory=none.csv"],
        "there is no file",
    ),
    "node id": (
        ["--powerstage-target=export", "powerstage::export::vlaue.range"],
        "there is no test powerstage::export::vlaue.range",
    ),
    "no target": (["powerstage::export"], "no target is named"),
}


@pytest.mark.parametrize("case", USAGE)
def test_a_wrong_call_is_a_usage_error_in_our_words(project: Path, case: str) -> None:
    """Exit code 4, what happened and what to do; no test is run, no traceback shown."""
    arguments, words = USAGE[case]
    (project / "bad.yaml").write_text("kind: nonsense\n", "utf-8")
    done = run_pytest(project, *arguments)
    assert done.returncode == CODE_USAGE
    assert words in done.stderr
    assert "\n  fix " in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_without_a_target_nothing_is_done(project: Path) -> None:
    """Not even the rest of powerstage is imported."""
    tests = (
        "import sys\ndef test_own(): assert not {'duckdb', 'powerstage.checks'} & {*sys.modules}\n"
    )
    done = run_pytest(write_project(project, tests=tests), "-v")
    assert (done.returncode, outcomes(done)) == (0, {})


def test_the_plugin_imports_pytest_alone() -> None:
    """It costs other projects nothing: of powerstage its own module, and of the rest none."""
    code = "import pytest, sys; before = {*sys.modules}; import powerstage.pytest_plugin;"
    code += "print(*sorted({*sys.modules} - before - {*sys.stdlib_module_names}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == ["powerstage", "powerstage.pytest_plugin"]


def test_settings_of_the_project_name_targets_from_rootdir(project: Path) -> None:
    """Wherever pytest is started; where paths are named they play no part, not if required."""
    write_project(project, "powerstage_target = export", tests="def test_own(): pass\n")
    (project / "below").mkdir()
    listed = run_pytest(project / "below", "--collect-only", "-q", "-c", "../pytest.ini")
    assert "powerstage::export::value.range" in listed.stdout
    named = run_pytest(project, "--powerstage-required", "test_own.py")
    assert named.returncode == CODE_USAGE
    assert "there are no data to test" in named.stderr


def test_a_warning_is_shown_and_fails_where_warnings_are_errors(project: Path) -> None:
    """A rule of severity ``warning`` passes with a warning at its line, unless ``-W error``."""
    spoil(project / "export")
    text = default_text().replace("severity: error", "severity: warning")
    (project / "agreed.yaml").write_text(text, "utf-8")
    call = ["-v", "--powerstage-target=export", "--powerstage-contract=agreed.yaml"]
    name = "powerstage::export::value.range"
    done = run_pytest(project, *call, name)
    assert (outcomes(done), done.returncode) == ({"export::value.range": "PASSED"}, 0)
    assert re.search(r"agreed\.yaml:[0-9]+: DataWarning: value is within", done.stdout)
    strict = run_pytest(project, *call, name, "-W", "error::powerstage.pytest_plugin.DataWarning")
    assert (outcomes(strict), strict.returncode) == ({"export::value.range": "FAILED"}, 1)


def test_a_feed_has_its_deliveries_and_findings_of_its_own(broken_feed: Path) -> None:
    """Each delivery has tests of its own; what is missing is a failure of the feed."""
    done = run_pytest(broken_feed.parent, "-v", "--powerstage-target=feed")
    found = not_passed(done)
    assert {name for name, word in found.items() if word == "FAILED"} == {
        "feed::period.missing",
        f"feed::{LAST}::object.present",
    }
    assert "2026-11-01T0100" in done.stdout.partition("_ feed: period.missing _")[2]
    # What comes after the loss could not be run; nothing else was left out.
    assert all(name.startswith(f"feed::{LAST}::") for name in found if found[name] == "SKIPPED")
    assert f"feed::{FIRST}::grid.complete" in outcomes(done)
    assert any(name.startswith("feed::inventory/") for name in outcomes(done))


def test_what_the_clock_shows_of_a_feed_warns(broken_feed: Path, project: Path) -> None:
    """The first period came in time and the last four weeks later: no delivery is to blame."""
    shutil.copytree(broken_feed, project / "feed")
    in_time = datetime(2026, 11, 1, 2, tzinfo=UTC).timestamp()
    os.utime(project / "feed" / "commits" / f"{FIRST}.json", (in_time, in_time))
    name = "feed::period.late"
    call = ["-v", "--powerstage-target=feed", f"powerstage::{name}"]
    done = run_pytest(project, *call)
    assert (outcomes(done), done.returncode) == ({name: "PASSED"}, 0)
    assert re.search(r"DataWarning: every period arrives in time +1 finding", done.stdout)
    assert "2026-11-01T02:00:00Z" in done.stdout


def test_one_delivery_is_a_target(broken_feed: Path) -> None:
    """Its checks and no others."""
    target = f"feed/commits/{FIRST}.json"
    done = run_pytest(broken_feed.parent, "-v", f"--powerstage-target={target}")
    assert {name.rpartition("::")[0] for name in outcomes(done)} == {target}
    assert (not_passed(done), done.returncode) == ({}, 0)


def test_files_are_targets_with_the_inventory_that_is_named(project: Path) -> None:
    """An inventory has none of the checks of telemetry, which needs one to know devices."""
    targets = [f"--powerstage-target=export/{name}" for name in (DATA, "inventory.csv")]
    alone = run_pytest(project, "-v", *targets)
    assert f"export/{DATA}::grid.complete" not in outcomes(alone)
    assert outcomes(alone)["export/inventory.csv::sn.pattern"] == "PASSED"
    assert outcomes(alone)["export/inventory.csv::value.range"] == "SKIPPED"
    assert alone.returncode == 0
    inventory = "--powerstage-inventory=export/inventory.csv"
    beside = run_pytest(project, "-v", targets[0], inventory)
    assert outcomes(beside)[f"export/{DATA}::grid.complete"] == "PASSED"


LISTS_ONCE = """
import os, powerstage.pytest_plugin.listing as listing
if "PYTEST_XDIST_WORKER" in os.environ: listing.list_targets = None
"""


def test_workers_of_xdist_run_what_was_listed_once(broken_feed: Path, tmp_path: Path) -> None:
    """They list nothing, so that a feed may grow meanwhile; failures are the same."""
    project = write_project(tmp_path / "project", conftest=LISTS_ONCE)
    shutil.copytree(broken_feed, project / "feed")
    done = run_pytest(project, "-p", "xdist", "-n2", "-q", "-rf", "--powerstage-target=feed")
    failed = re.findall(r"^FAILED powerstage::(\S+)", done.stdout, re.MULTILINE)
    assert sorted(failed) == ["feed::period.missing", f"feed::{LAST}::object.present"]


def test_a_target_that_vanishes_is_an_error_of_its_tests(project: Path) -> None:
    """No verdict is no failure: each test ends in an error, in our words."""
    conftest = "import shutil\ndef pytest_collection_finish(): shutil.rmtree('export')\n"
    write_project(project, conftest=conftest)
    done = run_pytest(project, "-v", "--powerstage-target=export", "-k", "value")
    assert set(outcomes(done).values()) == {"ERROR"}
    assert "there is nothing at" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_store_that_does_not_answer_is_an_error_of_the_listing(tmp_path: Path) -> None:
    """Pytest's own word for it: an error while collecting."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = run_pytest(
        write_project(tmp_path / "project"),
        "--powerstage-target=s3://bucket/feed",
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        AWS_ACCESS_KEY_ID="x",
        AWS_SECRET_ACCESS_KEY="x",
        AWS_EC2_METADATA_DISABLED="true",
    )
    assert "ERROR powerstage::s3://bucket/feed" in done.stdout
    assert str(port) in done.stdout
    assert "Traceback" not in done.stdout
    assert done.returncode == pytest.ExitCode.INTERRUPTED


S3_TESTS = """
import os, subprocess, sys, boto3, pytest
SEEN = []

def test_laptop(): assert os.environ["AWS_PROFILE"] == "gone"

@pytest.mark.parametrize("number", [1, 2])
def test_bucket(powerstage_s3, number):
    client = boto3.client("s3")
    assert client.meta.endpoint_url == powerstage_s3.url
    assert client.list_objects_v2(Bucket=powerstage_s3.bucket)["KeyCount"] == 0
    client.put_object(Bucket=powerstage_s3.bucket, Key="key", Body=b"x")
    SEEN.append(powerstage_s3.bucket)
    code = "import boto3, sys; boto3.client('s3').head_object(Bucket=sys.argv[1], Key='key')"
    subprocess.run([sys.executable, "-c", code, powerstage_s3.bucket], check=True)

def test_after():
    assert len({*SEEN}) == 2
    assert os.environ["AWS_PROFILE"] == "gone" and "AWS_ENDPOINT_URL" not in os.environ
"""


def test_a_local_s3_is_found_by_boto3_here_and_in_children(tmp_path: Path) -> None:
    """Each test has an empty bucket, and the settings of the laptop are back after it."""
    done = run_pytest(write_project(tmp_path / "project", tests=S3_TESTS), AWS_PROFILE="gone")
    assert done.returncode == 0, done.stdout


VALIDATE_TESTS = """
from powerstage.producer import ExportSource, open_export, publish
from powerstage.store import open_store
from datetime import UTC, datetime

def test_agreed(powerstage_contract): assert powerstage_contract.name == "power-telemetry"

def test_published(powerstage_s3, powerstage_validate):
    url = f"s3://{powerstage_s3.bucket}/feed"
    with ExportSource(open_export("export")) as source:
        publish(source, open_store(url), clock=lambda: datetime(2026, 11, 2, tzinfo=UTC))
    assert powerstage_validate(url).ok

def test_spoilt(powerstage_validate): assert powerstage_validate("spoilt").ok
"""


def test_a_test_of_ones_own_validates_what_it_made(project: Path) -> None:
    """One line asserts it; if that fails, the report shows check, row and value."""
    shutil.copytree(project / "export", project / "spoilt")
    spoil(project / "spoilt")
    done = run_pytest(write_project(project, tests=VALIDATE_TESTS))
    assert "1 failed, 2 passed" in done.stdout
    assert "fail value.range (spoilt)" in done.stdout
    assert re.search(rf"{DATA} +3 +8899000001 .* -5\.0", done.stdout)


def steady(text: str) -> list[str]:
    """What pytest prints, without what differs from machine to machine."""
    text = re.sub(r"^(platform|rootdir|plugins).*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^-+ (generated xml file: ).*/(\S+) -+$", r"\1\2", text, flags=re.MULTILINE)
    return re.sub(r"=* ([0-9]+ failed.*) in [0-9.]+s =*", r"\1", text).strip().splitlines()


def test_an_empty_project_with_powerstage_installed_runs_as_the_guide_shows(
    pytestconfig: pytest.Config, project: Path
) -> None:
    """Installing it is enough: pytest finds the plugin, and prints what docs/pytest.md says."""
    python = python_with_powerstage(pytestconfig.cache.mkdir("environments"))
    spoil(project / "export")
    (project / "pytest.ini").unlink()
    guide = (ROOT / "docs/pytest.md").read_text("utf-8")
    shown = re.findall(r"^```\n\$ (pytest [^\n]*)\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    assert shown
    for command, output in shown:
        done = subprocess.run(
            [str(python), "-m", *shlex.split(command)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=project,
            env=bare_environment() | {"COLUMNS": "80"},
        )
        assert steady(done.stdout) == steady(output), command
    assert 'name="value.range"' in (project / "junit.xml").read_text("utf-8")
