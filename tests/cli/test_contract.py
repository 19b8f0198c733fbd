"""``powerstage contract``: the agreement, checked, read and converted."""

import json
from pathlib import Path

import pytest

from powerstage.contract.load import default_text
from tests.conftest import FRONT_MATTER, Run

TEXT = default_text()
# Two mistakes far apart, and a third that YAML itself would let pass.
MISTAKES = {"kind: DataContract": "kind: X", "unit: d\n": "unit: moon\n", "ratio: 1": "ratioo: 1"}


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """The default contract with three mistakes."""
    text = TEXT
    for right, wrong in MISTAKES.items():
        text = text.replace(right, wrong, 1)
    path = tmp_path / "agreed.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    """A README in the old form."""
    path = tmp_path / "README.md"
    path.write_text(FRONT_MATTER, encoding="utf-8")
    return path


def line_of(part: str) -> int:
    """The line of the default contract on which a part stands."""
    return TEXT[: TEXT.index(part)].count("\n") + 1


def test_the_default_contract_passes(powerstage: Run) -> None:
    """Without a file, lint checks the default contract and finds nothing."""
    done = powerstage("contract", "lint")
    assert done.stdout == "✓ default.odcs.yaml is sound\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_lint_lists_every_mistake_with_its_line(powerstage: Run, broken: Path) -> None:
    """All that is wrong is listed at once, as file:line, and the exit code is 1."""
    done = powerstage("contract", "lint", broken)
    for right in MISTAKES:
        assert f"✗ {broken}:{line_of(right)}: " in done.stdout
    assert (done.returncode, done.stderr) == (1, "")


def test_lint_names_mistakes_in_its_document(powerstage: Run, broken: Path) -> None:
    """The document holds the same complaints, one text each."""
    plain = powerstage("contract", "lint", broken)
    found = json.loads(powerstage("contract", "lint", broken, "--json").stdout)
    assert [f"✗ {problem}" for problem in found["problems"]] == plain.stdout.splitlines()


def test_lint_reads_queries_as_duckdb_does(powerstage: Run, tmp_path: Path) -> None:
    """Each that cannot be run is a mistake with the line of its rule; none is run."""
    queries = {
        "SELECT count(*) FORM {object}": "syntax error",
        "SELECT max(watts) FROM {object}": '"watts" not found',
        "SELECT count(*) FROM read_text('/etc/hostname')": "not read_text()",
        "SELECT max(value) FROM telemetry, inventory WHERE unit = 'W'": "",
    }
    rules = [
        f'      - {{id: q{index}, type: sql, query: "{query}", mustBe: 1}}\n'
        for index, query in enumerate(queries)
    ]
    place = "      - name: readings inside the period"
    path = tmp_path / "own.yaml"
    path.write_text(TEXT.replace(place, "".join(rules) + place), encoding="utf-8")
    done = powerstage("contract", "lint", path)
    first = line_of(place)
    wrong = [(first + index, words) for index, words in enumerate(queries.values()) if words]
    assert (done.returncode, done.stderr) == (1, "")
    for line, (number, words) in zip(done.stdout.splitlines(), wrong, strict=True):
        assert line.startswith(f"✗ {path}:{number}: ")
        assert words in line


def test_an_empty_contract_is_a_mistake_in_line_one(powerstage: Run, tmp_path: Path) -> None:
    """An empty file is no contract."""
    (tmp_path / "empty.yaml").touch()
    done = powerstage("contract", "lint", tmp_path / "empty.yaml")
    assert done.stdout == f"✗ {tmp_path / 'empty.yaml'}:1: the file is empty\n"
    assert done.returncode == 1


def test_a_broken_contract_is_not_worked_with(powerstage: Run, broken: Path) -> None:
    """Showing it is refused with 2, and with every line that is wrong."""
    done = powerstage("contract", "show", broken)
    assert (done.returncode, done.stdout) == (2, "")
    for right in MISTAKES:
        assert f"{broken}:{line_of(right)}: " in done.stderr
    assert "mend the lines named" in done.stderr


def test_show_says_what_was_agreed(powerstage: Run, tmp_path: Path) -> None:
    """A measure and its limits, as the file has them, are shown with all columns."""
    path = tmp_path / "own.yaml"
    path.write_text(TEXT.replace("maximum: 2000", "maximum: 1234"), encoding="utf-8")
    done = powerstage("contract", "show", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "server power        0 to 1234 W\n" in done.stdout
    first_words = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    assert {"sn", "start_time", "end_time", "unit", "value"} <= set(first_words)


def test_show_gives_the_facts_as_a_document(powerstage: Run) -> None:
    """Intervals, sites, measures and keys are there for a program to read."""
    facts = json.loads(powerstage("contract", "show", "--json").stdout)["contract"]
    assert (facts["name"], facts["version"]) == ("power-telemetry", "1.0.0")
    assert facts["delivery_interval_seconds"] == facts["reading_interval_seconds"] == 3600
    assert facts["sites"]["DE-1"] == "Europe/Berlin"
    assert [measure["unit"] for measure in facts["measures"]] == ["%", "W"]
    assert facts["datasets"]["telemetry"]["key"] == ["sn", "start_time", "type"]


def test_show_gives_the_file_itself(powerstage: Run) -> None:
    """``--text`` prints the default contract byte for byte, to start one's own from."""
    done = powerstage("contract", "show", "--text")
    assert done.stdout == TEXT
    assert (done.returncode, done.stderr) == (0, "")


