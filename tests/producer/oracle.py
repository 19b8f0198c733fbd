"""The mock model a second time, in numpy: from its documents and parameters, not from its SQL.

Arithmetic is the same, operation by operation: values are compared without a tolerance. What
DuckDB makes by joins and lists stands here as arrays with an axis per device and one per instant.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from powerstage.contract import Contract, Measure
from powerstage.producer import parameters

Keys: TypeAlias = npt.NDArray[np.uint64]
Integers: TypeAlias = npt.NDArray[np.int64]
Numbers: TypeAlias = npt.NDArray[np.float64]
Texts: TypeAlias = npt.NDArray[np.str_]
Column: TypeAlias = npt.NDArray[Any]

_MULTIPLIER: Final = np.uint64(0xD6E8FEB86659FD93)
_GOLDEN_64: Final = 0x9E3779B97F4A7C15
_HALF: Final = np.uint64(32)
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_DIGITS: Final = "0123456789"
# HPE's form: CZJ, year, week of the year in two digits, four digits or letters.
_SERIAL: Final = ("C", "Z", "J", _DIGITS, "01234", _DIGITS, *((_DIGITS + _LETTERS,) * 4))
_HOURS_FROM: Final = 2**40
_DAYS_FROM: Final = 2**41
_JITTERS_FROM: Final = 2**42


def mix64(keys: npt.ArrayLike) -> Keys:
    """The mixer by its definition."""
    mixed = np.atleast_1d(np.asarray(keys, dtype=np.uint64))
    for _ in range(2):
        mixed = (mixed ^ (mixed >> _HALF)) * _MULTIPLIER
    return mixed ^ (mixed >> _HALF)


def uniform(keys: Keys) -> Numbers:
    """From 0 to below 1, by the upper 53 bits."""
    return (keys >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(keys: Keys) -> Numbers:
    """Nearly normal: four uniform numbers of 16 bits, added."""
    total = sum((keys >> np.uint64(shift)) & np.uint64(65535) for shift in (0, 16, 32, 48))
    return np.asarray(total).astype(np.float64) * 2.6429e-5 - 3.4641


def heads(keys: Keys) -> Integers:
    """How many of 32 coins show heads."""
    counts: Integers = np.bitwise_count(keys & np.uint64(2**32 - 1)).astype(np.int64)
    return counts


def coin(keys: Keys) -> Numbers:
    """Nearly normal: the coins of the upper half."""
    return np.multiply(heads(keys >> _HALF) - 16, 0.35355339059327373)


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """Who serves on a day, in the order of serial numbers; an array per fact."""

    position: Integers
    generation: Integers
    key: Keys
    serial: Texts
    model: Integers
    site: Integers
    profile: Integers
    base: Numbers
    amplitude: Numbers
    spread: Numbers


def serving(contract: Contract, count: int, seed: int, day: int) -> Devices:
    """The servers in ``count`` places, ``day`` days after 1970 began."""
    position = np.arange(count)
    place = mix64(mix64(seed ^ _GOLDEN_64) ^ (position + 1).astype(np.uint64))
    age = day + (mix64(place ^ np.uint64(1)) % np.uint64(parameters.SERVICE_DAYS)).astype(np.int64)
    empties = uniform(mix64(place ^ np.uint64(2))) < parameters.VACANT_SHARE
    empties[0] = False
    days = mix64(place ^ np.uint64(3)) % np.uint64(parameters.VACANT_DAYS_MAX)
    vacant_days = np.where(empties, 1 + days.astype(np.int64), 0)
    there = age % parameters.SERVICE_DAYS >= vacant_days
    position, generation = position[there], age[there] // parameters.SERVICE_DAYS
    key = mix64(place[there] ^ mix64((generation + 1).astype(np.uint64)))
    profile = np.searchsorted(
        np.cumsum([profile.share for profile in parameters.PROFILES])[:-1],
        uniform(mix64(key ^ np.uint64(1))),
        side="right",
    )
    base, amplitude = (
        _between(np.array(ranges)[profile], uniform(mix64(key ^ np.uint64(number))))
        for number, ranges in (
            (2, [profile.base for profile in parameters.PROFILES]),
            (3, [profile.amplitude for profile in parameters.PROFILES]),
        )
    )
    serial = np.array(_serials(generation * count + position, seed))
    order = np.argsort(serial)
    return Devices(
        position=position[order],
        generation=generation[order],
        key=key[order],
        serial=serial[order],
        model=((position + generation) % len(catalogue()))[order],
        site=(position % len(contract.sites))[order],
        profile=profile[order],
        base=base[order],
        amplitude=amplitude[order],
        spread=(1 + parameters.DEVICE_DEVIATION * normal(mix64(key ^ np.uint64(4))))[order],
    )


def loads(contract: Contract, devices: Devices, hours: Integers) -> Numbers:
    """Per mille of full load of each device at full hours, counted from 1970."""
    keys = devices.key[:, None]
    clocks = [[_clock(site.timezone, int(hour)) for hour in hours] for site in contract.sites]
    shares = np.array(
        [
            [[_share(profile, clock) for clock in clocks_of_site] for clocks_of_site in clocks]
            for profile in parameters.PROFILES
        ]
    )
    days = np.array([[clock.toordinal() for clock in clocks_of_site] for clocks_of_site in clocks])
    local_days = days[devices.site] - datetime(1970, 1, 1, tzinfo=UTC).toordinal()
    day = _persistent(
        keys, local_days + _DAYS_FROM, parameters.DAY_PERSISTENCE, parameters.DAY_TERMS
    )
    drift = _persistent(
        keys, hours[None, :] + _HOURS_FROM, parameters.HOUR_PERSISTENCE, parameters.HOUR_TERMS
    )
    base, amplitude = devices.base[:, None], devices.amplitude[:, None]
    load = (
        base
        + amplitude * shares[devices.profile, devices.site] * (1 + parameters.DAY_DEVIATION * day)
        + amplitude * parameters.HOUR_DEVIATION * drift
    )
    bounded: Numbers = np.minimum(parameters.LOAD_MAX, np.maximum(parameters.LOAD_MIN, load))
    return bounded


def readings(
    contract: Contract, count: int, seed: int, period: datetime, *, fuzz_seconds: int = 0
) -> dict[str, npt.NDArray[Any]]:
    """The columns of a period of the default contract, or one with more measures, in order.

    Times are microseconds since 1970.
    """
    first = int(period.timestamp())
    interval = int(contract.roles.reading_interval.total_seconds())
    devices = serving(contract, count, seed, first // 86_400)
    stamps = np.arange(first, first + int(contract.delivery_interval.total_seconds()), interval)
    # By the middle of the interval, in half seconds.
    hours, parts = np.divmod(2 * stamps + interval, 7200)
    known, at = np.unique(hours, return_inverse=True)
    now = loads(contract, devices, known)[:, at]
    then = loads(contract, devices, known + 1)[:, at]
    noise = mix64(devices.key[:, None] ^ mix64(stamps.astype(np.uint64)))
    step = parameters.READING_STEP
    wobble = (1 - step * (parameters.COINS // 2)) + step * heads(noise >> _HALF)
    load = np.rint((now + (then - now) * (parts / 7200)) * wobble).astype(np.int64)
    measures = sorted(contract.measures, key=lambda measure: measure.name)
    values = [_values(measure, devices, load, heads(noise)) for measure in measures]
    shape = (len(devices.key), len(stamps), len(measures))

    def each_device(texts: Sequence[str], numbers: Integers) -> npt.NDArray[Any]:
        return np.broadcast_to(np.array(texts)[numbers][:, None, None], shape).ravel()

    def each_measure(texts: Sequence[str]) -> npt.NDArray[Any]:
        return np.broadcast_to(np.array(texts), shape).ravel()

    return {
        "sn": np.broadcast_to(devices.serial[:, None, None], shape).ravel(),
        "model": each_device([model.name for model in catalogue()], devices.model),
        "product_id": each_device([model.product_id for model in catalogue()], devices.model),
        "location": each_device([site.code for site in contract.sites], devices.site),
        "start_time": _microseconds(devices, stamps, fuzz_seconds, shape),
        "end_time": _microseconds(devices, stamps + interval, fuzz_seconds, shape),
        "source": np.full(math.prod(shape), "iLo"),
        "type": each_measure([measure.name for measure in measures]),
        "unit": each_measure([measure.unit for measure in measures]),
        "value": np.stack(values, axis=2).ravel(),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A server model: watts at each per mille of full load, and what the meter adds to them."""

    name: str
    product_id: str
    watts: Numbers

    @property
    def coin_watts(self) -> float:
        """What each coin of the meter adds."""
        deviation = parameters.METER_DEVIATION * float(self.watts[-1] - self.watts[0])
        return deviation / math.sqrt(parameters.COINS / 4)


