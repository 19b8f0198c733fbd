"""Plan faults into a source: which periods, devices and readings, and how many rows of each."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from powerstage.contract import Slot
from powerstage.errors import UsageError
from powerstage.faults.catalogue import catalogue, checks_of_today, names_by_level, refusals
from powerstage.faults.changes import (
    PlanRow,
    changed_file,
    changed_readings,
    count_inventory,
    count_outside,
    count_readings,
    create_plan,
)
from powerstage.faults.clean import Clean, clean_data
from powerstage.faults.fault import Change, Effect, Fault, Nothing, Record, Restate, Whole
from powerstage.faults.periods import clock_change, lay_out
from powerstage.faults.targets import Targets
from powerstage.producer import Source

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """How many rows a fault changes, adds and removes."""

    changed: int = 0
    added: int = 0
    removed: int = 0

    def __add__(self, other: "RowCounts") -> "RowCounts":
        """The sum."""
        return RowCounts(
            changed=self.changed + other.changed,
            added=self.added + other.added,
            removed=self.removed + other.removed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """One fault, put into periods of its own.

    ``rows`` are its part of the plan's table, none where a whole file, commit or object is
    hit. ``readings`` and ``listed`` count rows of telemetry and of the inventory.
    """

    fault: Fault
    periods: tuple[datetime, ...]
    rows: tuple[PlanRow, ...] = ()
    first_start: datetime
    last_start: datetime
    readings: RowCounts = RowCounts()
    listed: RowCounts = RowCounts()

    @property
    def period(self) -> datetime:
        """The first of its periods."""
        return self.periods[0]

    @property
    def window(self) -> str:
        """How much it hits, in words: what goes on for hours may be within one period."""
        is_within = self.fault.target.lasts and len(self.periods) == 1
        return "a period" if is_within else self.fault.window

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that are hit by name, in order."""
        return tuple(sorted({row.device for row in self.rows if row.device is not None}))

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites of which all devices are hit."""
        return tuple(sorted({row.site for row in self.rows if row.site is not None}))

    @property
    def puts(self) -> tuple[str, ...]:
        """What it puts in, where the plan decides about that: a serial number, a model, watts."""
        rows = sorted(self.rows, key=lambda row: (row.device or "", row.measure or ""))
        known = (row.text if row.number is None else f"{row.number:g}" for row in rows)
        return tuple(text for text in known if text is not None)

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that are hit; none where all are."""
        return tuple(sorted({row.measure for row in self.rows if row.measure is not None}))

    def effect(self, period: datetime) -> Effect:
        """What is done in one of its periods."""
        return self.fault.effect(self.periods.index(period))

    def donor(self, period: datetime, interval: timedelta) -> datetime | None:
        """The period that another reading comes from; None for its own, or no other reading."""
        effect = self.effect(period)
        if not isinstance(effect, Change) or effect.donor in {"none", "itself"}:
            return None
        return {
            "before": period - interval,
            "after": period + interval,
            "before all": self.periods[0] - interval,
        }[effect.donor]

    def spoils(self, slot: Slot) -> bool:
        """Whether a delivery is hit."""
        if slot.dataset == "inventory":
            return self.fault.inventory is not None and slot.period in self.periods
        return any(
            slot.period in {period, period + _moved(self.effect(period))} for period in self.periods
        )


def _moved(effect: Effect) -> timedelta:
    return effect.moved if isinstance(effect, Record) else timedelta()


def plan_faults(source: Source, names: Sequence[str], *, seed: int) -> tuple[PlannedFault, ...]:
    """Give each fault periods of its own, between the first and the last, and what it hits.

    Reads what the source would write for those periods; writes nothing that stays.

    Args:
        source: what will be spoilt.
        names: of the faults; each may stand once.
        seed: decides about periods, devices and readings.

    Raises:
        UsageError: an unknown fault, one that stands twice or that is none of this contract;
            or too few periods, devices or sites, or so many devices that a period takes several
            files. The message names ``--faults``.
    """
    if names and len(source.parts()) > 1:
        raise UsageError(
            "--faults are put into deliveries of one file each",
            cause=f"with so many devices, a period has {len(source.parts())}",
            fix="take fewer --devices, or no --faults",
        )
    faults = _named(source, names)
    periods = lay_out(faults, source.periods(), source.contract, seed=seed)
    with clean_data(source) as clean:
        targets = Targets(clean, source.contract, seed=seed)
        return tuple(_planned(clean, targets, fault, periods[fault.name]) for fault in faults)


