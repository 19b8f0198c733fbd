"""Hints: what a telling value says about its cause, and silence where nothing is telling."""

from datetime import timedelta

import pytest

from powerstage.checks import Check, CheckResult, Report, Sample, Window, add_hints, fails
from powerstage.contract import Contract
from tests.conftest import START

HOUR = timedelta(hours=1)
DAY = Window(start=START, end=START + 24 * HOUR)


def finding(id_: str, *rows: dict[str, str]) -> CheckResult:
    """A check that failed, with these values in its samples."""
    check = Check(id=id_, words="x", expected="y", severity="error", at="c.yaml:1")
    samples = tuple(Sample(file="f", row=1, values=tuple(row.items())) for row in rows)
    return fails(check, samples=samples)


def hints(contract: Contract, window: Window | None, *findings: CheckResult) -> str:
    """The hints of the first finding."""
    hinted = add_hints(Report(results=findings, rows=1), contract, window)
    return "; ".join(hinted.results[0].hints)


def watts(*values: object) -> list[dict[str, str]]:
    """Samples of power."""
    return [{"type": "server power", "value": str(value), "unit": "W"} for value in values]


def on_curve(*values: float) -> list[dict[str, str]]:
    """Samples of power that are not what the model draws."""
    return [row | {"expected": "201.8..334.3 W"} for row in watts(*values)]


@pytest.mark.parametrize(
    ("id_", "rows", "words"),
    [
        ("value.range", watts(65535.0), "65535 is all bits of 16"),
        ("value.range", watts(-1.0), "-1 often stands for 'no reading'"),
        ("value.range", watts(2900.0, 3100.5), "if they were BTU/h, not W"),
        ("value.range", watts(136000.0, 1520000.0), "if they were mW, not W"),
        ("value.range", watts(-136.0, -140.0), "with the other sign"),
        ("value.range", [{"type": "server cpu utilization", "value": "640"}], "all cores"),
        ("value.on_curve", on_curve(0.273, 0.31), "on the curve if they were kW, not W"),
        ("value.on_curve", on_curve(930.0), "on the curve if they were BTU/h, not W"),
        ("value.finite", watts("nan"), "NaN is what pandas and numpy write"),
        ("value.finite", watts("inf"), "a division by zero"),
        ("unit.of_measure", [{"unit": "kW"}], "1 kW is 1000 W"),
        ("unit.allowed", [{"unit": "btu/h"}], "1 W is 3.412 BTU/h"),
        ("unit.allowed", [{"unit": "w"}], "'w' is 'W' but for case"),
        ("type.allowed", [{"type": "server power "}], "blanks around type"),
        ("value.type", [{"value": "12,5"}], "a comma stands for the decimal point"),
        ("value.type", [{"value": "1,234.5"}], "thousands are separated"),
        ("value.type", [{"value": "N/A"}], "'N/A' stands for no value"),
        ("value.type", [{"value": "136 W"}], "the unit has a column of its own"),
        ("start_time.type", [{"start_time": "1762041600"}], "seconds or milliseconds since 1970"),
        ("start_time.type", [{"start_time": "02.11.2026 05:00"}], "write stamps as"),
        ("types.agreed", [{"end_time": "TIMESTAMP, not TIMESTAMPTZ"}], "no time zone"),
        ("types.agreed", [{"value": "VARCHAR, not DOUBLE"}], "written as text"),
        (
            "columns.agreed",
            [{"missing": "start_time, sn", "not agreed": "startTime"}],
            "'startTime' may be 'start_time' by another name",
        ),
        ("key.unique", [{"rows": "2", "also at": "g:7"}], "stand in two files"),
        (
            "reading.interval",
            [{"start_time": "2026-11-02 05:00:00+00", "end_time": "2026-11-02 05:05:00+00"}],
            "all of them last 5 min",
        ),
        (
            "reading.interval",
            [{"start_time": "2026-11-02 05:00:00+00", "end_time": "2026-11-02 05:00:00+00"}],
            "a moment, not an interval",
        ),
        ("reading.on_grid", [{"start_time": "2026-11-02 05:00:07+00"}], "all are 7 s after it"),
        ("reading.on_grid", [{"start_time": "2026-11-02 05:30:00+00"}], "30 min beside it"),
    ],
)
def test_a_telling_value_gives_a_hint(
    contract: Contract, id_: str, rows: list[dict[str, str]], words: str
) -> None:
    """Sentinels, units, forms and types are named in plain words."""
    assert words in hints(contract, None, finding(id_, *rows))


@pytest.mark.parametrize(
    ("id_", "rows"),
    [
        ("value.range", watts(2900.0, 9_000_000_000.0)),
        ("value.range", [{"value": "seven"}, {}]),
        ("value.on_curve", on_curve(0.273, 150.0)),
        ("value.on_curve", watts(0.273)),
        ("value.not_null", watts("null")),
        ("unit.allowed", [{"unit": "horses"}]),
        ("columns.agreed", [{"missing": "sn"}]),
        ("key.unique", [{"rows": "2", "also at": "g:7"}, {"rows": "2", "also at": "row 7"}]),
        ("reading.on_grid", [{"start_time": "infinity"}]),
        ("reading.interval", [{"start_time": "2026-11-02 05:00:00+00", "end_time": "290000-1-1"}]),
    ],
)
def test_what_is_not_telling_gives_none(
    contract: Contract, id_: str, rows: list[dict[str, str]]
) -> None:
    """A guess that some of the samples speak against is not made."""
    assert hints(contract, None, finding(id_, *rows)) == ""


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (-1, "1 h early: summer time"),
        (-6, "6 h early, as local time of"),
        (5, "5 h late: local time written as UTC"),
    ],
)
def test_a_shift_of_a_whole_period_is_measured(contract: Contract, hours: int, words: str) -> None:
    """Readings of an hour that stand in another: by how much, and which site's clock that is."""
    moved = f"{START + hours * HOUR:%Y-%m-%d %H:%M:%S+00}"
    outside = finding("reading.in_period", {"start_time": moved}, {"start_time": moved})
    assert words in hints(contract, Window(start=START, end=START + HOUR), outside)


@pytest.mark.parametrize(("hours", "words"), [(1, "1 h late"), (-2, "2 h early")])
def test_a_shift_within_a_period_shows_at_its_ends(
    contract: Contract, hours: int, words: str
) -> None:
    """What is outside at one end is missing at the other: as many hours as the shift."""
    late = hours > 0
    outside = f"{DAY.end if late else DAY.start - HOUR:%Y-%m-%d %H:%M:%S+00}"
    first = DAY.start if late else DAY.end + hours * HOUR
    run = {
        "from": f"{first:%Y-%m-%dT%H:%M:%SZ}",
        "to": f"{first + (abs(hours) - 1) * HOUR:%Y-%m-%dT%H:%M:%SZ}",
    }
    found = hints(
        contract,
        DAY,
        finding("reading.in_period", {"start_time": outside}),
        finding("grid.complete", run),
    )
    assert words in found


def test_devices_that_fall_silent_together_are_one_cause(contract: Contract) -> None:
    """The same readings of two devices are missing: not a device's fault."""
    span = {"from": "2026-11-02T05:00:00Z", "to": "2026-11-02T06:00:00Z"}
    both = finding("grid.complete", span | {"device": "a"}, span | {"device": "b"})
    assert "several devices are silent from 2026-11-02T05:00:00Z" in hints(contract, DAY, both)
    assert hints(contract, DAY, finding("grid.complete", span | {"device": "a"})) == ""
