"""Every object key of a feed, built and parsed here and nowhere else.

    contract/{name}/{version}.odcs.yaml
    data/{dataset}/date=YYYY-MM-DD/{sha256}.parquet
    commits/{dataset}/{period}/r{revision:06d}.json
    receipts/{consumer}/{dataset}/{period}/r{revision:06d}.j{judgement:02d}.json

A period is the UTC start of the window that a delivery covers, as ``YYYY-MM-DDTHHMM``.
Every part has a fixed width, so that keys sort as what they name does.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final, TypeAlias

from powerstage.contract.model import DatasetName
from powerstage.errors import RecordError

LAYOUT: Final = "powerstage-delivery/1"
REVISION_MAX: Final = 999_999
JUDGEMENT_MAX: Final = 99
COMMITS: Final = "commits/"
DATA: Final = "data/"
RECEIPTS: Final = "receipts/"

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_PERIOD = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{4}"
_SLOT = rf"(?P<dataset>inventory|telemetry)/(?P<period>{_PERIOD})/r(?P<revision>[0-9]{{6}})"
_GRAMMAR: Final = {
    "contract": re.compile(rf"contract/(?P<name>{_NAME})/(?P<version>{_NAME})\.odcs\.yaml"),
    "data": re.compile(
        r"data/(?P<dataset>inventory|telemetry)/date=(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
        r"/(?P<sha256>[0-9a-f]{64})\.parquet"
    ),
    "commit": re.compile(rf"commits/{_SLOT}\.json"),
    "receipt": re.compile(
        rf"receipts/(?P<consumer>{_NAME})/{_SLOT}\.j(?P<judgement>[0-9]{{2}})\.json"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Slot:
    """What a delivery is the delivery of: dataset, period (its start, UTC) and revision.

    It is the idempotency key of the transfer: one slot never holds two contents.
    """

    dataset: DatasetName
    period: datetime
    revision: int = 0

    def __str__(self) -> str:
        """As in keys and messages: ``telemetry/2026-11-01T0500/r000000``."""
        return f"{self.dataset}/{period_text(self.period)}/r{self.revision:06d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractKey:
    """The key of a feed's copy of its contract."""

    name: str
    version: str

    def __str__(self) -> str:
        """The object key."""
        return f"contract/{self.name}/{self.version}.odcs.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKey:
    """The key of a data file: named by its content, filed under the date of its period."""

    dataset: DatasetName
    date: date
    sha256: str

    def __str__(self) -> str:
        """The object key."""
        return f"{data_folder(self.dataset, self.date)}{self.sha256}.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitKey:
    """The key of the record that makes a delivery exist."""

    slot: Slot

    def __str__(self) -> str:
        """The object key."""
        return f"{COMMITS}{self.slot}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptKey:
    """The key of one consumer's verdict on a delivery; the highest judgement counts."""

    consumer: str
    slot: Slot
    judgement: int = 1

    def __str__(self) -> str:
        """The object key."""
        return f"{RECEIPTS}{self.consumer}/{self.slot}.j{self.judgement:02d}.json"


Key: TypeAlias = ContractKey | DataKey | CommitKey | ReceiptKey


def parse_key(key: str) -> Key:
    """What an object key names; ``RecordError`` if it is none of ours."""
    for kind, grammar in _GRAMMAR.items():
        if match := grammar.fullmatch(key):
            return _build(kind, key, match.groupdict())
    raise RecordError(f"not a key of the layout {LAYOUT}: {key!r}")


def find_key(key: str) -> Key | None:
    """What an object key names; None if it is none of ours."""
    try:
        return parse_key(key)
    except RecordError:
        return None


def data_key(slot: Slot, sha256: str) -> DataKey:
    """The only key under which a data file of this slot may stand."""
    return DataKey(dataset=slot.dataset, date=slot.period.date(), sha256=sha256)


def data_folder(dataset: DatasetName, day: date) -> str:
    """What stands before the keys of all data of a day."""
    return f"{DATA}{dataset}/date={day.isoformat()}/"


def period_text(period: datetime) -> str:
    """A period as it stands in keys: ``2026-11-01T0500``; the period must be UTC."""
    if period.utcoffset() is None or period.utcoffset() != UTC.utcoffset(None):
        raise ValueError(f"a period is in UTC, not {period!r}")
    return f"{period.year:04d}-{period:%m-%dT%H%M}"


def parse_period(text: str) -> datetime:
    """The period that a text of the form ``2026-11-01T0500`` names, else ``RecordError``."""
    try:
        if re.fullmatch(_PERIOD, text, re.ASCII):
            at = time(int(text[11:13]), int(text[13:]), tzinfo=UTC)
            return datetime.combine(date.fromisoformat(text[:10]), at)
    except ValueError:
        pass
    raise RecordError(f"not a period: {text!r}", fix="a period reads like 2026-11-01T0500, in UTC")


def parse_slot(text: str) -> Slot:
    """The slot that a text of the form ``telemetry/2026-11-01T0500/r000000`` names."""
    if match := re.fullmatch(_SLOT, text):
        return _slot(match.groupdict())
    raise RecordError(f"not a delivery: {text!r}")


def check_name(name: str, what: str) -> str:
    """The name, if it can stand in a key as it is; else ``RecordError``."""
    if not re.fullmatch(_NAME, name):
        raise RecordError(
            f"{what} {name!r} cannot stand in an object key",
            fix="use up to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit",
        )
    return name


def _build(kind: str, key: str, parts: dict[str, str]) -> Key:
    if kind == "contract":
        return ContractKey(name=parts["name"], version=parts["version"])
    if kind == "data":
        return DataKey(
            dataset=_dataset(parts), date=_date(key, parts["date"]), sha256=parts["sha256"]
        )
    slot = _slot(parts)
    if kind == "commit":
        return CommitKey(slot=slot)
    return ReceiptKey(consumer=parts["consumer"], slot=slot, judgement=int(parts["judgement"]))


def _slot(parts: dict[str, str]) -> Slot:
    return Slot(
        dataset=_dataset(parts),
        period=parse_period(parts["period"]),
        revision=int(parts["revision"]),
    )


def _dataset(parts: dict[str, str]) -> DatasetName:
    return "inventory" if parts["dataset"] == "inventory" else "telemetry"


def _date(key: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RecordError(f"no such date in the key {key!r}") from None
