"""A tool of others, datacontract-cli, takes our contract and our clean data as they are."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from powerstage.contract import default
from powerstage.kit import write_kit
from tests.conftest import START
from tests.environments import DATACONTRACT, UnreachableError, python_with

Datacontract = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def datacontract(pytestconfig: pytest.Config) -> Datacontract:
    """Run datacontract-cli in an environment of its own, which is made once."""
    try:
        python = python_with(pytestconfig.cache.mkdir("environments"), DATACONTRACT)
    except UnreachableError as error:
        pytest.skip(str(error))

    def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-c", "from datacontract.cli import main; main()", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=cwd,
        )

    return run


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small kit; nobody changes it."""
    folder = tmp_path_factory.mktemp("datacontract") / "kit"
    write_kit(default(), folder, devices=5, start=START)
    return folder


def test_the_default_contract_passes_its_linter(datacontract: Datacontract, kit: Path) -> None:
    """The file is valid ODCS, without a warning."""
    done = datacontract("lint", "contract.odcs.yaml", cwd=kit)
    assert done.returncode == 0, done.stdout
    assert "Data contract is valid." in done.stdout


def test_a_clean_feed_passes_its_checks(datacontract: Datacontract, kit: Path) -> None:
    """Every check runs, the reference to the inventory too; types alone it does not look at."""
    done = datacontract("test", "../contract.odcs.yaml", "--server", "feed", cwd=kit / "feed")
    assert done.returncode == 0, done.stdout
    assert "no values missing from inventory.sn" in " ".join(done.stdout.replace("│", " ").split())


@pytest.mark.parametrize("dataset", ["inventory", "telemetry"])
def test_a_clean_export_passes_its_checks(
    datacontract: Datacontract, kit: Path, dataset: str
) -> None:
    """A server of its contract holds one dataset, so it is told which to read."""
    options = ["--server", f"export-{dataset}", "--schema-name", dataset]
    done = datacontract("test", "contract.odcs.yaml", *options, cwd=kit)
    assert done.returncode == 0, done.stdout


def test_a_null_fails_its_checks(datacontract: Datacontract, kit: Path, tmp_path: Path) -> None:
    """It looks at the data: what passes above could have failed."""
    rows = (kit / "inventory.csv").read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "inventory.csv").write_text("".join([*rows, ",,,\n"]), "utf-8")
    options = ["--server", "export-inventory", "--schema-name", "inventory"]
    done = datacontract("test", str(kit / "contract.odcs.yaml"), *options, cwd=tmp_path)
    assert done.returncode == 1
