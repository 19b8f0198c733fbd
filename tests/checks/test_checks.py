"""The data unit tests: what each check sees, what it leaves alone, and what it says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from powerstage.checks import Checker, InputFile, compile_plan
from powerstage.contract import Contract, loads
from powerstage.producer import MockSource, synthesise
from tests.checks.conftest import Desk, found, rows_of


def test_clean_data_passes(desk: Desk) -> None:
    """Nothing is found in mock data, and every row was looked at."""
    report = desk.check(rows=desk.rows)
    assert found(report) == set()
    assert report.rows == desk.rows == 12
    assert found(desk.check_inventory()) == set()


ONE = "sn = (SELECT min(sn) FROM clean) AND type = 'server power'"


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        (f"SELECT * REPLACE (CASE WHEN {ONE} THEN NULL ELSE value END AS value) FROM clean",
         {"value.not_null"}),
        (f"SELECT * REPLACE (CASE WHEN {ONE} THEN 'nan' ELSE value END AS value) FROM clean",
         {"value.finite"}),
        (f"SELECT * REPLACE (CASE WHEN {ONE} THEN '-inf' ELSE value END AS value) FROM clean",
         {"value.finite"}),
        (f"SELECT * REPLACE (CASE WHEN {ONE} THEN 2001 ELSE value END AS value) FROM clean",
         {"value.range"}),
        (("SELECT * REPLACE (CASE WHEN type LIKE '%cpu%' THEN 100.5 ELSE value END AS value)"
         " FROM clean"), {"value.range"}),
        (f"SELECT * REPLACE (CASE WHEN {ONE} THEN '%' ELSE unit END AS unit) FROM clean",
         {"unit.of_measure"}),
        (f"SELECT * REPLACE (CASE WHEN {ONE} THEN 'kW' ELSE unit END AS unit) FROM clean",
         {"unit.of_measure", "unit.allowed"}),
        (f"SELECT * REPLACE (CASE WHEN {ONE} THEN 'iLO' ELSE source END AS source) FROM clean",
         {"source.allowed"}),
        (f"SELECT * REPLACE (CASE WHEN {ONE} THEN NULL ELSE model END AS model) FROM clean",
         {"model.not_null"}),
        (f"SELECT * REPLACE (CASE WHEN {ONE} THEN 'x' ELSE type END AS type) FROM clean",
         {"type.allowed", "grid.complete"}),
        (f"SELECT * REPLACE (CASE WHEN {ONE} THEN 'X' ELSE sn END AS sn) FROM clean",
         {"sn.in_inventory", "grid.complete"}),
        (f"SELECT * FROM clean UNION ALL FROM clean WHERE {ONE}", {"key.unique"}),
        (f"SELECT * FROM clean WHERE NOT ({ONE})", {"grid.complete"}),
        ("SELECT * REPLACE (end_time + INTERVAL 1 SECOND AS end_time) FROM clean",
         {"reading.interval"}),
        (("SELECT * REPLACE (start_time + INTERVAL 1 HOUR AS start_time,"
         " end_time + INTERVAL 1 HOUR AS end_time) FROM clean"),
         {"reading.in_period", "grid.complete"}),
        (("SELECT * REPLACE (start_time + INTERVAL 90 SECOND AS start_time,"
         " end_time + INTERVAL 90 SECOND AS end_time) FROM clean"),
         {"reading.on_grid", "grid.complete"}),
        ("SELECT * REPLACE ('infinity'::TIMESTAMPTZ AS end_time) FROM clean", {"end_time.finite"}),
        (("SELECT * REPLACE ('290000-01-01'::TIMESTAMPTZ AS start_time,"
         " '200000-01-01 (BC)'::TIMESTAMPTZ AS end_time) FROM clean"),
         {"reading.interval", "reading.in_period", "grid.complete"}),
        ("SELECT * FROM clean WHERE false", {"grid.complete", "device.silent"}),
        (f"FROM clean UNION ALL SELECT * REPLACE (value + 1 AS value) FROM clean WHERE {ONE}",
         {"key.unique", "key.agrees"}),
        (f"SELECT * REPLACE (if({ONE}, 'x', model) AS model) FROM clean", {"model.as_inventory"}),
        (f"SELECT * REPLACE (if({ONE}, 'x', product_id) AS product_id) FROM clean",
         {"product_id.as_inventory"}),
        (f"SELECT * REPLACE (if({ONE}, 'DE-2', location) AS location) FROM clean",
         {"location.as_inventory"}),
        (f"SELECT * REPLACE (if({ONE}, value * 3, value) AS value) FROM clean",
         {"value.on_curve"}),
        ("SELECT * REPLACE (value::VARCHAR AS value) FROM clean", {"types.agreed"}),
        ("SELECT * REPLACE (value::FLOAT AS value) FROM clean", {"types.agreed"}),
        ("SELECT * REPLACE (start_time::TIMESTAMP AS start_time) FROM clean", {"types.agreed"}),
        ("SELECT * REPLACE (length(sn) AS sn) FROM clean", {"types.agreed"}),
        ("SELECT * EXCLUDE (unit) FROM clean", {"columns.agreed"}),
        ("SELECT *, 1 AS rack FROM clean", {"columns.agreed"}),
        ('SELECT * RENAME (value AS "Value") FROM clean', {"columns.agreed"}),
    ],
)  # fmt: skip
def test_each_defect_is_seen_by_its_checks_alone(desk: Desk, query: str, ids: set[str]) -> None:
    """A null is not a NaN is not out of range; and no other check cries wolf."""
    desk.spoil(query)
    assert found(desk.check()) == ids


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("SELECT * REPLACE (lower(location) AS location) FROM clean",
         {"location.pattern", "location.agreed"}),
        ("SELECT * REPLACE ('short' AS sn) FROM clean",
         {"sn.pattern", "key.unique", "key.agrees"}),
        ("SELECT * REPLACE ('ND-09' AS location) FROM clean", {"location.agreed"}),
        ("SELECT * FROM clean UNION ALL FROM clean", {"key.unique"}),
        ("SELECT * REPLACE (NULL::VARCHAR AS model) FROM clean", {"model.not_null"}),
    ],
)  # fmt: skip
def test_the_inventory_is_checked_too(desk: Desk, query: str, ids: set[str]) -> None:
    """Patterns, keys and nulls of the other dataset."""
    desk.spoil(query, "inventory")
    assert found(desk.check_inventory()) == ids


def test_a_finding_names_file_row_key_and_value(desk: Desk) -> None:
    """An engineer can go and look: rows count from 1, samples stop at five."""
    desk.spoil("SELECT * REPLACE (65535::DOUBLE AS value) FROM clean ORDER BY sn, type")
    (finding,) = desk.check().findings
    assert (finding.failed, finding.total) == (12, 12)
    assert [sample.row for sample in finding.samples] == [1, 2, 3, 4, 5]
    sample = dict(finding.samples[1].values)
    assert finding.samples[1].file == "telemetry.parquet"
    assert (sample["type"], sample["value"]) == ("server power", "65535.0")
    assert sample["start_time"] == "2026-11-02 05:00:00+00"
    line = int(finding.check.at.rpartition(":")[2])
    assert "measure: server cpu" in desk.contract.text.splitlines()[line - 1]


def test_a_doubled_key_names_its_rows(desk: Desk, checker: Checker) -> None:
    """The first by file and row, up to four others behind it; SQL finds them all."""
    clean = "SELECT * FROM clean ORDER BY sn, type"
    copies = f"SELECT * FROM ({clean} LIMIT 2), range(2, 8) AS copy(n) WHERE type = 'server power'"
    desk.spoil(f"({clean}) UNION ALL (SELECT * EXCLUDE (n) FROM ({copies}))")
    other = desk.folder / "other.parquet"
    with duckdb.connect() as connection:
        first = f"FROM read_parquet('{desk.telemetry}') ORDER BY sn, type LIMIT 1"
        connection.execute(f"COPY ({first}) TO '{other}'")
    (finding,) = checker.check(
        compile_plan(desk.contract, "telemetry", with_inventory=False),
        [InputFile(path=path, name=path.name) for path in (other, desk.telemetry)],
    ).findings
    samples = [(sample.file, sample.row, dict(sample.values)) for sample in finding.samples]
    assert [(file, row, values["rows"], values["also at"]) for file, row, values in samples] == [
        ("other.parquet", 1, "2", "telemetry.parquet:1"),
        ("telemetry.parquet", 2, "7", "row 13, row 14, row 15, row 16"),
    ]
    with duckdb.connect() as connection:
        assert rows_of(finding.script, connection) == 2 + 7


def test_a_finding_carries_the_sql_that_finds_its_rows(desk: Desk) -> None:
    """The statement runs as it is, over the rows."""
    desk.spoil("SELECT * REPLACE (-5::DOUBLE AS value) FROM clean")
    (finding,) = desk.check().findings
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW reading AS FROM read_parquet('{desk.telemetry}')")
        rows = connection.execute(f"SELECT count(*) FROM ({finding.check.sql})").fetchall()
    assert rows == [(finding.failed,)]


def test_a_silent_device_is_named_with_its_intervals(
    source: MockSource, checker: Checker, tmp_path: Path
) -> None:
    """Missing readings come as device, measure and run, not as so many rows."""
    text = source.contract.text.replace("intervalSeconds: 3600", "intervalSeconds: 300")
    contract = loads(text, "five minutes")
    desk = Desk(
        synthesise(contract, devices=3, start=source.periods()[0], seed=1), checker, tmp_path
    )
    desk.spoil("SELECT * FROM clean WHERE sn <> (SELECT min(sn) FROM clean)")
    finding, silent = desk.check().findings
    assert (finding.check.id, finding.failed, finding.total) == ("grid.complete", 24, 72)
    assert (silent.check.id, silent.failed, silent.total) == ("device.silent", 1, 3)
    assert dict(silent.samples[0].values)["sn"] == dict(finding.samples[0].values)["device"]
    runs = [dict(sample.values) for sample in finding.samples]
    assert [(run["measure"], run["missing"]) for run in runs] == [
        ("server cpu utilization", "12"),
        ("server power", "12"),
    ]
    assert (runs[0]["from"], runs[0]["to"]) == ("2026-11-02T05:00:00Z", "2026-11-02T05:55:00Z")


def test_the_rows_that_were_promised_must_be_there(desk: Desk) -> None:
    """A commit may promise too many or too few."""
    assert found(desk.check(rows=13)) == {"rows.as_committed"}
    assert found(desk.check(rows=11)) == {"rows.as_committed"}


def test_columns_may_stand_in_another_order_and_types_are_told_of_each_file(
    desk: Desk, checker: Checker
) -> None:
    """A file whose stamps lack their zone is named, and the one beside it is not."""
    desk.spoil("SELECT value, * EXCLUDE (value) FROM clean")
    assert found(desk.check()) == set()
    other = desk.telemetry.rename(desk.folder / "other.parquet")
    (desk.folder / "telemetry.clean").rename(desk.telemetry)
    desk.spoil("SELECT * REPLACE (end_time::TIMESTAMP AS end_time) FROM clean")
    report = checker.check(
        compile_plan(desk.contract, "telemetry", with_inventory=False),
        [InputFile(path=path, name=path.name) for path in (other, desk.telemetry)],
    )
    (finding,) = report.findings
    assert (finding.check.id, finding.failed, finding.total) == ("types.agreed", 1, 2)
    (sample,) = finding.samples
    assert (sample.file, dict(sample.values)) == (
        "telemetry.parquet",
        {"end_time": "TIMESTAMP, not TIMESTAMPTZ"},
    )


def test_a_warning_is_no_failure(desk: Desk) -> None:
    """Severity is the contract's to decide."""
    text = desk.contract.text
    before, after = text.split("- name: every device read", 1)
    text = before + "- name: every device read" + after.replace("error", "warning", 1)
    desk.contract = loads(text, "warn")
    desk.spoil(f"SELECT * FROM clean WHERE NOT ({ONE})")
    report = desk.check()
    assert [finding.outcome for finding in report.findings] == ["warn"]
    assert report.ok


