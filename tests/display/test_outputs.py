"""What CI reads of findings: lines on a pipe, JUnit's XML, GitHub's annotations and summary."""

import io
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from powerstage.checks import Check, CheckResult, Report, Sample, fails, passes
from powerstage.contract.model import Severity
from powerstage.display import Terminal
from powerstage.display.findings import CheckSummary, passed_words, summarise
from powerstage.display.github import SUMMARY_BYTES_MAX, annotations, step_summary
from powerstage.display.junit import junit
from powerstage.display.report import show_report

HOSTILE = 'a"b\\\n::error::x</failure>|<script>`%\x1b[2J\ufffe'


@pytest.fixture(autouse=True)
def contract_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract stands where the tests run."""
    (tmp_path / "c.yaml").touch()
    monkeypatch.chdir(tmp_path)


def check(id_: str = "value.range", severity: Severity = "error") -> Check:
    """A check at line 41 of a contract."""
    return Check(
        id=id_, words="value is in range", expected="0..2000 W", severity=severity, at="c.yaml:41"
    )


def finding(value: str = "65535.0", severity: Severity = "error") -> CheckResult:
    """Two of ten rows, one of them shown."""
    sample = Sample(file="d/a.csv", row=7, values=(("sn", "X 1"), ("value", value)))
    found = fails(check(severity=severity), failed=2, total=10, samples=(sample,))
    return CheckResult(
        check=found.check,
        outcome=found.outcome,
        failed=2,
        total=10,
        samples=(sample,),
        dataset="telemetry",
        found=("value",),
        hints=("all bits of 16",),
    )


def summaries(*results: CheckResult) -> list[CheckSummary]:
    """What came of one report."""
    return summarise([("export", Report(results=results, rows=10))])


def test_a_finding_on_a_pipe_is_a_compilers_line() -> None:
    """File, row, kind, check, words, found and expected; a note has counts, place and hints."""
    stream = io.StringIO()
    report = Report(results=(passes(check("x.y"), 10), finding()), rows=10)
    show_report(Terminal(stream), "export", report, "export")
    assert stream.getvalue().splitlines() == [
        "✗ export   1 check passes, 1 does not · 10 rows",
        (
            "export/d/a.csv:7: error value.range: value is in range:"
            ' found="65535.0" expected="0..2000 W" sn="X 1"'
        ),
        (
            "export: note value.range: 2 of 10 rows (20.000%); expected 0..2000 W;"
            " agreed at c.yaml:41; hint: all bits of 16"
        ),
    ]


@pytest.mark.parametrize(("severity", "kind"), [("error", "error"), ("warning", "warning")])
def test_a_hostile_value_stays_in_its_line(severity: Severity, kind: str) -> None:
    """Every line of a finding on a pipe has the form, whatever the data hold."""
    stream = io.StringIO()
    show_report(Terminal(stream), "export", Report(results=(finding(HOSTILE, severity),), rows=1))
    _, row, note = stream.getvalue().splitlines()
    form = r'\S+:\d+: (error|warning) [\w.]+: [^"]*( \w+="([^"\\]|\\.)*")+'
    found = re.fullmatch(form, row)
    assert found is not None
    assert found[1] == kind
    assert note.startswith("export: note value.range: ")


@pytest.mark.parametrize("value", ["65535.0", HOSTILE])
def test_junit_has_a_case_for_each_check(value: str) -> None:
    """A parser counts them; the failure has place, value, expectation and hint."""
    checks = summaries(passes(check("x.y"), 10), finding(value))
    root = ET.fromstring(junit("export", "power", "export", checks, warnings_fail=False))  # noqa: S314
    (suite,) = root
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["2", "1", "0"]
    good, bad = suite
    assert (good.get("name"), len(good)) == ("x.y", 0)
    assert (bad.get("classname"), bad.get("name")) == ("power.telemetry", "value.range")
    assert (bad.get("file"), bad.get("line")) == ("c.yaml", "41")
    (failure,) = bad
    assert failure.get("message") == "value is in range: 2 of 10 rows (20.000%)"
    text = failure.text or ""
    assert "export/d/a.csv:7 found=" in text
    assert "hint: all bits of 16" in text
    assert len(text.splitlines()) == 4


@pytest.mark.parametrize(("warnings_fail", "tag"), [(True, "failure"), (False, "system-out")])
def test_a_warning_is_a_failure_where_it_counts(warnings_fail: bool, tag: str) -> None:
    """Else it is told in the case's output."""
    checks = summaries(finding(severity="warning"))
    xml = junit("export", "power", "export", checks, warnings_fail=warnings_fail)
    (suite,) = ET.fromstring(xml)  # noqa: S314
    assert [child.tag for case in suite for child in case] == [tag]
    assert suite.get("failures") == str(int(warnings_fail))


