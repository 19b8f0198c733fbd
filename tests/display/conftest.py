"""What tests of pages share: one browser, which is dear to start."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.display.browser import NoBrowserError, chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real browser; where it cannot be had, what needs it is skipped."""
    try:
        with chromium() as browser:
            yield browser
    except NoBrowserError as error:
        pytest.skip(str(error))