@cache
def catalogue() -> Sequence[Model]:
    """The models by product number, from the published tables."""
    published = {
        row["curve"]: [float(watts) for watts in list(row.values())[2:]] for row in _rows("curves")
    }
    models = []
    for row in _rows("models"):
        points = np.array(published[row["curve"]])
        steps = np.arange(100)
        rises = points[:-1, None] + np.diff(points)[:, None] * steps / 100
        drives = int(row["small_bays"]) * 5.0 + int(row["large_bays"]) * 8.0
        watts = np.append(rises.ravel(), points[-1]) + drives / 2
        models.append(Model(name=row["model"], product_id=row["product_id"], watts=watts))
    return sorted(models, key=lambda model: model.product_id)


def _rows(name: str) -> Sequence[dict[str, str]]:
    text = resources.files("powerstage.producer").joinpath(f"{name}.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def _between(ranges: Integers, draws: Numbers) -> Numbers:
    low, high = ranges[:, 0], ranges[:, 1]
    return np.asarray(low + (high - low) * draws, dtype=np.float64)


def _serials(numbers: Integers, seed: int) -> list[str]:
    """Each number a stride from the last, around all texts of the form."""
    space = math.prod(len(place) for place in _SERIAL)
    stride = int(space * 0.6180339887498949)
    while math.gcd(stride, space) > 1:
        stride += 1
    texts = []
    for number in numbers.tolist():
        rest, text = (number * stride + seed) % space, ""
        for place in reversed(_SERIAL):
            rest, digit = divmod(rest, len(place))
            text = place[digit] + text
        texts.append(text)
    return texts


def _clock(zone: str, hour: int) -> datetime:
    return datetime.fromtimestamp(hour * 3600, ZoneInfo(zone))


def _share(profile: parameters.Profile, clock: datetime) -> float:
    """A straight line from each local hour to the next; less at weekends."""
    hours = [*profile.hours, profile.hours[0]]
    change = hours[clock.hour + 1] - hours[clock.hour]
    share = hours[clock.hour] + change * clock.minute / 60
    return share * profile.weekend if clock.weekday() in {5, 6} else share


def _persistent(keys: Keys, numbers: Integers, persistence: float, terms: int) -> Numbers:
    """Draws of instants that resemble the ones before: a weighted sum of variance 1."""
    raw = np.cumprod([1.0] + [persistence] * (terms - 1))
    weights = raw / math.sqrt(np.cumsum(raw * raw)[-1])
    total: Numbers | None = None
    for back, weight in enumerate(weights):
        term = weight * coin(mix64(keys ^ mix64((numbers - back).astype(np.uint64))))
        total = term if total is None else total + term
    assert total is not None
    return total


def _values(measure: Measure, devices: Devices, load: Integers, meter: Integers) -> Numbers:
    """A value per device and instant, by the unit."""
    curves = np.array([model.watts for model in catalogue()])
    coins = np.array([model.coin_watts for model in catalogue()])[devices.model][:, None]
    # Half a watt more, and rounded down: rounded to the nearest.
    watts = np.floor(
        curves[devices.model[:, None], load] * devices.spread[:, None]
        + (0.5 - coins * (parameters.COINS // 2))
        + coins * meter
    )
    if measure.unit == "%":
        return load / 10
    if measure.unit in {"W", "kW"}:
        return watts if measure.unit == "W" else watts / 1000
    span = measure.maximum - measure.minimum
    return np.floor((measure.minimum + span * load / 1000) * 1000 + 0.5) / 1000


def _microseconds(
    devices: Devices, stamps: Integers, fuzz_seconds: int, shape: tuple[int, ...]
) -> Integers:
    """When readings start or end: a device is late at an instant, whichever it is of the two."""
    keys = devices.key[:, None] ^ mix64((stamps + _JITTERS_FROM).astype(np.uint64))
    late = (mix64(keys) % np.uint64(fuzz_seconds + 1)).astype(np.int64)
    return np.broadcast_to(((stamps + late) * 1_000_000)[:, :, None], shape).ravel()
