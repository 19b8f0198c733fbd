"""What the tests of checks share: a worker, and a delivery to spoil and check."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from powerstage.checks import Checker, FileFormat, InputFile, Report, Window, compile_plan
from powerstage.producer import MockSource


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    """One worker for the module, as a consumer has one for its run."""
    with Checker() as checker:
        yield checker


class Desk:
    """A clean delivery of six devices and one period, and the means to spoil and check it."""

    def __init__(self, source: MockSource, checker: Checker, folder: Path) -> None:
        self.contract = source.contract
        self.checker = checker
        self.folder = folder
        self.period: datetime = source.periods()[5]
        self.inventory = folder / "inventory.parquet"
        self.telemetry = folder / "telemetry.parquet"
        source.write_inventory(self.period, self.inventory)
        self.rows = source.write_telemetry(self.period, self.telemetry)

    def spoil(self, query: str, name: str = "telemetry") -> None:
        """Rewrite a file by a query over ``clean``."""
        path = self.folder / f"{name}.parquet"
        clean = path.rename(self.folder / f"{name}.clean")
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"CREATE VIEW clean AS FROM read_parquet('{clean}')")
            connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")

    def check(self, rows: int | None = None, format_: FileFormat = "parquet") -> Report:
        """The report on the telemetry."""
        window = Window(start=self.period, end=self.period + self.contract.delivery_interval)
        path = self.telemetry if format_ == "parquet" else self._csv()
        return self.checker.check(
            compile_plan(self.contract, "telemetry", format_, window=window),
            [InputFile(path=path, name=path.name, rows=rows)],
            inventory=[(self.inventory, "parquet")],
            rows_max=1_000_000,
        )

    def _csv(self) -> Path:
        path = self.telemetry.with_suffix(".csv")
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            rows = f"FROM read_parquet('{self.telemetry}')"
            connection.execute(f"COPY ({rows}) TO '{path}' (FORMAT csv, HEADER true)")
        return path

    def check_inventory(self) -> Report:
        """The report on the inventory."""
        return self.checker.check(
            compile_plan(self.contract, "inventory"),
            [InputFile(path=self.inventory, name="inventory.parquet")],
        )


@pytest.fixture
def desk(source: MockSource, checker: Checker, tmp_path: Path) -> Desk:
    """A clean delivery."""
    return Desk(source, checker, tmp_path)


def rows_of(script: str, connection: duckdb.DuckDBPyConnection) -> int:
    """How many rows a script finds: counted there, as DuckDB 1 has no moments without pytz."""
    before, _, query = script.rstrip(";\n").rpartition(";\n")
    connection.execute(before)
    ((rows,),) = connection.execute(f"SELECT count(*) FROM ({query})").fetchall()
    return int(rows)


def found(report: Report) -> set[str]:
    """The ids of what did not pass."""
    return {finding.check.id for finding in report.findings}
