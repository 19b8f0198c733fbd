"""An overview as one HTML file: words, tables, charts and the script that draws them."""

import json
import shlex
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import altair as alt
from jinja2 import Environment, PackageLoader, StrictUndefined

import powerstage
from powerstage.checks import Check
from powerstage.consumer.overview import IDLE_LOAD_MAX, POINTS_MAX, Overview, Point
from powerstage.display.overview import (
    Verdict,
    by_energy,
    duration,
    kilowatts,
    kwh,
    share,
    site_name,
    window,
)
from powerstage.display.page.charts import PANELS_MAX, charts
from powerstage.display.page.data import COVERAGE_MIN, page_data
from powerstage.display.page.looks import looks

_SCRIPTS: Final = ("vega", "vega-lite", "vega-embed")
_LOOKS_MAX: Final = 100
_FEED_FINDINGS_MAX: Final = 50
_IDLE_MAX: Final = 50
_DISPLAY: Final = files("powerstage.display")


@dataclass(frozen=True, slots=True, kw_only=True)
class PutIn:
    """A defect that was put in on purpose, and what became of it, in words."""

    name: str
    place: str
    caught_by: str
    outcome: str
    came_of_it: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tile:
    id: str
    words: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Script:
    """A script, and the digest by which the page allows it and no other."""

    text: str

    @property
    def digest(self) -> str:
        return "sha256-" + b64encode(sha256(self.text.encode()).digest()).decode()


