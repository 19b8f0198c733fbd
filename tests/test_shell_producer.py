"""``scripts/shell-producer``: a third party with a shell and the AWS CLI, beside our consumer."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from powerstage.consumer import Lake, consume
from powerstage.contract import Commit, Contract
from powerstage.producer import MockSource
from powerstage.store import open_store, read
from tests.conftest import ROOT, START, clock
from tests.environments import UnreachableError, python_with

AWS_CLI = "awscli==1.46.3"
PERIOD = "2026-11-02T0000"
Deliver: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def deliver(
    pytestconfig: pytest.Config, feed_url: str, contract: Contract, tmp_path: Path
) -> Deliver:
    """Call the script for a dataset, with a Parquet file and its rows, and with the AWS CLI."""
    assert pytestconfig.cache is not None
    try:
        aws = python_with(pytestconfig.cache.mkdir("environments"), AWS_CLI).parent
    except UnreachableError as error:
        pytest.skip(str(error))
    agreed = tmp_path / "contract.odcs.yaml"
    agreed.write_text(contract.text, encoding="utf-8")

    def call(
        dataset: str, file: Path, rows: int, *pin: str, who: str = "a shell", feed: str = feed_url
    ) -> subprocess.CompletedProcess[str]:
        script = str(ROOT / "scripts" / "shell-producer")
        return subprocess.run(
            [script, feed, agreed, dataset, PERIOD, file, str(rows), *pin],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PATH": f"{aws}:{os.environ['PATH']}", "PRODUCER": who},
        )

    return call


def test_what_a_shell_delivers_is_accepted(
    deliver: Deliver, source: MockSource, feed_url: str, tmp_path: Path
) -> None:
    """An inventory and an hour of telemetry that pins it: our consumer takes both."""
    rows = source.write_inventory(START, tmp_path / "inventory.parquet")
    inventory = deliver("inventory", tmp_path / "inventory.parquet", rows)
    assert (inventory.returncode, inventory.stderr) == (
        0,
        f"inventory/{PERIOD}/r000000 is delivered\n",
    )
    rows = source.write_telemetry(START, tmp_path / "hour.parquet")
    pin = inventory.stdout.strip()
    telemetry = deliver("telemetry", tmp_path / "hour.parquet", rows, pin)
    assert (telemetry.returncode, telemetry.stdout) == (0, "")
    with Lake(tmp_path / "lake", make=True) as lake:
        consumed = consume(open_store(feed_url), lake, clock=clock)
        assert [judgement.verdict for judgement in consumed.judgements] == ["accepted"] * 2
        assert len(lake.telemetry().fetchall()) == rows


def test_run_again_it_says_that_it_is_there_already(
    deliver: Deliver, source: MockSource, tmp_path: Path
) -> None:
    """Whoever runs it: the content decides. It says the same to whoever pins it."""
    rows = source.write_inventory(START, tmp_path / "inventory.parquet")
    first = deliver("inventory", tmp_path / "inventory.parquet", rows)
    again = deliver("inventory", tmp_path / "inventory.parquet", rows, who="another shell")
    assert (again.returncode, again.stdout) == (0, first.stdout)
    assert again.stderr == f"inventory/{PERIOD}/r000000 is there already\n"


def test_whoever_comes_second_with_other_content_is_told_who_was_first(
    deliver: Deliver, source: MockSource, feed_url: str, tmp_path: Path
) -> None:
    """By name, with exit code 1; the first delivery stays."""
    rows = source.write_inventory(START, tmp_path / "inventory.parquet")
    deliver("inventory", tmp_path / "inventory.parquet", rows, who="alice")
    other = deliver("inventory", tmp_path / "inventory.parquet", rows + 1, who="bob")
    assert (other.returncode, other.stdout) == (1, "")
    assert f"inventory/{PERIOD}/r000000 holds other content, written by alice at 20" in other.stderr
    (key,) = [info.key for info in open_store(feed_url).list("commits/")]
    assert Commit.from_json(read(open_store(feed_url), key, 10_000)).producer == "alice"


def test_without_a_bucket_it_says_what_s3_said(deliver: Deliver, tmp_path: Path) -> None:
    """Exit code 3, with the words of the AWS CLI."""
    done = deliver("inventory", tmp_path / "inventory.parquet", 1, feed="s3://nowhere/feed")
    assert done.returncode == 3
    assert "NoSuchBucket" in done.stderr
