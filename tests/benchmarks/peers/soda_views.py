"""The checks as Soda has them, over DuckDB. Call: FOLDER READINGS; exit 0 if all pass.

Soda reads no folder of Parquet: it gets a database of views, and a contract of its own.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import duckdb

os.environ["SODA_CORE_TELEMETRY_ENABLED"] = "false"

TEXTS = ("sn", "model", "product_id", "location", "source", "type", "unit")
STAMPS = ("start_time", "end_time")
CHECKS: dict[str, list[dict[str, object]]] = {
    "sn": [
        {"invalid": {"name": "serial", "valid_format": {"name": "s", "regex": "^[0-9A-Z]{10}$"}}},
        {
            "invalid": {
                "name": "device",
                "qualifier": "device",
                "valid_reference_data": {"dataset": "export/main/inventory", "column": "sn"},
            }
        },
    ],
    "source": [{"invalid": {"valid_values": ["iLo"]}}],
    "type": [{"invalid": {"valid_values": ["server cpu utilization", "server power"]}}],
    "unit": [{"invalid": {"valid_values": ["%", "W"]}}],
    "value": [{"invalid": {"valid_min": 0, "valid_max": 2000}}],
}


def contract(readings: int) -> dict[str, object]:
    """What YAML says, as JSON."""
    types = dict.fromkeys(TEXTS, "varchar") | dict.fromkeys(STAMPS, "timestamp with time zone")
    return {
        "dataset": "export/main/telemetry",
        "columns": [
            {
                "name": name,
                "data_type": type_,
                "checks": [{"missing": {}}, *CHECKS.get(name, [])],
            }
            for name, type_ in (types | {"value": "double"}).items()
        ],
        "checks": [
            {"schema": {"allow_other_column_order": True}},
            {"row_count": {"threshold": {"must_be": readings}}},
            {"duplicate": {"columns": ["sn", "start_time", "type"]}},
            {"failed_rows": {"expression": "end_time <= start_time"}},
        ],
    }


def main(folder: Path, readings: int) -> None:
    """Check the readings of an export; Soda ends the process."""
    from soda_core.cli.cli import execute  # noqa: PLC0415 - it looks at its environment first

    with tempfile.TemporaryDirectory() as temporary:
        database = Path(temporary, "export.duckdb")
        with duckdb.connect(str(database)) as connection:
            for name in ("inventory", "telemetry"):
                connection.execute(
                    f"CREATE VIEW {name} AS FROM read_parquet('{folder.resolve()}/{name}*.parquet')"
                )
        source = {"type": "duckdb", "name": "export", "connection": {"database": str(database)}}
        paths = {"-ds": source, "-c": contract(readings)}
        sys.argv = ["soda", "contract", "verify"]
        for option, document in paths.items():
            path = Path(temporary, f"{option[1:]}.yaml")
            path.write_text(json.dumps(document), "utf-8")
            sys.argv += [option, str(path)]
        execute()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
