"""What a lake holds, in numbers: the facts that every display of it is made of.

Numbers are about accepted readings, and say how many there should be.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from powerstage.checks import CheckResult, FeedFinding
from powerstage.consumer.ledger import Entry
from powerstage.contract import Contract, Slot

State: TypeAlias = Literal["on time", "late", "restated", "rejected", "missing"]
# Below this mean load in per cent, a device that draws power is idle: a comatose server is rarely
# above 6 % (Koomey and Taylor, "New data supports finding that 30 percent of servers are
# 'comatose'", 2015).
IDLE_LOAD_MAX: Final = 6
# Of so many devices each is a point; of more, some share one.
POINTS_MAX: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What some devices drew in some time, as far as it was accepted.

    ``readings`` are of all measures, ``expected`` how many there should be. ``energy_kwh`` and
    ``power_readings`` are of the measure that is power; of it ``power_expected`` are due.
    """

    energy_kwh: Decimal
    readings: int
    expected: int
    power_readings: int
    power_expected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteUse:
    """A site: what it drew, its devices and those of them that are idle. ``""``: none is known.

    ``length`` is how long it had devices.
    """

    site: str
    use: Use
    length: timedelta
    devices: int
    idle_devices: int
    idle_energy_kwh: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketUse:
    """A site in a part of the time, which starts there."""

    site: str
    start: datetime
    use: Use


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceUse:
    """A device in all of the time; means of power in W and of load in %, None without readings."""

    device: str
    site: str
    energy_kwh: Decimal
    readings: int
    expected: int
    power_watts_mean: float | None
    load_percent_mean: float | None
    is_idle: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Devices of a site with about the same load (%) and power (W): one, or those that share it."""

    site: str
    load_percent: float
    power_watts: float
    devices: int
    is_idle: bool
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A device's readings in a part of the time, which are fewer than there should be."""

    device: str
    start: datetime
    readings: int
    expected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A period of a dataset, by its last revision; no slot and no entry where none was delivered.

    ``late_by`` is how long after it was due it arrived first; None where that is not known.
    """

    period: datetime
    state: State
    entry: Entry | None = None
    arrived_at: datetime | None = None
    late_by: timedelta | None = None
    findings: tuple[CheckResult, ...] = ()

    @property
    def is_shown(self) -> bool:
        """Whether its readings are among those that were accepted."""
        return self.entry is not None and self.entry.verdict == "accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedDevice:
    """A device that something is to be said of, and the deliveries that show it.

    Without any it is so in all that was accepted.
    """

    device: str
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A lake at a moment. Times are UTC, ``end`` is exclusive.

    ``silent`` are devices of the inventory without a reading, ``ghosts`` devices with readings that
    no inventory knows; both are cut off after 100. ``worst`` are devices that lack readings, the
    worst first; one for all where ``is_alike``: no device lacks more than another.
    """

    contract: Contract
    feed: str
    consumer: str
    made_at: datetime
    start: datetime
    end: datetime
    bucket: timedelta
    worst_bucket: timedelta
    fleet: Use
    sites: tuple[SiteUse, ...]
    buckets: tuple[BucketUse, ...]
    top: tuple[DeviceUse, ...]
    points: tuple[Point, ...]
    worst: tuple[DeviceUse, ...]
    is_alike: bool
    holes: tuple[Hole, ...]
    silent: tuple[NamedDevice, ...]
    ghosts: tuple[NamedDevice, ...]
    inventories: tuple[Delivery, ...]
    deliveries: tuple[Delivery, ...]
    feed_findings: tuple[FeedFinding, ...]

    @property
    def total(self) -> SiteUse:
        """All sites together, as one that is called ``all``."""
        return SiteUse(
            site="all",
            use=self.fleet,
            length=self.end - self.start,
            devices=sum(site.devices for site in self.sites),
            idle_devices=sum(site.idle_devices for site in self.sites),
            idle_energy_kwh=sum((site.idle_energy_kwh for site in self.sites), Decimal(0)),
        )
