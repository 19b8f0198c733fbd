"""The kit: complete, reproducible, and its tests say what ``validate`` says."""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pytest

from powerstage.consumer import Consumed, Lake
from powerstage.consumer import consume as consume_feed
from powerstage.contract import Commit, Contract, DataFile, default, load, loads
from powerstage.contract.layout import data_key
from powerstage.engine import connect
from powerstage.errors import UsageError
from powerstage.faults import Injector, plan_faults
from powerstage.faults.catalogue import catalogue
from powerstage.kit import write_kit
from powerstage.producer import publish, synthesise
from powerstage.store import FolderStore
from tests.conftest import ROOT, START, Run, clock
from tests.environments import python_with

DELIVERY = "telemetry/2026-11-02T0600/r000000"
ONE = "sn = (SELECT min(sn) FROM clean) AND type = 'server power'"
RUNNER = ROOT / "powerstage" / "kit_files"


@pytest.fixture(scope="session")
def bare_python(pytestconfig: pytest.Config) -> Path:
    """Python with this DuckDB and pytest, and nothing else."""
    folder = pytestconfig.cache.mkdir("environments")
    return python_with(folder, f"duckdb=={duckdb.__version__}", f"pytest=={pytest.__version__}")


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kit of 5 devices and a day; read it, but change a copy."""
    folder = tmp_path_factory.mktemp("written") / "kit"
    write_kit(default(), folder, devices=5, start=START)
    return folder


@pytest.fixture(scope="session")
def written_few(three_hours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same readings in 8 deliveries, which are judged in a third of the time."""
    folder = tmp_path_factory.mktemp("written") / "kit"
    write_kit(load(three_hours), folder, devices=5, start=START)
    return folder


