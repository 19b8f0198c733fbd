"""The page in a real browser: what it draws, what it says, and what it lets one do."""

import http.client
import json
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from powerstage.consumer import Lake, consume
from powerstage.consumer.overview import BucketUse, Hole, Overview, Point
from powerstage.contract import Contract, Slot, loads
from powerstage.display.overview import kilowatts, kwh, share
from powerstage.display.page import PutIn, render, serving
from powerstage.errors import NothingToJudgeError
from powerstage.producer import publish, synthesise
from powerstage.store import FolderStore, MemoryStore
from tests.conftest import START, clock
from tests.consumer.history import with_intervals
from tests.display.browser import OpenPage, open_page, serious_findings
from tests.display.lakes import IMAGE, LATE_BY, SCRIPT, Shown, faulty_lake, hostile_lake, look

DRAWN = "body[data-drawn]"
CHARTS = ("power", "top", "load", "deliveries", "checks", "coverage")


@pytest.fixture(scope="module")
def shown(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """A lake in which something of each kind is wrong."""
    return faulty_lake(contract, tmp_path_factory.mktemp("faulty"))


@pytest.fixture(scope="module")
def page_path(shown: Shown, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its page."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    put_in = PutIn(
        name="nan_value",
        place="telemetry",
        caught_by="value is finite",
        outcome="caught",
        came_of_it="rejected",
    )
    path.write_text(render(shown.overview, shown.lake, put_in=[put_in], seed=7), "utf-8")
    return path


@pytest.fixture
def opened(browser: Browser, page_path: Path) -> Iterator[OpenPage]:
    """The page, drawn."""
    with open_page(browser, page_path) as opened:
        opened.page.wait_for_selector(DRAWN)
        yield opened


@pytest.fixture
def page(opened: OpenPage) -> Page:
    """The page, to look at."""
    return opened.page


def _tile(page: Page, name: str) -> str:
    return page.inner_text(f"#tile-{name}")


def _slot(shown: Shown, fault: str) -> str:
    return str(Slot(dataset="telemetry", period=shown.planned[fault].period))


def test_it_asks_nobody_for_anything(opened: OpenPage, page_path: Path) -> None:
    """Opened from the disk, it makes no other request."""
    assert opened.requests == [page_path.as_uri()]


def test_nothing_goes_wrong_in_it(opened: OpenPage) -> None:
    """No error and no warning on the console."""
    assert opened.complaints == []


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_is_drawn(page: Page, name: str) -> None:
    """With marks in it, not axes alone."""
    expect(page.locator(f"#{name} svg")).to_have_count(1)
    assert page.locator(f"#{name} svg [class*=mark-] > path[d]").count() > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_shuts_nobody_out(page: Page, scheme: str) -> None:
    """With all parts open, in both colour schemes, nothing serious is found."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    assert serious_findings(page) == []


def test_the_energy_is_that_of_the_accepted_readings(page: Page, shown: Shown) -> None:
    """As anybody counts it in DuckDB, from the readings themselves."""
    ((energy,),) = shown.ask(
        "SELECT sum((value / 1000)::DECIMAL(18, 6)) FROM telemetry WHERE type = 'server power'"
    )
    assert _tile(page, "energy") == f"{kwh(energy)} kWh"


def test_sites_add_up_to_the_fleet(shown: Shown) -> None:
    """To the last digit."""
    sites = shown.overview.sites
    assert len(sites) == 4
    assert sum(site.use.energy_kwh for site in sites) == shown.overview.fleet.energy_kwh
    assert [(site.site, site.use.energy_kwh) for site in sites] == shown.ask(
        "SELECT site, sum(energy_kwh) FROM hourly GROUP BY site ORDER BY site"
    )


def test_the_table_of_sites_is_that_of_a_query(page: Page, shown: Shown) -> None:
    """Largest first, as the chart has it."""
    rows = shown.ask(
        "SELECT site, sum(energy_kwh) AS energy FROM hourly GROUP BY site"
        " ORDER BY energy DESC, site"
    )
    table = page.locator("section:has(#power) tbody tr").all()
    cells = [row.locator("th, td").all_text_contents()[:2] for row in table[:-1]]
    assert cells == [[site, f"{energy:,.3f}"] for site, energy in rows]


def test_the_mean_power_is_that_of_the_time_with_readings(page: Page, shown: Shown) -> None:
    """What was not received is neither zero nor guessed."""
    ((mean,),) = shown.ask(
        "SELECT sum(power) / count(*) FROM (SELECT sum(value) / 1000 AS power FROM telemetry"
        " WHERE type = 'server power' GROUP BY start_time)"
    )
    assert _tile(page, "power") == f"{mean:,.1f} kW"


def test_idle_devices_are_counted(page: Page, shown: Shown) -> None:
    """Under 6 % load on average, and drawing power; with what they drew."""
    ((idle, energy, devices),) = shown.ask(
        "SELECT count(*) FILTER (load < 6), sum(energy) FILTER (load < 6), count(*)"
        " FROM (SELECT sn, avg(value) FILTER (type = 'server cpu utilization') AS load,"
        " sum((value / 1000)::DECIMAL(18, 6)) FILTER (type = 'server power') AS energy"
        " FROM telemetry GROUP BY sn)"
    )
    assert idle > 0
    assert _tile(page, "idle") == f"{idle} of {devices}"
    assert _tile(page, "idle-energy") == f"{kwh(energy)} kWh"


def test_the_share_of_readings_is_of_all_that_should_be(page: Page, shown: Shown) -> None:
    """24 devices, two measures, three days of hours."""
    ((readings,),) = shown.ask("SELECT count(*) FROM telemetry")
    assert _tile(page, "readings") == share(readings, 24 * 2 * 72)
    assert readings < 24 * 2 * 72


def test_deliveries_are_counted_by_the_ledger(page: Page, shown: Shown) -> None:
    """24 periods, of which one never came; by their last revision."""
    with Lake(shown.lake) as lake:
        heads = {
            entry.slot.period: entry.verdict
            for entry in lake.ledger.entries()
            if entry.slot.dataset == "telemetry"
        }
    accepted = sum(verdict == "accepted" for verdict in heads.values())
    assert (len(heads), accepted) == (23, 20)
    assert _tile(page, "deliveries") == f"{accepted} of {len(heads) + 1}"
    words = "Of 24 deliveries due, 3 were not accepted and 1 never came."
    assert words in page.inner_text(".verdict")


def test_a_refused_delivery_says_why_and_where_it_is(page: Page, shown: Shown) -> None:
    """Its failing row, the place where it is held, and the command that judges once more."""
    slot = _slot(shown, "nan_value")
    look_at = page.locator(f"[id='{slot}']")
    look_at.locator("summary").click()
    text = look_at.inner_text()
    assert text.startswith("rejected")
    assert "value is finite" in text
    assert look_at.locator("td.found").all_text_contents() == ["nan"]
    assert f"{shown.feed}/commits/{slot}.json" in text
    assert f"powerstage validate {shown.feed}/commits/{slot}.json" in text


def test_a_late_delivery_says_how_late(page: Page, shown: Shown) -> None:
    """By its arrival, against the agreed latency."""
    assert shown.late is not None
    late = next(d for d in shown.overview.deliveries if d.period == shown.late.period)
    assert late.late_by == LATE_BY
    summary = page.inner_text(f"[id='{shown.late}'] summary")
    assert summary.startswith("late")
    assert summary.endswith("5.0 h late")


def test_a_restated_delivery_is_told_by_its_revision(page: Page, shown: Shown) -> None:
    """Under the key of its second revision."""
    period = shown.planned["restated_site"].period
    slot = Slot(dataset="telemetry", period=period, revision=1)
    assert page.inner_text(f"[id='{slot}'] summary").startswith("restated")


def test_a_missing_period_is_named(page: Page, shown: Shown) -> None:
    """Nobody delivered it, so there is nothing to link to but its place."""
    period = shown.planned["missing_hour"].period
    looks = page.locator("details.delivery:has(.missing)")
    assert looks.count() == 1
    assert f"{period:%Y-%m-%d %H:%M}" in looks.inner_text()


@pytest.mark.parametrize(
    ("heading", "fault"), [("silent", "silent_device"), ("ghosts", "ghost_device")]
)
def test_silent_and_ghost_devices_are_named(
    page: Page, shown: Shown, heading: str, fault: str
) -> None:
    """The silent one as the inventory has it, the ghost as the readings have it."""
    section = page.inner_text(f"section:has(#h-{heading})")
    names = {"silent": shown.overview.silent, "ghosts": shown.overview.ghosts}[heading]
    assert names
    assert all(known.device in section for known in names)
    assert f"{shown.planned[fault].period:%Y-%m-%d %H:%M}" in section
    if heading == "silent":
        assert set(shown.planned[fault].devices) <= {known.device for known in names}


def test_deliveries_are_drawn_by_state(page: Page) -> None:
    """The text above the chart counts what the chart shows."""
    text = page.inner_text("section:has(#deliveries)")
    for words in ("18 on time", "3 rejected", "1 late", "1 restated", "1 missing"):
        assert words in text


def test_no_total_is_drawn_over_a_gap(page: Page) -> None:
    """A band for each run of hours without readings, in each of the four panels."""
    bands = page.locator("#power svg .mark-rect path[d]").count()
    assert bands == 4 * 4 * 3


def test_faults_put_in_stand_beside_what_found_them(page: Page) -> None:
    """In a rehearsal alone."""
    row = page.locator("section:has(#h-faults) tbody tr").inner_text()
    assert re.split(r"\t|\n", row)[0] == "nan_value"
    assert "✓ caught" in row


def test_one_site_can_be_selected(page: Page, shown: Shown) -> None:
    """Tiles and charts are then of this site."""
    page.select_option("#site", "DE-1")
    ((energy, readings),) = shown.ask(
        "SELECT sum(energy_kwh), sum(readings) FROM hourly WHERE site = 'DE-1'"
    )
    expect(page.locator("#tile-energy")).to_have_text(f"{kwh(energy)} kWh")
    assert _tile(page, "readings") == share(readings, 6 * 2 * 72)
    panels = page.locator("#power svg text", has_text="-")
    expect(panels).to_have_text(["DE-1"])
    assert "DE-1" in page.inner_text("#scope")


def test_the_last_bucket_is_as_long_as_it_is(
    browser: Browser, contract: Contract, tmp_path: Path
) -> None:
    """Mean power of an hour and a quarter, in buckets of an hour, is that of a table."""
    agreed = with_intervals(contract, reading_seconds=300, delivery_hours=1)
    agreed = loads(agreed.text.replace("value: 1\n    unit: h", "value: 15\n    unit: min"), "few")
    source, store = synthesise(agreed, devices=24, start=START, seed=7), MemoryStore()
    publish(source, store, clock=clock)
    some = [Slot(dataset="telemetry", period=period) for period in source.periods()[:5]]
    with Lake(tmp_path / "lake", make=True) as lake:
        consume(store, lake, clock=clock, only=some)
    overview, path = look(tmp_path / "lake"), tmp_path / "report.html"
    path.write_text(render(overview, tmp_path / "lake"), "utf-8")
    (site,) = (known for known in overview.sites if known.site == "DE-1")
    with open_page(browser, path) as opened:
        opened.page.wait_for_selector(DRAWN)
        opened.page.select_option("#site", "DE-1")
        tile = opened.page.locator("#tile-power")
        expect(tile).to_have_text(f"{kilowatts(site)} kW")


def test_a_selection_has_the_borders_of_buckets(
    browser: Browser, contract: Contract, tmp_path: Path
) -> None:
    """Of a feed that begins within one, too: 06:00 is a border of six hours, 02:00 is none."""
    agreed = with_intervals(contract, reading_seconds=7200, delivery_hours=2)
    source, store = synthesise(agreed, devices=6, start=START, seed=7), MemoryStore()
    publish(source, store, clock=clock)
    later = [Slot(dataset="telemetry", period=period) for period in source.periods()[1:]]
    with Lake(tmp_path / "lake", make=True) as lake:
        consume(store, lake, clock=clock, only=later)
    path = tmp_path / "report.html"
    path.write_text(render(look(tmp_path / "lake"), tmp_path / "lake"), "utf-8")
    with open_page(browser, path) as opened:
        opened.page.wait_for_selector(DRAWN)
        opened.page.fill("#since", "2026-11-02T06:00")
        opened.page.fill("#until", "2026-11-02T12:00")
        told = opened.page.locator("#scope")
        expect(told).to_contain_text("2026-11-02 06:00 to 2026-11-02 12:00")


def test_a_hundred_per_cent_lack_nothing(browser: Browser, shown: Shown, tmp_path: Path) -> None:
    """One reading of ten thousand that is lacking is seen in a selection, too."""
    (bucket, *_) = shown.overview.buckets
    use = replace(bucket.use, readings=9_999, expected=10_000)
    path = tmp_path / "report.html"
    lacking = replace(shown.overview, buckets=(replace(bucket, use=use),))
    path.write_text(render(lacking, shown.lake), "utf-8")
    with open_page(browser, path) as opened:
        opened.page.wait_for_selector(DRAWN)
        opened.page.select_option("#site", bucket.site)
        expect(opened.page.locator("#tile-readings")).to_have_text("99.9 %")


def test_a_part_of_the_time_can_be_selected(page: Page, shown: Shown) -> None:
    """In UTC; and all of it again."""
    before = _tile(page, "energy")
    page.fill("#since", "2026-11-03T00:00")
    page.fill("#until", "2026-11-04T00:00")
    ((energy,),) = shown.ask(
        "SELECT sum(energy_kwh) FROM hourly WHERE hour >= '2026-11-03' AND hour < '2026-11-04'"
    )
    expect(page.locator("#tile-energy")).to_have_text(f"{kwh(energy)} kWh")
    page.click("#all")
    expect(page.locator("#tile-energy")).to_have_text(before)


def test_hours_are_selected_whole(page: Page) -> None:
    """What is counted is what is drawn; a time without data is said to be one."""
    page.fill("#since", "2026-11-03T00:00")
    whole = _tile(page, "energy")
    page.fill("#since", "2026-11-03T00:40")
    expect(page.locator("#tile-energy")).to_have_text(whole)
    page.fill("#since", "2027-01-01T00:00")
    expect(page.locator("#scope")).to_contain_text("There is nothing in that time")


def test_a_mark_leads_to_its_delivery(page: Page, shown: Shown) -> None:
    """A click in the chart of checks opens what it is about."""
    page.locator("#checks svg .mark-rect path[d]").first.click()
    expect(page.locator("details.delivery[open]")).to_have_count(1)
    refused = [d for d in shown.overview.deliveries if d.findings]
    assert page.evaluate("decodeURIComponent(location.hash)") in {
        f"#{delivery.entry.slot}" for delivery in refused if delivery.entry
    }


def test_a_rehearsal_is_said_to_be_one(page: Page, shown: Shown) -> None:
    """Before any number; a page of real data says nothing of it."""
    assert "these are mock data, with 1 defect put in on purpose" in page.inner_text(".rehearsal")
    assert "A rehearsal" not in render(shown.overview, shown.lake)


def test_a_link_opens_its_delivery(browser: Browser, page_path: Path, shown: Shown) -> None:
    """What was closed is open, and in sight."""
    slot = _slot(shown, "nan_value")
    with open_page(browser, page_path) as opened:
        opened.page.goto(f"{page_path.as_uri()}#{slot}")
        opened.page.reload()
        look_at = opened.page.locator(f"[id='{slot}']")
        expect(look_at).to_have_attribute("open", "")
        expect(look_at).to_be_in_viewport()


def test_it_fits_a_telephone(browser: Browser, page_path: Path) -> None:
    """Nothing but charts and tables scrolls sideways, each by itself."""
    with open_page(browser, page_path) as opened:
        opened.page.set_viewport_size({"width": 390, "height": 800})
        opened.page.reload()
        opened.page.wait_for_selector(DRAWN)
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_on_paper_everything_is_open(page: Page) -> None:
    """What nobody can click open is printed; afterwards it is closed again."""
    closed = page.locator("details:not([open])").count()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("details:not([open])")).to_have_count(0)
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("details:not([open])")).to_have_count(closed)


def test_without_scripts_the_numbers_are_there(page_path: Path, shown: Shown) -> None:
    """Tiles and tables are text of the page."""
    text = page_path.read_text("utf-8")
    assert f">{kwh(shown.overview.fleet.energy_kwh)} kWh</dd>" in text
    assert f'<td class="number">{shown.overview.sites[0].use.energy_kwh:,.3f}</td>' in text


def test_what_is_hostile_is_text(browser: Browser, contract: Contract, tmp_path: Path) -> None:
    """HTML in serial numbers, models, sites and reasons runs nowhere, and is shown as it is."""
    hostile = hostile_lake(contract, tmp_path)
    path = tmp_path / "report.html"
    path.write_text(render(hostile.overview, hostile.lake), "utf-8")
    assert any(IMAGE in known.device for known in hostile.overview.top)
    with open_page(browser, path) as opened:
        opened.page.wait_for_selector(DRAWN)
        opened.page.evaluate(
            "document.querySelectorAll('details').forEach((one) => { one.open = true })"
        )
        assert opened.page.evaluate("window.hacked") is None
        assert opened.page.locator("img").count() == 0
        text = opened.page.inner_text("body")
        assert f"late data {IMAGE}" in text
        assert text.count(IMAGE) > 3
        assert SCRIPT in opened.page.inner_text("section:has(#power) tbody")
        assert opened.complaints == []


def test_a_large_fleet_makes_a_small_page(shown: Shown) -> None:
    """Eight sites, 31 days of hours, 2,000 points, 36 devices with holes: under 2 MB."""
    big = _enlarged(shown.overview)
    assert len(render(big, shown.lake).encode()) < 2_000_000


def _enlarged(overview: Overview) -> Overview:
    """An overview of as many things as there can be of 20,000 devices in 31 days."""
    hours = [overview.start + timedelta(hours=hour) for hour in range(31 * 24)]
    use = replace(overview.fleet, energy_kwh=Decimal("12345.678901"))
    (delivery, *_) = overview.deliveries
    points = [
        Point(
            site=f"ND-{number % 8}",
            load_percent=number / 31,
            power_watts=100 + number / 7,
            devices=10,
            is_idle=False,
        )
        for number in range(2_000)
    ]
    return replace(
        overview,
        end=overview.start + timedelta(days=31),
        bucket=timedelta(hours=1),
        sites=tuple(replace(overview.sites[0], site=f"ND-{site}") for site in range(8)),
        buckets=tuple(
            BucketUse(site=f"ND-{site}", start=hour, use=use) for site in range(8) for hour in hours
        ),
        points=tuple(points),
        holes=tuple(
            Hole(device=f"CZJ{device:07}", start=hour, readings=1, expected=2)
            for device in range(36)
            for hour in hours[:170]
        ),
        deliveries=tuple(replace(delivery, period=hour) for hour in hours),
    )


def test_a_sound_feed_is_said_to_be_sound(shown: Shown) -> None:
    """In words, not in colour alone."""
    sound = replace(
        shown.overview,
        deliveries=tuple(d for d in shown.overview.deliveries if d.state == "on time"),
    )
    assert "✓ All 18 deliveries were accepted." in render(sound, shown.lake)


def test_a_served_page_follows_the_lake(
    browser: Browser, contract: Contract, tmp_path: Path
) -> None:
    """Once more is judged, the page that is open shows it."""
    ready = faulty_lake(contract, tmp_path / "ready")
    feed, first = FolderStore(ready.feed), ready.overview.deliveries[0].entry
    assert first is not None

    def judge(only: list[Slot] | None) -> None:
        with Lake(tmp_path / "lake", make=True) as lake:
            consume(feed, lake, clock=clock, only=only)

    judge([first.slot])

    def state() -> str:
        with Lake(tmp_path / "lake") as lake:
            return lake.ledger.fact("records") or ""

    with (
        serving(state, lambda live: render(look(tmp_path / "lake"), tmp_path, live=live)) as url,
        browser.new_context() as context,
    ):
        page = context.new_page()
        page.goto(url)
        expect(page.locator("#tile-deliveries")).to_have_text("1 of 1")
        judge(None)
        expect(page.locator("#tile-deliveries")).to_have_text("20 of 24")


def test_no_other_site_can_read_a_served_page() -> None:
    """Whoever comes by another name than that of this machine is turned away."""
    with serving(lambda: "1", lambda _: "secret") as url:
        host = url.removeprefix("http://").rstrip("/")
        for name, status in (("evil.example", 403), (host, 200), ("localhost", 200)):
            connection = http.client.HTTPConnection(host, timeout=30)
            connection.request("GET", "/", headers={"Host": name})
            answer = connection.getresponse()
            assert (answer.status, b"secret" in answer.read()) == (status, status == 200)
            connection.close()


def test_who_does_not_wait_for_the_page_is_no_failure(capfd: pytest.CaptureFixture[str]) -> None:
    """A tab that was closed leaves no traceback on the terminal."""
    is_asked, has_gone = threading.Event(), threading.Event()

    def page(_: str) -> str:
        is_asked.set()
        has_gone.wait(30)
        return "page" * 10_000_000

    with serving(lambda: "1", page) as url:
        host, _, port = url.removeprefix("http://").rstrip("/").partition(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            is_asked.wait(30)
        has_gone.set()
        for thread in threading.enumerate():
            if "process_request_thread" in thread.name:
                thread.join(30)
    assert capfd.readouterr().err == ""


def test_a_page_that_cannot_be_made_yet_is_asked_for_again() -> None:
    """Served before the first delivery, it shows what there is as soon as there is something."""

    def page(_: str) -> str:
        raise NothingToJudgeError("nothing yet <b>", fix="wait")

    with serving(lambda: "1", page) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=30)
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Refresh"]) == (503, "2")
        assert answer.headers["Content-Type"].startswith("text/plain")
        connection.close()


def test_its_data_cannot_end_their_element(shown: Shown) -> None:
    """JSON in HTML holds no ``<``."""
    text = render(shown.overview, shown.lake)
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert "<" not in data
    assert json.loads(data)["sites"]
