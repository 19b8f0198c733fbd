"""The checks as Pointblank has them, over polars. Call: FOLDER READINGS; exit 0 if all pass."""

import sys
from pathlib import Path

import pointblank
import polars as pl

TEXTS = ["sn", "model", "product_id", "location"]
STAMP = "Datetime(time_unit='us', time_zone='UTC')"
COLUMNS = [
    *((name, "String") for name in TEXTS),
    ("start_time", STAMP),
    ("end_time", STAMP),
    *((name, "String") for name in ("source", "type", "unit")),
    ("value", "Float64"),
]


def main(folder: Path, readings: int) -> int:
    """Check the readings of an export."""
    inventory = pl.read_parquet(folder / "inventory.parquet")
    telemetry = pl.read_parquet(folder / "telemetry-*.parquet")
    checked = (
        pointblank.Validate(data=telemetry)
        .col_schema_match(schema=pointblank.Schema(columns=COLUMNS))
        .col_vals_not_null(columns=[name for name, _ in COLUMNS])
        .col_vals_regex(columns="sn", pattern="^[0-9A-Z]{10}$")
        .col_vals_in_set(columns="source", set=["iLo"])
        .col_vals_in_set(columns="type", set=["server cpu utilization", "server power"])
        .col_vals_in_set(columns="unit", set=["%", "W"])
        .col_vals_between(columns="value", left=0, right=2000)
        .col_vals_gt(columns="end_time", value=pointblank.col("start_time"))
        .col_vals_in_table(columns="sn", ref_table=inventory, ref_column="sn")
        .rows_distinct(columns_subset=["sn", "start_time", "type"])
        .row_count_match(count=readings)
        .interrogate()
    )
    if not checked.all_passed():
        print([step.assertion_type for step in checked.validation_info if not step.all_passed])
    return 0 if checked.all_passed() else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
