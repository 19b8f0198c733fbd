"""The ground that tests of pages stand on: a chart in a file of its own, and what spoils it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path

import altair as alt
import pytest
from playwright.sync_api import Browser, expect

from tests.display.browser import OpenPage, open_page, serious_findings

VENDOR = files("powerstage") / "display" / "vendor"
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Power by site</title>{scripts}</head>
<body>
<main><h1>Power by site</h1><div id="chart"></div>{more}</main>
<script>vegaEmbed("#chart", {chart}, {{renderer: "svg", actions: false}});</script>
</body>
</html>
"""


def page_text(more: str = "") -> str:
    """A page with Vega in it, a bar chart that Altair has written, and more HTML below."""
    sites = alt.InlineData(values=[{"site": "ND-01", "watts": 412}, {"site": "DE-1", "watts": 388}])
    chart = alt.Chart(sites).mark_bar().encode(x="watts:Q", y="site:N")
    scripts = [
        f"<script>{(VENDOR / f'{name}.min.js').read_text('utf-8')}</script>"
        for name in ("vega", "vega-lite", "vega-embed")
    ]
    return PAGE.format(scripts="".join(scripts), chart=chart.to_json(), more=more)


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., OpenPage]]:
    """Open the page, with more HTML below its chart, and wait until the chart is drawn."""
    with ExitStack() as stack:

        def opened(more: str = "") -> OpenPage:
            path = tmp_path / "page.html"
            path.write_text(page_text(more), "utf-8")
            opened = stack.enter_context(open_page(browser, path))
            expect(opened.page.locator("#chart svg")).to_be_visible()
            return opened

        yield opened


def test_a_chart_is_drawn(show: Callable[..., OpenPage]) -> None:
    """One picture, with a bar for each of two sites."""
    page = show().page
    expect(page.locator("svg")).to_have_count(1)
    expect(page.locator("svg path[aria-roledescription=bar]")).to_have_count(2)


def test_nothing_leaves_the_page(show: Callable[..., OpenPage], tmp_path: Path) -> None:
    """The one thing asked for is the file."""
    assert show().requests == [(tmp_path / "page.html").as_uri()]


def test_nothing_is_complained_of(show: Callable[..., OpenPage]) -> None:
    """No warning, no error, no exception: Vega takes what Altair writes as its own version."""
    assert show().complaints == []


def test_nobody_is_shut_out(show: Callable[..., OpenPage]) -> None:
    """Axe finds nothing serious."""
    assert serious_findings(show().page) == []


@pytest.mark.parametrize(
    "more",
    [
        '<img alt="" src="http://127.0.0.1:9/picture.png">',
        '<link rel="stylesheet" href="http://127.0.0.1:9/style.css">',
        '<script>fetch("http://127.0.0.1:9/data.json").catch(() => 0)</script>',
        '<iframe title="" src="http://127.0.0.1:9/page.html"></iframe>',
    ],
    ids=["picture", "style", "fetch", "frame"],
)
def test_a_request_is_seen(show: Callable[..., OpenPage], more: str) -> None:
    """A picture, a style sheet, a script that fetches, or a page within the page."""
    assert [url for url in show(more).requests if url.startswith("http://127.0.0.1:9/")]


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("console.warn('odd')", "warning: odd"),
        ("console.error('bad')", "error: bad"),
        ("throw new Error('worse')", "worse"),
        ("Promise.reject(new Error('lost'))", "lost"),
    ],
)
def test_a_complaint_is_seen(show: Callable[..., OpenPage], script: str, complaint: str) -> None:
    """A line on the console, an exception, a promise that nobody kept."""
    (told,) = show(f"<script>{script}</script>").complaints
    assert complaint in told


def test_a_serious_finding_is_told(show: Callable[..., OpenPage]) -> None:
    """A picture without words is named with its rule and its place."""
    (told,) = serious_findings(show('<img id="mute" src="data:,">').page)
    assert told == "image-alt: Images must have alternative text, at #mute"
