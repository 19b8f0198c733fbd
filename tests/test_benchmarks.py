"""The benchmarks run, whatever they measure."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from powerstage.consumer.consume import FETCHERS
from powerstage.producer.publish import SENDERS
from tests.benchmarks import bench, moving_boto3
from tests.benchmarks.moving_peers import PEERS
from tests.benchmarks.report import Judged, Spread, Table
from tests.benchmarks.transfer import SMOKE_PEER
from tests.conftest import ROOT
from tests.environments import CACHE, UnreachableError, python_with

TABLE = Table(
    name="rounds",
    words="Two rounds.",
    columns=("contestant", "wall s", "ours beside it"),
    rows=(
        ("slow", Spread.of([2.0, 4.0]), Judged(measured=0.5, goal=1)),
        ("fast", 1.0, Judged(measured=3.0, goal=1.15)),
        ("floor", 1.0, Judged(measured=0.9, goal=0.8, is_floor=True)),
    ),
)


def _rows(part: str, folder: Path) -> list[dict[str, Any]]:
    """What a quick run of a part found, all its tables together."""
    found = folder / "found.json"
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.bench",
        part,
        "--smoke",
        "--json",
        str(found),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    tables = json.loads(found.read_text("utf-8"))["parts"][part]
    return [row for table in tables for row in table["rows"]]


def test_a_page_is_measured_in_the_making_and_in_a_browser(tmp_path: Path) -> None:
    """A quick run says what one took, how large it is, and when it was drawn."""
    assert [row["what"].split(",")[0] for row in _rows("page", tmp_path)] == [
        "`powerstage report`",
        "`powerstage report`",
        "`powerstage report`",
        "the page",
        "drawn",
    ]


def test_transfer_is_measured_both_ways_beside_others(tmp_path: Path) -> None:
    """A quick run has a row for ours, for one other tool and for boto3, up and down."""
    try:
        python_with(CACHE, PEERS[SMOKE_PEER].package)
    except UnreachableError as error:
        pytest.skip(str(error))
    tools = ["ours", SMOKE_PEER, "boto3"]
    found = [row["by"] for row in _rows("transfer", tmp_path) if "by" in row]
    assert found == [*tools, *tools]


def test_the_whole_way_is_measured_by_step_and_by_size(tmp_path: Path) -> None:
    """A quick run has a row for each command, for all of them, and for its stages alone."""
    found = _rows("whole", tmp_path)
    assert [row["step"] for row in found if "step" in row] == [
        "synth",
        "consume",
        "report",
        "the whole way",
        "make readings alone",
        "publish files alone",
        "all stages alone, sum",
        "the longest of them",
    ]
    assert [row["feed"] for row in found if "feed" in row] == ["20 devices, 1 d"]


def test_what_plan_tells_is_held_to_what_is_taken(tmp_path: Path) -> None:
    """A quick run has bytes and CPU of both sides, and leaves the package's coefficients alone."""
    before = (ROOT / "powerstage" / "plan.json").read_bytes()
    assert [row["what"] for row in _rows("plan", tmp_path)] == [
        "inventory, bytes",
        "telemetry, bytes",
        "commits, bytes",
        "receipts, bytes",
        "producer CPU, s",
        "consumer CPU, s",
    ]
    assert (ROOT / "powerstage" / "plan.json").read_bytes() == before


def test_boto3_alone_moves_as_many_at_once_as_ours() -> None:
    """Else the two would not be beside each other."""
    assert moving_boto3.THREADS == SENDERS == FETCHERS


def test_a_missed_goal_is_told_by_row_and_column() -> None:
    """Goals that were met are not."""
    assert list(TABLE.missed()) == ["rounds: fast: ours beside it: 3, goal: at most 1.15"]


def test_a_spread_says_its_median_and_its_ends() -> None:
    """In the table as people read it."""
    assert "| slow | 3 (2 to 4) | 0.5, goal: at most 1 |" in list(TABLE.markdown())


def test_programs_read_what_people_do() -> None:
    """A row is an object, and says whether a goal was met."""
    (slow, fast, _) = TABLE.document()["rows"]
    assert slow["wall s"] == {"median": 3.0, "least": 2.0, "most": 4.0}
    assert (slow["ours beside it"]["is_met"], fast["ours beside it"]["is_met"]) == (True, False)


def test_a_document_is_renewed_between_its_marks_alone() -> None:
    """What it quotes of other parts stays, too."""
    begin, other, end = bench.begin("one"), bench.begin("two"), bench.END
    text = f"Words\n{begin}\nold\n\n{end}{other}\nold\n\n{end}"
    assert bench.renewed(text, "one", ["new"]) == text.replace("old", "new", 1)
    assert bench.renewed(text, "three", ["new"]) == text


def test_all_parts_run_before_what_was_missed_ends_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, with a line for each goal that was missed."""
    monkeypatch.setattr(bench, "PARTS", dict.fromkeys(("one", "two"), lambda _: iter([TABLE])))
    monkeypatch.setattr(sys, "argv", ["bench"])
    with pytest.raises(SystemExit) as ended:
        bench.main()
    assert str(ended.value.code).count("missed: ") == 2
    assert "## two" in capsys.readouterr().out
