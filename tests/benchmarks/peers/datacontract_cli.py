"""The checks as datacontract-cli has them. Call: FOLDER READINGS; exit 0 if all pass."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from datacontract.cli import main as command


def contract(folder: Path, readings: int) -> dict[str, Any]:
    """The export's own contract, with the rules put in that ODCS has words for."""
    text = (folder / "contract.odcs.yaml").read_text("utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    document["servers"] = [
        {"server": "export", "type": "local", "path": "{model}*.parquet", "format": "parquet"}
    ]
    _, telemetry = document["schema"]
    columns = {column["name"]: column for column in telemetry["properties"]}
    columns["sn"]["logicalTypeOptions"] = {"pattern": "^[0-9A-Z]{10}$"}
    columns["value"]["logicalTypeOptions"] = {"minimum": 0, "maximum": 2000}
    telemetry["quality"] = [
        {"type": "library", "metric": "rowCount", "mustBe": readings},
        {
            "type": "sql",
            "query": "SELECT count(*) FROM telemetry WHERE end_time <= start_time",
            "mustBe": 0,
        },
    ]
    return document


def main(folder: Path, readings: int) -> None:
    """Check the readings of an export; the tool ends the process."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, "contract.odcs.yaml")
        path.write_text(yaml.safe_dump(contract(folder, readings)), "utf-8")
        # Paths of a contract are looked for where one stands.
        os.chdir(folder)
        sys.argv = ["datacontract", "test", str(path)]
        command()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
