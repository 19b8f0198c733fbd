"""What the tests of the transfer share: one wire."""

from collections.abc import Iterator

import pytest

from tests.transfer.stage import in_process
from tests.transfer.wire import Wire


@pytest.fixture(scope="module")
def only_wire() -> Iterator[Wire]:
    """A client takes a tenth of a second to make."""
    with in_process() as wire:
        yield wire


@pytest.fixture
def wire(only_wire: Wire) -> Wire:
    """A wire to an empty feed."""
    only_wire.empty()
    only_wire.seen.clear()
    return only_wire
