"""The gate stops what it is there to stop: its commands, run on a spoilt copy."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PROGRAMS = Path(sys.executable).parent
CHECK = (ROOT / "scripts" / "check").read_text("utf-8").splitlines()
DRIFTING = re.compile(r"^\]\]\] -->\n(?P<output>.*?)^<!-- \[\[\[end", re.DOTALL | re.MULTILINE)
# Every text between cog's markers, by file and number.
QUOTES = [
    (path.relative_to(ROOT), number)
    for path in sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")})
    for number, _ in enumerate(DRIFTING.finditer(path.read_text("utf-8")))
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What the gate reads of the project, to be spoilt."""
    folder = tmp_path / "copy"
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("powerstage", "docs", "data", "scripts", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    return folder


def gate(tool: str, copy: Path, target: str = "") -> subprocess.CompletedProcess[str]:
    """Run the gate's call of a tool in the copy: on all that the gate names, or on one target."""
    (line,) = [line for line in CHECK if line.startswith(tool)]
    return subprocess.run(
        ["sh", "-c", f"{tool} {target}" if target else line],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=copy,
        env=os.environ | {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "PYTHONPATH": str(copy)},
    )


def add(copy: Path, module: str, text: str) -> None:
    """Write lines at the end of a module, which may be new."""
    with (copy / "powerstage" / module).open("a", encoding="utf-8") as file:
        file.write(text)


@pytest.mark.parametrize("tool", ["ruff", "mypy", "lint-imports", "cog"])
def test_the_tools_stand_beside_the_interpreter(tool: str) -> None:
    """The gate's environment is the one that these tests run in."""
    assert os.access(PROGRAMS / tool, os.X_OK)


@pytest.mark.parametrize("tool", ["ruff check", "lint-imports", "cog --check"])
def test_an_unspoilt_copy_passes(copy: Path, tool: str) -> None:
    """What the tests below see comes from what they have spoilt."""
    done = gate(tool, copy)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("consumer/fetch.py", "import powerstage.producer", "producer and consumer never meet"),
        ("producer/parquet.py", "import powerstage.consumer", "producer and consumer never meet"),
        ("contract/model.py", "import powerstage.engine", "Imports point down"),
        ("rogue.py", "", "Imports point down"),
        ("consumer/fetch.py", "import boto3", "Only store and sim know S3"),
        ("producer/publish.py", "import moto", "Only store and sim know S3"),
    ],
)
def test_a_forbidden_import_is_stopped(copy: Path, module: str, line: str, broken: str) -> None:
    """Producer and consumer, a room below, S3, or a module that has no place yet."""
    add(copy, module, f"{line}\n")
    done = gate("lint-imports", copy)
    assert done.returncode == 1
    assert [text for text in done.stdout.splitlines() if broken in text and "BROKEN" in text]
    assert "Contracts: 1 kept, 1 broken." in done.stdout


