"""What the README shows is what happens: its commands, its Python, its sample."""

import re
import shlex
import shutil
from pathlib import Path

import duckdb
import pytest

from powerstage.contract import Commit
from powerstage.engine import connect
from tests.conftest import ROOT, Run

README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    """The code blocks of one language, in order; of none with ``""``."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


def local_commands() -> list[list[str]]:
    """Every call of powerstage that needs neither S3 nor the demo's minute."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    calls = [shlex.split(line, comments=True) for line in lines if line.startswith("powerstage ")]
    return [call[1:] for call in calls if "s3://" not in str(call) and call[1] != "demo"]


def test_the_commands_of_the_readme_work_in_their_order(powerstage: Run, tmp_path: Path) -> None:
    """Typed one after the other in a clone, each ends with 0."""
    shutil.copytree(ROOT / "data", tmp_path / "data")
    commands = local_commands()
    assert len(commands) >= 5
    for command in commands:
        done = powerstage(*command, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), command


def test_the_python_of_the_readme_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The producer's five lines publish what the consumer's five lines count; so do exports."""
    shutil.copytree(ROOT / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})  # noqa: S102 - that is the test
    assert capsys.readouterr().out.startswith(f"{20 * 2 * 24} ")
    assert len(list((tmp_path / "export-feed" / "commits" / "telemetry").iterdir())) == 24


def test_the_queries_and_the_chart_of_a_lake_work(
    powerstage: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What docs/report.md shows: Parquet of one's own, and a chart in a file."""
    text = (ROOT / "docs/report.md").read_text("utf-8")
    for command in ("synth feed --devices 4 --days 2", "consume feed --into lake"):
        assert powerstage(*command.split(), cwd=tmp_path).returncode == 0
    monkeypatch.chdir(tmp_path)
    with duckdb.connect("lake/lake.duckdb", read_only=True) as lake:
        for block in blocks("sql", text):
            lake.execute(block)
    for block in blocks("python", text):
        exec(compile(block, "docs/report.md", "exec"), {})  # noqa: S102 - that is the test
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        "hourly.parquet",
        "readings.parquet",
        "day.html",
    }


REFRESH = "rm -r data/sample-kit && .venv/bin/powerstage kit data/sample-kit --devices 5"


def texts(kit: Path) -> dict[str, str]:
    """The files of a kit that do not depend on DuckDB's version; its tests may have been run."""
    return {
        str(path.relative_to(kit)): path.read_text("utf-8")
        for path in kit.rglob("*")
        if path.suffix in {".md", ".csv", ".yaml", ".json", ".py"} and "commits" not in path.parts
    }


def values(kit: Path) -> dict[str, object]:
    """The rows of each delivery of a kit's feed, by its commit."""
    feed = kit / "feed"
    found: dict[str, object] = {}
    with connect() as connection:
        for path in feed.glob("commits/*/*/*.json"):
            (file,) = Commit.from_json(path.read_bytes()).files
            query = f"SELECT COLUMNS(*)::VARCHAR FROM read_parquet('{feed / file.key}')"
            found[str(path.relative_to(feed))] = connection.execute(query).fetchall()
    return found


def test_the_sample_kit_is_what_its_command_writes(powerstage: Run, tmp_path: Path) -> None:
    """Texts to the byte, Parquet by its values: DuckDB's version decides about its bytes."""
    assert REFRESH in " ".join((ROOT / "CONTRIBUTING.md").read_text("utf-8").split())
    assert powerstage("kit", tmp_path / "new", "--devices", "5").returncode == 0
    assert texts(tmp_path / "new") == texts(ROOT / "data/sample-kit"), REFRESH
    assert values(tmp_path / "new") == values(ROOT / "data/sample-kit"), REFRESH


def test_the_demo_of_the_readme_is_what_it_prints(powerstage: Run, tmp_path: Path) -> None:
    """Line by line, but for ports, seconds, and bytes, which DuckDB's version decides."""

    def steady(text: str) -> list[str]:
        text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
        text = re.sub(r" +\d+\.\d s  ", " SECONDS ", text)
        return re.sub(r"[\d,]+ bytes", "BYTES", text).rstrip().splitlines()

    done = powerstage("demo", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    shown = next(block for block in blocks("") if block.startswith("powerstage demo"))
    assert steady(done.stdout) == steady(shown)
