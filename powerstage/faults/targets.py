"""What a fault hits: devices, measures and intervals that the seed chooses where it is real."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from powerstage.contract import Contract, period_text
from powerstage.engine import sql_file, sql_name, sql_text
from powerstage.errors import UsageError
from powerstage.faults.changes import PlanRow
from powerstage.faults.clean import Clean
from powerstage.faults.draw import draw
from powerstage.faults.fault import Change, Fault
from powerstage.faults.parts import any_measure, columns, power, utilisation
from powerstage.producer import MockSource, synthesise
from powerstage.producer.curves import models
from powerstage.producer.parameters import SERVICE_DAYS

_MICROSECOND: Final = timedelta(microseconds=1)
_DIGITS: Final = "0123456789"
_CHARACTERS: Final = _DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_YEAR_MIN: Final = 1_970
_IDLE_PER_MILLE: Final = 5


class Targets:
    """Chooses from clean data; the same seed, the same choice."""

    def __init__(self, clean: Clean, contract: Contract, *, seed: int) -> None:
        self._clean, self._contract, self._seed = clean, contract, seed

    def rows(self, fault: Fault, periods: tuple[datetime, ...]) -> tuple[PlanRow, ...]:
        """The plan's rows for a fault in its periods; none where no row is chosen.

        Raises:
            UsageError: the source has no device, or no pair or site, that the fault needs.
        """
        if fault.target.devices == "none":
            return ()
        self._clean.show("clean", periods[0])
        first_us, last_us = self._interval(fault, periods)
        devices = self._devices(fault, periods[0])
        measures = self._measures(fault)
        other_start_us, earlier_us = self._other_start(fault, first_us)
        return tuple(
            PlanRow(
                device=device,
                site=site,
                measure=measure,
                first_us=first_us,
                last_us=last_us,
                other_device=twin,
                other_measure=other,
                other_start_us=other_start_us,
                earlier_us=earlier_us,
                text=self._text(fault, device, periods[0]),
                number=self._number(fault, device, site, measure, periods[0]),
                draw=draw(self._seed, f"noise of {fault.name}"),
            )
            for device, site, twin in devices
            for measure, other in measures
        )

    def _interval(self, fault: Fault, periods: tuple[datetime, ...]) -> tuple[int, int]:
        """From the first start to the end of the last interval, in microseconds since 1970.

        A reading that is taken late starts within its interval.
        """
        interval = self._contract.roles.reading_interval // _MICROSECOND
        delivery = self._contract.delivery_interval // _MICROSECOND
        first, last = (int(period.timestamp()) * 1_000_000 for period in (periods[0], periods[-1]))
        lasts = -(-(fault.target.lasts // _MICROSECOND) // interval) * interval
        # An inventory holds for whole periods.
        is_whole = fault.inventory is not None or not lasts
        end = last + delivery if is_whole else first + lasts
        one = draw(self._seed, f"interval of {fault.name}") % (delivery // interval) * interval
        return {
            "all": (first, end - 1),
            "one": (first + one, first + one + interval - 1),
            "one later": (last + one, last + one + interval - 1),
            "next": (last + delivery, last + delivery + interval - 1),
        }[fault.target.intervals]

    def _other_start(self, fault: Fault, first_us: int) -> tuple[int | None, int]:
        effect = fault.effect(0)
        donor = effect.donor if isinstance(effect, Change) else "none"
        if donor == "before all":
            return first_us - self._contract.roles.reading_interval // _MICROSECOND, 0
        delivery_us = self._contract.delivery_interval // _MICROSECOND
        return None, delivery_us if donor == "before" else 0

    def _measures(self, fault: Fault) -> list[tuple[str | None, str | None]]:
        """Each measure that is hit, and the other one of a swap."""
        watts, percent = power(self._contract), utilisation(self._contract)
        chosen = {
            "power": watts,
            "utilisation": percent,
            "any": any_measure(self._contract),
        }.get(fault.target.measures)
        if fault.target.measures == "each" and watts and percent:
            return [(watts.name, percent.name), (percent.name, watts.name)]
        return [(chosen.name if chosen else None, None)]

    def _devices(
        self, fault: Fault, period: datetime
    ) -> list[tuple[str | None, str | None, str | None]]:
        """Device, site and twin of each row."""
        kind = fault.target.devices
        if kind == "all":
            return [(None, None, None)]
        if kind == "site":
            return [(None, self._site(fault, period), None)]
        where = {"busy": "is_busy", "pair": "twin IS NOT NULL"}.get(kind, "true")
        self._create_devices()
        count = self._clean.count(f"SELECT count(*) FROM device WHERE {where}")
        if not count:
            lacks = "two devices of one model" if kind == "pair" else "a device"
            raise UsageError(
                f"{fault.name} needs {lacks}, and {period_text(period)} has none",
                fix="--faults: leave it out, or ask for more --devices",
            )
        place = draw(self._seed, f"device of {fault.name}") % count
        ((device, twin),) = self._clean.connection.execute(
            f"SELECT device, twin FROM device WHERE {where} ORDER BY device LIMIT 1 OFFSET {place}"
        ).fetchall()
        return (
            [(device, None, twin), (twin, None, device)]
            if kind == "pair"
            else [(device, None, None)]
        )

    def _create_devices(self) -> None:
        parts = {part: sql_name(column.name) for part, column in columns(self._contract).items()}
        percent = utilisation(self._contract)
        query = sql_file(
            "powerstage.faults",
            "devices.sql",
            **{"site": "NULL", "model": "NULL"} | parts,
            utilisation=sql_text(percent.name) if percent else "NULL",
        )
        self._clean.connection.execute(f"CREATE OR REPLACE TEMP TABLE device AS {query}")

    def _site(self, fault: Fault, period: datetime) -> str:
        """A site that is read; for a shift by its offset, one that has an offset."""
        name = sql_name(columns(self._contract)["site"].name)
        read = self._clean.connection.execute(
            f"SELECT DISTINCT {name} FROM clean WHERE {name} IS NOT NULL ORDER BY 1"
        ).fetchall()
        sites = [
            site
            for (site,) in read
            if fault.target.detail != "offset" or self._offset_seconds(site, period)
        ]
        if not sites:
            raise UsageError(
                f"{fault.name} needs a site that is not on UTC, and none is read in"
                f" {period_text(period)}",
                fix="--faults: leave it out, or ask for more --devices",
            )
        return str(sites[draw(self._seed, f"site of {fault.name}") % len(sites)])

    def _offset_seconds(self, site: str, period: datetime) -> float:
        """How far a site's clock is ahead of UTC; 0 for a site that the contract lacks."""
        zones = [known.timezone for known in self._contract.sites if known.code == site]
        offset = period.astimezone(ZoneInfo(zones[0])).utcoffset() if zones else None
        return offset.total_seconds() if offset else 0.0

    def _text(self, fault: Fault, device: str | None, period: datetime) -> str | None:
        if device is None:
            return None
        if fault.target.detail == "free device":
            return self._free_device(fault, device, period)
        if fault.target.detail == "retired device":
            return self._retired_device(fault, period) or self._free_device(fault, device, period)
        if fault.target.detail == "other model":
            return str(
                self._clean.scalar(
                    "SELECT coalesce(min(model) FILTER (WHERE model <> own), min(own) || ' 2')"
                    " FROM device, (SELECT model AS own FROM device"
                    f" WHERE device = {sql_text(device)})"
                )
            )
        if fault.target.detail == "other site":
            own = self._clean.scalar(f"SELECT site FROM device WHERE device = {sql_text(device)}")
            others = [known.code for known in self._contract.sites if known.code != own]
            return others[draw(self._seed, f"site of {fault.name}") % len(others)]
        return None

    def _free_device(self, fault: Fault, device: str, period: datetime) -> str:
        """A serial number that the contract allows and the inventory does not list."""
        self._clean.show_inventory("inventory", period)
        column = self._contract.inventory.column(self._contract.inventory_device)
        name = sql_name(column.name)
        for free in _alike(device):
            is_allowed = column.pattern is None or re.fullmatch(column.pattern, free)
            if is_allowed and not self._clean.count(
                f"SELECT count(*) FROM inventory WHERE {name} = {sql_text(free)}"
            ):
                return free
        raise UsageError(
            f"{fault.name} needs a serial number like {device} that no device has",
            fix="--faults: leave it out",
        )

    def _retired_device(self, fault: Fault, period: datetime) -> str | None:
        """A server that stood in the mock fleet one time of service before."""
        source = self._clean.source
        before = period - timedelta(days=SERVICE_DAYS)
        if not isinstance(source, MockSource) or before.year < _YEAR_MIN:
            return None
        earlier = synthesise(
            source.contract,
            devices=source.fleet.devices,
            start=before.replace(hour=0, minute=0),
            seed=source.fleet.seed,
        )
        self._clean.show_inventory("inventory", period)
        self._clean.show_inventory("retired", earlier.start, earlier)
        name = sql_name(self._contract.inventory_device)
        gone = f"SELECT {name} FROM retired EXCEPT SELECT {name} FROM inventory ORDER BY 1"
        count = self._clean.count(f"SELECT count(*) FROM ({gone})")
        place = draw(self._seed, f"retired device of {fault.name}") % max(count, 1)
        found = self._clean.scalar(f"{gone} LIMIT 1 OFFSET {place}")
        return None if found is None else str(found)

    def _number(
        self,
        fault: Fault,
        device: str | None,
        site: str | None,
        measure: str | None,
        period: datetime,
    ) -> float | None:
        if fault.target.detail == "offset" and site is not None:
            return self._offset_seconds(site, period)
        if device is None or fault.target.detail not in {"idle", "full load"}:
            return None
        per_mille = 1_000 if fault.target.detail == "full load" else _IDLE_PER_MILLE
        watts = power(self._contract)
        if watts is None or measure != watts.name:
            return per_mille / 10
        curve = self._curve(device, period)
        if curve is None:
            raise UsageError(
                f"{fault.name} needs a model whose power is known, and the inventory names none"
                f" for {device}",
                fix="--faults: leave it out",
            )
        return min(watts.maximum, max(watts.minimum, float(round(curve[per_mille]))))

    def _curve(self, device: str, period: datetime) -> tuple[float, ...] | None:
        """The watts of a device by its load, by what the inventory calls its model."""
        self._clean.show_inventory("inventory", period)
        name = sql_name(self._contract.inventory_device)
        texts = self._clean.connection.execute(
            f"SELECT * FROM inventory WHERE {name} = {sql_text(device)}"
        ).fetchone()
        known = {str(text) for text in texts or ()}
        return next(
            (model.watts for model in models() if {model.name, model.product_id} & known), None
        )


def _alike(device: str) -> Iterator[str]:
    """Texts of the form of a serial number: of other digits, else with another character."""
    for step in range(1, len(_DIGITS)):
        yield device.translate(str.maketrans(_DIGITS, _DIGITS[step:] + _DIGITS[:step]))
    for place in reversed(range(len(device))):
        for character in _CHARACTERS:
            yield device[:place] + character + device[place + 1 :]