def all_faults(source: Source) -> tuple[str, ...]:
    """The names of the whole catalogue, but for what the periods of a source cannot hold."""
    can_change = clock_change(source.contract, source.periods()[1:-1], seed=0) is not None
    return tuple(
        fault.name
        for fault in catalogue(source.contract)
        if can_change or not fault.target.at_clock_change
    )


def _named(source: Source, names: Sequence[str]) -> list[Fault]:
    known = {fault.name: fault for fault in catalogue(source.contract)}
    refused = refusals(source.contract)
    for name in names:
        if name in refused:
            raise UsageError(
                f"{name} is no fault of the contract {source.contract.name}",
                cause=refused[name],
                fix="--faults: leave it out",
            )
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise UsageError(
                f"there is no fault {name!r}",
                fix=f"--faults: {hint}choose from 'all', 'none' or\n{names_by_level()}",
            )
        if names.count(name) > 1:
            raise UsageError(f"the fault {name} stands twice", fix="--faults: name each fault once")
    return [known[name] for name in names]


def _planned(
    clean: Clean, targets: Targets, fault: Fault, periods: tuple[datetime, ...]
) -> PlannedFault:
    contract = clean.source.contract
    rows = targets.rows(fault, periods)
    interval = contract.roles.reading_interval
    ends = [_moment(row.last_us + 1) for row in rows]
    end = max(ends, default=periods[-1] + contract.delivery_interval)
    planned = PlannedFault(
        fault=fault,
        periods=periods,
        rows=rows,
        first_start=min((_moment(row.first_us) for row in rows), default=periods[0]),
        last_start=end - interval,
    )
    create_plan(clean.connection, rows)
    readings = RowCounts()
    for period in periods:
        readings += _count(clean, planned, period)
    planned = replace(
        _settled(clean, planned), readings=readings, listed=_count_listed(clean, planned)
    )
    clean.forget()
    return planned


def _count(clean: Clean, planned: PlannedFault, period: datetime) -> RowCounts:
    """How many readings of a period are hit."""
    contract, effect = clean.source.contract, planned.effect(period)
    if isinstance(effect, Nothing) and not effect.held_back:
        return RowCounts()
    if not isinstance(effect, Change | Whole | Restate | Nothing):
        return RowCounts()
    clean.show("clean", period)
    total = "SELECT count(*) FROM clean"
    if isinstance(effect, Nothing):
        return RowCounts(removed=clean.count(total))
    if isinstance(effect, Whole):
        left = clean.count(f"SELECT count(*) FROM ({changed_file(contract, effect)})")
        is_same = effect.columns == "*" or planned.fault.evidence == "harmless"
        return RowCounts(changed=0 if is_same else left, removed=clean.count(total) - left)
    change = effect.change if isinstance(effect, Restate) else effect
    clean.show("other", planned.donor(period, contract.delivery_interval) or period)
    return _of(change, clean.count(count_readings(contract, change)))


def _count_listed(clean: Clean, planned: PlannedFault) -> RowCounts:
    """How many rows of the inventory are hit."""
    change = planned.fault.inventory
    if change is None:
        return RowCounts()
    clean.show_inventory("clean", planned.period)
    return _of(change, clean.count(count_inventory(clean.source.contract, change)))


def _of(change: Change, rows: int) -> RowCounts:
    if change.does == "replace":
        return RowCounts(changed=rows)
    return RowCounts(removed=rows) if change.does == "drop" else RowCounts(added=rows)


def _settled(clean: Clean, planned: PlannedFault) -> PlannedFault:
    """The fault with the check that sees it in the values or sizes that it meets."""
    contract, fault = clean.source.contract, planned.fault
    if not fault.or_check:
        return planned
    effect = planned.effect(planned.period)
    if isinstance(effect, Change):
        clean.show("clean", planned.period)
        clean.show("other", planned.period)
        is_outside = clean.count(count_outside(contract, changed_readings(contract, effect))) > 0
        is_first = is_outside == (fault.check == f"{contract.roles.value}.range")
    else:
        sizes = {clean.telemetry(period).stat().st_size for period in planned.periods}
        is_first = len(sizes) > 1
    if is_first:
        return planned
    has_check = fault.or_check in checks_of_today(contract)
    return replace(planned, fault=replace(fault, check=fault.or_check, has_check=has_check))


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
