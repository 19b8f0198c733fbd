"""What an exchange takes, worked out from its size: objects, bytes, requests, CPU, workers.

Numbers of objects and requests follow from how the two sides work. Bytes and CPU come from
coefficients, each so much of something per something else: ``plan.json``, which
``scripts/bench plan`` measures and writes.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib import resources
from typing import Final, Literal, TypeAlias

from powerstage.consumer.discover import HOT
from powerstage.consumer.findings import READINGS_MAX, WINDOW
from powerstage.consumer.value_queries import HISTORY_MIN
from powerstage.contract import Contract
from powerstage.contract.commit import FILE_ROWS_MAX
from powerstage.errors import UsageError
from powerstage.producer import parameters
from powerstage.producer.synth import DAYS_MAX, parts_of
from powerstage.store.protocol import PAGE

# Inventories change with their servers: each place has a new one once in a time of service, and
# some stand empty before, which is a change more.
_CHANGES_PER_PLACE_AND_DAY: Final = (1 + parameters.VACANT_SHARE) / parameters.SERVICE_DAYS
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
# Kinds of objects, and what they are called when they are counted.
_COUNTED: Final = {
    "inventory": "inventory file",
    "telemetry": "telemetry file",
    "commits": "commit",
    "receipts": "receipt",
}
# What a producer puts, each by one request, and a consumer gets.
_DELIVERED: Final = ("inventory", "telemetry", "commits")

# How many there are of each thing that coefficients are about, by its name.
Amounts: TypeAlias = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficient:
    """So much ``of`` something for each of something else: ``value`` is in ``unit``."""

    of: str
    per: str
    value: float
    unit: Literal["bytes", "s"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Coefficients that were measured in one run; when, where, and of which versions."""

    coefficients: tuple[Coefficient, ...]
    date: str
    machine: str
    versions: Mapping[str, str]

    def total(self, of: str, amounts: Amounts) -> float:
        """How much of something these amounts take."""
        return sum(each.value * amounts[each.per] for each in self.coefficients if each.of == of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Objects of one kind, as they stand in the feed in the end."""

    objects: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What one of the two does; ``requests`` by S3's names: PUT, LIST, GET, HEAD.

    ``workers_to_keep_up`` are those that have done a period's work before the next is due,
    ``workers_to_catch_up`` those that have done all of it in a day; each is a process on a core of
    its own.
    """

    requests: Mapping[str, int]
    sent_bytes: int
    received_bytes: int
    cpu_seconds: float
    period_cpu_seconds: float
    workers_to_keep_up: int
    workers_to_catch_up: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangePlan:
    """What an exchange takes: published by one run, consumed by one.

    ``stored`` is by kind: contract, inventory, telemetry, commits, receipts. Whoever follows the
    feed instead lists it again and again, at most ``list_requests_per_look`` times a look.
    """

    devices: int
    days: int
    periods: int
    readings: int
    stored: Mapping[str, Stored]
    producer: Side
    consumer: Side
    list_requests_per_look: int


def plan_exchange(
    contract: Contract, *, devices: int, days: int, measurement: Measurement
) -> ExchangePlan:
    """What it takes to exchange the telemetry of a fleet over some days.

    Args:
        contract: what the data follow.
        devices: how many; from time to time some are replaced, which is an inventory more.
        days: how many days of periods.
        measurement: what bytes and CPU are worked out from.

    Raises:
        UsageError: an option is out of range, or a delivery cannot have so many files.
    """
    amounts = amounts_of(contract, devices, days)
    stored = {"contract": Stored(objects=1, size_bytes=len(contract.text.encode()))} | {
        kind: Stored(objects=amounts[counted], size_bytes=round(measurement.total(kind, amounts)))
        for kind, counted in _COUNTED.items()
    }
    data = sum(stored[kind].size_bytes for kind in ("inventory", "telemetry"))
    records = sum(stored[kind].size_bytes for kind in ("contract", "commits"))
    return ExchangePlan(
        devices=devices,
        days=days,
        periods=amounts["period"],
        readings=amounts["reading"],
        stored=stored,
        producer=_side(
            "producer CPU",
            amounts,
            measurement,
            contract.delivery_interval,
            # The contract twice: the second one is to be refused.
            requests={
                "PUT": 2 + sum(stored[kind].objects for kind in _DELIVERED),
                "LIST": 1,
                "GET": 0,
                # The contract is not there yet, but the bucket is.
                "HEAD": 2,
            },
            sent_bytes=data + records + stored["contract"].size_bytes,
            received_bytes=0,
        ),
        consumer=_side(
            "consumer CPU",
            amounts,
            measurement,
            contract.delivery_interval,
            requests={
                "PUT": stored["receipts"].objects,
                "LIST": 1 + _pages(stored["commits"].objects),
                "GET": 1 + sum(stored[kind].objects for kind in _DELIVERED),
                "HEAD": 0,
            },
            sent_bytes=stored["receipts"].size_bytes,
            received_bytes=data + records,
        ),
        list_requests_per_look=_list_requests_per_look(contract),
    )


def amounts_of(contract: Contract, devices: int, days: int) -> Amounts:
    """How many there are of what coefficients are about.

    Raises:
        UsageError: an option is out of range, or a delivery cannot have so many files.
    """
    if not 1 <= devices <= FILE_ROWS_MAX:
        raise UsageError(
            f"devices is {devices:,}",
            cause="an inventory is one file, with a row for each",
            fix=f"--devices is from 1 to {FILE_ROWS_MAX:,}: plan several feeds",
        )
    if not 1 <= days <= DAYS_MAX:
        raise UsageError(f"days is {days}", fix=f"--days is from 1 to {DAYS_MAX:,}")
    periods = days * _DAY // contract.delivery_interval
    files = periods * len(parts_of(contract, devices))
    inventories = round(1 + (days - 1) * (1 - (1 - _CHANGES_PER_PLACE_AND_DAY) ** devices))
    readings = devices * len(contract.measures) * (days * _DAY // contract.roles.reading_interval)
    return {
        "run": 1,
        "reading in findings": _in_findings(readings, days),
        "period": periods,
        "telemetry file": files,
        "inventory file": inventories,
        "file": files + inventories,
        "commit": periods + inventories,
        "receipt": periods + inventories,
        "device of a file": devices * periods,
        "device of an inventory": devices * inventories,
        "device and hour": devices * (days * _DAY // _HOUR),
        "reading": readings,
    }


def _in_findings(readings: int, days: int) -> int:
    """How many readings a whole look at the last weeks takes in, once there is a history."""
    if days * _DAY < HISTORY_MIN:
        return 0
    recent = readings * min(days, WINDOW // _DAY) // days
    return recent // -(-recent // READINGS_MAX)


@cache
def measured() -> Measurement:
    """What the package carries."""
    text = resources.files("powerstage").joinpath("plan.json").read_text("utf-8")
    found = json.loads(text)
    coefficients = tuple(Coefficient(**each) for each in found.pop("coefficients"))
    return Measurement(coefficients=coefficients, **found)


def _side(
    cpu: str,
    amounts: Amounts,
    measurement: Measurement,
    interval: timedelta,
    *,
    requests: Mapping[str, int],
    sent_bytes: int,
    received_bytes: int,
) -> Side:
    cpu_seconds = measurement.total(cpu, amounts)
    # In a run of its own, which looks for findings as that of all periods does.
    every_run = {name: amounts[name] for name in ("run", "reading in findings")}
    once = measurement.total(cpu, dict.fromkeys(amounts, 0) | every_run)
    period_cpu_seconds = once + (cpu_seconds - once) / amounts["period"]
    return Side(
        requests=requests,
        sent_bytes=sent_bytes,
        received_bytes=received_bytes,
        cpu_seconds=cpu_seconds,
        period_cpu_seconds=period_cpu_seconds,
        workers_to_keep_up=math.ceil(period_cpu_seconds / interval.total_seconds()),
        workers_to_catch_up=math.ceil(cpu_seconds / _DAY.total_seconds()),
    )


def _pages(objects: int) -> int:
    return -(-objects // PAGE)


def _list_requests_per_look(contract: Contract) -> int:
    """Recent telemetry and inventories, each until nothing more comes, and a page of the rest."""
    telemetry, inventories, rest = _pages(HOT // contract.delivery_interval), 1, 1
    return telemetry + 1 + inventories + 1 + rest
