"""The page of a large fleet: how long it takes to make and to draw, its size, and the memory."""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser

from powerstage.consumer import Lake, consume
from powerstage.consumer.consume import FETCHERS
from powerstage.consumer.discover import discover
from powerstage.contract import default
from powerstage.producer import publish, synthesise
from powerstage.store import FolderStore
from tests.benchmarks.measure import passing, taken
from tests.benchmarks.report import Judged, Spread, Table
from tests.conftest import START, clock
from tests.display.browser import chromium, open_page

DEVICES: Final = 20_000
DAYS: Final = 31
ROUNDS: Final = 3
MADE_GOAL_MB: Final = 1024**3 / 1e6
PAGE_GOAL_MB: Final = 2
DRAWN_GOAL_SECONDS: Final = 2


def tables(smoke: bool) -> Iterator[Table]:
    """One table, a row for each figure."""
    devices, days, rounds = (20, 1, 1) if smoke else (DEVICES, DAYS, ROUNDS)
    with tempfile.TemporaryDirectory(prefix="powerstage-page-") as name:
        folder = Path(name)
        readings = _fill(folder, devices, days)
        page = folder / "report.html"
        report = ["-m", "powerstage", "report", str(folder / "lake"), "--out", str(page)]
        made = [passing([sys.executable, *report]) for _ in range(rounds)]
        with chromium() as browser:
            drawn = Spread.of(_draw(browser, page) for _ in range(rounds))
        size_mb = page.stat().st_size / 1e6
    wall, cpu, peak = taken(made)
    yield Table(
        name="page",
        words=(
            f"{devices:,} devices, {days} days at one hour: {readings:,} readings in"
            f" {24 * days} deliveries; medians of {rounds} rounds."
        ),
        columns=("what", "measured"),
        rows=(
            ("`powerstage report`, wall s", wall),
            ("`powerstage report`, CPU s", cpu),
            ("`powerstage report`, peak MB", Judged(measured=peak, goal=MADE_GOAL_MB)),
            ("the page, MB", Judged(measured=size_mb, goal=PAGE_GOAL_MB)),
            ("drawn, s from its opening", Judged(measured=drawn, goal=DRAWN_GOAL_SECONDS)),
        ),
    )


def _fill(folder: Path, devices: int, days: int) -> int:
    """A lake of clean mock data; how many readings it holds."""
    feed = FolderStore(folder / "feed")
    source = synthesise(default(), devices=devices, start=START, days=days)
    publish(source, feed, clock=clock)
    with Lake(folder / "lake", make=True) as lake:
        # Given what was found, it looks for no findings about the feed as a whole.
        consumed = consume(feed, lake, clock=clock, found=discover(feed), fetchers=FETCHERS)
    assert {judgement.verdict for judgement in consumed.judgements} == {"accepted"}
    telemetry = [known for known in consumed.judgements if known.slot.dataset == "telemetry"]
    return sum(judgement.report.rows for judgement in telemetry)


def _draw(browser: Browser, path: Path) -> float:
    """Seconds from the opening of the page until its last chart is there."""
    started = time.perf_counter()
    with open_page(browser, path) as opened:
        opened.page.wait_for_selector("body[data-drawn]")
        return time.perf_counter() - started
