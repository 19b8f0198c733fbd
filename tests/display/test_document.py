"""The documents for machines: one frame, JSON types, and what was found in them."""

import json
from typing import Any

import pytest

from powerstage.consumer import Lake, consume
from powerstage.contract import Contract, loads
from powerstage.display import document
from powerstage.display.document import (
    consumed_part,
    published_part,
    report_part,
    status_part,
)
from powerstage.faults import Injector, plan_faults
from powerstage.producer import publish, status, synthesise
from powerstage.store import MemoryStore
from tests.conftest import START, clock

Parts = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def parts(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """What commands have to say of a feed of five days, with one bad and one missing."""
    text = contract.text.replace("value: 1\n    unit: h", "value: 1\n    unit: d")
    source = synthesise(loads(text, "daily"), devices=2, start=START, days=5)
    injector = Injector(plan_faults(source, ["nan_value", "missing_hour"], seed=7), source.contract)
    store = MemoryStore()
    store.put("commits/notes.txt", b"x")
    published = publish(injector.source(source), injector.store(store), clock=clock)
    with Lake(tmp_path_factory.mktemp("documents") / "lake", make=True) as lake:
        consumed = consume(store, lake, clock=clock)
    (bad,) = [j for j in consumed.judgements if j.verdict == "rejected"]
    return {
        "consume": consumed_part(consumed),
        "publish": published_part(published),
        "status": status_part(status(store, clock=clock)),
        "validate": report_part(bad.report),
    }


@pytest.mark.parametrize("exit_code", [0, 1, 2, 3, 4, 130])
def test_the_frame_is_the_same_everywhere(exit_code: int) -> None:
    """Schema, command, whether all is well, exit code; then what the command has to say."""
    assert list(document("status", exit_code, feed="x").items()) == [
        ("schema", "powerstage.result/2"),
        ("command", "status"),
        ("ok", exit_code == 0),
        ("exit_code", exit_code),
        ("feed", "x"),
    ]


@pytest.mark.parametrize("command", ["consume", "publish", "status", "validate"])
def test_a_document_is_json(parts: Parts, command: str) -> None:
    """It comes back from JSON as it was: no tuple, no moment, no NaN is left in it."""
    whole = document(command, 1, **parts[command])
    assert json.loads(json.dumps(whole, allow_nan=False)) == whole


@pytest.mark.parametrize("command", ["consume", "publish", "status", "validate"])
def test_no_part_has_a_name_of_the_frame(parts: Parts, command: str) -> None:
    """What a command says never takes the place of ok or exit_code."""
    assert set(parts[command]) & set(document(command, 0)) == set()


def test_a_run_of_the_consumer_is_told_whole(parts: Parts) -> None:
    """Each delivery with its verdict; what is missing and what is stray."""
    told = parts["consume"]
    assert [(entry["delivery"][:20], entry["verdict"]) for entry in told["deliveries"]] == [
        ("inventory/2026-11-02", "accepted"),
        ("telemetry/2026-11-02", "accepted"),
        ("telemetry/2026-11-03", "rejected"),
        ("telemetry/2026-11-05", "accepted"),
        ("telemetry/2026-11-06", "accepted"),
    ]
    assert (told["new"], told["known"], told["strays"]) == (5, 0, ["commits/notes.txt"])
    assert told["missing"] == [
        {"first": "2026-11-04T0000", "last": "2026-11-04T0000", "periods": 1}
    ]


def test_a_delivery_tells_what_passed_by_name(parts: Parts) -> None:
    """What did not pass is told whole, as it is of a file."""
    (bad,) = [entry for entry in parts["consume"]["deliveries"] if entry["verdict"] == "rejected"]
    checks = parts["validate"]["checks"]
    assert bad["findings"] == [check for check in checks if check["outcome"] != "pass"]
    assert bad["passed"] == [check["id"] for check in checks if check["outcome"] == "pass"]


def test_a_finding_is_told_with_its_rows(parts: Parts) -> None:
    """Check, counts, the contract's line, the SQL that finds it, and the value as a text."""
    (found,) = [check for check in parts["validate"]["checks"] if check["outcome"] == "fail"]
    assert (found["id"], found["failed"], found["total"]) == ("value.finite", 1, 96)
    assert found["at"].startswith("contract/power-telemetry/1.0.0.odcs.yaml:")
    assert found["sql"].startswith("SELECT * FROM reading WHERE ")
    (sample,) = found["sample"]
    assert sample["row"] > 0
    assert sample["values"]["value"].lower() == "nan"


def test_both_sides_are_told_the_same(parts: Parts) -> None:
    """The producer's view counts the verdicts that the consumer gave."""
    assert parts["status"]["consumers"] == {"consumer": {"accepted": 4, "rejected": 1}}
    assert parts["status"]["missing"] == parts["consume"]["missing"]
    identities = {entry["delivery"]: entry["identity"] for entry in parts["publish"]["deliveries"]}
    assert identities == {
        entry["delivery"]: entry["identity"] for entry in parts["consume"]["deliveries"]
    }
    assert (parts["publish"]["new"], parts["publish"]["unchanged"]) == (5, 0)
