"""``powerstage demo``: what went in and what was caught, on anybody's machine."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from powerstage.sim import EmbeddedS3
from tests.conftest import ROOT, Run
from tests.documents import require_described

FAULTS = {
    "wrong_unit": "rejected",
    "lost_object": "unreadable",
    "flipped_byte": "unreadable",
    "missing_hour": "reported missing",
}
OPTIONS = ("--devices", "3", "--days", "1", "--faults", ",".join(FAULTS))
NONE = ("--devices", "1", "--days", "1", "--faults", "none")
# What a laptop may have lying around: each of them would lead boto3 astray.
STALE = {
    "AWS_PROFILE": "gone",
    "AWS_ENDPOINT_URL": "http://s3.invalid",
    "AWS_ENDPOINT_URL_S3": "http://s3.invalid",
    "AWS_REGION": "nowhere",
    "HTTP_PROXY": "http://proxy.invalid:3128",
    "http_proxy": "http://proxy.invalid:3128",
    "NO_PROXY": "",
    "no_proxy": "",
}


@dataclass(frozen=True, slots=True)
class Played:
    """A demo that was played, and the folder that it wrote."""

    done: subprocess.CompletedProcess[str]
    folder: Path


@pytest.fixture(scope="module")
def options(three_hours: Path) -> tuple[str, ...]:
    """A small demo with four faults, in 8 periods."""
    return (*OPTIONS, "--contract", str(three_hours))


@pytest.fixture(scope="module")
def played(options: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Played:
    """One such demo."""
    folder = tmp_path_factory.mktemp("demo") / "played"
    done = subprocess.run(
        [sys.executable, "-m", "powerstage", "demo", *options, "--into", str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
    )
    return Played(done, folder)


def test_every_fault_is_caught(played: Played) -> None:
    """It ends with 0, the sum of what was caught, and no false alarm."""
    assert (played.done.returncode, played.done.stderr) == (0, "")
    assert "4 of 4 faults caught, 0 false alarms in 5 clean deliveries.\n" in played.done.stdout


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_told_with_what_came_of_it(played: Played, fault: str) -> None:
    """A line per fault: where it went in, and the verdict on it."""
    truth = json.loads((played.folder / "truth.json").read_bytes())
    period = next(entry["period_first"] for entry in truth["faults"] if entry["fault"] == fault)
    line = next(line for line in played.done.stdout.splitlines() if line.split()[:1] == [fault])
    assert f"  {period[:13]}:{period[13:]}Z  " in line
    assert line.endswith(f"  ✓ {FAULTS[fault]}")


def test_the_stages_are_told(played: Played) -> None:
    """What was made, published and consumed is counted, stage by stage."""
    stages = [
        line.split(" s  ")[1] for line in played.done.stdout.splitlines() if line[:4] == "  ✓ "
    ]
    assert stages[1] == "3 devices, 8 periods, 4 faults planned"
    assert stages[2].startswith("8 deliveries, 126 readings, ")
    assert stages[3] == "5 accepted, 1 rejected, 2 unreadable"
    assert stages[5].startswith(f"{played.folder / 'report.html'}, ")
    assert len(stages) == 6


def test_the_commands_that_it_names_work(powerstage: Run, played: Played) -> None:
    """``Look`` and ``Then`` show the spoilt delivery in the copy of the feed: 1."""
    lines = [line.split() for line in played.done.stdout.splitlines()]
    look, then = (
        next(words[2:] for words in lines if words[:1] == [name]) for name in ("Look", "Then")
    )
    looked, seen = powerstage(*look), powerstage(*then)
    assert (looked.returncode, seen.returncode) == (1, 1)
    assert "error unit.of_measure: " in looked.stdout
    assert "consumer: 5 accepted, 1 rejected, 2 unreadable" in seen.stdout


def test_the_same_seed_gives_the_same_demo(
    powerstage: Run, played: Played, options: tuple[str, ...], tmp_path: Path
) -> None:
    """Played again in its folder, as a document: the same faults, all caught."""
    shutil.copytree(played.folder, tmp_path / "again")
    done = powerstage("demo", *options, "--into", tmp_path / "again", "--json")
    found: dict[str, Any] = json.loads(done.stdout)
    require_described(found)
    truth = json.loads((played.folder / "truth.json").read_bytes())["faults"]
    told = [{name: fault[name] for name in truth[0]} for fault in found["faults"]]
    assert told == truth
    assert all(fault["outcome"] == "caught" for fault in found["faults"])
    assert (found["command"], found["ok"], found["exit_code"]) == ("demo", True, 0)
    assert (found["blamed"], found["clean_deliveries"], done.returncode) == ([], 5, 0)


def test_what_no_check_can_see_is_told_and_not_counted(powerstage: Run, tmp_path: Path) -> None:
    """Neither caught nor missed: 0, with a line for it; what is harmless is let pass."""
    names = "spike,power_in_volt_amperes,unsorted_rows,nan_value"
    options = ("--devices", "3", "--days", "1", "--faults", names)
    done = powerstage("demo", *options, "--into", tmp_path / "demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 of 2 faults caught, 0 false alarms in 21 clean deliveries.\n" in done.stdout
    sums = done.stdout.split("clean deliveries.\n")[1].split("\n\n")[0].splitlines()
    assert sums == [
        "  1 harmless, and let pass",
        "  1 too small for any check: not counted",
    ]
    ends = {
        line.split()[0]: line.split("  ")[-1].strip() for line in done.stdout.splitlines() if line
    }
    assert ends["spike"] == "✓ rejected"
    assert ends["power_in_volt_amperes"] == "undetectable"
    assert ends["unsorted_rows"] == "✓ accepted"


def test_without_faults_there_is_no_finding(powerstage: Run, tmp_path: Path) -> None:
    """All is accepted, and on a machine with stale AWS settings and proxies too."""
    done = powerstage("demo", *NONE, "--into", tmp_path / "demo", **STALE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "25 accepted, 0 rejected, 0 unreadable\n" in done.stdout
    assert "0 of 0 faults caught, 0 false alarms in 25 clean deliveries.\n" in done.stdout


def test_a_demo_may_be_played_again_on_the_same_s3(
    powerstage: Run, server: EmbeddedS3, three_hours: Path, tmp_path: Path
) -> None:
    """Each has a feed of its own: what was committed on purpose stands for ever."""
    options = ("--devices", "1", "--days", "1", "--faults", "lying_commit")
    for _ in range(2):
        done = powerstage(
            "demo",
            *options,
            "--into",
            tmp_path / "demo",
            "--endpoint-url",
            server.url,
            "--contract",
            three_hours,
            **server.environment(),
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "1 of 1 faults caught" in done.stdout


def test_a_folder_of_other_things_is_left_alone(powerstage: Run, tmp_path: Path) -> None:
    """A folder that no demo wrote is refused with 2, and stays."""
    (tmp_path / "thesis.txt").write_text("x", encoding="utf-8")
    done = powerstage("demo", *NONE, "--into", tmp_path)
    assert done.returncode == 2
    assert "holds what no demo wrote: thesis.txt" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_s3_elsewhere_is_not_played_against_unasked(powerstage: Run, tmp_path: Path) -> None:
    """``--endpoint-url`` of another machine needs ``--yes-write-to``: 2, before any request."""
    done = powerstage(
        "demo",
        *NONE,
        "--into",
        tmp_path / "demo",
        "--endpoint-url",
        "http://s3.invalid",
        AWS_ACCESS_KEY_ID="x",
        AWS_SECRET_ACCESS_KEY="x",
    )
    assert done.returncode == 2
    assert "say --yes-write-to s3://powerstage-demo\n" in done.stderr
    assert not (tmp_path / "demo").exists()
