"""An overview in words: what the terminal, the page and the document say alike."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from powerstage.consumer.overview import Delivery, NamedDevice, Overview, SiteUse
from powerstage.contract import period_text
from powerstage.contract.receipt import utc_text
from powerstage.display.document import contract_part, feed_findings_part
from powerstage.display.terminal import BAD, BOLD, DIM, GOOD, Terminal

NO_SITE: Final = "(no site)"
_DETAIL_CHECKS: Final = 3
_SITES_SHOWN: Final = 20


class Verdict:
    """The first lines: whether all is well, how much was received, and why not more."""

    def __init__(self, overview: Overview) -> None:
        self._overview = overview
        self._due = len(overview.deliveries)
        self._missing = sum(known.state == "missing" for known in overview.deliveries)
        self._refused = [known for known in overview.deliveries if known.state == "rejected"]
        self._inventories = [known for known in overview.inventories if known.state == "rejected"]

    @property
    def is_sound(self) -> bool:
        """Whether every period was delivered, and everything accepted."""
        return not (self._refused or self._missing or self._inventories)

    @property
    def headline(self) -> str:
        """What happened, in one sentence."""
        if self.is_sound:
            return f"All {self._due:,} deliveries were accepted."
        parts, told = [], []
        if self._refused:
            parts.append(f"{len(self._refused):,} were not accepted")
        if self._missing:
            parts.append(f"{self._missing:,} never came")
        if parts:
            told.append(f"Of {self._due:,} deliveries due, {' and '.join(parts)}")
        if self._inventories:
            told.append(f"{len(self._inventories):,} of the inventories not accepted")
        return "; ".join(told) + "."

    @property
    def received(self) -> str:
        """How much of the readings was accepted."""
        fleet = self._overview.fleet
        lacking = fleet.expected - fleet.readings
        words = f"{share(fleet.readings, fleet.expected)} of the expected readings were accepted"
        return f"{words}; {lacking:,} are lacking." if lacking > 0 else f"{words}."

    @property
    def reasons(self) -> str:
        """Why readings are lacking: what most of the refused deliveries fail, and where to look."""
        if self.is_sound:
            return ""
        words: Counter[str] = Counter()
        for delivery in (*self._inventories, *self._refused):
            words.update(
                {finding.check.words for finding in delivery.findings if finding.outcome == "fail"}
            )
        often = [f"“{check}” ({_times(number)})" for check, number in words.most_common(3)]
        if not often:
            return ""
        more = len(words) - len(often)
        others = f", and {more} more checks" if more > 0 else ""
        return f"What was not so: {', '.join(often)}{others}."


def show_overview(terminal: Terminal, overview: Overview) -> None:
    """The verdict, the energy of the fleet and of each site, and what is missing."""
    verdict = Verdict(overview)
    terminal.line(
        ("✓ ", GOOD) if verdict.is_sound else ("✗ ", BAD),
        (verdict.headline, BOLD),
        f" {verdict.received}",
    )
    if verdict.reasons:
        terminal.line((f"  {verdict.reasons}", DIM))
    terminal.line("")
    terminal.line((f"{window(overview)} (UTC)", BOLD), f"   {overview.feed}")
    sites = by_energy(overview.sites)
    terminal.table(
        ["site", "energy, kWh", "mean, kW", "readings accepted", "devices", "idle"],
        [
            [
                site_name(site.site),
                kwh(site.use.energy_kwh),
                kilowatts(site),
                share(site.use.readings, site.use.expected),
                f"{site.devices:,}",
                f"{site.idle_devices:,}",
            ]
            for site in (*sites[:_SITES_SHOWN], overview.total)
        ],
    )
    if len(sites) > _SITES_SHOWN:
        terminal.line((f"  {len(sites) - _SITES_SHOWN} more sites are in the page", DIM))
    for words, names in (("silent", overview.silent), ("ghost", overview.ghosts)):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            told = ", ".join(known.device for known in names[:5])
            terminal.line(f"  {words}: {told}{more}")


def overview_part(overview: Overview) -> dict[str, Any]:
    """An overview, in numbers. Energy is in kWh, exact to the milliwatt-hour, as a text."""
    return {
        "contract": contract_part(overview.contract),
        "feed": overview.feed,
        "consumer": overview.consumer,
        "start": utc_text(overview.start),
        "end": utc_text(overview.end),
        "fleet": _use_part(overview.total),
        "sites": [
            {
                "site": site.site,
                **_use_part(site),
                "devices": site.devices,
                "idle_devices": site.idle_devices,
                "idle_energy_kwh": str(site.idle_energy_kwh),
            }
            for site in overview.sites
        ],
        "top": [
            {
                "device": device.device,
                "site": device.site,
                "energy_kwh": str(device.energy_kwh),
                "power_watts_mean": device.power_watts_mean,
                "load_percent_mean": device.load_percent_mean,
            }
            for device in overview.top
        ],
        "deliveries": [
            {
                "period": period_text(delivery.period),
                "delivery": str(delivery.entry.slot) if delivery.entry else None,
                "state": delivery.state,
                "verdict": delivery.entry.verdict if delivery.entry else None,
                "checks": [finding.check.id for finding in delivery.findings],
            }
            for delivery in overview.deliveries
        ],
        "silent": _named_part(overview.silent),
        "ghosts": _named_part(overview.ghosts),
        "feed_findings": feed_findings_part(overview.feed_findings),
    }


def _named_part(devices: Iterable[NamedDevice]) -> list[dict[str, Any]]:
    return [
        {"device": known.device, "deliveries": [str(slot) for slot in known.slots]}
        for known in devices
    ]


def _use_part(site: SiteUse) -> dict[str, Any]:
    return {
        "energy_kwh": str(site.use.energy_kwh),
        "power_kw_mean": mean_kw(site),
        "readings": site.use.readings,
        "expected": site.use.expected,
    }


def window(overview: Overview) -> str:
    """The time that an overview is about, for people."""
    first, last = overview.start, overview.end - timedelta(microseconds=1)
    until = f"{last.day} {last:%B %Y}"
    if first.date() == last.date():
        return until
    parts = [f"{first.day}", f"{first:%B}", f"{first:%Y}"]
    if first.year == last.year:
        parts.pop()
        if first.month == last.month:
            parts.pop()
    return f"{' '.join(parts)} to {until}"


def kwh(energy: Decimal) -> str:
    """Energy: whole kWh from 1,000 on, tenths below."""
    return f"{energy:,.0f}" if energy >= 1_000 else f"{energy:,.1f}"


def kilowatts(site: SiteUse) -> str:
    """The mean power of what was accepted, in kW."""
    mean = mean_kw(site)
    return "none" if mean is None else f"{mean:,.1f}"


def share(part: int, whole: int) -> str:
    """A share in per cent; 100 % only where nothing is lacking."""
    if not whole:
        return "none"
    percent = 100 * part / whole
    return f"{min(percent, 99.9) if part < whole else percent:.1f} %"


def by_energy(sites: Iterable[SiteUse]) -> list[SiteUse]:
    """The largest first."""
    return sorted(sites, key=lambda site: (-site.use.energy_kwh, site.site))


def site_name(site: str) -> str:
    """What a site is called."""
    return site or NO_SITE


def mean_kw(site: SiteUse) -> float | None:
    """The mean power of what was accepted of the time with devices; None where nothing was."""
    use = site.use
    if not use.power_readings or not use.power_expected:
        return None
    hours = site.length / timedelta(hours=1) * use.power_readings / use.power_expected
    return float(use.energy_kwh) / hours


def detail(delivery: Delivery) -> str:
    """What is to be said of a delivery, in short."""
    if delivery.entry is None:
        return "nobody delivered it"
    if delivery.findings:
        words = [finding.check.words for finding in delivery.findings]
        more = len(words) - _DETAIL_CHECKS
        told = ", ".join(f"“{word}”" for word in words[:_DETAIL_CHECKS])
        return f"not so: {told}" + (f" and {more} more checks" if more > 0 else "")
    if delivery.entry.slot.revision:
        return delivery.entry.reason
    return "" if delivery.late_by is None else f"{duration(delivery.late_by)} late"


def look_id(delivery: Delivery) -> str:
    """How the page links to a delivery: by its slot, or by the period that nobody delivered."""
    return str(delivery.entry.slot) if delivery.entry else f"missing/{period_text(delivery.period)}"


def duration(length: timedelta) -> str:
    """A length of time for people: ``35 min``, ``2.5 h``, ``3 days``."""
    minutes = length / timedelta(minutes=1)
    if minutes < 120:
        return f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"
