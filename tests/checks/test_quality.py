"""Rules of the user's own: each metric and comparator, and queries that are not to be trusted."""

import pytest

from powerstage.checks import Checker, CheckResult, Report, compile_plan, run
from powerstage.contract import Contract, default, loads
from powerstage.producer import MockSource, synthesise
from tests.checks.conftest import Desk, found
from tests.conftest import START

PERIOD = "      - name: readings inside the period"
CLEAN = "SELECT * FROM clean"


def with_rules(text: str, *rules: str) -> Contract:
    """A contract with rules of telemetry, each one line of YAML."""
    lines = "".join(f"      - {rule}\n" for rule in rules)
    assert PERIOD in text
    return loads(text.replace(PERIOD, lines + PERIOD), "own.yaml")


def with_column_rules(text: str, column: str, *rules: str) -> Contract:
    """A contract with rules of a column of telemetry."""
    before, name, after = text.rpartition(f"      - name: {column}\n")
    lines = "".join(f"          - {rule}\n" for rule in rules)
    return loads(f"{before}{name}        quality:\n{lines}{after}", "own.yaml")


def result(report: Report, id_: str) -> CheckResult:
    """What came out of one check."""
    (one,) = (result for result in report.results if result.check.id == id_)
    return one


@pytest.fixture(scope="module")
def source_of_module() -> MockSource:
    """Mock data of 6 devices."""
    return synthesise(default(), devices=6, start=START, days=1, seed=7)


NULLS = "SELECT * REPLACE (if(type = 'server power', NULL, source) AS source) FROM clean"
# Six of twelve values are null.
COMPARED = [
    ("metric: nullValues, mustBe: 6", 6, "pass"),
    ("metric: nullValues, mustBe: 0", 6, "fail"),
    ("metric: nullValues, mustNotBe: 6", 6, "fail"),
    ("metric: nullValues, mustBeGreaterThan: 6", 6, "fail"),
    ("metric: nullValues, mustBeGreaterThan: 5", 6, "pass"),
    ("metric: nullValues, mustBeGreaterOrEqualTo: 6", 6, "pass"),
    ("metric: nullValues, mustBeLessThan: 6", 6, "fail"),
    ("metric: nullValues, mustBeLessOrEqualTo: 6", 6, "pass"),
    ("metric: nullValues, mustBeBetween: [1, 6]", 6, "pass"),
    ("metric: nullValues, mustNotBeBetween: [1, 6]", 6, "fail"),
    ("metric: nullValues, unit: percent, mustBeLessThan: 50", 50, "fail"),
    ("metric: nullValues, unit: percent, mustBeLessOrEqualTo: 50", 50, "pass"),
    ("metric: nullValues, severity: warning, mustBe: 0", 6, "warn"),
    ("metric: missingValues, arguments: {missingValues: [x]}, mustBe: 0", 6, "fail"),
    ("metric: missingValues, arguments: {missingValues: [null, '', iLo]}, mustBe: 0", 12, "fail"),
    ("metric: invalidValues, arguments: {validValues: [a, b]}, mustBe: 0", 6, "fail"),
    ("metric: invalidValues, arguments: {pattern: '^i.*$'}, mustBe: 0", 0, "pass"),
    ("metric: invalidValues, arguments: {validValues: [iLo], pattern: '^x$'}, mustBe: 0", 6,
     "fail"),
    ("metric: duplicateValues, mustBe: 1", 1, "pass"),
    ("metric: duplicateValues, unit: percent, mustBe: 0", 100, "fail"),
    ("type: sql, query: 'SELECT count({column}) FROM ${object}', mustBe: 1", 6, "fail"),
    ("type: sql, query: 'SELECT 1.5 -- half', mustBeBetween: [1, 2]", 1.5, "pass"),
    ("type: sql, query: 'SELECT count(*) FROM {table} WHERE \"{property}\" IS NULL;', mustBe: 6",
     6, "pass"),
]  # fmt: skip


@pytest.fixture(scope="module")
def compared(
    source_of_module: MockSource, checker: Checker, tmp_path_factory: pytest.TempPathFactory
) -> Report:
    """The report on all of these rules at once."""
    desk = Desk(source_of_module, checker, tmp_path_factory.mktemp("compared"))
    rules = [f"{{id: r{index}, {rule}}}" for index, (rule, _, _) in enumerate(COMPARED)]
    desk.contract = with_column_rules(desk.contract.text, "source", *rules)
    desk.spoil(NULLS)
    return desk.check()


