"""A source as plain files: what a producer has before there is a feed."""

import tempfile
from collections import defaultdict
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from powerstage.contract import Dataset, front_matter
from powerstage.engine import Connection, connect, sql_name, sql_text
from powerstage.errors import UsageError
from powerstage.producer.ahead import write_ahead
from powerstage.producer.export import CONTRACT
from powerstage.producer.parquet import write_parquet
from powerstage.producer.source import Source
from powerstage.store import local_folder


def write_export(
    source: Source,
    folder: Path | str,
    format: Literal["csv", "parquet"],  # noqa: A002 - the word for it
) -> None:
    """Write a source as an export in the old form: README, inventory, a data file per UTC day.

    Args:
        source: what to write.
        folder: where; made if absent, refused if it holds anything.
        format: of inventory and data.

    Raises:
        UsageError: the folder holds something, or is no folder of this machine.
    """
    folder = local_folder(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder", fix="name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    readme = front_matter.write(
        source.contract, devices=f"inventory.{format}", data=f"data-*-*-*.{format}"
    )
    contract = source.contract
    days: dict[date, list[datetime]] = defaultdict(list)
    for period in source.periods():
        days[period.date()].append(period)
    with tempfile.TemporaryDirectory() as temporary, connect(threads=1) as connection:
        path = Path(temporary, "inventory.parquet")
        source.write_inventory(source.snapshots()[0], path)
        _copy(connection, contract.inventory, [path], folder / f"inventory.{format}", "UTC")
        for day, periods in days.items():
            written = write_ahead(source, periods, Path(temporary))
            paths = [path for _, path, _ in written]
            _copy(
                connection,
                contract.telemetry,
                paths,
                folder / f"data-{day.isoformat()}.{format}",
                contract.timezone,
            )
            for path in paths:
                path.unlink()
    # The README's front matter says less: without this, an export would be held to that alone.
    (folder / CONTRACT).write_bytes(contract.text.encode())
    # The README comes last: an export without it was cut off.
    (folder / "README.md").write_text(readme, encoding="utf-8")


def _copy(
    connection: Connection,
    dataset: Dataset,
    paths: list[Path],
    target: Path,
    timezone: str,
) -> None:
    names = ", ".join(sql_text(str(path)) for path in paths)
    rows = f"read_parquet([{names}]) AS kept"
    if target.suffix == ".parquet":
        key = ", ".join(sql_name(name) for name in dataset.key)
        write_parquet(connection, f"SELECT * FROM {rows} ORDER BY {key}", target)
        return
    # Bare, as the old generator writes them; but where clocks change, an hour comes twice.
    stamp = "%Y-%m-%d %H:%M:%S" if timezone == "UTC" else "%Y-%m-%d %H:%M:%S%z"
    connection.execute(f"SET TimeZone = {sql_text(timezone)}")
    columns = ", ".join(
        f"strftime({sql_name(column.name)}, '{stamp}') AS {sql_name(column.name)}"
        if column.type == "TIMESTAMPTZ"
        else sql_name(column.name)
        for column in dataset.columns
    )
    # In the order of time, as a producer writes them down.
    times = [column.name for column in dataset.columns if column.type == "TIMESTAMPTZ"]
    order = ", ".join(f"kept.{sql_name(name)}" for name in [*times[:1], *dataset.key])
    texts = [column for column in dataset.columns if column.type in {"VARCHAR", "TIMESTAMPTZ"}]
    quoted = ", ".join(sql_name(column.name) for column in texts) if times else ""
    force = f", FORCE_QUOTE ({quoted})" if quoted else ""
    connection.execute(
        f"COPY (SELECT {columns} FROM {rows} ORDER BY {order}) TO {sql_text(str(target))}"
        f" (FORMAT csv, HEADER true{force})"
    )
