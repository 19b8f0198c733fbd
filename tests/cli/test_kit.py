"""``powerstage kit``."""

import json
from pathlib import Path

from powerstage.contract import Contract
from tests.conftest import Run


def test_a_kit_is_an_export_and_holds_a_feed(powerstage: Run, tmp_path: Path) -> None:
    """Both pass ``validate``."""
    assert powerstage("kit", tmp_path / "kit", "--devices", "3").returncode == 0
    for target in (tmp_path / "kit", tmp_path / "kit" / "feed"):
        done = powerstage("validate", target)
        assert done.returncode == 0, done.stdout


def test_the_document_says_what_was_written(
    powerstage: Run, tmp_path: Path, contract: Contract
) -> None:
    """Folder, contract, periods and readings; words go to standard error."""
    done = powerstage("kit", "our-kit", "--devices", "3", "--days", "2", "--json", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert (document["command"], document["ok"], document["kit"]) == ("kit", True, "our-kit")
    assert document["contract"]["sha256"] == contract.sha256
    assert (document["periods"], document["readings"]) == (48, 3 * 2 * 48)
    assert "✓ a kit in our-kit" in done.stderr


def test_a_contract_of_ones_own_is_taken(
    powerstage: Run, tmp_path: Path, contract: Contract
) -> None:
    """To the byte."""
    path = tmp_path / "own.odcs.yaml"
    path.write_text(contract.text.replace("maximum: 2000", "maximum: 3000"), encoding="utf-8")
    done = powerstage("kit", tmp_path / "kit", "--devices", "1", "--contract", path)
    assert done.returncode == 0
    assert (tmp_path / "kit" / "contract.odcs.yaml").read_bytes() == path.read_bytes()


def test_mock_data_that_break_their_own_contract_are_told(
    powerstage: Run, tmp_path: Path, contract: Contract
) -> None:
    """The rule by name, what was found, and what to do about it; the kit is there all the same."""
    place = "      - name: readings inside the period"
    rule = "      - {id: load, name: busy servers, type: sql, mustBeGreaterThan: 99,"
    query = " query: \"SELECT avg(value) FROM telemetry WHERE unit = '%'\"}\n"
    path = tmp_path / "own.yaml"
    path.write_text(contract.text.replace(place, rule + query + place), encoding="utf-8")
    done = powerstage("kit", tmp_path / "kit", "--devices", "2", "--contract", path, "--json")
    assert (done.returncode, json.loads(done.stdout)["broken"]) == (1, ["quality.load"])
    assert f"break quality.load: busy servers (in {tmp_path / 'kit'} and " in done.stderr
    assert f", expected more than 99; {path}:" in done.stderr
    assert "fix    mend the rule" in done.stderr
    assert (tmp_path / "kit" / "README.md").is_file()


def test_what_cannot_be_written_is_a_usage_error(powerstage: Run, tmp_path: Path) -> None:
    """A folder that holds something, a URL, a number out of range: nothing is written."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    for arguments in (["full"], ["s3://bucket/kit"], ["new", "--days", "0"]):
        done = powerstage("kit", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "fix" in done.stderr
    assert {path.name for path in tmp_path.rglob("*")} == {"full", "mine.txt"}