@pytest.fixture
def kit(written_few: Path, tmp_path: Path) -> Path:
    """A kit of one's own, to be spoilt."""
    return Path(shutil.copytree(written_few, tmp_path / "kit"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a run of a kit's tests ended with: failures by delivery and check, with counts."""

    code: int
    failed: dict[tuple[str, str], int]
    text: str

    @property
    def checks(self) -> set[str]:
        """The checks that failed anywhere."""
        return {check for _, check in self.failed}


@pytest.fixture
def run(bare_python: Path) -> Callable[..., Ended]:
    """Run a kit's tests where powerstage is not installed."""

    def run(kit: Path, *options: str | Path) -> Ended:
        done = subprocess.run(
            [bare_python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", *options],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=kit,
            env={"PYTHONDONTWRITEBYTECODE": "1"},
        )
        failed = {}
        for part in re.split(r"^_+ test_check\[", done.stdout, flags=re.MULTILINE)[1:]:
            check, _, words = part.partition("]")
            for where, count in re.findall(r"^(\S+): (\d+) of \d+ ", words, re.MULTILINE):
                failed[where, check] = int(count)
        return Ended(code=done.returncode, failed=failed, text=done.stdout + done.stderr)

    return run


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def rewrite(query: str) -> Callable[[Path], None]:
    """What rewrites a Parquet file by a query over ``clean``."""

    def change(path: Path) -> None:
        clean = path.rename(path.with_suffix(".clean"))
        with connect() as connection:
            connection.execute(f"CREATE VIEW clean AS FROM read_parquet('{clean}')")
            connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")

    return change


def cut(path: Path) -> None:
    """Keep the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def republish(kit: Path, change: Callable[[Path], None], delivery: str = DELIVERY) -> None:
    """Spoil the file of one delivery, and commit it as if it had always been so."""
    feed = kit / "feed"
    record = feed / "commits" / f"{delivery}.json"
    commit = Commit.from_json(record.read_bytes())
    spoilt = kit.parent / "spoilt.parquet"
    shutil.copy(feed / commit.files[0].key, spoilt)
    change(spoilt)
    body = spoilt.read_bytes()
    digest = hashlib.sha256(body).hexdigest()
    rows = commit.files[0].rows
    if change is not cut:
        with connect() as connection:
            query = f"SELECT count(*) FROM read_parquet('{spoilt}')"
            ((rows,),) = connection.execute(query).fetchall()
    key = str(data_key(commit.slot, digest))
    (feed / key).write_bytes(body)
    file = DataFile(key=key, bytes=len(body), sha256=digest, rows=rows)
    record.write_bytes(replace(commit, files=(file,)).to_json())


def judged(feed: Path, folder: Path, contract: Contract) -> Consumed:
    """What the consumer makes of a feed."""
    with Lake(folder / "lake", make=True) as lake:
        return consume_feed(
            FolderStore(feed), lake, clock=clock, contract=contract, send_receipts=False
        )


def findings(consumed: Consumed) -> dict[tuple[str, str], int]:
    """Failures by delivery and check, as the kit's tests have them."""
    return {
        (str(judgement.slot), finding.check.id): finding.failed
        for judgement in consumed.judgements
        for finding in judgement.report.findings
    }


def test_the_tests_of_a_kit_pass_on_its_own_data(written: Path, run: Callable[..., Ended]) -> None:
    """Export and feed, every check of either, none left out."""
    tested = run(written)
    assert tested.code == 0, tested.text
    ids = json.loads((written / "tests" / "checks.json").read_text("utf-8"))["checks"]
    assert f"{len(ids)} passed" in tested.text


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        (rewrite(f"FROM clean WHERE NOT ({ONE})"), {"grid.complete"}),
        (rewrite(f"FROM clean UNION ALL FROM clean WHERE {ONE}"), {"key.unique"}),
        (
            rewrite(f"SELECT * REPLACE (if({ONE}, 65535, value) AS value) FROM clean"),
            {"value.range"},
        ),
        (
            rewrite(f"SELECT * REPLACE (if({ONE}, NULL, value) AS value) FROM clean"),
            {"value.not_null"},
        ),
        (
            rewrite(
                "SELECT * REPLACE (start_time - INTERVAL 3 HOUR AS start_time,"
                " end_time - INTERVAL 3 HOUR AS end_time) FROM clean"
            ),
            {"reading.in_period", "grid.complete"},
        ),
        (rewrite("SELECT * REPLACE (value::VARCHAR AS value) FROM clean"), {"types.agreed"}),
        (rewrite("SELECT *, 1 AS rack FROM clean"), {"columns.agreed"}),
        (cut, {"file.readable"}),
    ],
    ids=["dropped", "doubled", "range", "null", "hour", "retyped", "column", "cut"],
)
def test_a_spoilt_delivery_fails_the_check_that_is_for_it(
    kit: Path, run: Callable[..., Ended], change: Callable[[Path], None], checks: set[str]
) -> None:
    """And no other check, and no other delivery."""
    republish(kit, change)
    tested = run(kit, "--target", "feed")
    assert tested.code == 1, tested.text
    assert tested.checks == checks
    assert {where for where, _ in tested.failed} == {DELIVERY}


@pytest.mark.parametrize(
    ("pattern", "text", "checks"),
    [
        (r",([0-9.]+)\n\Z", r",much\n", {"value.type"}),
        (r",([0-9.]+)\n\Z", r",\n", {"value.not_null"}),
        (r",([0-9.]+)\n\Z", r",99999\n", {"value.range"}),
        (r"(?s)\n[^\n]+\n\Z", r"\n", {"grid.complete"}),
        (r"(\n[^\n]+)\n\Z", r"\1\1\n", {"key.unique"}),
        (r"2026-11-02 23:00:00", "2026-11-03 23:00:00", {"reading.in_period"}),
        (r"\A", "rack,", {"columns.agreed"}),
        (r"(?s)\A.*\Z", "", {"columns.agreed"}),
        (r"(\n[^\n]+)\n\Z", r'\1,"\n', {"file.readable"}),
    ],
    ids=["text", "null", "range", "dropped", "doubled", "day", "column", "empty", "broken"],
)
def test_a_spoilt_export_fails_what_validate_fails(  # noqa: PLR0917 - parts and a case
    kit: Path,
    run: Callable[..., Ended],
    powerstage: Run,
    pattern: str,
    text: str,
    checks: set[str],
) -> None:
    """The same checks with the same counts; among them the one that is for it."""
    path = kit / "data-2026-11-02.csv"
    path.write_text(re.sub(pattern, text, path.read_text("utf-8")), encoding="utf-8")
    tested = run(kit, "--target", ".")
    document = json.loads(powerstage("validate", kit, "--json").stdout)
    failed = {check["id"]: check["failed"] for check in document["checks"] if check["failed"]}
    assert {check: count for (_, check), count in tested.failed.items()} == failed
    assert checks <= tested.checks


def test_a_failure_says_where_what_and_how_to_find_it(kit: Path, run: Callable[..., Ended]) -> None:
    """Delivery, counts, file and row, values, what was agreed, the contract's line, and SQL."""
    republish(kit, rewrite(f"SELECT * REPLACE (if({ONE}, 65535, value) AS value) FROM clean"))
    text = run(kit, "--target", kit / "feed").text
    assert f"{DELIVERY}: 3 of 30 rows" in text
    assert re.search(r"\.parquet:\d+  \{.*'value': '65535.0'", text)
    assert "server power 0..2000 W" in text
    (at,) = re.findall(r"at: contract\.odcs\.yaml:(\d+)", text)
    line = (kit / "contract.odcs.yaml").read_text("utf-8").splitlines()[int(at) - 1]
    assert "measure" in line or "implementation" in line
    assert 'SELECT * FROM reading WHERE isfinite("value")' in text


def test_kit_and_validate_agree_on_every_fault(
    written: Path, run: Callable[..., Ended], contract: Contract, tmp_path: Path
) -> None:
    """Every fault that a check of the kit is for, in one feed: the same failures and counts."""
    ids = json.loads((written / "tests" / "checks.json").read_text("utf-8"))["checks"]
    names = [
        fault.name
        for fault in catalogue(contract)
        if fault.check in ids and fault.evidence == "certain"
    ]
    source = synthesise(contract, devices=6, start=START, days=4)
    injector = Injector(plan_faults(source, names, seed=7), contract)
    store = injector.store(FolderStore(tmp_path / "feed"))
    publish(injector.source(source), store, clock=clock)
    expected = findings(judged(tmp_path / "feed", tmp_path, contract))
    assert len({where for where, _ in expected}) >= len(names) > 10
    assert run(written, "--target", tmp_path / "feed").failed == expected


def test_readings_of_a_refused_inventory_are_not_judged(
    kit: Path, run: Callable[..., Ended], three_hours: Path, tmp_path: Path
) -> None:
    """As the consumer has it: what refers to it fails for that alone."""
    republish(
        kit,
        rewrite("SELECT * REPLACE ('?' AS product_id) FROM clean"),
        "inventory/2026-11-02T0000/r000000",
    )
    tested = run(kit, "--target", "feed")
    assert tested.checks == {"inventory.accepted", "product_id.pattern"}
    assert tested.failed == findings(judged(kit / "feed", tmp_path, load(three_hours)))


def test_a_kit_may_look_at_another(written_few: Path, kit: Path, run: Callable[..., Ended]) -> None:
    """Whose tests have the same option."""
    assert run(written_few, "--target", kit).code == 0


def test_a_target_without_data_is_no_success(
    written: Path, run: Callable[..., Ended], tmp_path: Path
) -> None:
    """A wrong path ends with an error that names it, and not with skipped tests."""
    (tmp_path / "feed" / "commits").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "feed", tmp_path / "nowhere"):
        tested = run(written, "--target", folder)
        assert tested.code == 4
        assert f"{folder} holds neither a feed nor an export" in tested.text


