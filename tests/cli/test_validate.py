"""The options of validate: what counts, what is written, and the exit code."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import duckdb
import pytest
from click.testing import CliRunner, Result

from powerstage.cli import cli
from powerstage.errors import NothingToJudgeError, UsageError

SLOT = "telemetry/2026-11-02T{}00/r000000"


@pytest.fixture(scope="module")
def feed(three_hours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A feed of a day, with a NaN, a device that is silent and a period that is missing."""
    folder = tmp_path_factory.mktemp("validate") / "feed"
    faults = "nan_value,silent_device,missing_hour"
    run("synth", folder, "--devices", "3", "--faults", faults, "--contract", three_hours)
    return folder


@pytest.fixture(scope="module")
def faults(feed: Path) -> dict[str, dict[str, Any]]:
    """What was put where."""
    truth = json.loads(feed.with_name("feed.truth.json").read_bytes())
    return {fault["fault"]: fault for fault in truth["faults"]}


def run(*words: object) -> Result:
    """A command, in this process."""
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_a_feed_is_told_in_one_line(feed: Path) -> None:
    """What was accepted is counted; what was refused is shown, and what is missing."""
    done = run("validate", feed)
    lines = done.stdout.splitlines()
    assert done.exit_code == 1
    assert not [line for line in lines if " accepted " in line and "deliveries:" not in line]
    assert len([line for line in lines if " rejected " in line and "deliveries:" not in line]) == 2
    (summary,) = [line for line in lines if "deliveries:" in line]
    assert summary == f"✗ {feed}   8 deliveries: 6 accepted, 2 rejected; 90 readings accepted"
    assert lines[-1].startswith("! missing: ")


@pytest.mark.parametrize(
    ("checks", "code", "rejected"),
    [
        (["value.finite"], 1, 1),
        (["value.finite", "grid.complete"], 1, 2),
        (["value.range"], 0, 0),
        (["period.missing"], 1, 0),
    ],
)
def test_only_checks_that_are_named_count(
    feed: Path, checks: list[str], code: int, rejected: int
) -> None:
    """The others are neither shown nor part of the exit code."""
    options = [word for check in checks for word in ("--check", check)]
    done = run("validate", feed, *options)
    assert (done.exit_code, done.stdout.count("\n✗ telemetry") + done.stdout.startswith("✗ t")) == (
        code,
        rejected,
    )
    assert ("missing:" in done.stdout) == ("period.missing" in checks)


def test_a_check_that_nobody_has_is_usage(feed: Path) -> None:
    """The nearest names are named."""
    error = run("validate", feed, "--check", "value.rnage").exception
    assert isinstance(error, UsageError)
    assert "value.range" in error.fix


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([], ["period.missing"]),
        (["--check", "period.missing"], ["period.missing"]),
        (["--check", "value.finite"], []),
    ],
)
def test_what_only_several_periods_show_is_told(
    feed: Path, options: list[str], found: list[str]
) -> None:
    """A feed is judged as the consumer judges it, feed findings included."""
    document = json.loads(run("validate", feed, "--json", *options).stdout)
    told = {finding["id"] for finding in document["feed_findings"]}
    assert sorted(told - {"feed.fresh", "period.late"}) == found


@pytest.mark.parametrize(("fail_on", "code"), [("error", 1), ("warning", 1), ("never", 0)])
def test_what_fails_is_for_the_caller_to_say(feed: Path, fail_on: str, code: int) -> None:
    """Findings are shown all the same."""
    done = run("validate", feed, "--fail-on", fail_on, "--check", "value.finite")
    assert done.exit_code == code
    assert " error value.finite: " in done.stdout


@pytest.mark.parametrize(
    "since", ["2026-11-02T12:00Z", "2026-11-02T12:00", "2026-11-02 13:00+01:00"]
)
def test_deliveries_before_a_moment_are_left_alone(feed: Path, since: str) -> None:
    """Of the day, the last four periods are judged, and the inventory that they refer to."""
    document = json.loads(run("validate", feed, "--since", since, "--json").stdout)
    judged = [delivery["delivery"] for delivery in document["deliveries"]]
    assert judged[0] == "inventory/2026-11-02T0000/r000000"
    assert {*judged[1:]} <= {SLOT.format(hour) for hour in range(12, 24, 3)}
    assert len(judged) >= 4


def test_nothing_from_then_on_is_nothing_to_judge(feed: Path) -> None:
    """A month after the last period there is none."""
    error = run("validate", feed, "--since", "2026-12-02").exception
    assert isinstance(error, NothingToJudgeError)
    assert "2026-11-02T2100" in error.fix


@pytest.mark.parametrize("since", ["yesterday", "24", "99999999h", "-3h"])
def test_a_since_that_is_no_time_is_usage(feed: Path, since: str) -> None:
    """The forms that are read are named."""
    error = run("validate", feed, "--since", since).exception
    assert isinstance(error, UsageError)
    assert "24h" in error.fix


def test_a_file_has_no_since(feed: Path) -> None:
    """Only a feed has periods."""
    error = run("validate", feed.parent / "feed.truth.parquet", "--since", "24h").exception
    assert isinstance(error, UsageError)


def test_failing_rows_of_a_feed_are_in_one_file(
    feed: Path, faults: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """Those of all deliveries; readings that are missing stand beside it, as runs."""
    path = tmp_path / "bad.parquet"
    run("validate", feed, "--failing-rows", path)
    with duckdb.connect() as connection:
        rows = connection.execute(f"SELECT sn, reasons, dataset FROM '{path}'").fetchall()
        missing = connection.execute(
            f"SELECT device, sum(missing) FROM '{tmp_path}/bad.missing.parquet' GROUP BY ALL"
        ).fetchall()
    (nan,) = faults["nan_value"]["devices"]
    (silent,) = faults["silent_device"]["devices"]
    assert rows == [(nan, ["value.finite"], "telemetry")]
    assert missing == [(silent, 6)]


@pytest.mark.parametrize("name", ["bad.csv", "nowhere/bad.parquet"])
def test_failing_rows_need_a_place(feed: Path, tmp_path: Path, name: str) -> None:
    """It is looked for before anything is judged."""
    error = run("validate", feed, "--failing-rows", tmp_path / name).exception
    assert isinstance(error, UsageError)


def test_results_need_a_folder(tmp_path: Path) -> None:
    """It is looked for before anything is judged, even before there is anything to judge."""
    junit = tmp_path / "nowhere" / "junit.xml"
    error = run("validate", tmp_path / "nothing", "--junit", junit).exception
    assert isinstance(error, UsageError)
    assert str(junit.parent) in error.message


def test_ci_reads_files_and_annotations(
    feed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JUnit's XML, one annotation a check, and a summary behind what stands there already."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (tmp_path / "summary.md").write_text("before\n", encoding="utf-8")
    done = run("validate", feed, "--junit", tmp_path / "junit.xml")
    lines = [line for line in done.stdout.splitlines() if line.startswith("::error ")]
    failing = [line.partition("title=")[2].partition("::")[0] for line in lines]
    assert {"value.finite", "grid.complete", "period.missing"} <= set(failing)
    assert len(set(failing)) == len(failing)
    cases = [*ET.parse(tmp_path / "junit.xml").iter("testcase")]  # noqa: S314
    assert [case.get("name") for case in cases if len(case)] == failing
    summary = (tmp_path / "summary.md").read_text("utf-8")
    assert summary.startswith("before\n### ❌ powerstage validate ")