def render(
    overview: Overview,
    lake: Path,
    *,
    put_in: Sequence[PutIn] = (),
    seed: int | None = None,
    live: str = "",
) -> str:
    """The page.

    Args:
        overview: what it shows.
        lake: the folder, for the commands that it names.
        put_in: of a rehearsal, the defects.
        seed: of mock data, if they are such.
        live: what ``state`` beside the page says as long as the page is up to date; empty for a
            page that stays as it is.
    """
    environment = Environment(
        loader=PackageLoader("powerstage.display", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {
        "named": site_name,
        "kwh": kwh,
        "exact": lambda energy: f"{energy:,.3f}",
        "kilowatts": kilowatts,
        "share": lambda parts: share(*parts),
        "count": lambda number: f"{number:,}",
        "whole": lambda number: "" if number is None else f"{number:,.0f}",
        "input": lambda moment: f"{moment:%Y-%m-%dT%H:%M}",
        "minute": lambda moment: f"{moment:%Y-%m-%d %H:%M}",
    }
    found = list(looks(overview, lake.absolute()))
    verdicts = Verdict(overview)
    sites = by_energy(overview.sites)
    return environment.get_template("page.html.j2").render(
        overview=overview,
        window=window(overview),
        is_sound=verdicts.is_sound,
        headline=verdicts.headline,
        received=verdicts.received,
        reasons=verdicts.reasons,
        tiles=_tiles(overview),
        sites=sites,
        hidden_sites=len(sites) > PANELS_MAX,
        panels_max=PANELS_MAX,
        has_power=overview.contract.power is not None,
        idle_load_max=IDLE_LOAD_MAX,
        is_binned=sum(point.devices for point in overview.points) > POINTS_MAX,
        coverage_min=COVERAGE_MIN,
        bucket=_length(overview.bucket),
        worst_bucket=_length(overview.worst_bucket),
        period=_length(overview.contract.delivery_interval),
        lateness=duration(overview.contract.lateness),
        idle=_idle(overview),
        seed=seed,
        states=_states(overview),
        failures=_failures(overview),
        checks_words=_checks_words(overview),
        looks=found[:_LOOKS_MAX],
        looks_total=len(found),
        feed_quoted=shlex.quote(overview.feed),
        feed_findings_max=_FEED_FINDINGS_MAX,
        put_in=put_in,
        footer=_footer(overview, seed),
        live=live,
        style=(_DISPLAY / "page" / "page.css").read_text("utf-8"),
        data=_json(page_data(overview)),
        charts=_json(charts(*_drawn(overview))),
        scripts=_scripts(),
    )


def _idle(overview: Overview) -> list[Point]:
    """The idle devices that are points of their own, those that draw most first."""
    idle = [point for point in overview.points if point.is_idle and point.device]
    return sorted(idle, key=lambda point: -point.power_watts)[:_IDLE_MAX]


def _drawn(overview: Overview) -> tuple[set[str], set[str]]:
    """The states of deliveries, and the outcomes of checks, that there are."""
    delivered = (*overview.inventories, *overview.deliveries)
    outcomes: set[str] = {
        finding.outcome for delivery in delivered for finding in delivery.findings
    }
    return {delivery.state for delivery in overview.deliveries}, outcomes


def _tiles(overview: Overview) -> list[_Tile]:
    total, fleet = overview.total, overview.fleet
    accepted = sum(delivery.is_shown for delivery in overview.deliveries)
    tiles = [
        _Tile(
            id="tile-readings",
            words="of the expected readings accepted",
            value=share(fleet.readings, fleet.expected),
        ),
        _Tile(
            id="tile-deliveries",
            words="deliveries due that were accepted",
            value=f"{accepted:,} of {len(overview.deliveries):,}",
        ),
    ]
    if overview.points:
        tiles[:0] = [
            _Tile(
                id="tile-idle",
                words=f"devices idle (under {IDLE_LOAD_MAX} % load)",
                value=f"{total.idle_devices:,} of {total.devices:,}",
            ),
            _Tile(
                id="tile-idle-energy",
                words="drawn by idle devices",
                value=f"{kwh(total.idle_energy_kwh)} kWh",
            ),
        ]
    if overview.contract.power is not None:
        tiles[:0] = [
            _Tile(
                id="tile-energy",
                words="energy of what was accepted; nothing is added for the rest",
                value=f"{kwh(fleet.energy_kwh)} kWh",
            ),
            _Tile(
                id="tile-power",
                words="mean power, while there are readings",
                value=f"{kilowatts(total)} kW",
            ),
        ]
    return tiles


def _states(overview: Overview) -> str:
    states = Counter(delivery.state for delivery in overview.deliveries)
    return ", ".join(f"{number:,} {state}" for state, number in states.most_common()) + "."


def _failures(overview: Overview) -> list[tuple[Check, int]]:
    """Checks that did not pass, with the number of deliveries; the most frequent first."""
    found: dict[str, Check] = {}
    counted: Counter[str] = Counter()
    for delivery in (*overview.inventories, *overview.deliveries):
        for finding in delivery.findings:
            found.setdefault(finding.check.id, finding.check)
            counted[finding.check.id] += 1
    return [(found[id_], number) for id_, number in counted.most_common()]


def _checks_words(overview: Overview) -> str:
    judged = sum(delivery.entry is not None for delivery in overview.deliveries)
    number = len(_failures(overview))
    if not number:
        return f"Every check passed in all {judged:,} deliveries of telemetry."
    return f"{number} checks did not pass somewhere; all others passed wherever there was data."


def _footer(overview: Overview, seed: int | None) -> list[tuple[str, str]]:
    contract, fleet = overview.contract, overview.fleet
    energy = "the sum of power times interval over accepted readings; what is lacking is not"
    tools = f"DuckDB {version('duckdb')}, Altair {alt.__version__}"
    return [
        ("Contract", f"{contract.name} {contract.version}, sha256 {contract.sha256}"),
        ("Feed", overview.feed),
        ("Judged by", overview.consumer),
        ("Time shown", f"{overview.start:%Y-%m-%d %H:%M} to {overview.end:%Y-%m-%d %H:%M} UTC"),
        ("Readings", f"{fleet.readings:,} accepted of {fleet.expected:,} expected"),
        ("Energy", f"{energy} estimated. The mean power is that of the time with readings."),
        *([] if seed is None else [("Seed", f"{seed}: these are mock data")]),
        ("Made", f"{overview.made_at:%Y-%m-%d %H:%M} UTC by powerstage {powerstage.__version__}"),
        ("With", f"{tools}; Vega, Vega-Lite and Vega-Embed (BSD-3-Clause) are in this file"),
    ]


def _length(length: timedelta) -> str:
    hours = length / timedelta(hours=1)
    names = {1.0: "hour", 24.0: "day", 168.0: "week"}
    return names.get(hours) or duration(length)


def _scripts() -> list[_Script]:
    texts = [(_DISPLAY / "vendor" / f"{known}.min.js").read_text("utf-8") for known in _SCRIPTS]
    return [
        _Script(text=text) for text in (*texts, (_DISPLAY / "page" / "page.js").read_text("utf-8"))
    ]


def _json(value: dict[str, Any]) -> str:
    """JSON that may stand in HTML: no text in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
