"""The checks as Pandera has them, over polars. Call: FOLDER READINGS; exit 0 if all pass.

Of a lazy frame Pandera looks at the schema alone, unless its environment says otherwise.
"""

import os
import sys
from pathlib import Path

os.environ["PANDERA_VALIDATION_DEPTH"] = "SCHEMA_AND_DATA"

import pandera.polars as pandera
import polars as pl
from pandera.errors import SchemaError, SchemaErrors

ALLOWED = {
    "source": ["iLo"],
    "type": ["server cpu utilization", "server power"],
    "unit": ["%", "W"],
}


def main(folder: Path, readings: int) -> int:
    """Check the readings of an export."""
    inventory = pl.read_parquet(folder / "inventory.parquet")
    devices = inventory["sn"].to_list()
    text, stamp = pl.String, pl.Datetime("us", "UTC")
    checks = {
        "sn": [pandera.Check.str_matches("^[0-9A-Z]{10}$"), pandera.Check.isin(devices)],
        "value": [pandera.Check.in_range(0, 2000)],
    } | {name: [pandera.Check.isin(values)] for name, values in ALLOWED.items()}
    types = {"start_time": stamp, "end_time": stamp, "value": pl.Float64}
    names = ["sn", "model", "product_id", "location", "start_time", "end_time"]
    names += ["source", "type", "unit", "value"]
    schema = pandera.DataFrameSchema(
        {name: pandera.Column(types.get(name, text), checks.get(name)) for name in names},
        # What has no name in Pandera is code of the user's own.
        checks=[
            pandera.Check(lambda data: data.lazyframe.select(pl.len() == readings)),
            pandera.Check(
                lambda data: data.lazyframe.select(pl.col("end_time") > pl.col("start_time"))
            ),
        ],
        unique=["sn", "start_time", "type"],
        strict=True,
    )
    try:
        schema.validate(pl.scan_parquet(folder / "telemetry-*.parquet"), lazy=True)
    except (SchemaError, SchemaErrors) as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