def test_a_parquet_export_is_judged_too(
    written: Path, run: Callable[..., Ended], powerstage: Run, tmp_path: Path
) -> None:
    """With its front matter, and without it, by the names that are customary."""
    assert powerstage("synth", tmp_path / "export", "--export", "parquet").returncode == 0
    for _ in range(2):
        tested = run(written, "--target", tmp_path / "export")
        assert tested.code == 0, tested.text
        (tmp_path / "export" / "README.md").unlink(missing_ok=True)


def test_the_runner_is_short() -> None:
    """Strangers read all of it before they run it: fewer than 150 lines, the option's included."""
    lines = [line for path in RUNNER.glob("*.py") for line in path.read_text("utf-8").splitlines()]
    assert len(lines) < 150


def test_the_runner_imports_nothing_of_ours(written: Path) -> None:
    """Nor does a word of it or of the checks say powerstage."""
    names = {path.name for path in (written / "tests").iterdir()}
    assert names == {"checks.json", "conftest.py", "test_data.py"}
    for path in (written / "tests").glob("*.py"):
        assert "powerstage" not in path.read_text("utf-8")


def test_the_same_arguments_give_the_same_bytes(written: Path, tmp_path: Path) -> None:
    """Wherever it is written, and whenever: commits are dated by the data."""
    write_kit(default(), tmp_path / "again", devices=5, start=START)
    assert files(tmp_path / "again") == files(written)