@pytest.mark.parametrize("index", range(len(COMPARED)), ids=[rule for rule, _, _ in COMPARED])
def test_a_number_is_held_against_what_was_agreed(compared: Report, index: int) -> None:
    """The number is in the result whether it passes or not; no null is invalid or a duplicate."""
    _, observed, outcome = COMPARED[index]
    one = result(compared, f"quality.r{index}")
    assert (one.observed, one.outcome) == (observed, outcome)


def test_rules_of_a_dataset_count_its_rows_and_keys(desk: Desk) -> None:
    """Twelve readings, of six devices each twice."""
    desk.contract = with_rules(
        desk.contract.text,
        "{metric: rowCount, mustBeBetween: [13, 20]}",
        "{metric: duplicateValues, arguments: {properties: [sn, unit]}, mustBe: 0}",
        "{id: six, metric: duplicateValues, arguments: {properties: [sn]}, mustBe: 0}",
    )
    report = desk.check()
    assert result(report, "quality.rowCount").observed == 12
    assert result(report, "quality.rowCount").outcome == "fail"
    assert result(report, "quality.duplicateValues").outcome == "pass"
    six = result(report, "quality.six")
    assert (six.failed, six.total, six.check.counts) == (6, 6, "keys")
    assert dict(six.samples[0].values)["rows"] == "2"


def test_a_finding_has_words_place_and_rows(desk: Desk) -> None:
    """Its name, the contract's line, what was agreed, and rows to go and look at."""
    rule = "{name: sources are told, metric: nullValues, mustBeLessThan: 3}"
    desk.contract = with_column_rules(desk.contract.text, "source", rule)
    desk.spoil(NULLS)
    one = result(desk.check(), "quality.source.nullValues")
    check = one.check
    assert (check.words, check.expected) == ("sources are told", "less than 3 rows")
    line = int(check.at.removeprefix("own.yaml:"))
    assert "sources are told" in desk.contract.text.splitlines()[line - 1]
    assert (one.failed, one.total, one.detail) == (6, 12, "observed: 6")
    assert all(dict(sample.values)["source"] == "null" for sample in one.samples)


def test_csv_has_the_same_numbers(desk: Desk) -> None:
    """A CSV's texts are counted as the values that they are."""
    desk.contract = with_column_rules(
        desk.contract.text,
        "value",
        "{metric: missingValues, arguments: {missingValues: [-1]}, mustBe: 0}",
        "{type: sql, query: 'SELECT min({column}) FROM {table}', mustBe: 0}",
        "{metric: nullValues, mustBe: 0}",
    )
    desk.spoil("SELECT * REPLACE (if(type = 'server power', -1, value) AS value) FROM clean")
    for format_ in ("csv", "parquet"):
        report = desk.check(format_=format_)
        assert result(report, "quality.value.missingValues").observed == 6
        assert result(report, "quality.value.sql").observed == -1
        assert result(report, "quality.value.nullValues").observed == 0


def test_a_query_may_join_the_inventory(desk: Desk) -> None:
    """The snapshot is there in the contract's columns; without one the rule is left out."""
    query = (
        "SELECT count(*) FROM {object} ANTI JOIN inventory USING (sn, model, product_id, location)"
    )
    desk.contract = with_rules(desk.contract.text, f"{{type: sql, query: '{query}', mustBe: 0}}")
    assert result(desk.check(), "quality.sql").observed == 0
    plan = compile_plan(desk.contract, "telemetry", with_inventory=False)
    assert plan.queries == ()


def test_views_show_the_columns_agreed_and_no_others(desk: Desk) -> None:
    """What is ours beside them is not seen by a star."""
    query = "SELECT count(*) FROM (DESCRIBE FROM telemetry)"
    desk.contract = with_rules(desk.contract.text, f"{{type: sql, query: '{query}', mustBe: 10}}")
    assert found(desk.check()) == set()


