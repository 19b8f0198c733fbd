"""What the tests of mock data share: contracts, cases, the files of a source, their fingerprint."""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from powerstage.contract import Contract, default, period_text
from powerstage.engine import connect
from powerstage.producer import MockSource, synthesise
from powerstage.producer.ahead import write_ahead
from tests.producer.conftest import HALF_DAYS, HOURLY, edited

Edit = tuple[str, str]

DAILY: Final[Edit] = (HOURLY, "    value: 1\n    unit: d\n")
FOUR_HOURS: Final[Edit] = (HOURLY, "    value: 4\n    unit: h\n")
QUARTER_HOURS: Final[Edit] = (HOURLY, "    value: 15\n    unit: min\n")
# Readings that run across full hours, or as long as their delivery.
ODD_DAILY: Final = (DAILY, ("intervalSeconds: 3600", "intervalSeconds: 432"))
ONE_A_DAY: Final = (DAILY, ("intervalSeconds: 3600", "intervalSeconds: 86400"))
_CHICAGO: Final = "\n          timezone: America/Chicago"
# Half an hour and three quarters off UTC's hours, the furthest from it, and a half hour of summer.
ODD_ZONES: Final = (
    (f"ND-01{_CHICAGO}", "ND-01\n          timezone: Asia/Kolkata"),
    (f"ND-02{_CHICAGO}", "ND-02\n          timezone: Asia/Kathmandu"),
    ("America/Los_Angeles", "Pacific/Kiritimati"),
    ("Europe/Berlin", "Australia/Lord_Howe"),
)
# A measure in kW and one that no rule of ours is about.
MORE_MEASURES: Final = (
    (
        "              maximum: 2000\n",
        """\
              maximum: 2000
            - {measure: apparent power, unit: kW, minimum: 0, maximum: 2}
            - {measure: inlet temperature, unit: C, minimum: 18.5, maximum: 27}
""",
    ),
    (
        "          - value: server power\n",
        """\
          - value: server power
          - value: apparent power
          - value: inlet temperature
""",
    ),
    (
        "          - value: W\n",
        """\
          - value: W
          - value: kW
          - value: C
""",
    ),
)

# A column that no rule of ours is about, and where others may stand.
RACK: Final[Edit] = (
    "      - name: value\n",
    "      - {name: rack, logicalType: string, physicalType: VARCHAR}\n      - name: value\n",
)
LOCATION: Final = "      - name: location\n        description: Code"


def seconds(interval: int) -> Edit:
    """Readings that last so many seconds."""
    return ("intervalSeconds: 3600", f"intervalSeconds: {interval}")


def jitter(seconds: int) -> Edit:
    """Readings that may start so many seconds late."""
    return (
        "          intervalSeconds:",
        f"          jitterSeconds: {seconds}\n          intervalSeconds:",
    )


