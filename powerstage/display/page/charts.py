"""The charts of the page: what they show is named here, the data come with the page.

Each has parameters that the page sets: ``site`` (empty for all), ``since`` and ``until`` (ms).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, TypeAlias

import altair as alt

from powerstage.consumer.overview import IDLE_LOAD_MAX

# Told apart by whoever sees few colours (Okabe and Ito), and by shape.
BLUE: Final = "#0072b2"
STATES: Final[Mapping[str, tuple[str, str]]] = {
    "on time": ("#8296ab", "square"),
    "late": ("#b87700", "triangle-up"),
    "restated": ("#aa4499", "diamond"),
    "rejected": ("#b3261e", "cross"),
    "missing": ("#5d6470", "circle"),
}
OUTCOMES: Final = {"fail": "#b3261e", "warn": "#b87700"}
# So many sites have a panel of their own; the others are there for who selects them.
PANELS_MAX: Final = 12

_Chart: TypeAlias = alt.Chart | alt.LayerChart | alt.FacetChart

_ALL_OR_ONE: Final = "site == '' || datum.site == site"
_IN_WINDOW: Final = "datum.end >= since && datum.start <= until"
_TIME: Final = {"type": "utc"}


def charts(states: Collection[str], outcomes: Collection[str]) -> dict[str, dict[str, Any]]:
    """Vega-Lite by the id of the element that shows it; data sets are ``buckets`` and the like.

    Args:
        states: those of deliveries that there are.
        outcomes: those of checks that there are.
    """
    made = {
        "power": _power(),
        "top": _top(),
        "load": _load(),
        "deliveries": _deliveries([state for state in STATES if state in states]),
        "checks": _checks([outcome for outcome in OUTCOMES if outcome in outcomes]),
        "coverage": _coverage(),
    }
    with alt.data_transformers.disable_max_rows():
        return {name: chart.to_dict() for name, chart in made.items()}


def _base(data: str) -> alt.Chart:
    return alt.Chart(alt.NamedData(data)).add_params(*_params())


def _params() -> list[alt.Parameter]:
    return [alt.param("site", value=""), *(alt.param(n, value=0) for n in ("since", "until"))]


def _configured(chart: _Chart, description: str) -> _Chart:
    made: _Chart = (
        chart.properties(description=description)
        .configure(background="transparent", font="system-ui, sans-serif")
        .configure_view(strokeWidth=0)
        .configure_axis(labelFontSize=11, titleFontSize=11, titleFontWeight="normal", domain=False)
        .configure_legend(
            labelFontSize=11, titleFontSize=11, titleFontWeight="normal", symbolOpacity=1
        )
        .configure_header(labelFontSize=11, title=None)
    )
    return made


def _when(field: str = "start") -> alt.X:
    """Time from left to right: what is selected, whether there is something or not."""
    axis = alt.Axis(title=None, format="%d %b %H:%M", tickCount=8, labelOverlap=True)
    scale = alt.Scale(
        type="utc", domainMin=alt.ExprRef("since"), domainMax=alt.ExprRef("until"), nice=False
    )
    return alt.X(f"{field}:T", scale=scale, axis=axis)


def _tooltips(*fields: str) -> list[alt.Tooltip]:
    """``field:type=title``; times come as texts in UTC."""
    return [alt.Tooltip(name, title=title) for name, _, title in (f.partition("=") for f in fields)]


def _power() -> _Chart:
    """A panel for each site, with its own scale: areas that are stacked lie over gaps."""
    tips = _tooltips("site:N=site", "when:N=from (UTC)", "mean:N=mean power", "received:N=readings")
    # What filters the panels must come before they are told apart.
    some = f"(site == '' ? datum.rank < {PANELS_MAX} : datum.site == site) && {_IN_WINDOW}"
    base = alt.Chart()
    gaps = (
        base.transform_filter("datum.is_gap")
        .mark_rect(color=STATES["rejected"][0], opacity=0.25, aria=False, clip=True)
        .encode(x=_when(), x2="end:T", tooltip=tips)
    )
    power = base.mark_area(
        line={"color": BLUE, "strokeWidth": 1.5},
        color=BLUE,
        fillOpacity=0.18,
        interpolate="step-after",
        clip=True,
    ).encode(
        x=_when(),
        y=alt.Y("mean_kw:Q", stack=None, axis=alt.Axis(title=None, tickCount=3)),
        tooltip=tips,
    )
    return _configured(
        alt.layer(gaps, power, data=alt.NamedData("buckets"))
        .properties(width=600, height=54)
        .facet(
            row=alt.Row(
                "label:N",
                sort=alt.EncodingSortField("rank", op="min", order="ascending"),
                header=alt.Header(
                    labelAngle=0, labelAnchor="start", labelOrient="top", labelPadding=2
                ),
            ),
            spacing=8,
        )
        .resolve_scale(y="independent")
        .transform_filter(some)
        .add_params(*_params()),
        "Mean power of each site over time, in kilowatts, with bands where too little was accepted",
    )


def _top() -> _Chart:
    base = _base("top").transform_filter(_ALL_OR_ONE)
    y = alt.Y("device:N", sort=None, axis=alt.Axis(title=None, labelLimit=140))
    x = alt.X("energy_kwh:Q", axis=alt.Axis(title="kWh", tickCount=4))
    tips = _tooltips("device:N=device", "site:N=site", "energy:N=energy", "power:N=mean power")
    bars = base.mark_bar(color=BLUE, height={"band": 0.7}).encode(x=x, y=y, tooltip=tips)
    words = base.mark_text(align="left", dx=4, fontSize=11).encode(x=x, y=y, text="energy:N")
    return _configured(
        alt.layer(bars, words).properties(width=300, height=alt.Step(20)),
        "The devices that used the most energy, in kilowatt-hours",
    )


def _load() -> _Chart:
    base = _base("points").transform_filter(_ALL_OR_ONE)
    x = alt.X(
        "load_percent:Q",
        scale=alt.Scale(domain=[0, 100]),
        axis=alt.Axis(title="mean utilisation, %", tickCount=6),
    )
    idle = (
        alt.Chart(alt.InlineData([{"from": 0, "to": IDLE_LOAD_MAX}]))
        .mark_rect(color=STATES["rejected"][0], opacity=0.1, aria=False)
        .encode(x=alt.X("from:Q", scale=alt.Scale(domain=[0, 100])), x2="to:Q")
    )
    points = base.mark_point(filled=True, opacity=0.65, aria=False).encode(
        x=x,
        y=alt.Y(
            "power_watts:Q",
            scale=alt.Scale(type="log", nice=False, padding=8),
            axis=alt.Axis(title="mean power, W (logarithmic)", tickCount=6, format="~s"),
        ),
        shape=alt.Shape(
            "kind:N",
            scale=alt.Scale(domain=["in use", "idle"], range=["circle", "diamond"]),
            legend=alt.Legend(title=None, orient="top"),
        ),
        color=alt.Color(
            "kind:N",
            scale=alt.Scale(domain=["in use", "idle"], range=[BLUE, STATES["rejected"][0]]),
        ),
        size=alt.Size(
            "devices:Q",
            scale=alt.Scale(type="sqrt", domain=[1, 100], range=[30, 500], clamp=True),
            legend=None,
        ),
        tooltip=_tooltips(
            "what:N=device",
            "site:N=site",
            "load_percent:Q=mean utilisation, %",
            "power_watts:Q=mean power, W",
        ),
    )
    return _configured(
        alt.layer(idle, points).properties(width=500, height=300),
        "Mean power of devices against their mean utilisation; those that are idle are diamonds",
    )


def _deliveries(names: Sequence[str]) -> _Chart:
    base = _base("runs").transform_filter(f"({_ALL_OR_ONE}) && {_IN_WINDOW}")
    colors = alt.Color(
        "state:N",
        scale=alt.Scale(domain=names, range=[STATES[name][0] for name in names]),
        legend=alt.Legend(title=None, orient="top"),
    )
    tips = _tooltips(
        "site:N=site",
        "state:N=state",
        "periods:Q=periods",
        "when:N=from (UTC)",
        "last:N=to (UTC)",
        "detail:N=what",
    )
    y = alt.Y("site:N", sort=None, axis=alt.Axis(title=None, labelLimit=140))
    bars = base.mark_bar(height=6, opacity=0.55, aria=False, clip=True).encode(
        x=_when(), x2="end:T", y=y, color=colors, tooltip=tips
    )
    marks = (
        base.transform_filter("datum.state != 'on time'")
        .transform_calculate(middle="(datum.start + datum.end) / 2")
        .mark_point(filled=True, size=90, opacity=1, cursor="pointer")
        .encode(
            x=_when("middle"),
            y=y,
            color=colors,
            shape=alt.Shape(
                "state:N",
                scale=alt.Scale(domain=names, range=[STATES[name][1] for name in names]),
                legend=alt.Legend(title=None, orient="top"),
            ),
            tooltip=tips,
        )
    )
    return _configured(
        alt.layer(bars, marks).properties(width=500, height=alt.Step(22)),
        "Deliveries over time by site: on time, late, restated, rejected or missing",
    )


def _checks(names: Sequence[str]) -> _Chart:
    base = _base("failures").transform_filter(_IN_WINDOW)
    cells = base.mark_tick(thickness=4, size=13, cursor="pointer").encode(
        x=_when(),
        y=alt.Y("words:N", sort=None, axis=alt.Axis(title=None, labelLimit=330)),
        color=alt.Color(
            "outcome:N",
            scale=alt.Scale(domain=names, range=[OUTCOMES[name] for name in names]),
            legend=alt.Legend(title=None, orient="top"),
        ),
        tooltip=_tooltips("look:N=delivery", "words:N=check", "count:N=failed"),
    )
    return _configured(
        cells.properties(width=400, height=alt.Step(17)),
        "Checks that did not pass, by delivery",
    )


def _coverage() -> _Chart:
    some = f"({_ALL_OR_ONE} || datum.site == '') && {_IN_WINDOW}"
    base = _base("holes").transform_filter(some)
    cells = base.mark_rect(aria=False, clip=True).encode(
        x=_when(),
        x2="end:T",
        y=alt.Y("device:N", sort=None, axis=alt.Axis(title=None, labelLimit=140)),
        color=alt.Color(
            "percent:Q",
            scale=alt.Scale(domain=[0, 100], range=["#9c2f00", "#f2c14e"]),
            legend=alt.Legend(
                title="% of readings accepted (blank: all)", titleLimit=400, orient="top"
            ),
        ),
        tooltip=_tooltips(
            "device:N=device", "site:N=site", "when:N=from (UTC)", "received:N=readings"
        ),
    )
    return _configured(
        cells.properties(width=800, height=alt.Step(12)),
        "The devices with the fewest accepted readings, and when those are missing",
    )
