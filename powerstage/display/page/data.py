"""What the page's script draws: the overview as columns of plain values. Times are in ms, UTC."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

from powerstage.consumer.overview import Delivery, Overview
from powerstage.display.findings import count_words
from powerstage.display.overview import by_energy, detail, look_id, site_name

# A total is drawn where at least so much of what makes it was accepted.
COVERAGE_MIN: Final = 0.9
EVERY_DEVICE: Final = "every device"


def page_data(overview: Overview) -> dict[str, Any]:
    """Data sets for the charts, by name, and what the tiles are counted from again."""
    ranked = {site.site: rank for rank, site in enumerate(by_energy(overview.sites))}
    return {
        "start": _ms(overview.start),
        "end": _ms(overview.end),
        "bucket_ms": _ms_of(overview.bucket),
        "worst_bucket_ms": _ms_of(overview.worst_bucket),
        "period_ms": _ms_of(overview.contract.delivery_interval),
        "coverage_min": COVERAGE_MIN,
        "sites": [
            {
                "site": site_name(site.site),
                "rank": ranked[site.site],
                "devices": site.devices,
                "idle_devices": site.idle_devices,
                "idle_energy_kwh": float(site.idle_energy_kwh),
            }
            for site in overview.sites
        ],
        "buckets": _columns(
            {
                "site": site_name(known.site),
                "start": _ms(known.start),
                "energy_kwh": float(known.use.energy_kwh),
                "readings": known.use.readings,
                "expected": known.use.expected,
                "power_readings": known.use.power_readings,
                "power_expected": known.use.power_expected,
            }
            for known in overview.buckets
        ),
        "top": [
            {
                "device": device.device,
                "site": site_name(device.site),
                "energy_kwh": float(device.energy_kwh),
                "energy": f"{float(device.energy_kwh):,.1f} kWh",
                "power": _watts(device.power_watts_mean),
            }
            for device in overview.top
        ],
        "points": _columns(
            {
                "site": site_name(point.site),
                "load_percent": round(point.load_percent, 2),
                "power_watts": round(point.power_watts, 1),
                "devices": point.devices,
                "kind": "idle" if point.is_idle else "in use",
                "what": point.device or f"{point.devices} devices",
            }
            for point in overview.points
        ),
        "runs": [
            run
            for site in by_energy(overview.sites)
            for run in _runs(overview, site_name(site.site))
        ],
        "deliveries": _columns(
            {"start": _ms(delivery.period), "accepted": delivery.is_shown}
            for delivery in overview.deliveries
        ),
        "failures": _failures(overview),
        "holes": _columns(
            {
                "device": EVERY_DEVICE if overview.is_alike else hole.device,
                "start": _ms(hole.start),
                "readings": hole.readings,
                "expected": hole.expected,
            }
            for hole in overview.holes
        ),
        "site_of": {EVERY_DEVICE: ""}
        | {device.device: site_name(device.site) for device in overview.worst},
    }


def _runs(overview: Overview, site: str) -> Iterator[dict[str, Any]]:
    """Deliveries of a site, those of one state after each other as one."""
    interval = overview.contract.delivery_interval

    def kind(delivery: Delivery) -> tuple[str, str]:
        return delivery.state, "" if delivery.state == "on time" else detail(delivery)

    # A wrong year is told elsewhere, and has no place in the time that is shown.
    shown = [
        known for known in overview.deliveries if overview.start <= known.period < overview.end
    ]
    for (state, words), run in groupby(shown, key=kind):
        deliveries = list(run)
        yield {
            "site": site,
            "state": state,
            "detail": words,
            "start": _ms(deliveries[0].period),
            "end": _ms(deliveries[-1].period + interval),
            "periods": len(deliveries),
            "look": "" if state == "on time" else look_id(deliveries[0]),
        }


def _failures(overview: Overview) -> list[dict[str, Any]]:
    return [
        {
            "words": finding.check.words,
            "outcome": finding.outcome,
            "look": look_id(delivery),
            "count": count_words(finding.failed, finding.total, finding.check),
            "start": _ms(delivery.period),
        }
        for delivery in (*overview.inventories, *overview.deliveries)
        for finding in delivery.findings
    ]


def _columns(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows as columns: their names are written once."""
    columns: dict[str, list[Any]] = {}
    for row in rows:
        for key, value in row.items():
            columns.setdefault(key, []).append(value)
    return columns


def _watts(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.0f} W"


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _ms_of(length: timedelta) -> int:
    return length // timedelta(milliseconds=1)