@cache
def agreed(*edits: Edit) -> Contract:
    """The default contract, edited."""
    return edited(default(), *edits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Mock data that stand for many: a contract, a fleet, a window.

    ``fingerprint`` is that of all its values, worked out once.
    """

    name: str
    edits: tuple[Edit, ...]
    devices: int
    start: datetime
    days: int
    seed: int
    fingerprint: str
    fuzz_seconds: int = 0

    @property
    def contract(self) -> Contract:
        """What its data follow."""
        return agreed(*self.edits, jitter(self.fuzz_seconds))

    def source(self, *, start: datetime | None = None, days: int | None = None) -> MockSource:
        """Its data; or the same fleet's in another window."""
        return synthesise(
            self.contract,
            devices=self.devices,
            start=start or self.start,
            days=days or self.days,
            seed=self.seed,
            fuzz=timedelta(seconds=self.fuzz_seconds),
        )


CASES: Final = (
    # Clocks change in America on the first, in the middle of what is delivered.
    Case(
        name="hourly",
        edits=(HALF_DAYS,),
        devices=120,
        start=datetime(2026, 10, 31, tzinfo=UTC),
        days=2,
        seed=7,
        fingerprint="60a449511d024abebeda0e768a20f5e88ba013f68e36ef26067b3b3b69496a07",
    ),
    Case(
        name="five minutes, odd zones, jitter",
        edits=(FOUR_HOURS, seconds(300), *ODD_ZONES),
        devices=40,
        start=datetime(2027, 4, 3, tzinfo=UTC),
        days=1,
        seed=2**63 - 1,
        fingerprint="ca80860c785e1d215e9eca73a0f355ef087d8a3b80ed3385d7f4d0168c9bdc08",
        fuzz_seconds=299,
    ),
    Case(
        name="ten seconds, more measures",
        edits=(HALF_DAYS, seconds(10), *MORE_MEASURES),
        devices=3,
        start=datetime(1970, 1, 1, tzinfo=UTC),
        days=1,
        seed=0,
        fingerprint="7eb99baa76cb643f1ba9779d51498a10c388d8bd95d37bcee2855503acc5abfc",
    ),
    # Servers come and go on three of these days; one of them is the 29th of February.
    Case(
        name="daily deliveries",
        edits=(DAILY, seconds(7200)),
        devices=365,
        start=datetime(2028, 2, 26, tzinfo=UTC),
        days=6,
        seed=20_260_108,
        fingerprint="f1d3bc1e9a3ddaf15e421e8855dcbb0ac17f850105e3148eef115ba1836857ce",
    ),
)

# What the other DuckDB writes twice.
AGAIN: Final = CASES[1]
# A file of three row groups; the last is not full.
LARGE: Final = Case(
    name="large",
    edits=(DAILY, seconds(300)),
    devices=2_000,
    start=datetime(2026, 11, 2, tzinfo=UTC),
    days=1,
    seed=7,
    fingerprint="",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Mock data as files: the inventories, and telemetry in files of any number."""

    inventories: Sequence[Path]
    telemetry: Sequence[Path]

    def query(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """The answer to a query over ``inventory`` and ``telemetry``."""
        with connect() as connection:
            for name, paths in (("inventory", self.inventories), ("telemetry", self.telemetry)):
                texts = [str(path) for path in paths]
                connection.execute(f"CREATE VIEW {name} AS FROM read_parquet({texts})")
            return connection.execute(sql).fetchall()

    def fingerprint(self) -> str:
        """One digest of all values: whatever the files, their number and their bytes."""
        digest = hashlib.sha256()
        for path in self.inventories:
            _hash(digest, [path], ["sn"])
        _hash(digest, self.telemetry, ["sn", "start_time", "type"])
        return digest.hexdigest()


def written(folder: Path) -> Written:
    """What was written into a folder."""
    paths = sorted(folder.iterdir())
    inventories = [path for path in paths if path.name.startswith("inventory")]
    return Written(
        inventories=inventories, telemetry=[path for path in paths if path not in inventories]
    )


def write(source: MockSource, folder: Path) -> Written:
    """Write all of a source, in order, by one thread."""
    write_inventories(source, source.snapshots(), folder)
    for period in source.periods():
        source.write_telemetry(period, folder / f"{period_text(period)}.parquet")
    return written(folder)


def write_side_by_side(source: MockSource, folder: Path, workers: int) -> Written:
    """Write all of a source, ahead of its use."""
    write_inventories(source, source.snapshots(), folder)
    with closing(write_ahead(source, source.periods(), folder, workers=workers)) as files:
        assert [period for period, _, _ in files] == source.periods()
    return written(folder)


def write_inventories(source: MockSource, periods: Sequence[datetime], folder: Path) -> None:
    """Write the inventories in force in these periods."""
    for period in periods:
        source.write_inventory(period, folder / f"inventory-{period_text(period)}.parquet")


def shuffled(items: Iterable[Any]) -> list[Any]:
    """In another order, the same each time."""
    return sorted(items, key=lambda item: hashlib.sha256(repr(item).encode()).digest())


def read(paths: Sequence[Path]) -> pa.Table:
    """The rows of Parquet files, texts as texts."""
    table = pa.concat_tables([pq.read_table(path) for path in paths])
    texts = [
        pa.field(field.name, pa.string()) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(texts))


def _hash(digest: Any, paths: Sequence[Path], key: Sequence[str]) -> None:
    table = read(paths).sort_by([(name, "ascending") for name in key]).combine_chunks()
    for name, column in zip(table.column_names, table.columns, strict=True):
        digest.update(f"{name} {column.type} {len(column)}\n".encode())
        if pa.types.is_string(column.type):
            digest.update("\n".join(str(text) for text in column.to_pylist()).encode())
        elif pa.types.is_timestamp(column.type):
            digest.update(column.cast(pa.int64()).to_numpy().tobytes())
        else:
            digest.update(column.to_numpy().tobytes())
