"""Pages as a person's browser shows them: a real Chromium, and what it says against a page."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

# No sandbox: the tests may be root's, and the pages are ours. The rest keeps it quiet.
ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class NoBrowserError(Exception):
    """There is no Chromium on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPage:
    """A page in a browser without a network, and what came of it so far.

    Attributes:
        page: the page, to look at and to act on.
        requests: each URL that was asked for, that of the page first.
        complaints: warnings and errors on its console, and exceptions that nothing caught.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window.

    Raises:
        NoBrowserError: there is none on PATH.
    """
    program = shutil.which("chromium")
    if program is None:
        raise NoBrowserError("no chromium is on PATH; scripts/browser installs it")
    # A busy machine is slow, and no page the worse for it.
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(browser: Browser, path: Path) -> Iterator[OpenPage]:
    """A file, opened as a person would, in a profile of its own; it is loaded when this yields."""
    with browser.new_context(offline=True) as context:
        opened = OpenPage(page=context.new_page())
        context.on("request", lambda request: opened.requests.append(request.url))
        context.on("weberror", lambda error: opened.complaints.append(str(error.error)))
        context.on(
            "console",
            lambda message: (
                opened.complaints.append(f"{message.type}: {message.text}")
                if message.type in {"warning", "error"}
                else None
            ),
        )
        opened.page.goto(path.as_uri())
        yield opened


def serious_findings(page: Page) -> list[str]:
    """What axe finds that shuts people out: rule, what it asks for, the first place of it."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{found['id']}: {found['help']}, at {found['nodes'][0]['target'][0]}"
        for found in violations
        if found["impact"] in {"serious", "critical"}
    ]
