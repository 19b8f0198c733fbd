"""The servers of a mock producer: what they are, where they stand, how much they draw.

Models and product numbers are those of the old generator's catalogue (``models.csv``). Watts
at idle and at full load rest on published SPECpower_ssj2008 results of the DL325 and DL380
Gen10 families, with 5 W added per small and 8 W per large drive bay, which those results lack.
"""

import re
from dataclasses import dataclass
from importlib import resources
from typing import Final

import duckdb

from powerstage.contract import Column, Contract
from powerstage.engine import sql_file, sql_name, sql_text
from powerstage.errors import UsageError

DEVICES_MAX: Final = 1_000_000
_SERIAL_STRIDE: Final = 7_919  # a prime: multiples of it visit every serial before one recurs
# 2**64 divided by the golden ratio: keeps seed 0 from the fixed point of the mixer.
SEED_OFFSET: Final = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """A number of devices, decided by a seed: the same seed, the same devices."""

    contract: Contract
    devices: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse a fleet that cannot be made; ``UsageError`` names the option."""
        if not 1 <= self.devices <= DEVICES_MAX:
            raise UsageError(
                f"devices is {self.devices}", fix=f"--devices is from 1 to {DEVICES_MAX:,}"
            )
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed is {self.seed}", fix="--seed is from 0 to 2^63 - 1")
        pattern = self.contract.inventory.column(self.contract.inventory_device).pattern
        if pattern and not re.search(pattern, "8899000000"):
            raise UsageError(
                "mock serial numbers, such as 8899000000, do not match the contract's pattern",
                cause=f"{self.contract.inventory_device} matches {pattern}",
                fix="change the pattern, or publish an export of your own",
            )
        for column in self.contract.inventory.columns:
            self._expression(column)

    def create_tables(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Create ``device``: the struct ``inventory``, and the hidden facts behind readings.

        Those are ``device_key`` (UBIGINT), ``base`` and ``amplitude`` (share of full load),
        ``idle_watts``, ``range_watts``, ``bend`` (0 for power linear in load) and ``zone``.
        """
        connection.execute(
            "CREATE TEMP TABLE catalogue (model VARCHAR, product_id VARCHAR, idle DOUBLE,"
            " full_load DOUBLE)"
        )
        text = resources.files("powerstage.producer").joinpath("models.csv").read_text("utf-8")
        rows = [line.split(",") for line in text.splitlines()[1:]]
        connection.executemany("INSERT INTO catalogue VALUES (?, ?, ?, ?)", rows)
        columns = ", ".join(
            f"{sql_name(column.name)} := {self._expression(column)}"
            for column in self.contract.inventory.columns
        )
        sites = ", ".join(
            f"({index}, {sql_text(site.code)}, {sql_text(site.timezone)})"
            for index, site in enumerate(self.contract.sites)
        )
        devices = sql_file(
            "powerstage.producer",
            "devices.sql",
            seed=(self.seed ^ SEED_OFFSET) % 2**64,
            devices=self.devices,
            models=len(rows),
            sites=sites,
            site_count=len(self.contract.sites),
            columns=columns,
        )
        connection.execute(f"CREATE TEMP TABLE device AS {devices}")

    def _expression(self, column: Column) -> str:
        contract = self.contract
        if column.name == contract.inventory_device:
            offset = self.seed % DEVICES_MAX
            number = f"(number * {_SERIAL_STRIDE} + {offset}) % {DEVICES_MAX}"
            return f"'8899' || lpad(({number})::VARCHAR, 6, '0')"
        if column.name == contract.inventory_site:
            return "code"
        if column.name in {"model", "product_id"}:
            return column.name
        return fill(column)


def fill(column: Column) -> str:
    """SQL for a column that no rule of ours is about; ``UsageError`` if nothing can stand there."""
    if column.allowed:
        return sql_text(column.allowed[0])
    if not column.required:
        return f"NULL::{column.type}"
    raise UsageError(
        f"mock data cannot fill the column {column.name!r}",
        cause="it is required, and the contract allows no values to choose from",
        fix="give it an enum, or required: false",
    )