def test_types_are_checked_everywhere() -> None:
    """The package and its tests."""
    assert any(line.startswith("mypy powerstage tests ") for line in CHECK)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("", 0),
        ("\n\ndef half(number: int) -> float:\n    return number / 2\n", 0),
        ("\n\ndef half(number):\n    return number / 2\n", 1),
        ("\n\ndef half(number: int) -> int:\n    return number / 2\n", 1),
        ("\n\nHALF: list = []\n", 1),
        ("\n\nHALF: int = ''  # type: ignore\n", 1),
    ],
    ids=["as it is", "typed", "untyped", "mistyped", "any", "ignored"],
)
def test_an_untyped_function_is_stopped(
    copy: Path, tmp_path_factory: pytest.TempPathFactory, lines: str, status: int
) -> None:
    """Strict: a function without types, a wrong one, a bare generic, an ignore of everything."""
    add(copy, "errors.py", lines)
    cache = tmp_path_factory.getbasetemp() / "mypy-cache"
    done = gate("mypy", copy, f"--cache-dir={cache} powerstage/errors.py")
    assert done.returncode == status, done.stdout
    assert ("powerstage/errors.py:" in done.stdout) == bool(status)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("NOW = datetime.datetime.now(datetime.UTC)", "TID251"),
        ("NOW = time.time()", "TID251"),
        ("time.sleep(1)", "TID251"),
        ("KEY = uuid.uuid4()", "TID251"),
        ("assert KEY", "S101"),
        ("def half(number: int) -> float: return number / 2", "D103"),
    ],
)
def test_a_broken_rule_is_stopped(copy: Path, line: str, rule: str) -> None:
    """Clock and chance are arguments, no check rests on an assert, what is public is explained."""
    text = f'"""Spoilt."""\n\nimport datetime\nimport time\nimport uuid\n\n{line}\n'
    add(copy, "spoilt.py", text)
    done = gate("ruff check", copy, "--output-format=concise powerstage/spoilt.py")
    assert done.returncode == 1
    assert re.search(rf"^powerstage/spoilt\.py:7:\d+: {rule} ", done.stdout, re.MULTILINE)


def test_documents_quote_the_program() -> None:
    """The README has a quote, and no document has one that the gate does not look at."""
    assert (Path("README.md"), 0) in QUOTES
    assert {path.parent for path, _ in QUOTES if path.name != "README.md"} <= {Path("docs")}


@pytest.mark.parametrize(("path", "number"), QUOTES, ids=str)
def test_a_quote_that_drifted_is_stopped(copy: Path, path: Path, number: int) -> None:
    """One letter of what the program prints has changed: its file is named."""
    text = (copy / path).read_text("utf-8")
    quote = list(DRIFTING.finditer(text))[number]
    at = quote.start("output") + next(
        index for index, letter in enumerate(quote["output"]) if letter.isalpha()
    )
    spoilt = text[:at] + text[at].swapcase() + text[at + 1 :]
    (copy / path).write_text(spoilt, "utf-8")
    done = gate("cog --check", copy)
    assert done.returncode != 0
    assert f"Checking {path}  (changed)" in done.stdout


def test_no_test_of_a_page_is_skipped() -> None:
    """The gate has a browser before it tests, or ends."""
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert "set -euo pipefail" in lines
    assert lines.index("scripts/browser") < lines.index("scripts/test")


def browser_script(folder: Path, *programs: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/browser where no programs are but these, which do nothing but fail."""
    (folder / "dirname").symlink_to(str(shutil.which("dirname")))
    for program in programs:
        (folder / program).write_text("#!/bin/sh\nexit 9\n", "utf-8")
        (folder / program).chmod(0o755)
    return subprocess.run(
        ["/bin/sh", ROOT / "scripts" / "browser"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(folder)},
    )


def test_a_browser_that_is_there_is_enough(tmp_path: Path) -> None:
    """Nothing is installed, and nothing said."""
    done = browser_script(tmp_path, "chromium", "apt-get")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("programs", "cause", "fix"),
    [
        ((), "there is no apt-get to install it", "install Chromium"),
        (("apt-get", "id"), "only root can install it", "sudo scripts/browser"),
    ],
    ids=["no Debian", "not root"],
)
def test_without_a_browser_it_says_how_to_get_one(
    tmp_path: Path, programs: tuple[str, ...], cause: str, fix: str
) -> None:
    """Not on Debian, and for nobody but root: an error for people."""
    done = browser_script(tmp_path, *programs)
    assert done.returncode == 3
    told = f"error no chromium was found on PATH, and {cause}\n  fix    {fix}\n"
    assert done.stderr == told


def test_no_folder_of_scripts_is_a_package() -> None:
    """A package called localstack would stand in the way of the real one."""
    folders = ("scripts", "localstack", "tests")
    assert [path for name in folders for path in (ROOT / name).rglob("__init__.py")] == []
