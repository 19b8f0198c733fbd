"""The consumer's own folder: its ledger, the accepted files by digest, and views over them.

ledger.sqlite       what was judged
contract.odcs.yaml  the contract as it was pinned
data/{sha256}.parquet
rollups/            readings by device, measure and hour
lake.duckdb         views ``telemetry``, ``inventory`` and ``hourly``, for the duckdb command
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from powerstage.checks import Checker
from powerstage.consumer.accepted_rows import files_query
from powerstage.consumer.judge import Inventory
from powerstage.consumer.ledger import Ledger
from powerstage.consumer.rollup import Rollups
from powerstage.contract import Contract, Slot, loads
from powerstage.contract.load import read_text
from powerstage.contract.model import DatasetName
from powerstage.engine import Connection, Relation, connect
from powerstage.errors import EnvironmentFailedError, UsageError
from powerstage.store import local_folder

CONTRACT_FILE: Final = "contract.odcs.yaml"
LEDGER_FILE: Final = "ledger.sqlite"
VIEWS_FILE: Final = "lake.duckdb"
_VIEWS: Final = "views"


class Lake:
    """Accepted data, and the record of how it was judged.

    >>> lake = Lake(Path("lake"))
    >>> table = lake.telemetry().to_arrow_table()

    Args:
        folder: of the lake.
        make: make it, once something is to be written, where it is not there yet.
    """

    def __init__(self, folder: Path | str, *, make: bool = False) -> None:
        self.folder = local_folder(folder).absolute()
        if not make and not (self.folder / LEDGER_FILE).is_file():
            raise UsageError(
                f"there is no lake in {folder}", fix=f"powerstage consume FEED --into {folder}"
            )
        self._ledger: Ledger | None = None
        self._contract: Contract | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the ledger and the connection behind the relations."""
        if self._ledger is not None:
            self._ledger.close()
        if self._connection is not None:
            self._connection.close()

    @property
    def ledger(self) -> Ledger:
        """The record of what was judged."""
        if self._ledger is None:
            self._make()
            self._ledger = Ledger(self.folder / LEDGER_FILE)
        return self._ledger

    @property
    def contract(self) -> Contract | None:
        """The pinned contract; None before the first use."""
        path = self.folder / CONTRACT_FILE
        if not path.is_file():
            return None
        text = read_text(path)
        if self._contract is None or self._contract.text != text:
            self._contract = loads(text, str(path))
        return self._contract

    @property
    def agreed(self) -> frozenset[str]:
        """The digests of all contracts that were ever pinned."""
        return self.ledger.names("contract")

    def pin(self, contract: Contract) -> None:
        """Make a contract the one that deliveries are held against.

        Those that follow one pinned before are held against it, too.
        """
        self.ledger.set_fact(f"contract {contract.sha256}", contract.version)
        path = self.folder / CONTRACT_FILE
        with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as draft:
            draft.write(contract.text.encode())
            draft.flush()
            os.fsync(draft.fileno())
        Path(draft.name).replace(path)
        self._contract = contract

    def telemetry(self) -> Relation:
        """Accepted readings: of each period the highest accepted revision."""
        return self._relation("telemetry")

    def inventory(self) -> Relation:
        """The latest accepted snapshot of the inventory."""
        return self._relation("inventory")

    def rollups(self, contract: Contract) -> Rollups:
        """Its readings by the hour."""
        return Rollups(folder=self.folder, ledger=self.ledger, contract=contract)

    def inventory_of(self, slot: Slot) -> Inventory | None:
        """What the ledger knows of an inventory delivery."""
        entry = self.ledger.entry(slot)
        if entry is None:
            return None
        files = tuple(self.data_path(sha256) for sha256 in self.ledger.files(slot))
        return Inventory(identity=entry.identity, verdict=entry.verdict, files=files)

    def data_path(self, sha256: str) -> Path:
        """Where an accepted file stands."""
        return self.folder / "data" / f"{sha256}.parquet"

    def keep(self, sha256: str, path: Path) -> None:
        """Move an accepted file, whose bytes are on disk, to its place."""
        path.replace(self.data_path(sha256))

    @contextmanager
    def at_work(self) -> Iterator[Path]:
        """Hold the lake for one consumer alone; yields an empty folder for fetched files."""
        self._make()
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise EnvironmentFailedError(
                    f"another consumer is at work on {self.folder}",
                    fix="wait until it has finished, or consume into another folder",
                ) from None
            with tempfile.TemporaryDirectory(prefix=".incoming-", dir=self.folder) as incoming:
                self._forget_incoming(except_for=Path(incoming))
                yield Path(incoming)

    @property
    def has_views(self) -> bool:
        """Whether ``lake.duckdb`` is that of this folder, the pinned contract and what it holds."""
        return (self.folder / VIEWS_FILE).is_file() and self.ledger.fact(_VIEWS) == self._views

    @property
    def _views(self) -> str:
        """What views depend on: they name files by their whole paths."""
        contract = self.contract
        # What was accepted stays so: as many are the same ones.
        accepted = self.ledger.accepted_count()
        return f"{contract.sha256 if contract else ''} {accepted} {self.folder}"

    def write_views(self, checker: Checker) -> None:
        """Write ``lake.duckdb`` anew, and put it in place of the old one at once.

        The worker does it: to define a view over a delivered file is to parse the file.
        """
        contract = self.contract
        if contract is None:
            return
        rollups = self.rollups(contract)
        rollups.write_missing(checker)
        hourly, rolled = rollups.hourly()
        draft = self.folder / f".{VIEWS_FILE}.draft"
        draft.unlink(missing_ok=True)
        files = [*self._files("telemetry"), *self._files("inventory"), *rolled]
        statements = [
            f"CREATE VIEW {name} AS {files_query(contract, name, self._files(name))}"
            for name in ("telemetry", "inventory")
        ]
        statements.append(f"CREATE VIEW hourly AS {hourly}")
        checker.write_database(draft, statements, files)
        draft.replace(self.folder / VIEWS_FILE)
        self.ledger.set_fact(_VIEWS, self._views)

    def _relation(self, dataset: DatasetName) -> Relation:
        contract = self.contract
        if contract is None:
            raise UsageError(
                f"nothing was consumed into {self.folder} yet",
                fix=f"powerstage consume FEED --into {self.folder}",
            )
        if self._connection is None:
            self._connection = connect()
        return self._connection.sql(files_query(contract, dataset, self._files(dataset)))

    def _files(self, dataset: DatasetName) -> Sequence[Path]:
        exposed = self.ledger.exposed(dataset)
        if dataset == "inventory":
            exposed = exposed[-1:]
        return [self.data_path(sha256) for _, files in exposed for sha256 in files]

    def _make(self) -> None:
        if (self.folder / "commits").exists():
            raise UsageError(
                f"{self.folder} is a feed: it has commits in it",
                fix="name another folder for the lake with --into",
            )
        try:
            (self.folder / "data").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentFailedError(
                f"cannot make the lake {self.folder}",
                cause=error.strerror or str(error),
                fix="name another folder with --into",
            ) from error

    def _forget_incoming(self, except_for: Path) -> None:
        """Remove what a killed consumer left behind."""
        for folder in self.folder.glob(".incoming-*"):
            if folder != except_for:
                shutil.rmtree(folder)
