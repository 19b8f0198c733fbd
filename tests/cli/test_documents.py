"""Every command's document keeps the schema, which says all that is in it."""

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from powerstage.cli import cli
from powerstage.contract.load import default_text
from tests.conftest import Run, write_upstream_export
from tests.documents import SCHEMA, require_described

COMMANDS = [
    "contract lint",
    "contract show",
    "contract diff {old}.yaml {new}.yaml",
    "plan --devices 1",
    "kit {tmp}/kit --devices 1",
    "synth {tmp}/export --export parquet --devices 1",
    "synth {tmp}/feed --devices 1",
    "publish {export} {tmp}/feed",
    "publish {spoilt} {tmp}/feed",
    "retract {feed} 2026-11-02T0600",
    "gc {feed} --dry-run",
    "consume {feed} --into {tmp}/lake",
    "validate {spoilt}",
    "validate {spoilt}/inventory.csv",
    "validate {feed}",
    "status {feed}",
    "report {lake} --out {tmp}/report.html",
]


@pytest.fixture(scope="module")
def template(three_hours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export, a spoilt one, and a feed with faults that a consumer has judged."""
    folder = tmp_path_factory.mktemp("documents")
    for name, hours in (("old", 1), ("new", 2)):
        text = default_text().replace("value: 1\n    unit: h", f"value: {hours}\n    unit: h")
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    spoilt = write_upstream_export(folder / "export", 2)
    shutil.copytree(spoilt, folder / "spoilt")
    for path in (folder / "spoilt").glob("data*"):
        path.write_text(path.read_text("utf-8").replace('"W"', '"kW"', 1), encoding="utf-8")
    feed = str(folder / "feed")
    faults = "nan_value,lost_object,missing_hour,retyped_file"
    told("synth", feed, "--devices", "2", "--faults", faults, "--contract", str(three_hours))
    shutil.rmtree(folder / "feed" / "receipts", ignore_errors=True)
    told("consume", feed, "--into", str(folder / "lake"))
    return folder


def told(*words: str) -> dict[str, Any]:
    """The document of a command."""
    document: dict[str, Any] = json.loads(CliRunner().invoke(cli, [*words, "--json"]).stdout)
    return document


@pytest.mark.parametrize("command", COMMANDS)
def test_a_document_is_described(template: Path, tmp_path: Path, command: str) -> None:
    """It keeps the schema, and the schema knows each of its keys."""
    names = {name: template / name for name in ("export", "spoilt", "feed", "lake", "old", "new")}
    document = told(*(word.format(tmp=tmp_path, **names) for word in command.split()))
    require_described(document)


def test_an_error_is_described(powerstage: Run, tmp_path: Path) -> None:
    """So is what stands in place of results."""
    document = json.loads(powerstage("status", tmp_path, "--json").stdout)
    require_described(document)
    assert document["error"]["fix"]


def test_the_schema_is_shown(powerstage: Run) -> None:
    """The command prints it, and it is a schema."""
    shown = json.loads(powerstage("--json-schema").stdout)
    assert shown == SCHEMA
    jsonschema.Draft202012Validator.check_schema(shown)


def test_an_unknown_key_is_seen(template: Path) -> None:
    """The tests above can fail: at the top, and deep inside."""
    document = told("validate", str(template / "feed"))
    refused = next(found for found in document["deliveries"] if found["findings"])
    for place in (document, document["deliveries"][0], refused["findings"][0]):
        place["new_key"] = 1
        with pytest.raises(jsonschema.ValidationError, match="new_key"):
            require_described(document)
        del place["new_key"]
    document["deliveries"][0]["verdict"] = "fine"
    with pytest.raises(jsonschema.ValidationError, match="fine"):
        require_described(document)
