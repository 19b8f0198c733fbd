"""Take the documentation's pictures of the page: ``python -m tests.display.pictures``.

What they show is the demo's, so that everybody can look at the same.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tests.conftest import ROOT
from tests.display.browser import chromium, open_page

FOLDER = ROOT / "docs" / "pictures"
# Name, size, colour scheme or medium: the upper part is enough.
PICTURES = (
    ("report", (1280, 1750), "light"),
    ("report-dark", (1280, 900), "dark"),
    ("report-narrow", (390, 1500), "light"),
    ("report-print", (1000, 1300), "print"),
)


def take(browser: Browser, page_path: Path, name: str, size: tuple[int, int], look: str) -> None:
    """One picture."""
    with open_page(browser, page_path) as opened:
        page = opened.page
        page.set_viewport_size({"width": size[0], "height": size[1]})
        if look == "print":
            page.emulate_media(media="print")
        else:
            page.emulate_media(color_scheme="dark" if look == "dark" else "light")
        page.reload()
        page.wait_for_selector("body[data-drawn]")
        if look == "print":
            page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.screenshot(path=FOLDER / f"{name}.png")


def main() -> None:
    """Play the demo, and take all pictures of its page."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        demo = [sys.executable, "-m", "powerstage", "demo", "--into", "powerstage-demo"]
        subprocess.run(demo, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        for name, size, look in PICTURES:
            take(browser, Path(folder, "powerstage-demo", "report.html"), name, size, look)


if __name__ == "__main__":
    main()
