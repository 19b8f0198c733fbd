"""A large fleet's period is delivered in several files, cut by the contract and the fleet alone."""

import pickle
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from powerstage.consumer import Lake, consume
from powerstage.contract import Contract
from powerstage.errors import UsageError
from powerstage.faults import plan_faults
from powerstage.producer import MockSource, publish, synth, synthesise
from powerstage.producer.synth import parts_of
from powerstage.store import MemoryStore
from tests.conftest import START, clock
from tests.producer.conftest import commits, objects

DEVICES = 7


@pytest.fixture
def cut(half_days: Contract, monkeypatch: pytest.MonkeyPatch) -> MockSource:
    """Seven devices of 24 readings a period each, where a file holds 60 at most."""
    monkeypatch.setattr(synth, "PART_READINGS_MAX", 60)
    return synthesise(half_days, devices=DEVICES, start=START)


def readings(paths: Sequence[Path]) -> list[tuple[object, ...]]:
    """All rows of some files, sorted."""
    names = [str(path) for path in paths]
    with duckdb.connect() as connection:
        found = connection.execute("SELECT * FROM read_parquet(?) ORDER BY ALL", [names])
        return found.fetchall()


@pytest.mark.parametrize("devices", [1, 499_999, 500_000, 500_001, 999_999, 1_000_000])
def test_parts_are_few_and_alike(contract: Contract, devices: int) -> None:
    """Each place is in one, none holds too much, and no two differ by more than a device."""
    parts = parts_of(contract, devices)
    bounds = [0, *(part.stop for part in parts)]
    assert bounds == [*(part.start for part in parts), devices]
    sizes = {len(part) for part in parts}
    assert max(sizes) * 2 <= 1_000_000
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == -(-devices * 2 // 1_000_000)


def test_the_parts_of_a_period_hold_what_it_holds(cut: MockSource, tmp_path: Path) -> None:
    """Each reading once."""
    cut.write_telemetry(START, tmp_path / "whole")
    paths = []
    for number, part in enumerate(cut.parts()):
        paths.append(tmp_path / str(number))
        part.write_telemetry(START, paths[-1])
    assert len(paths) == 3
    assert readings(paths) == readings([tmp_path / "whole"])


def test_a_delivery_of_parts_is_one_delivery(cut: MockSource, tmp_path: Path) -> None:
    """One commit names its files; the consumer accepts all of them or none."""
    store = MemoryStore()
    publish(cut, store, clock=clock)
    telemetry = [commit for commit in commits(store) if commit.slot.dataset == "telemetry"]
    assert [len(commit.files) for commit in telemetry] == [3, 3]
    with Lake(tmp_path / "lake", make=True) as lake:
        consumed = consume(store, lake, clock=clock)
        assert lake.telemetry().count("*").fetchall() == [(DEVICES * 24 * 2,)]
    assert {judgement.verdict for judgement in consumed.judgements} == {"accepted"}


def test_publishing_parts_again_changes_nothing(cut: MockSource) -> None:
    """They are found as they should be; one that was lost is put back."""
    store = MemoryStore()
    publish(cut, store, clock=clock)
    whole = objects(store)
    lost = next(key for key in whole if key.startswith("data/telemetry/"))
    damaged = MemoryStore()
    for key, body in whole.items():
        if key != lost:
            damaged.put(key, body)
    done = publish(cut, damaged, clock=clock)
    assert {delivery.state for delivery in done} == {"unchanged"}
    assert objects(damaged) == whole


def test_a_pickled_source_makes_the_same(cut: MockSource, tmp_path: Path) -> None:
    """In another process, from what it is made of alone."""
    part = cut.parts()[1]
    pickled = pickle.dumps(part)
    assert len(pickled) < 2 * len(cut.contract.text)
    part.write_telemetry(START, tmp_path / "here")
    made = pickle.loads(pickled)  # noqa: S301 - we have just written it
    made.write_telemetry(START, tmp_path / "there")
    assert (tmp_path / "there").read_bytes() == (tmp_path / "here").read_bytes()


def test_faults_are_for_deliveries_of_one_file(cut: MockSource) -> None:
    """What is spoilt is a period as a whole."""
    with pytest.raises(UsageError, match="--faults are put into deliveries of one file"):
        plan_faults(cut, ["nan_value"], seed=1)
