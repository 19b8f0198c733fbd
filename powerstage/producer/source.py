"""What can be published: an inventory, and readings period by period."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from powerstage.contract import Contract


class Source(Protocol):
    """Where deliveries come from: mock data, an export, either of them with faults.

    Telemetry of several periods may be written at once, by several threads.
    """

    def parts(self) -> "Sequence[Source]":
        """The source in parts of its devices, each of which makes a file of every period.

        The same for everybody who asks: a delivery is the same files, whoever makes them.
        """
        ...

    @property
    def contract(self) -> Contract:
        """The contract that the data follow."""
        ...

    def periods(self) -> Sequence[datetime]:
        """The starts of the periods that there are readings for, UTC, ascending."""
        ...

    def snapshots(self) -> Sequence[datetime]:
        """The periods that a new snapshot of the inventory is in force from, ascending.

        The first of all periods is one of them; others follow where devices come or go.
        """
        ...

    def write_inventory(self, period: datetime, path: Path) -> int:
        """Write the inventory in force in a period as Parquet; its number of rows."""
        ...

    def write_telemetry(self, period: datetime, path: Path) -> int:
        """Write the readings of one period as Parquet; their number."""
        ...
