"""The option of the tests: which data to look at."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--target", help="folder of an export or of a feed; else the data of this kit")
