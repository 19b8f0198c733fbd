"""Power goes with load: what is seen, what is left alone, in whatever order rows stand."""

from pathlib import Path

import pytest

from powerstage.checks import Checker, InputFile, Report, compile_plan
from powerstage.contract import Contract, default, loads
from powerstage.producer import MockSource, synthesise
from tests.checks.conftest import Desk, found
from tests.conftest import START
from tests.contract.conftest import end_stamped, jittered, replaced
from tests.producer.mock import MORE_MEASURES, seconds

ONE = "sn = (SELECT min(sn) FROM clean) AND type = 'server power'"
KILOWATTS = (
    ("unit: W\n              minimum: 0\n              maximum: 2000",
     "unit: kW\n              minimum: 0\n              maximum: 2"),
    ("- value: W\n", "- value: kW\n"),
)  # fmt: skip


def edited(*changes: tuple[str, str]) -> Contract:
    """The default contract with some parts replaced."""
    return loads(replaced(default().text, *changes), "edited")


def desk_of(contract: Contract, checker: Checker, folder: Path, seed: int = 7) -> Desk:
    """A delivery of many devices, so that each model is there."""
    source = synthesise(contract, devices=24, start=START, days=1, seed=seed)
    folder.mkdir(exist_ok=True)
    return Desk(source, checker, folder)


@pytest.mark.parametrize(
    "contract",
    [
        edited(),
        edited(*KILOWATTS),
        edited(seconds(10)),
        edited(seconds(300), *MORE_MEASURES),
        end_stamped(),
        jittered(120),
    ],
    ids=["default", "kilowatts", "ten seconds", "more measures", "by the end", "late"],
)
def test_no_clean_reading_is_off_its_curve(
    checker: Checker, tmp_path: Path, contract: Contract
) -> None:
    """Nor does any other check say a word, with three seeds."""
    for seed in (0, 7, 2**63 - 1):
        report = desk_of(contract, checker, tmp_path / str(seed), seed).check()
        assert found(report) == set()
        (result,) = [r for r in report.results if r.check.id == "value.on_curve"]
        assert result.total > 0


@pytest.mark.parametrize(
    ("query", "failed"),
    [
        ("if(type = 'server power', 0, value)", 24),
        ("if(type = 'server power', value / 1000, value)", 24),
        ("if(type = 'server power' AND value < 580, value * 3.412, value)", 24),
        ("if(type = 'server power', value / 0.95, value)", 0),
        (f"if({ONE}, value + 1000, value)", 1),
    ],
    ids=["nothing", "kilowatts", "btu", "volt-amperes", "spike"],
)
def test_each_power_that_does_not_go_with_its_load_counts(
    checker: Checker, tmp_path: Path, query: str, failed: int
) -> None:
    """All of them, and apparent power is none."""
    desk = desk_of(default(), checker, tmp_path)
    desk.spoil(f"SELECT * REPLACE ({query} AS value) FROM clean")
    findings = {f.check.id: f.failed for f in desk.check().findings}
    assert findings == ({"value.on_curve": failed} if failed else {})


@pytest.mark.parametrize(
    "order", ["type, sn", "value", "sn DESC, start_time, type DESC", "hash(value)"]
)
def test_the_order_of_rows_does_not_matter(checker: Checker, tmp_path: Path, order: str) -> None:
    """Counts and samples are those of the sorted file, but for the numbers of rows."""
    spoilt = f"SELECT * REPLACE (if({ONE}, value * 3, value) AS value) FROM clean"
    sorted_, other = (desk_of(default(), checker, tmp_path / name) for name in ("a", "b"))
    sorted_.spoil(spoilt)
    other.spoil(f"FROM ({spoilt}) ORDER BY {order}")
    (expected,), (finding,) = sorted_.check().findings, other.check().findings
    assert (finding.failed, finding.total) == (expected.failed, expected.total) == (1, 24)
    assert finding.samples[0].values == expected.samples[0].values


def test_load_and_power_may_stand_in_two_files(checker: Checker, tmp_path: Path) -> None:
    """A pair is one wherever its rows are."""
    desk = desk_of(default(), checker, tmp_path)
    desk.spoil(f"SELECT * REPLACE (if({ONE}, value * 3, value) AS value) FROM clean")
    paths = [tmp_path / "power.parquet", tmp_path / "load.parquet"]
    whole = desk.telemetry.read_bytes()
    for path, measure in zip(paths, ("server power", "server cpu utilization"), strict=True):
        desk.spoil(f"FROM clean WHERE type = '{measure}'")
        desk.telemetry.rename(path)
        desk.telemetry.write_bytes(whole)
    report = desk.checker.check(
        compile_plan(desk.contract, "telemetry"),
        [InputFile(path=path, name=path.name) for path in paths],
        inventory=[(desk.inventory, "parquet")],
    )
    (finding,) = report.findings
    assert (finding.check.id, finding.failed, finding.total) == ("value.on_curve", 1, 24)
    assert finding.samples[0].file == "power.parquet"


