"""What an analyst finds in a lake: accepted data, as tables, and nothing else."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from powerstage.checks import Checker
from powerstage.consumer import Judgement, Lake, consume
from powerstage.consumer.ledger import FORMAT, Ledger
from powerstage.contract import CommitKey, loads
from powerstage.errors import EnvironmentFailedError, UsageError
from tests.conftest import clock
from tests.consumer.conftest import Feed


def test_accepted_readings_are_those_that_were_published(feed: Feed, tmp_path: Path) -> None:
    """Row for row, value for value, as an Arrow table or by SQL."""
    feed.consume()
    with Lake(tmp_path / "lake") as lake:
        table = lake.telemetry().to_arrow_table()
    assert table.num_rows == 288
    for period in feed.source.periods():
        feed.source.write_telemetry(period, tmp_path / f"{period:%H}.parquet")
    with duckdb.connect() as connection:
        connection.register("accepted", table)
        (differing,) = connection.execute(
            f"SELECT count(*) FROM (FROM accepted EXCEPT FROM '{tmp_path}/*.parquet')"
        ).fetchall()
    assert differing == (0,)


def test_what_was_refused_is_not_shown(feed: Feed, tmp_path: Path) -> None:
    """Its period is absent, and its file is not in the folder."""
    feed.recommit_bytes(feed.read(feed.commit().files[0].key), rows=13)
    sha256 = feed.commit().files[0].sha256
    feed.consume()
    with Lake(tmp_path / "lake") as lake:
        (row,) = lake.telemetry().aggregate("count(*), count(DISTINCT start_time)").fetchall()
        assert row == (252, 21)
        assert not lake.data_path(sha256).exists()


def test_the_inventory_is_the_snapshot_in_force(feed: Feed, tmp_path: Path) -> None:
    """Six devices, as the contract names their columns."""
    feed.consume()
    with Lake(tmp_path / "lake") as lake:
        assert lake.inventory().columns == ["sn", "model", "product_id", "location"]
        assert len(lake.inventory().fetchall()) == 6


def test_the_duckdb_command_finds_views(feed: Feed, tmp_path: Path) -> None:
    """lake.duckdb can be opened by another process, read-only."""
    feed.consume()
    query = "SELECT count(*), sum(value) > 0 FROM telemetry JOIN inventory USING (sn)"
    script = (
        "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True)"
        ".execute(sys.argv[2]).fetchall())"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "lake" / "lake.duckdb"), query],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "[(288, True)]"


def test_views_show_what_was_accepted_before_a_crash(feed: Feed, tmp_path: Path) -> None:
    """The run after one that was cut off judges nothing, and writes the views all the same."""
    key = str(CommitKey(slot=feed.slot))
    body = feed.read(key)
    feed.delete(key)
    feed.consume()
    feed.store.put(key, body)

    def crash(_: Judgement) -> None:
        raise KeyboardInterrupt

    with Lake(tmp_path / "lake") as lake, pytest.raises(KeyboardInterrupt):
        consume(feed.store, lake, clock=clock, on_judgement=crash)
    assert feed.consume().judgements == ()
    with duckdb.connect(str(tmp_path / "lake" / "lake.duckdb"), read_only=True) as views:
        assert views.execute("SELECT count(*) FROM telemetry").fetchall() == [(288,)]


def test_a_lake_with_nothing_accepted_has_empty_tables(feed: Feed, tmp_path: Path) -> None:
    """The columns are those of the contract, the rows are none."""
    feed.delete(feed.commit(feed.inventory).files[0].key)
    feed.consume()
    with Lake(tmp_path / "lake") as lake:
        assert lake.telemetry().fetchall() == []
        assert [str(type_) for type_ in lake.telemetry().types[-1:]] == ["DOUBLE"]


def test_no_lake_is_made_by_looking(tmp_path: Path) -> None:
    """A wrong path is a usage error, and stays empty."""
    with pytest.raises(UsageError, match="there is no lake"):
        Lake(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_lake_nothing_was_consumed_into_says_so(tmp_path: Path) -> None:
    """Its relations need a contract."""
    with (
        Lake(tmp_path / "lake", make=True) as lake,
        pytest.raises(UsageError, match="nothing was consumed"),
    ):
        lake.telemetry()


def test_a_column_that_was_agreed_on_later_is_null_before(feed: Feed, tmp_path: Path) -> None:
    """What was accepted under the old contract stays readable under the new."""
    feed.consume()
    contract = feed.source.contract
    column = "      - {name: rack, logicalType: string, physicalType: VARCHAR}\n"
    text = contract.text.replace("      - name: value\n", f"{column}      - name: value\n")
    newer = loads(text.replace("version: 1.0.0", "version: 1.1.0"), "newer")
    assert not feed.consume(contract=newer).judgements
    query = "SELECT count(*), count(rack), count(value) FROM telemetry"
    with duckdb.connect(str(tmp_path / "lake" / "lake.duckdb"), read_only=True) as connection:
        assert connection.execute(query).fetchall() == [(288, 0, 288)]


def test_a_ledger_of_another_format_is_left_alone(tmp_path: Path) -> None:
    """A newer powerstage made it."""
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.set_fact("format", str(FORMAT + 1))
    ledger.close()
    with pytest.raises(EnvironmentFailedError, match=f"format {FORMAT + 1}"):
        Ledger(tmp_path / "ledger.sqlite")


def test_a_ledger_that_is_none_is_an_error_in_words(tmp_path: Path) -> None:
    """Somebody's notes are not overwritten."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"my notes, not a database" * 100)
    with pytest.raises(EnvironmentFailedError, match="cannot open the ledger"):
        Ledger(path)
    assert path.read_bytes().startswith(b"my notes")


def test_views_are_written_to_the_side_and_moved(feed: Feed, tmp_path: Path) -> None:
    """Whoever has the old file open keeps reading it."""
    feed.consume()
    with duckdb.connect(str(tmp_path / "lake" / "lake.duckdb"), read_only=True) as reader:
        with Lake(tmp_path / "lake") as lake, Checker() as checker:
            lake.write_views(checker)
        assert reader.execute("SELECT count(*) FROM telemetry").fetchall() == [(288,)]


def test_a_killed_consumers_files_are_swept(feed: Feed, tmp_path: Path) -> None:
    """What it was fetching is of no use to anybody."""
    feed.consume()
    left = tmp_path / "lake" / ".incoming-dead"
    left.mkdir()
    (left / "half").write_bytes(b"x")
    feed.consume()
    assert not left.exists()