def test_limits_of_the_value_column_and_of_a_measure_are_two_checks(desk: Desk) -> None:
    """Neither hides what the other has found."""
    limits = "physicalType: DOUBLE\n        logicalTypeOptions: {minimum: -1, maximum: 5000}"
    text = desk.contract.text.replace("physicalType: DOUBLE", limits)
    desk.contract = loads(text, "limits")
    ids = [check.id for check in compile_plan(desk.contract, "telemetry").checks]
    assert len(ids) == len(set(ids))
    desk.spoil(f"SELECT * REPLACE (if({ONE}, 3000, value) AS value) FROM clean")
    assert found(desk.check()) == {"value.range"}
    (desk.folder / "telemetry.clean").rename(desk.telemetry)
    desk.spoil(f"SELECT * REPLACE (if({ONE}, 9000, value) AS value) FROM clean")
    assert found(desk.check()) == {"value.range", "value.limits"}


def test_completeness_may_be_agreed_below_one(desk: Desk) -> None:
    """One reading of twelve is missing: 90 % is enough, 95 % is not."""
    desk.spoil(f"SELECT * FROM clean WHERE NOT ({ONE})")
    original = desk.contract.text
    for ratio, ids in ((0.9, set[str]()), (0.95, {"grid.complete"})):
        desk.contract = loads(original.replace("ratio: 1", f"ratio: {ratio}"), "r")
        assert found(desk.check()) == ids


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: b"sn,model\n1,2\n",
        lambda content: b"PAR1" + b"\xff" * 500 + b"PAR1",
        lambda content: content[:-8] + b"\xff\xff\xff\x7fPAR1",
        lambda content: (
            content[: len(content) // 3] + bytes(200) + content[len(content) // 3 + 200 :]
        ),
    ],
    ids=["cut", "empty", "csv", "noise", "footer lies", "hole"],
)
def test_a_file_that_is_none_is_unreadable_or_wrong(
    desk: Desk, spoil: Callable[[bytes], bytes]
) -> None:
    """Broken bytes are a finding, and the next file is judged as if nothing had been."""
    clean = desk.telemetry.read_bytes()
    desk.telemetry.write_bytes(spoil(clean))
    report = desk.check()
    assert not report.ok
    desk.telemetry.write_bytes(clean)
    assert found(desk.check(rows=desk.rows)) == set()


