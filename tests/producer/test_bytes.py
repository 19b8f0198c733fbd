"""Mock data as Parquet: the same bytes each time, small, and footers that tell the truth."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from powerstage.contract import period_text
from powerstage.engine import connect, sql_text
from powerstage.producer.parquet import ROW_GROUP_ROWS
from tests.producer.mock import (
    AGAIN,
    CASES,
    LARGE,
    Case,
    Written,
    write,
    write_inventories,
    write_side_by_side,
    written,
)

ARROW_TYPES = {
    "VARCHAR": pa.string(),
    "TIMESTAMPTZ": pa.timestamp("us", tz="UTC"),
    "DOUBLE": pa.float64(),
}


def digests(folder: Path) -> dict[str, str]:
    """The digest of each file, by its name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The large file and its inventory, by the DuckDB that is installed."""
    folder = tmp_path_factory.mktemp("large")
    return write(LARGE.source(), folder)


@pytest.fixture(params=["installed", "other"])
def large(request: pytest.FixtureRequest) -> Path:
    """The large file, by either line of DuckDB."""
    if request.param == "installed":
        files: Written = request.getfixturevalue("here")
    else:
        files = written(request.getfixturevalue("elsewhere") / LARGE.name)
    return files.telemetry[0]


@pytest.mark.parametrize("case", CASES[1::2], ids=lambda case: case.name)
def test_the_same_seed_gives_the_same_bytes(case: Case, tmp_path: Path) -> None:
    """Side by side or not, and whatever the same instance wrote before."""
    folders = [tmp_path / name for name in ("in order", "one", "four", "backwards")]
    for folder in folders:
        folder.mkdir()
    write(case.source(), folders[0])
    write_side_by_side(case.source(), folders[1], workers=1)
    write_side_by_side(case.source(), folders[2], workers=4)
    source = case.source()
    source.part(range(1)).write_telemetry(source.periods()[0], tmp_path / "before")
    for period in reversed(source.periods()):
        source.write_telemetry(period, folders[3] / f"{period_text(period)}.parquet")
    write_inventories(source, source.snapshots(), folders[3])
    assert len(digests(folders[0])) == len(source.periods()) + len(source.snapshots())
    for folder in folders[1:]:
        assert digests(folder) == digests(folders[0])


def test_the_same_seed_gives_the_same_bytes_on_the_other_line(elsewhere: Path) -> None:
    """Of DuckDB, where they are other bytes than here."""
    once, again = (digests(elsewhere / name) for name in (AGAIN.name, "again"))
    assert once == again
    assert len(once) > 1


def test_no_column_is_required_by_the_file(here: Written) -> None:
    """Whether or not DuckDB sees that none is null: else a null changed more than its own file."""
    for path in (*here.inventories, *here.telemetry):
        levels = {column.max_definition_level for column in pq.ParquetFile(path).schema}
        assert levels == {1}


def test_a_reading_takes_less_than_two_and_a_half_bytes(large: Path) -> None:
    """At 5 minutes, over a day of 2,000 servers."""
    rows = pq.ParquetFile(large).metadata.num_rows
    assert rows == 2_000 * 288 * 2
    assert large.stat().st_size / rows < 2.5


def test_files_are_sorted_by_device_time_and_measure(large: Path) -> None:
    """So that a reader finds a device in one place."""
    with connect() as connection:
        ((wrong,),) = connection.execute(
            "SELECT count(*) FROM (SELECT (sn, start_time, type) AS key,"
            " lag(key) OVER (ORDER BY file_row_number) AS before"
            f" FROM read_parquet({sql_text(str(large))}, file_row_number = true))"
            " WHERE key <= before"
        ).fetchall()
    assert wrong == 0


def test_row_groups_are_full(large: Path) -> None:
    """But for the last."""
    metadata = pq.ParquetFile(large).metadata
    rows = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
    assert rows == [ROW_GROUP_ROWS, ROW_GROUP_ROWS, 1_152_000 - 2 * ROW_GROUP_ROWS]


def test_columns_are_compressed_and_by_dictionary(large: Path) -> None:
    """Each of them, in each row group: by zstd, and no value twice."""
    metadata = pq.ParquetFile(large).metadata
    for index in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(index).column(number)
            assert column.compression == "ZSTD"
            assert set(column.encodings) <= {"RLE_DICTIONARY", "PLAIN_DICTIONARY"}


def test_columns_have_the_types_agreed(large: Path) -> None:
    """In the order of the contract."""
    schema = pq.ParquetFile(large).schema_arrow
    agreed = LARGE.contract.telemetry.columns
    assert schema.names == [column.name for column in agreed]
    assert schema.types == [ARROW_TYPES[column.type] for column in agreed]


def test_footers_cover_the_values_for_pyarrow(large: Path) -> None:
    """Of every column in every row group: what a reader may skip holds nothing that it wants."""
    file = pq.ParquetFile(large)
    for index in range(file.num_row_groups):
        table = file.read_row_group(index)
        for number, name in enumerate(table.column_names):
            statistics = file.metadata.row_group(index).column(number).statistics
            limits = pc.min_max(table[name]).as_py()
            assert statistics.has_min_max
            assert statistics.min <= limits["min"]
            assert statistics.max >= limits["max"]
            assert statistics.null_count == 0
            if not pa.types.is_string(table[name].type):
                assert (statistics.min, statistics.max) == (limits["min"], limits["max"])


def test_footers_that_call_themselves_exact_are(large: Path) -> None:
    """As DuckDB reads them: earlier versions said of each file what was true of all servers."""
    path, file = sql_text(str(large)), pq.ParquetFile(large)
    with connect() as connection:
        found = connection.execute(
            "SELECT row_group_id, path_in_schema, stats_min_value, stats_max_value, min_is_exact,"
            f" max_is_exact FROM parquet_metadata({path})"
        ).fetchall()
        tables = [file.read_row_group(index) for index in range(file.num_row_groups)]
        assert len(found) == len(tables) * len(tables[0].column_names)
        for group, name, least, most, *exact in found:
            limits = pc.min_max(tables[group][name]).as_py()
            if all(exact):
                texts = connection.execute(
                    "SELECT ?::VARCHAR, ?::VARCHAR", [limits["min"], limits["max"]]
                ).fetchall()
                assert [(least, most)] == texts
            else:
                assert (least <= limits["min"], most >= limits["max"]) == (True, True)


def test_duckdb_answers_from_the_footer_what_it_reads(large: Path) -> None:
    """The least and the most serial number, of the file and of a part of it."""
    path = sql_text(str(large))
    with connect() as connection:
        for name in ("sn", "model", "location", "type", "value", "start_time"):
            # Compared in DuckDB: its earlier line needs pytz to hand out a time.
            ((same,),) = connection.execute(
                f"SELECT (SELECT (min({name}), max({name})) FROM read_parquet({path}))"
                f" = (SELECT (min(x), max(x)) FROM (SELECT {name} AS x"
                f" FROM read_parquet({path}) WHERE hash(sn) IS NOT NULL))"
            ).fetchall()
            assert same is True


def test_a_shard_says_nothing_of_servers_elsewhere(tmp_path: Path) -> None:
    """The footers of a part of a fleet cover that part, and DuckDB answers for it alone."""
    source = LARGE.source()
    source.part(range(10, 20)).write_telemetry(LARGE.start, tmp_path / "part")
    table = pq.read_table(tmp_path / "part")
    limits = pc.min_max(table["sn"]).as_py()
    with connect() as connection:
        answer = connection.execute(
            f"SELECT min(sn), max(sn) FROM read_parquet({sql_text(str(tmp_path / 'part'))})"
        ).fetchall()
    assert len(pc.unique(table["sn"])) == 10
    assert answer == [(limits["min"], limits["max"])]
    assert table.num_rows == 10 * 288 * 2
