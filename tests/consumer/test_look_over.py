"""The numbers of a lake: how much there is, how much there should be, and what is said of it."""

from datetime import timedelta
from pathlib import Path

import pytest

from powerstage.checks import Checker
from powerstage.consumer import Lake, consume
from powerstage.consumer.look_over import look_over
from powerstage.consumer.overview import Overview
from powerstage.contract import Contract, loads
from powerstage.producer import publish, synthesise
from powerstage.store import MemoryStore, Store
from tests.conftest import START, clock


def _agreed(contract: Contract, *, reading: timedelta, delivery: timedelta) -> Contract:
    """The default contract with other intervals, of whole minutes at least."""
    minutes = f"value: {delivery // timedelta(minutes=1)}\n    unit: min"
    text = contract.text.replace("value: 1\n    unit: h", minutes)
    seconds = f"intervalSeconds: {reading // timedelta(seconds=1)}"
    return loads(text.replace("intervalSeconds: 3600", seconds), "agreed")


def _consumed(store: Store, lake: Path, contract: Contract | None = None) -> None:
    with Lake(lake, make=True) as opened:
        consume(store, opened, clock=clock, contract=contract)


def _look(lake: Path) -> Overview:
    with Lake(lake) as opened, Checker() as checker:
        return look_over(opened, checker, now=clock())


def _feed(contract: Contract) -> Store:
    """Six devices of a day, clean."""
    store = MemoryStore()
    publish(synthesise(contract, devices=6, start=START, seed=7), store, clock=clock)
    return store


@pytest.mark.parametrize(
    ("reading_minutes", "delivery_minutes"),
    [(15, 90), (40, 120), (45, 180), (120, 1440), (480, 1440), (5, 15)],
)
def test_what_is_clean_lacks_nothing(
    contract: Contract, tmp_path: Path, reading_minutes: int, delivery_minutes: int
) -> None:
    """Whatever divides a day: there are as many readings as there should be, in each bucket."""
    agreed = _agreed(
        contract,
        reading=timedelta(minutes=reading_minutes),
        delivery=timedelta(minutes=delivery_minutes),
    )
    _consumed(_feed(agreed), tmp_path / "lake")
    seen = _look(tmp_path / "lake")
    assert seen.fleet.readings == seen.fleet.expected == 6 * 2 * 1440 // reading_minutes
    assert {known.use.readings - known.use.expected for known in seen.buckets} == {0}
    # Else the one of two buckets that has a reading more would seem to draw more.
    assert len({known.use.expected for known in seen.buckets if known.site == "DE-1"}) == 1
