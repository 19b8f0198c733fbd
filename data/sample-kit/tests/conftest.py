"""The option of the tests: which data to look at."""

from contextlib import suppress

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option, unless a kit that is looked at has added it already."""
    with suppress(ValueError):
        parser.addoption("--target", help="folder of an export or a feed; else this kit's own data")