def test_a_finding_says_what_the_curve_has(checker: Checker, tmp_path: Path) -> None:
    """Place, key, value, the load beside it, and the watts that go with that."""
    desk = desk_of(default(), checker, tmp_path)
    desk.spoil(f"SELECT * REPLACE (if({ONE}, value * 3, value) AS value) FROM clean")
    (finding,) = desk.check().findings
    (sample,) = finding.samples
    values = dict(sample.values)
    assert (sample.file, sample.row, values["type"]) == ("telemetry.parquet", 2, "server power")
    low, _, high = values["expected"].removesuffix(" W").partition("..")
    assert float(low) < float(values["value"]) / 3 < float(high)
    assert 0 < float(values["server cpu utilization"]) < 100
    line = int(finding.check.at.rpartition(":")[2])
    assert "curve of the model" in desk.contract.text.splitlines()[line - 1]


def test_what_is_there_twice_is_told_by_its_key_alone(checker: Checker, tmp_path: Path) -> None:
    """Which of two readings goes with the load nobody knows; all others are judged."""
    desk = desk_of(default(), checker, tmp_path)
    desk.spoil(f"FROM clean UNION ALL SELECT * REPLACE (value * 3 AS value) FROM clean WHERE {ONE}")
    report = desk.check()
    assert found(report) == {"key.unique", "key.agrees"}
    (result,) = [r for r in report.results if r.check.id == "value.on_curve"]
    assert result.total == 23


def test_a_model_without_a_curve_is_not_judged(checker: Checker, tmp_path: Path) -> None:
    """Nobody agreed on what it draws."""
    desk = desk_of(default(), checker, tmp_path)
    for name in ("inventory", "telemetry"):
        value = ", value * 3 AS value" if name == "telemetry" else ""
        desk.spoil(f"SELECT * REPLACE ('another' AS model{value}) FROM clean", name)
    assert not found(desk.check()) - {"value.range"}


def on(report: Report, check: str) -> str:
    """The outcome of a check."""
    (outcome,) = [result.outcome for result in report.results if result.check.id == check]
    return outcome


def test_severity_is_that_of_the_rule(source: MockSource, checker: Checker, tmp_path: Path) -> None:
    """A contract may have the curves, the grid and the sites only warn."""
    text = default().text.replace("severity: error", "severity: warning")
    desk = Desk(source, checker, tmp_path)
    desk.contract = loads(text, "warns")
    desk.spoil(
        "SELECT * REPLACE (value / 3 AS value) FROM clean WHERE sn <> (SELECT min(sn) FROM clean)"
    )
    report = desk.check()
    assert {on(report, check) for check in ("value.on_curve", "device.silent")} == {"warn"}
    assert report.ok
    desk.spoil("SELECT * REPLACE ('ND-09' AS location) FROM clean", "inventory")
    assert on(desk.check_inventory(), "location.agreed") == "warn"


SERVICE = (
    (
        "      - name: location\n        description: Code",
        """\
      - {name: from_day, logicalType: date, physicalType: DATE}
      - {name: until, logicalType: timestamp, physicalType: TIMESTAMP_TZ}
      - name: location
        description: Code""",
    ),
    (
        "          rule: sites\n",
        """\
          rule: sites
      - type: custom
        engine: powerstage
        implementation: {rule: service, commissioned: from_day, retired: until}
""",
    ),
)


@pytest.mark.parametrize(
    ("dates", "ids"),
    [
        ("NULL::DATE AS from_day, NULL::TIMESTAMPTZ AS until", set[str]()),
        ("DATE '2026-11-02' AS from_day, '2026-11-02 06:00+00'::TIMESTAMPTZ AS until", set[str]()),
        ("DATE '2026-11-03' AS from_day", {"sn.in_service"}),
        ("'2026-11-02 05:00+00'::TIMESTAMPTZ AS until", {"sn.in_service"}),
    ],
)
def test_a_device_is_read_while_it_serves(
    checker: Checker, tmp_path: Path, dates: str, ids: set[str]
) -> None:
    """From the day on which it was commissioned until it was retired; what is not said, is open."""
    desk = desk_of(edited(*SERVICE), checker, tmp_path)
    desk.spoil(f"SELECT * REPLACE ({dates}) FROM clean", "inventory")
    assert found(desk.check()) == ids