HOSTILE = [
    ("SELECT count(*) FROM read_text(''/etc/hostname'')", "not read_text()"),
    ("SELECT count(*) FROM ''/etc/hostname''", "not '/etc/hostname'"),
    ("SELECT count(*) FROM glob(''/*'')", "not glob()"),
    ("SELECT sum(1) FROM query(''SELECT 1'')", "not query()"),
    ("SELECT count(*) FROM enable_logging(storage=''file'', storage_path=''/tmp/x'')",
     "not enable_logging()"),
    ("SELECT count(*) FROM duckdb_settings()", "not duckdb_settings()"),
    ("SELECT count(*) FROM information_schema.tables", "not 'tables'"),
    ("SELECT count(*) FROM delivered", "not 'delivered'"),
    ("SELECT sleep_ms(10)", "no clock and no chance: sleep_ms"),
    ("SELECT pg_sleep(10)", "no clock and no chance: pg_sleep"),
    ("SELECT count(*) FROM telemetry WHERE end_time < now()", "no clock and no chance: now"),
    ("SELECT epoch(current_timestamp)", "no chance: current_timestamp"),
    ("SELECT 1e0 * random()", "no clock and no chance: random"),
    ("SELECT count(*) FROM telemetry USING SAMPLE 10%", "a sample"),
    ("SELECT 1; SELECT 2", "not one SELECT"),
    ("DROP VIEW telemetry", "not one SELECT"),
    ("SET threads = 1", "not one SELECT"),
    ("COPY telemetry TO ''/tmp/x''", "not one SELECT"),
    ("INSTALL httpfs", "not one SELECT"),
    ("ATTACH ''/tmp/x.duckdb''", ""),
    ("SELECT 1) + 0) AS observed); DROP VIEW telemetry; SELECT ((1", "not one SELECT"),
    ("WITH x AS (INSERT INTO telemetry SELECT 1 RETURNING 1) SELECT 1 FROM x", ""),
    ("SELECT 1, 2", "2 columns"),
    ("SELECT value FROM telemetry", "More than one row"),
    ("SELECT ''5''", "cannot be run"),
    ("SELECT true", "cannot be run"),
    ("SELECT NULL", "no number"),
    ("SELECT ''nan''::DOUBLE", "no number"),
    ("SELECT count(rack) FROM telemetry", "rack"),
    ("SELECT 1" + "+1" * 900, "nested too deeply"),
]  # fmt: skip


@pytest.fixture(scope="module")
def hostile(
    source_of_module: MockSource, checker: Checker, tmp_path_factory: pytest.TempPathFactory
) -> Report:
    """The report on all of these at once, with an honest one at the end."""
    desk = Desk(source_of_module, checker, tmp_path_factory.mktemp("hostile"))
    rules = [
        f"{{id: h{index}, type: sql, query: '{query}', mustBeGreaterThan: -1}}"
        for index, (query, _) in enumerate(HOSTILE)
    ]
    honest = "{id: honest, type: sql, query: 'SELECT count(*) FROM telemetry', mustBe: 12}"
    desk.contract = with_rules(desk.contract.text, *rules, honest)
    return desk.check()


@pytest.mark.parametrize("index", range(len(HOSTILE)), ids=[query[:60] for query, _ in HOSTILE])
def test_a_query_that_does_more_than_count_fails(hostile: Report, index: int) -> None:
    """It reads no file and no setting, waits for nothing and changes nothing."""
    one = result(hostile, f"quality.h{index}")
    assert one.outcome == "fail"
    assert HOSTILE[index][1] in one.detail


def test_no_query_spoils_another_check(hostile: Report) -> None:
    """Thirty hostile queries fail, each its own check, and nothing else does."""
    assert found(hostile) == {f"quality.h{index}" for index in range(len(HOSTILE))}


@pytest.mark.parametrize(
    ("seconds", "query", "words"),
    [
        (4, "SELECT sum(a.range + b.range) FROM range(1000000) a, range(1000000) b", "time"),
        (60, "SELECT len(string_agg(repeat(''x'', 1000000) || range)) FROM range(3000)", "memory"),
    ],
)
def test_a_query_that_takes_too_much_fails_its_own_check_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, seconds: int, query: str, words: str
) -> None:
    """It is ended after a limit, and the check after it is done by another worker."""
    monkeypatch.setattr(run, "QUERY_CPU_SECONDS_MAX", seconds)
    desk.contract = with_rules(
        desk.contract.text,
        f"{{id: hostile, type: sql, query: '{query}', mustBe: 0}}",
        "{id: honest, type: sql, query: 'SELECT count(*) FROM telemetry', mustBe: 12}",
    )
    report = desk.check()
    assert found(report) == {"quality.hostile"}
    assert f"{words} than anything honest" in result(report, "quality.hostile").detail
