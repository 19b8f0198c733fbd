"""Python environments with duckdb and pytest alone: who takes a kit home has nothing of ours."""

import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest


def python_with(folder: Path, duckdb: str) -> Path:
    """The interpreter of an environment with one version of DuckDB.

    Args:
        folder: where environments are kept; one that is there already is used again.
        duckdb: the version, like ``1.5.3``.
    """
    place = folder / f"duckdb-{duckdb}-{sys.version_info.major}.{sys.version_info.minor}"
    if not place.is_dir():
        made = Path(tempfile.mkdtemp(dir=folder))
        subprocess.run([sys.executable, "-m", "venv", str(made)], check=True)
        wanted = [f"duckdb=={duckdb}", f"pytest=={pytest.__version__}"]
        pip = [str(made / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "-q", *wanted], check=True, capture_output=True)
        # Only now does it exist: an installation that was cut off is never found. Another
        # process may have been faster.
        with suppress(OSError):
            made.rename(place)
    return place / "bin" / "python"