def test_a_readme_becomes_a_contract_and_a_readme_again(
    powerstage: Run, readme: Path, tmp_path: Path
) -> None:
    """The front matter comes back as it was, text and all."""
    imported = powerstage("contract", "import", readme)
    assert (imported.returncode, imported.stderr) == (0, "")
    (tmp_path / "own.yaml").write_text(imported.stdout, encoding="utf-8")
    exported = powerstage("contract", "export", tmp_path / "own.yaml")
    assert exported.stdout == FRONT_MATTER
    assert (exported.returncode, exported.stderr) == (0, "")


def test_import_keeps_what_the_front_matter_does_not_say(
    powerstage: Run, readme: Path, tmp_path: Path
) -> None:
    """The contract named with ``--contract`` decides about all else."""
    (tmp_path / "base.yaml").write_text(
        TEXT.replace("maximum: 2000", "maximum: 1234"), encoding="utf-8"
    )
    done = powerstage("contract", "import", readme, "--contract", tmp_path / "base.yaml")
    assert done.returncode == 0
    assert "maximum: 1234\n" in done.stdout
    assert '"2e6256c0542e11eda7f1b658e46295f1"' in done.stdout


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("---\n", "", 1),
        ("update: 1 hr", "update: often", 5),
        ("devices: inventory.csv\n", "", 2),
        ("data: data", "dota: data", 4),
    ],
)
def test_a_wrong_front_matter_is_named_by_its_line(
    powerstage: Run, readme: Path, right: str, wrong: str, line: int
) -> None:
    """Import refuses with 2, and says in which line of the README."""
    readme.write_text(FRONT_MATTER.replace(right, wrong, 1), encoding="utf-8")
    done = powerstage("contract", "import", readme)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{readme}:{line}: " in done.stderr


def test_diff_names_whom_a_change_breaks(powerstage: Run, tmp_path: Path) -> None:
    """A line each on a pipe, with the place in both files; the exit code is 1."""
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(TEXT, encoding="utf-8")
    text = TEXT.replace("maximum: 2000", "maximum: 1500").replace(
        "version: 1.0.0", "version: 2.0.0"
    )
    new.write_text(text, encoding="utf-8")
    done = powerstage("contract", "diff", old, new)
    line = line_of("- measure: server power")
    assert done.stdout == (
        "breaks producer: range.narrowed: server power: maximum 2000 → 1500 W"
        f"   {old}:{line} {new}:{line}\n"
    )
    assert (done.returncode, done.stderr) == (1, "")


def test_a_diff_that_breaks_nobody_passes(powerstage: Run, tmp_path: Path) -> None:
    """What only informs is shown, with exit code 0, and as a document."""
    new = tmp_path / "new.yaml"
    text = TEXT.replace("purpose: Power", "purpose: All").replace(
        "version: 1.0.0", "version: 1.0.1"
    )
    new.write_text(text, encoding="utf-8")
    (tmp_path / "old.yaml").write_text(TEXT, encoding="utf-8")
    done = powerstage("contract", "diff", tmp_path / "old.yaml", new, "--json")
    (change,) = json.loads(done.stdout)["changes"]
    assert (change["kind"], change["breaks"]) == ("purpose.changed", [])
    assert done.returncode == 0