def test_an_encrypted_file_is_called_so(desk: Desk) -> None:
    """Its last bytes say that its footer is encrypted; the finding says what to do."""
    desk.telemetry.write_bytes(desk.telemetry.read_bytes()[:-4] + b"PARE")
    (finding,) = desk.check().findings
    assert finding.check.id == "file.readable"
    assert finding.detail.startswith("it is encrypted: ")


def test_a_footer_that_claims_millions_is_not_believed(
    desk: Desk, checker: Checker, contract: Contract
) -> None:
    """More rows than a file may hold are refused before one is read."""
    report = checker.check(
        compile_plan(contract, "telemetry", with_inventory=False),
        [InputFile(path=desk.telemetry, name="t")],
        rows_max=11,
    )
    assert found(report) == {"file.readable"}


def test_strings_from_outside_are_only_strings(desk: Desk) -> None:
    """Quotes, SQL, control characters and a megabyte in a serial number do no harm."""
    for evil in (
        "$$'; DROP TABLE device; --$$",
        "concat('a', chr(0), 'b')",
        "$$\u202egnp$$",
        "repeat('x', 1000000)",
        "$$💥$$",
    ):
        desk.spoil(f"SELECT * REPLACE ({evil} AS sn) FROM clean")
        report = desk.check()
        assert {"sn.in_inventory", "grid.complete"} <= found(report)
        (finding,) = (f for f in report.findings if f.check.id == "sn.in_inventory")
        assert len(str(finding.samples[0])) < 2_000
        (desk.folder / "telemetry.clean").rename(desk.telemetry)


