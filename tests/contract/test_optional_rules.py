"""The rules that a contract may do without: curves, sites and service."""

import pytest

from powerstage.checks import compile_plan
from powerstage.contract import default, front_matter, lint, loads
from powerstage.contract.load import default_text
from powerstage.producer import parameters
from powerstage.producer.curves import models

TEXT = default_text()
SITES = "          rule: sites\n"
SERVICE = """\
          rule: sites
      - type: custom
        engine: powerstage
        implementation: {rule: service, commissioned: model, retired: gone}
"""
README = "---\nglcp_customer_id: a\ndevices: i.csv\ndata: d-*.csv\nupdate: 1 hr\n---\n"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("column: model", "column: kind", "models are in the column 'kind', which inventory lacks"),
        ("load: server cpu", "load: cpu", "load is the measure 'cpu utilization', which is none"),
        ("power: server power", "power: server cpu utilization", "which is none in W or kW"),
        ("toleranceRatio: 0.139", "toleranceRatio: -1", "toleranceRatio is at least 0"),
        ("toleranceWatts: 8", "toleranceWatts: -8", "toleranceWatts is at least 0"),
        ("watts: [81.7, 112.3", "watts: [81.7", "watts are 11: at 0, 10, ... 100 % load"),
        ("watts: [81.7, 112.3", "watts: [81.7, 12.3", "watts do not fall where load rises"),
        ("- HPE ZDL325", "- HPE DL325 Gen10 8SFF CTO Server\n                - HPE ZDL325",
         "the model 'HPE DL325 Gen10 8SFF CTO Server' has two curves"),
        ("watts: [81.7,", "wats: [81.7,", "unknown key 'wats' in a curve; did you mean 'watts'?"),
        (SITES, SITES.replace("sites", "site"), "rule is 'site', not one of: sites, service"),
        (SITES, SERVICE, "service is in the column 'gone', which inventory lacks"),
        (SITES, SERVICE, "service is in the column 'model', which is neither DATE nor TIMESTAMPTZ"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named_with_its_line(before: str, after: str, words: str) -> None:
    """Each complaint is one about a line of the rule."""
    assert before in TEXT
    complaints = lint(TEXT.replace(before, after, 1), "x")
    (said,) = [complaint for complaint in complaints if words in complaint]
    line = int(said.split(":")[1])
    assert line > TEXT[: TEXT.index("rule: sites")].count("\n") - 6


def test_the_contract_has_the_curves_of_the_mock_fleet() -> None:
    """Both know the same models, by the same watts."""
    rule = default().curves
    assert rule is not None
    agreed = {model: list(curve.watts) for curve in rule.curves for model in curve.models}
    assert agreed == {model.name: list(model.watts[::100]) for model in models()}


def test_tolerances_hold_the_furthest_that_a_mock_server_goes() -> None:
    """The spread of devices, all coins on one side, half a watt of rounding; hardly more."""
    rule = default().curves
    assert rule is not None
    furthest = parameters.DEVICE_DEVIATION * parameters.DRAW_MAX
    assert furthest < rule.tolerance_ratio < furthest + 0.001
    tolerances = {model: curve.tolerance_watts for curve in rule.curves for model in curve.models}
    for model in models():
        least, step = model.noise_watts
        noise = max(-(least - 0.5), least - 0.5 + step * parameters.COINS) + 0.5
        assert noise < tolerances[model.name] < noise + 1


def test_front_matter_brings_no_curves_and_no_sites() -> None:
    """It knows nothing of them; a base that was named keeps its own."""
    front = front_matter.parse(README, "README.md")
    bare = loads(front_matter.to_contract(front), "bare")
    assert (bare.curves, bare.sites_rule) == (None, None)
    kept = loads(front_matter.to_contract(front, TEXT), "kept")
    assert kept.curves is not None
    assert kept.sites_rule is not None


def test_a_rule_that_is_left_out_is_no_check() -> None:
    """Nothing is said of curves and sites where nobody agreed on them."""
    bare = loads(front_matter.to_contract(front_matter.parse(README, "r")), "x")
    checks = {
        check.id
        for plan in (compile_plan(bare, "inventory"), compile_plan(bare, "telemetry"))
        for check in plan.checks
    }
    assert "model.as_inventory" in checks
    assert not {"value.on_curve", "location.agreed", "sn.in_service"} & checks
