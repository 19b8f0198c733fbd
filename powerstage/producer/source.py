"""What can be published: an inventory, and readings period by period."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from powerstage.contract import Contract


class Source(Protocol):
    """Where deliveries come from: mock data, an export, either of them with faults."""

    @property
    def contract(self) -> Contract:
        """The contract that the data follow."""
        ...

    def periods(self) -> Sequence[datetime]:
        """The starts of the periods that there are readings for, UTC, ascending."""
        ...

    def write_inventory(self, path: Path) -> int:
        """Write the inventory as Parquet; its number of rows."""
        ...

    def write_telemetry(self, period: datetime, path: Path) -> int:
        """Write the readings of one period as Parquet; their number."""
        ...