def test_another_seed_gives_other_data(written: Path, tmp_path: Path) -> None:
    """And the README says which command made it."""
    write_kit(default(), tmp_path / "other", devices=5, start=START, seed=8)
    old, new = files(written), files(tmp_path / "other")
    assert new["data-2026-11-02.csv"] != old["data-2026-11-02.csv"]
    assert b"--devices 5 --start 2026-11-02 --days 1 --seed 8\n" in new["README.md"]


def test_feed_and_export_hold_the_same_readings(written: Path) -> None:
    """Value by value."""
    with connect() as connection:
        connection.execute(
            f"CREATE VIEW feed AS FROM read_parquet('{written}/feed/data/telemetry/*/*.parquet',"
            " hive_partitioning = false)"
        )
        connection.execute(
            f"CREATE VIEW export AS SELECT * REPLACE (start_time::TIMESTAMPTZ AS start_time,"
            f" end_time::TIMESTAMPTZ AS end_time) FROM read_csv('{written}/data-*.csv')"
        )
        for query in ("FROM feed EXCEPT ALL FROM export", "FROM export EXCEPT ALL FROM feed"):
            assert connection.execute(f"SELECT count(*) FROM ({query})").fetchall() == [(0,)]
        assert connection.execute("SELECT count(*) FROM feed").fetchall() == [(5 * 2 * 24,)]


def test_the_kit_holds_the_contract_to_the_byte(written: Path, contract: Contract) -> None:
    """In the folder, and in the feed."""
    assert (written / "contract.odcs.yaml").read_bytes() == contract.text.encode()
    (copy,) = (written / "feed" / "contract").rglob("*.yaml")
    assert copy.read_bytes() == contract.text.encode()


def other_contract() -> Contract:
    """Another name, range, interval, column rule and data file name than the default's."""
    text = default().text
    changes: Sequence[tuple[str, str]] = (
        ("name: power-telemetry", "name: other-telemetry"),
        ("maximum: 2000", "maximum: 1234"),
        ("intervalSeconds: 3600", "intervalSeconds: 900"),
        ("path: data-*-*-*.csv", "path: readings-*.csv"),
        ("- value: iLo", "- value: 'a|b'"),
        ("ratio: 1\n", "ratio: 0.9\n"),
    )
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return loads(text, "other.odcs.yaml")


def test_another_contract_makes_another_kit(tmp_path: Path, run: Callable[..., Ended]) -> None:
    """Its words, columns, ranges and intervals are in the README, and its tests pass."""
    write_kit(other_contract(), tmp_path / "kit", devices=2, start=START)
    readme = (tmp_path / "kit" / "README.md").read_text("utf-8")
    for words in (
        "# other-telemetry 1.0.0:",
        "| server power | W | 0 | 1234 |",
        "One reading covers 15 minutes, one delivery 1 hour",
        "one of `a\\|b`",
        "90.0%",
        "--contract contract.odcs.yaml\n",
    ):
        assert words in readme
    tested = run(tmp_path / "kit")
    assert tested.code == 0, tested.text