def test_a_check_over_many_deliveries_is_one_case() -> None:
    """Its counts are added up, its findings named by what they are on."""
    reports = [(f"t/{n}", Report(results=(finding(),), rows=10)) for n in range(30)]
    (summary,) = summarise(reports)
    assert (summary.failed, summary.total, len(summary.findings)) == (60, 300, 30)
    xml = junit("feed", "power", "feed", [summary], warnings_fail=False)
    text = next(ET.fromstring(xml).iter("failure")).text or ""  # noqa: S314
    assert "\nand 10 more\n" in text


def test_an_annotation_is_one_line_and_errors_come_first() -> None:
    """One for each check that did not pass, at the contract's line; escaped as GitHub reads it."""
    warning = finding(severity="warning")
    other = fails(check("a.b"), failed=1, total=1, detail="50%\r\nof: it, all")
    lines = list(annotations(summaries(warning, passes(check("x.y")), other), "export"))
    assert [line.split("::")[1] for line in lines] == [
        "error file=c.yaml,line=41,title=a.b",
        "warning file=c.yaml,line=41,title=value.range",
    ]
    assert "%0Afirst: export/d/a.csv:7 found=" in lines[1]
    assert lines[1].endswith("%0Ahint: all bits of 16")
    assert r"50%25\r\nof: it, all" in lines[0]


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("default.odcs.yaml:41", "line 41 of the default contract"),
        ("contract/power/1.0.0.odcs.yaml:41", "contract/power/1.0.0.odcs.yaml:41"),
    ],
)
def test_a_contract_that_is_no_file_here_is_named_in_words(at: str, words: str) -> None:
    """No annotation, no case and no summary sends people to a file that they do not have."""
    found = replace(finding(), check=replace(check(), at=at))
    (line,) = annotations(summaries(found), "export")
    assert line.startswith("::error title=value.range::")
    assert f"%0Aagreed at {words}%0A" in line
    root = ET.fromstring(  # noqa: S314
        junit("export", "power", "export", summaries(found), warnings_fail=False)
    )
    (case,) = root.iter("testcase")
    assert "file" not in case.attrib
    assert f"agreed at {words}\n" in (next(case.iter("failure")).text or "")
    assert words in step_summary("export", summaries(found), "export").replace("\\", "")


def test_a_contract_of_ones_own_keeps_its_name(tmp_path: Path) -> None:
    """Whatever it is called."""
    (tmp_path / "default.odcs.yaml").touch()
    found = replace(finding(), check=replace(check(), at="default.odcs.yaml:41"))
    (line,) = annotations(summaries(found), "export")
    assert line.startswith("::error file=default.odcs.yaml,line=41,title=value.range::")


def test_a_hostile_value_is_no_command_of_github() -> None:
    """It neither ends the line nor the command's properties."""
    (line,) = annotations(summaries(finding(HOSTILE)), "a,b:c")
    assert line.startswith("::error file=c.yaml,line=41,title=value.range::")
    assert line.splitlines() == [line]
    assert "\x1b" not in line
    assert "<script>`%25" in line


def test_a_summary_shows_values_and_obeys_none() -> None:
    """Markdown and HTML in a value are escaped; a table keeps its two columns."""
    text = step_summary("export", summaries(passes(check("x.y")), finding(HOSTILE)), "export")
    assert text.startswith("### ❌ powerstage validate export\n\n1 check passes, 1 does not\n")
    (row,) = [line for line in text.splitlines() if line.startswith("| export")]
    assert len(re.findall(r"(?<!\\)\|", row)) == 3
    assert "<" not in text
    assert "`" not in text.replace("\\`", "")


def test_a_summary_stays_below_githubs_limit() -> None:
    """What does not fit is counted."""
    many = [
        CheckSummary(check=check(f"c{n}.range"), dataset="", findings=[("t", finding("é" * 2_000))])
        for n in range(600)
    ]
    text = step_summary("feed", many, "feed")
    assert len(text.encode()) <= SUMMARY_BYTES_MAX + 100
    assert re.search(r"\nAnd \d+ more\.\n$", text)


@pytest.mark.parametrize(
    ("passed", "failed", "words"),
    [
        (1, 0, "1 check passes"),
        (41, 1, "41 checks pass, 1 does not"),
        (1_000, 2, "1,000 checks pass, 2 do not"),
    ],
)
def test_one_is_no_plural(passed: int, failed: int, words: str) -> None:
    """Counts of checks read as people say them."""
    assert passed_words(passed, failed) == words
