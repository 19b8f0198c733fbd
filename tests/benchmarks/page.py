"""The page of a large fleet: how long it takes to make and to draw, its size, and the memory."""

import statistics
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
from tests.benchmarks.measure import Measured, measure
from tests.conftest import START, clock
from tests.display.browser import chromium, open_page

DEVICES: Final = 20_000
DAYS: Final = 31
ROUNDS: Final = 3
MADE_BYTES_GOAL: Final = 1024**3
PAGE_BYTES_GOAL: Final = 2_000_000
DRAWN_SECONDS_GOAL: Final = 2.0


def table(*, smoke: bool) -> Iterator[str]:
    """The lines of the report; what missed its goal ends the program with exit code 1."""
    devices, days, rounds = (20, 1, 1) if smoke else (DEVICES, DAYS, ROUNDS)
    with tempfile.TemporaryDirectory(prefix="powerstage-page-") as name:
        folder = Path(name)
        readings = _fill(folder, devices, days)
        page = folder / "report.html"
        made = [_make(folder / "lake", page) for _ in range(rounds)]
        with chromium() as browser:
            drawn = statistics.median(_draw(browser, page) for _ in range(rounds))
        size = page.stat().st_size
    peak = statistics.median(run.sum_bytes for run in made)
    yield (
        f"{devices:,} devices, {days} days at one hour: {readings:,} readings in"
        f" {24 * days} deliveries; medians of {rounds} rounds.\n"
    )
    yield "| what | measured | goal |"
    yield "| --- | --- | --- |"
    wall = statistics.median(run.wall_seconds for run in made)
    cpu = statistics.median(run.cpu_seconds for run in made)
    yield f"| `powerstage report`: wall | {wall:.1f} s | none |"
    yield f"| CPU | {cpu:.1f} s | none |"
    yield f"| memory, all processes | {peak / 1e6:.0f} MB | {MADE_BYTES_GOAL / 1e6:.0f} MB |"
    yield f"| the page | {size / 1e6:.2f} MB | {PAGE_BYTES_GOAL / 1e6:.0f} MB |"
    yield f"| drawn, from its opening | {drawn:.2f} s | {DRAWN_SECONDS_GOAL:.0f} s |"
    missed = [
        words
        for words, is_missed in (
            ("memory", peak > MADE_BYTES_GOAL),
            ("size", size > PAGE_BYTES_GOAL),
            ("drawing", drawn > DRAWN_SECONDS_GOAL),
        )
        if is_missed
    ]
    if missed and not smoke:
        sys.exit(f"missed: {', '.join(missed)}")


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


def _make(lake: Path, page: Path) -> Measured:
    made = measure([sys.executable, "-m", "powerstage", "report", lake, "--out", page])
    if made.code:
        raise RuntimeError(made.output)
    return made


def _draw(browser: Browser, path: Path) -> float:
    """Seconds from the opening of the page until its last chart is there."""
    started = time.perf_counter()
    with open_page(browser, path) as opened:
        opened.page.wait_for_selector("body[data-drawn]")
        return time.perf_counter() - started
