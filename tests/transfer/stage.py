"""Who takes part in a transfer: texts in the place of Parquet, and both sides as the product is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest
from botocore.retries.quota import RetryQuota
from botocore.retries.standard import ExponentialBackoff

from powerstage import contract as contracts
from powerstage.consumer import Consumed, Lake, consume
from powerstage.contract import Contract, Slot, default, period_text
from powerstage.producer import Published, publish
from powerstage.sim import blind_to_aws
from powerstage.store import Store
from tests.conftest import START, clock
from tests.transfer.judging import SPOILT, InlineExecutor, StubChecker
from tests.transfer.wire import Sent, Wire

CONTRACT: Final = default()
# Nobody delivers by it.
MISTAKEN: Final = contracts.loads(CONTRACT.text.replace("maximum: 2000", "maximum: 1000"), "other")
PERIODS: Final = (START, START + timedelta(hours=1))
PAGE: Final = 2
POOLS: Final = (
    "consumer.ahead",
    "consumer.outbox",
    "janitor",
    "producer.publish",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSource:
    """What one producer says: a text for each period. A ``Source``."""

    texts: Mapping[datetime, bytes]
    inventory: bytes = b"an inventory\n"
    contract: Contract = CONTRACT

    def parts(self) -> Sequence["TextSource"]:
        """All in one."""
        return [self]

    def periods(self) -> Sequence[datetime]:
        """Those that there are texts for."""
        return sorted(self.texts)

    def snapshots(self) -> Sequence[datetime]:
        """One inventory for all."""
        return [min(self.texts)]

    def write_inventory(self, period: datetime, path: Path) -> int:
        """Write it."""
        del period
        path.write_bytes(self.inventory)
        return 1

    def write_telemetry(self, period: datetime, path: Path) -> int:
        """Write a text."""
        path.write_bytes(self.texts[period])
        return 1


def text(period: datetime, words: str = "honest") -> bytes:
    """What a producer says of a period."""
    return f"{words} readings of {period_text(period)}\n".encode()


def source(words: str = "honest", periods: Sequence[datetime] = PERIODS) -> TextSource:
    """A producer's readings; the same words are the same bytes."""
    return TextSource(texts={period: text(period, words) for period in periods})


def spoilt(source: TextSource) -> TextSource:
    """The same, but that the first period breaks the contract."""
    first = min(source.texts)
    return replace(source, texts={**source.texts, first: SPOILT + source.texts[first]})


@dataclass(kw_only=True)
class Calm:
    """A caller whom nothing happens to; it counts what it sends."""

    name: str = "calm"
    sent: list[Sent] = field(default_factory=list)

    def fault(self, sent: Sent) -> str | None:
        """None."""
        self.sent.append(sent)
        return None

    def flipped_bit(self, body: bytes) -> int:
        """Never asked for."""
        raise AssertionError(body)


@dataclass(kw_only=True)
class Disturbed(Calm):
    """A caller who meets faults at the requests with these numbers, from 0."""

    faults: Mapping[int, str]
    bit: int = 0

    def fault(self, sent: Sent) -> str | None:
        """What was planned for this request, if it can happen to it."""
        super().fault(sent)
        fault = self.faults.get(len(self.sent) - 1)
        return fault if fault in sent.faults else None

    def flipped_bit(self, body: bytes) -> int:
        """One that the number decides."""
        return self.bit % (8 * len(body))


def publish_texts(
    store: Store,
    texts: TextSource,
    *,
    revise: str = "",
    senders: int = 1,
    on_delivery: Callable[[Published], None] = lambda _: None,
) -> list[Published]:
    """One run of a producer."""
    return publish(
        texts, store, clock=clock, revise=revise, senders=senders, on_delivery=on_delivery
    )


def consume_into(
    store: Store, folder: Path, *, name: str = "consumer", only: Sequence[Slot] | None = None
) -> Consumed:
    """One run of a consumer."""
    with Lake(folder, make=True) as lake:
        return consume(store, lake, clock=clock, name=name, only=only)


def module(name: str) -> ModuleType:
    """A module of the product; some have the name of a function that stands before them."""
    return import_module(f"powerstage.{name}")


@contextmanager
def connected() -> Iterator[Wire]:
    """A wire; within, nobody waits before he tries again."""
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with blind_to_aws(credentials), pytest.MonkeyPatch.context() as patch:
        patch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
        # It would be used up, and retries would depend on what ran before.
        patch.setattr(RetryQuota, "acquire", lambda *_: True)
        wire = Wire()
        patch.setattr("moto.s3.models.utcnow", lambda: wire.now.replace(tzinfo=None))
        yield wire


@contextmanager
def in_process() -> Iterator[Wire]:
    """A wire; within, nothing runs side by side, and no worker is started.

    A contract is parsed once: it takes longer than a whole transfer does here. A page holds so few
    commits that a look sees a part of the feed.
    """
    loads = cache(lambda text: contracts.loads(text, "contract"))
    with connected() as wire, pytest.MonkeyPatch.context() as patch:
        for name in ("consume", "lake"):
            patch.setattr(module(f"consumer.{name}"), "loads", lambda text, _: loads(text))
        for name in ("consume", "ahead"):
            patch.setattr(module(f"consumer.{name}"), "Checker", StubChecker)
        patch.setattr(module("store.s3"), "PAGE", PAGE)
        for name in POOLS:
            patch.setattr(module(name), "ThreadPoolExecutor", InlineExecutor)
        yield wire