def test_a_rule_that_only_warns_fails_no_test(tmp_path: Path, run: Callable[..., Ended]) -> None:
    """It is shown with its rows where they are asked for."""
    text = default().text.replace(
        "severity: error\n        implementation:\n          rule: measures",
        "severity: warning\n        implementation:\n          rule: measures",
    )
    write_kit(loads(text, "warning.odcs.yaml"), tmp_path / "kit", devices=5, start=START)
    republish(
        tmp_path / "kit",
        rewrite(f"SELECT * REPLACE (if({ONE}, 65535, value) AS value) FROM clean"),
    )
    tested = run(tmp_path / "kit", "--target", "feed", "-rx")
    assert tested.code == 0, tested.text
    assert (
        f"XFAIL tests/test_data.py::test_check[value.range] - {DELIVERY}: 1 of 10 rows"
        in tested.text
    )


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    """Before anything is written."""
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="is not an empty folder"):
        write_kit(default(), tmp_path, start=START)
    assert files(tmp_path) == {"mine.txt": b"mine"}


def with_own_rules() -> Contract:
    """Rules of a user's own: a metric of a column, one of a dataset, and three queries."""
    query = "SELECT count(*) FROM {object} ANTI JOIN inventory USING (sn, model)"
    no_x = "SELECT count(CASE source WHEN ''x'' THEN error(''no'') END) FROM {table}"
    rules = (
        "{id: rows, metric: rowCount, mustBe: 96}",
        "{id: power, type: sql, query: 'SELECT max(value) FROM {table}', mustBeLessThan: 60000}",
        f"{{id: known, type: sql, query: '{query}', mustBe: 0}}",
        f"{{id: no-x, type: sql, query: '{no_x}', mustBe: 0}}",
    )
    column = "{id: few, metric: invalidValues, arguments: {validValues: [iLo]}, mustBeLessThan: 5}"
    text = default().text
    for before, lines in (
        ("      - name: readings inside", "".join(f"      - {rule}\n" for rule in rules)),
        ("        description: What took", f"        quality:\n          - {column}\n"),
    ):
        assert before in text
        text = text.replace(before, lines + before)
    day = "value: 1\n    unit: h", "value: 24\n    unit: h"
    assert day[0] in text
    return loads(text.replace(*day), "contract.odcs.yaml")


def test_rules_of_the_users_own_travel_with_a_kit(
    tmp_path: Path, run: Callable[..., Ended]
) -> None:
    """Its tests find what ``validate`` finds; a query that cannot be run fails its own check."""
    contract = with_own_rules()
    write_kit(contract, tmp_path / "kit", devices=2, start=START)
    query = "SELECT * REPLACE ('x' AS source, 65535::DOUBLE AS value) FROM clean LIMIT 9"
    day = "telemetry/2026-11-02T0000/r000000"
    republish(tmp_path / "kit", rewrite(query), day)
    tested = run(tmp_path / "kit", "--target", "feed")
    found = findings(judged(tmp_path / "kit" / "feed", tmp_path, contract))
    assert tested.failed == found
    own = {check for delivery, check in tested.failed if delivery == day}
    wanted = {"rows", "power", "few", "no-x"}
    assert own > {f"quality.{name}" for name in wanted}
    assert "quality.known" not in own
    assert "observed  65535.0" in tested.text


def test_a_kit_carries_no_query_that_reads_a_file(tmp_path: Path) -> None:
    """It would run where no worker is; nothing is written."""
    text = with_own_rules().text.replace("FROM {table}", "FROM read_text(''/etc/hostname'')")
    with pytest.raises(UsageError, match="carries no query"):
        write_kit(loads(text, "c"), tmp_path / "kit", start=START)
    assert not (tmp_path / "kit").exists()
