"""Looks a lake over: its ledger here, its roll-ups in the worker, one scan for each question."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import gcd
from typing import Any, Final

from powerstage.checks import Checker, CheckResult, find_timeliness, held_to_form, late_periods
from powerstage.consumer.lake import Lake
from powerstage.consumer.ledger import Entry
from powerstage.consumer.overview import (
    IDLE_LOAD_MAX,
    POINTS_MAX,
    BucketUse,
    Delivery,
    DeviceUse,
    Hole,
    NamedDevice,
    Overview,
    Point,
    SiteUse,
    State,
    Use,
)
from powerstage.contract import Contract, Slot
from powerstage.contract.calendar import is_period, period_of
from powerstage.contract.safe_text import shown
from powerstage.engine import sql_statements, sql_text
from powerstage.errors import NothingToJudgeError

_TOP_CONSUMERS: Final = 12
_WORST_DEVICES: Final = 36
_BUCKETS_MAX: Final = 750
# Of all sites: the worker's answer has an end, and whoever opens the page has little patience.
_SITE_BUCKETS_MAX: Final = 12_000
_WORST_BUCKETS_MAX: Final = 170
_BUCKETS: Final = tuple(timedelta(hours=hours) for hours in (1, 3, 6, 12, 24, 168, 672))
_HOUR: Final = timedelta(hours=1)
_SECOND: Final = timedelta(seconds=1)
_NAMES_MAX: Final = 100
_TEXT_MAX: Final = 200


def look_over(lake: Lake, checker: Checker, *, now: datetime) -> Overview:
    """The numbers of a lake.

    Args:
        lake: into which something was consumed; roll-ups that it lacks are written.
        checker: its worker reads the roll-ups.
        now: the time.

    Raises:
        NothingToJudgeError: no telemetry was judged yet.
        WorkerError: the worker could not read what was accepted.
    """
    with lake.ledger.at_a_moment():
        return _look_over(lake, checker, now)


def _look_over(lake: Lake, checker: Checker, now: datetime) -> Overview:
    contract, ledger = lake.contract, lake.ledger
    entries = ledger.entries()
    findings = ledger.findings()
    arrivals = ledger.arrivals()
    if contract is None or not any(entry.slot.dataset == "telemetry" for entry in entries):
        raise NothingToJudgeError(
            f"no telemetry was consumed into {lake.folder} yet",
            fix=f"powerstage consume FEED --into {lake.folder}",
        )
    deliveries = _deliveries(contract, entries, findings, arrivals)
    inventories = tuple(
        _delivery(entry.slot.period, entry, findings, {}, {})
        for entry in _heads(entries, "inventory").values()
    )
    start, end = _window(contract, [delivery.period for delivery in deliveries])
    bucket, worst_bucket = _buckets(contract, end - start, _count_sites(lake, checker, contract))
    # A revision that was superseded says nothing any more.
    found = {known.entry.slot: known.findings for known in deliveries if known.entry is not None}
    lacking = _named(found, "grid.complete", contract.roles.device)
    tables = _tables(
        lake,
        checker,
        contract,
        deliveries=deliveries,
        pinned=_pinned(entries),
        start=start,
        buckets=(bucket, worst_bucket),
        lacking=lacking,
    )
    with held_to_form("numbers"):
        numbers = _numbers(
            tables, measures=len(contract.measures), bucket=bucket, length=end - start
        )
    roles = contract.roles
    silent = _named_devices(numbers.pop("silent"), found, "device.silent", roles.device)
    ghost_check = f"{roles.device}.in_inventory"
    ghosts = _named_devices(numbers.pop("ghosts"), found, ghost_check, roles.device)
    return Overview(
        contract=contract,
        feed=ledger.fact("feed") or "",
        consumer=ledger.fact("consumer") or "",
        made_at=now,
        start=start,
        end=end,
        bucket=bucket,
        worst_bucket=worst_bucket,
        silent=silent,
        ghosts=ghosts,
        inventories=inventories,
        deliveries=deliveries,
        feed_findings=(*find_timeliness(contract, arrivals, now), *ledger.value_findings()),
        **numbers,
    )


def _heads(entries: Sequence[Entry], dataset: str) -> dict[datetime, Entry]:
    """The last revision of each period."""
    return {entry.slot.period: entry for entry in entries if entry.slot.dataset == dataset}


def _deliveries(
    contract: Contract,
    entries: Sequence[Entry],
    findings: Mapping[Slot, Sequence[CheckResult]],
    arrivals: Mapping[datetime, datetime],
) -> tuple[Delivery, ...]:
    """Every period of telemetry from the first to the last that was delivered."""
    heads = _heads(entries, "telemetry")
    late = late_periods(contract, arrivals)
    period, end = _window(contract, heads)
    periods = set(heads)
    while period < end:
        periods.add(period)
        period += contract.delivery_interval
    return tuple(
        _delivery(period, heads.get(period), findings, arrivals, late) for period in sorted(periods)
    )


def _window(contract: Contract, periods: Collection[datetime]) -> tuple[datetime, datetime]:
    """From when to when a feed goes.

    A period that is none of the agreed ones is no part of it, nor are those that lie further from
    most than anything is kept: somebody wrote a wrong year.
    """
    interval = contract.delivery_interval
    runs: list[list[datetime]] = []
    for period in sorted(periods):
        if not is_period(period, interval):
            continue
        if runs and period - runs[-1][-1] <= contract.retention:
            runs[-1].append(period)
        else:
            runs.append([period])
    if not runs:
        start = period_of(min(*periods, datetime.max.replace(tzinfo=UTC) - interval), interval)
        return start, start + interval
    most = max(runs, key=len)
    return most[0], most[-1] + interval


def _delivery(
    period: datetime,
    entry: Entry | None,
    findings: Mapping[Slot, Sequence[CheckResult]],
    arrivals: Mapping[datetime, datetime],
    late: Mapping[datetime, timedelta],
) -> Delivery:
    state: State = "late" if period in late else "on time"
    if entry is None:
        state = "missing"
    elif entry.verdict != "accepted":
        state = "rejected"
    elif entry.slot.revision:
        state = "restated"
    return Delivery(
        period=period,
        state=state,
        entry=entry,
        arrived_at=arrivals.get(period),
        late_by=late.get(period),
        findings=tuple(findings.get(entry.slot, ())) if entry else (),
    )


def _count_sites(lake: Lake, checker: Checker, contract: Contract) -> int:
    rollups = lake.rollups(contract)
    listed, files = rollups.listed(rollups.inventories())
    with held_to_form("numbers"):
        ((count,),) = checker.ask_rows([f"SELECT count(DISTINCT site) FROM ({listed})"], files)
        return int(count)


def _buckets(contract: Contract, length: timedelta, sites: int) -> tuple[timedelta, timedelta]:
    """How long a bucket is in charts of sites, and in those of devices."""
    # One that cuts a step in two would have all of it, and the next one nothing.
    fit = [bucket for bucket in _BUCKETS if not bucket % _step(contract)]
    buckets_max = min(_BUCKETS_MAX, _SITE_BUCKETS_MAX // max(1, sites))
    return (
        next((bucket for bucket in fit if length / bucket <= buckets_max), fit[-1]),
        next((bucket for bucket in fit if length / bucket <= _WORST_BUCKETS_MAX), fit[-1]),
    )


def _step(contract: Contract) -> timedelta:
    """In such steps it is counted how many readings there should be: deliveries have whole ones."""
    step = timedelta(
        seconds=gcd(*(length // _SECOND for length in (contract.delivery_interval, _HOUR)))
    )
    reading = contract.roles.reading_interval
    return reading if step % reading else step


def _tables(
    lake: Lake,
    checker: Checker,
    contract: Contract,
    *,
    deliveries: Sequence[Delivery],
    pinned: Mapping[datetime, Slot],
    start: datetime,
    buckets: tuple[timedelta, timedelta],
    lacking: Collection[str],
) -> Sequence[Any]:
    """What the worker makes of the roll-ups: one list for each query of ``overview.sql``.

    Of devices that lack as much, those come first that lacked something of their own.
    """
    bucket, worst_bucket = buckets
    rollups = lake.rollups(contract)
    rollups.write_missing(checker)
    hourly, files = rollups.hourly()
    inventories = rollups.inventories()
    known = {slot: number for number, slot in enumerate(inventories)}
    listed, inventory_files = rollups.listed(inventories)
    step, power, load = _step(contract), contract.power, contract.load
    values = {
        "hourly": hourly,
        "listed": listed,
        "periods": ", ".join(
            f"({delivery.period.timestamp():.0f}, {_number(delivery.period, pinned, known)})"
            for delivery in deliveries
            if is_period(delivery.period, contract.delivery_interval)
        ),
        "steps": contract.delivery_interval // step,
        "step_s": int(step.total_seconds()),
        "step_readings": step // contract.roles.reading_interval,
        "measures": len(contract.measures),
        "origin_s": int(start.replace(hour=0, minute=0).timestamp()),
        "bucket_s": int(bucket.total_seconds()),
        "worst_bucket_s": int(worst_bucket.total_seconds()),
        "power": "''" if power is None else sql_text(power.name),
        "watts": 0 if power is None else power.watts,
        "load": "''" if load is None else sql_text(load.name),
        "idle_load_max": IDLE_LOAD_MAX,
        "points_max": POINTS_MAX,
        "top": _TOP_CONSUMERS,
        "worst": _WORST_DEVICES,
        "lacking": ", ".join(map(sql_text, sorted(lacking))),
        "names_max": _NAMES_MAX,
    }
    statements = sql_statements("powerstage.consumer", "overview.sql", **values)
    (row,) = checker.ask_rows(statements, sorted({*files, *inventory_files}))
    return row


def _pinned(entries: Iterable[Entry]) -> dict[datetime, Slot]:
    """The inventory that each period's telemetry refers to: the revision that is shown, if one is.

    What was taken back was due all the same.
    """
    some = [entry for entry in entries if entry.slot.dataset == "telemetry" and entry.inventory]
    shown = [entry for entry in some if entry.verdict == "accepted"]
    return {entry.slot.period: entry.inventory for entry in (*some, *shown) if entry.inventory}


def _number(period: datetime, pinned: Mapping[datetime, Slot], known: Mapping[Slot, int]) -> str:
    """The number of the inventory that says which devices a period has."""
    if pinned.get(period) in known:
        return str(known[pinned[period]])
    before = [slot for slot in known if slot.period <= period] or list(known)[:1]
    return str(known[max(before)]) if before else "NULL"


def _numbers(
    tables: Sequence[Any], *, measures: int, bucket: timedelta, length: timedelta
) -> dict[str, Any]:
    """Parts of an overview; only numbers and names are taken from the worker."""
    buckets, sites, top, points, worst, holes, silent, ghosts = (
        table or [] for table in tables[:-1]
    )
    uses = [
        BucketUse(site=_name(row["site"]), start=_time(row["start"]), use=_use(row, measures))
        for row in buckets
    ]
    of_site: dict[str, list[Use]] = {}
    for row, known in zip(buckets, uses, strict=True):
        of_site.setdefault(row["site"], []).append(known.use)
    return {
        "buckets": tuple(uses),
        "fleet": _sum(known.use for known in uses),
        "sites": tuple(
            SiteUse(
                site=_name(row["site"]),
                use=_sum(of_site.get(row["site"], ())),
                length=min(
                    length, bucket * sum(_is_due(use) for use in of_site.get(row["site"], ()))
                ),
                devices=int(row["devices"]),
                idle_devices=int(row["idle_devices"]),
                idle_energy_kwh=_kwh(row["idle_energy"]),
            )
            for row in sites
        ),
        "top": tuple(map(_device, top)),
        "points": tuple(
            Point(
                site=_name(row["site"]),
                load_percent=float(row["load"]),
                power_watts=float(row["power"]),
                devices=int(row["devices"]),
                is_idle=bool(row["is_idle"]),
                device=_name(row["device"]),
            )
            for row in points
        ),
        "worst": tuple(map(_device, worst)),
        "is_alike": bool(tables[-1]),
        "holes": tuple(
            Hole(
                device=_name(row["device"]),
                start=_time(row["start"]),
                readings=int(row["readings"]),
                expected=int(row["expected"]),
            )
            for row in holes
        ),
        "silent": [_name(name) for name in silent],
        "ghosts": [_name(name) for name in ghosts],
    }


def _named_devices(
    always: Iterable[str],
    findings: Mapping[Slot, Sequence[CheckResult]],
    id_: str,
    column: str,
) -> tuple[NamedDevice, ...]:
    """Devices that are so in all that was accepted, then those that findings of a check name."""
    found = {device: NamedDevice(device=device) for device in always}
    for device, slots in sorted(_named(findings, id_, column).items()):
        found.setdefault(device, NamedDevice(device=device, slots=tuple(sorted(slots))))
    return tuple(found.values())[:_NAMES_MAX]


def _named(
    findings: Mapping[Slot, Sequence[CheckResult]], id_: str, column: str
) -> dict[str, set[Slot]]:
    """The devices that findings of a check name, and in which deliveries."""
    named: dict[str, set[Slot]] = {}
    for slot, found in findings.items():
        for result in found:
            if result.check.id == id_:
                for sample in result.samples:
                    for name, value in sample.values:
                        if name == column:
                            named.setdefault(value, set()).add(slot)
    return named


def _device(row: Mapping[str, Any]) -> DeviceUse:
    return DeviceUse(
        device=_name(row["device"]),
        site=_name(row["site"]),
        energy_kwh=_kwh(row["energy"]),
        readings=int(row["readings"]),
        expected=int(row["expected"]),
        power_watts_mean=_mean(row["power"]),
        load_percent_mean=_mean(row["load"]),
        is_idle=bool(row["is_idle"]),
    )


def _use(row: Mapping[str, Any], measures: int) -> Use:
    due = int(row["expected"])
    return Use(
        energy_kwh=_kwh(row["energy"]),
        readings=int(row["readings"]),
        expected=due * measures,
        power_readings=int(row["power_readings"]),
        power_expected=due,
    )


def _is_due(use: Use) -> bool:
    return use.power_expected > 0


def _sum(uses: Iterable[Use]) -> Use:
    known = list(uses)
    return Use(
        energy_kwh=sum((use.energy_kwh for use in known), Decimal(0)),
        readings=sum(use.readings for use in known),
        expected=sum(use.expected for use in known),
        power_readings=sum(use.power_readings for use in known),
        power_expected=sum(use.power_expected for use in known),
    )


def _kwh(milliwatt_hours: int) -> Decimal:
    return Decimal(int(milliwatt_hours)).scaleb(-6)


def _mean(value: float | None) -> float | None:
    return None if value is None else float(value)


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _name(text: str) -> str:
    return shown(str(text), _TEXT_MAX)
