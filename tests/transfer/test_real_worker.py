"""The same with real readings, the real worker and real threads: once, for it takes its time."""

from pathlib import Path

import pytest

from powerstage.consumer import Lake
from powerstage.contract import Contract
from powerstage.producer import publish, synthesise
from tests.conftest import START, clock
from tests.producer.conftest import HALF_DAYS, edited
from tests.transfer.stage import Calm, Disturbed, connected, consume_into
from tests.transfer.wire import Crash

DELIVERIES = 3


def readings(folder: Path) -> list[tuple[object, ...]]:
    """What a lake shows."""
    with Lake(folder) as lake:
        return lake.telemetry().order("ALL").fetchall()


def test_a_consumer_with_a_real_worker_ends_the_same(contract: Contract, tmp_path: Path) -> None:
    """It dies when its second receipt stands there, and after it is run again all is well."""
    source = synthesise(edited(contract, HALF_DAYS), devices=3, start=START)
    with connected() as wire, wire.used_by(Calm()):
        publish(source, wire.store, clock=clock, senders=2)
        feed = wire.objects()
        calm = Calm()
        with wire.used_by(calm):
            consume_into(wire.store, tmp_path / "calm")
        whole = wire.objects()
        receipts = [number for number, sent in enumerate(calm.sent) if "receipts/" in sent.key]
        assert len(receipts) == DELIVERIES
        wire.empty()
        wire.put(feed)
        with (
            wire.used_by(Disturbed(faults={receipts[1]: "crash after"})),
            pytest.raises(Crash),
        ):
            consume_into(wire.store, tmp_path / "lake")
        consume_into(wire.store, tmp_path / "lake")
        assert wire.objects() == whole
    assert readings(tmp_path / "lake") == readings(tmp_path / "calm")
