"""Accepted readings rolled up: what each device had of each measure in each hour.

Whoever looks at weeks need not look at readings then. The worker writes a Parquet file for each
accepted file of telemetry; it holds what that file says, whichever inventory is pinned to it.
"""

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

from powerstage.checks import Checker
from powerstage.consumer.accepted_rows import files_query
from powerstage.consumer.ledger import Ledger
from powerstage.contract import Contract, Slot
from powerstage.contract.model import WATTS
from powerstage.engine import sql_double, sql_file, sql_name, sql_text

ROLLUP_COLUMNS: Final = {
    "device": "VARCHAR",
    "measure": "VARCHAR",
    "hour": "TIMESTAMPTZ",
    "readings": "BIGINT",
    "value_mean": "DOUBLE",
    "value_min": "DOUBLE",
    "value_max": "DOUBLE",
    "energy_kwh": "DECIMAL(18,6)",
}
_DRAFTS: Final = ".drafts-"
_OLD_SECONDS: Final = 3600
# So many are written by one job: one that is cut off takes no more with it.
_AT_ONCE: Final = 50
_PACKAGE: Final = "powerstage.consumer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollups:
    """The roll-ups of a lake.

    A roll-up has a row for each device, measure and hour (UTC, by the start of the reading):
    ``readings`` is how many finite values there are; ``energy_kwh`` is null for what is no power,
    and exact to the milliwatt-hour of each reading, so that sums are the same in every order.

    Args:
        folder: of the lake.
        ledger: what was accepted.
        contract: what columns and units mean.
    """

    folder: Path
    ledger: Ledger
    contract: Contract

    def write_missing(self, checker: Checker) -> None:
        """Write those of exposed deliveries that are not there yet.

        Raises:
            WorkerError: one could not be written.
        """
        places = self._places(
            digest for _, digests in self.ledger.exposed("telemetry") for digest in digests
        )
        missing = [digest for digest, place in places.items() if not place.is_file()]
        for first in range(0, len(missing), _AT_ONCE):
            batch = missing[first : first + _AT_ONCE]
            self.write(checker, {digest: self._data(digest) for digest in batch})

    def write(self, checker: Checker, files: Mapping[str, Path]) -> None:
        """Write those of some data files, by digest. Safe between threads.

        Raises:
            WorkerError: one could not be written.
        """
        places = self._places(files)
        folder = next(iter(places.values())).parent
        folder.mkdir(parents=True, exist_ok=True)
        # Another process may be about the same.
        with tempfile.TemporaryDirectory(prefix=_DRAFTS, dir=folder) as drafts:
            _forget_old(folder, Path(drafts))
            queries = {Path(drafts, digest): self._query(file) for digest, file in files.items()}
            checker.write_parquet(queries, list(files.values()))
            for draft in queries:
                draft.replace(places[draft.name])

    def _places(self, digests: Iterable[str]) -> dict[str, Path]:
        """Where the roll-ups of data files stand: what they say depends on the query, too."""
        query = sha256(self._query(Path("data.parquet")).encode()).hexdigest()
        folder = self.folder / "rollups" / query[:12]
        return {digest: folder / f"{digest}.parquet" for digest in digests}

    def inventories(self) -> list[Slot]:
        """The inventories that were accepted, in the order of their slots."""
        return [
            entry.slot
            for entry in self.ledger.entries()
            if (entry.slot.dataset, entry.verdict) == ("inventory", "accepted")
        ]

    def hourly(self) -> tuple[str, list[Path]]:
        """SQL for all that is exposed, hour by hour, with each device's site; the files it reads.

        The site is that which the inventory says that the delivery pins; null where it says none.
        """
        inventories = self.inventories()
        known: dict[Slot | None, int] = {slot: number for number, slot in enumerate(inventories)}
        pinned = {entry.slot: entry.inventory for entry in self.ledger.entries()}
        inventory_of = {
            digest: pinned[slot]
            for slot, digests in self.ledger.exposed("telemetry")
            for digest in digests
        }
        rolled = {
            place: inventory_of[digest] for digest, place in self._places(inventory_of).items()
        }
        if not rolled:
            columns = ROLLUP_COLUMNS | {"site": "VARCHAR"}
            empty = ", ".join(f"NULL::{type_} AS {name}" for name, type_ in columns.items())
            return f"SELECT {empty} WHERE false", []
        placed = ", ".join(
            f"({sql_text(str(path))}, {known.get(slot, 'NULL')})" for path, slot in rolled.items()
        )
        listed, inventory_files = self.listed(inventories)
        query = sql_file(
            _PACKAGE,
            "hourly.sql",
            rollups=", ".join(sql_text(str(path)) for path in rolled),
            placed=placed,
            listed=listed,
        )
        return query, [*rolled, *inventory_files]

    def listed(self, inventories: Iterable[Slot]) -> tuple[str, list[Path]]:
        """SQL for the devices of inventories that were accepted; the files that it reads.

        Its columns are ``inventory`` (the number among those given, from 0), ``device``, ``site``,
        and of a contract that says when devices serve, ``served_from`` and ``served_until``.
        """
        files = [[self._data(digest) for digest in self.ledger.files(slot)] for slot in inventories]
        parts = list(self._listed(files))
        empty = (
            "SELECT NULL::BIGINT AS inventory, NULL::VARCHAR AS device, NULL::VARCHAR AS site,"
            " NULL::TIMESTAMPTZ AS served_from, NULL::TIMESTAMPTZ AS served_until WHERE false"
        )
        return " UNION ALL ".join([empty, *parts]), [file for some in files for file in some]

    def _listed(self, inventories: Iterable[Sequence[Path]]) -> Iterator[str]:
        contract = self.contract
        device, site = sql_name(contract.inventory_device), sql_name(contract.inventory_site)
        service = ["NULL", "NULL"]
        if contract.service is not None:
            first, last = (
                sql_name(contract.service.commissioned),
                sql_name(contract.service.retired),
            )
            is_day = contract.inventory.column(contract.service.retired).type == "DATE"
            # The day of its retirement is its last.
            past = f"max(TRY({last} + 1))" if is_day else f"max({last})"
            # A date may be past all times of day.
            service = [f"TRY_CAST({edge} AS TIMESTAMPTZ)" for edge in (f"min({first})", past)]
        for number, files in enumerate(inventories):
            yield (
                f"SELECT {number}, {device}, min({site}), {service[0]}, {service[1]}"
                f" FROM ({files_query(contract, 'inventory', files)})"
                f" WHERE {device} IS NOT NULL GROUP BY {device}"
            )

    def _data(self, digest: str) -> Path:
        return self.folder / "data" / f"{digest}.parquet"

    def _query(self, file: Path) -> str:
        roles, power = self.contract.roles, self.contract.power
        start, end = f"epoch_us({sql_name(roles.stamp)})", f"epoch_us({sql_name(roles.end)})"
        if roles.start is None:
            start = f"{start} - {roles.reading_interval // timedelta(microseconds=1)}"
        return sql_file(
            _PACKAGE,
            "rollup.sql",
            readings=files_query(self.contract, "telemetry", [file]),
            device=sql_name(roles.device),
            measure=sql_name(roles.measure),
            start_us=start,
            end_us=end,
            unit=sql_name(roles.unit),
            value=sql_name(roles.value),
            power="NULL" if power is None else sql_text(power.name),
            watts=" ".join(
                f"WHEN {sql_text(unit)} THEN {sql_double(watts)}" for unit, watts in WATTS.items()
            ),
        )


def _forget_old(folder: Path, ours: Path) -> None:
    """Remove what killed processes left behind: drafts that nobody has been at for an hour."""
    for drafts in folder.glob(f"{_DRAFTS}*"):
        # Another thread may have finished with its own meanwhile.
        with suppress(FileNotFoundError):
            if ours.stat().st_mtime - drafts.stat().st_mtime > _OLD_SECONDS:
                shutil.rmtree(drafts, ignore_errors=True)
