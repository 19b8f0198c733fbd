"""The clean data of a source, as DuckDB sees them: written when asked for, and only then."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb

from powerstage.contract import period_text
from powerstage.engine import connect, sql_text
from powerstage.producer import Source


class Clean:
    """Files of a source in a folder of their own, and a connection to look at them."""

    def __init__(self, source: Source, folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.source, self.connection = source, connection
        self._folder = folder

    def scalar(self, query: str) -> object:
        """The one value that a query gives; None for no row."""
        row = self.connection.execute(query).fetchone()
        return row[0] if row else None

    def count(self, query: str) -> int:
        """The one number that a query gives."""
        value = self.scalar(query)
        assert isinstance(value, int)  # noqa: S101 - the query counts
        return value

    def show(self, view: str, period: datetime) -> None:
        """Let a view show the readings of a period."""
        self._show(view, self.telemetry(period))

    def show_inventory(self, view: str, period: datetime, source: Source | None = None) -> None:
        """Let a view show the inventory in force in a period, of this source or another."""
        path = self._folder / f"{view}-{period_text(period)}.parquet"
        if not path.exists():
            (source or self.source).write_inventory(period, path)
        self._show(view, path)

    def telemetry(self, period: datetime) -> Path:
        """The file with the readings of a period."""
        path = self._folder / f"telemetry-{period_text(period)}.parquet"
        if not path.exists():
            self.source.write_telemetry(period, path)
        return path

    def forget(self) -> None:
        """Remove what was written."""
        for path in self._folder.iterdir():
            path.unlink()

    def _show(self, view: str, path: Path) -> None:
        query = f"SELECT * FROM read_parquet({sql_text(str(path))})"
        self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {query}")


@contextmanager
def clean_data(source: Source) -> Iterator[Clean]:
    """A source's clean data, removed at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="powerstage-faults-") as folder,
        connect(threads=1) as connection,
    ):
        yield Clean(source, Path(folder), connection)