@pytest.mark.parametrize("name", ["device", "file", "row", "slot", "position", "device_index"])
def test_a_column_may_be_called_what_it_likes(desk: Desk, name: str) -> None:
    """Racks have rows, slots and positions: what is ours is not mistaken for them."""
    text = desk.contract.text.replace("- name: source\n", f"- name: {name}\n")
    desk.contract = loads(text, name)
    desk.spoil(f'SELECT * EXCLUDE (source), source AS "{name}" FROM clean')
    assert found(desk.check()) == set()
    (desk.folder / "telemetry.clean").rename(desk.telemetry)
    desk.spoil(f'SELECT * EXCLUDE (source), NULL::VARCHAR AS "{name}" FROM clean')
    (finding,) = desk.check().findings
    assert (finding.check.id, finding.failed) == (f"{name}.not_null", 12)
    assert [sample.row for sample in finding.samples] == [1, 2, 3, 4, 5]


def test_a_measure_that_nobody_agreed_on_is_found_without_an_enum_too(desk: Desk) -> None:
    """No other rule would look at its readings."""
    enum = """        enum:
          - value: server cpu utilization
          - value: server power
"""
    assert enum in desk.contract.text
    desk.contract = loads(desk.contract.text.replace(enum, ""), "no enum")
    assert found(desk.check()) == set()
    desk.spoil(f"FROM clean UNION ALL SELECT * REPLACE ('bogus' AS type) FROM clean WHERE {ONE}")
    assert found(desk.check(rows=13)) == {"type.known"}


def test_what_is_too_much_to_judge_is_never_accepted(desk: Desk) -> None:
    """Not even where an incomplete grid is but a warning."""
    text = desk.contract.text.replace("severity: error", "severity: warning")
    desk.contract = loads(text, "warnings")
    plan = compile_plan(desk.contract, "telemetry")
    plan = replace(plan, prepare=(*plan.prepare, "SET VARIABLE positions = 1000000000000"))
    report = desk.checker.check(
        plan,
        [InputFile(path=desk.telemetry, name="t", rows=12)],
        inventory=[(desk.inventory, "parquet")],
    )
    assert not report.ok


def test_nanoseconds_are_read_as_microseconds(desk: Desk) -> None:
    """As pandas writes them; by every version of DuckDB."""
    table = pq.read_table(desk.telemetry)
    stamps = pa.timestamp("ns", tz="UTC")
    for name in ("start_time", "end_time"):
        index = table.schema.get_field_index(name)
        table = table.set_column(index, name, table[name].cast(stamps))
    pq.write_table(table, desk.telemetry)
    assert found(desk.check()) == set()
