"""The DuckDB that is not installed: 1.5 beside 2, 2 beside 1.5, in a folder of its own."""

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import duckdb

from tests.conftest import ROOT

OTHER: Final = "1.5.6" if duckdb.__version__.startswith("2.") else "2.0.1"


def install(cache: Path) -> Path:
    """A folder with the other DuckDB; it is downloaded once."""
    folder = cache / f"python-{sys.version_info.major}.{sys.version_info.minor}"
    if not folder.exists():
        part = folder.with_suffix(f".{os.getpid()}")
        uv = shutil.which("uv")
        # An environment that uv made has no pip.
        pip = [uv, "pip", "install", "--python", sys.executable] if uv else None
        subprocess.run(
            [
                *(pip or [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]),
                "--quiet",
                "--target",
                part,
                f"duckdb=={OTHER}",
            ],
            check=True,
        )
        # Another process may have been faster.
        with suppress(OSError):
            part.rename(folder)
    return folder


def run(folder: Path, module: str, *arguments: Path) -> None:
    """Run a module of the tests in a process that imports the DuckDB of a folder."""
    subprocess.run(
        [sys.executable, "-m", module, OTHER, *arguments],
        check=True,
        cwd=ROOT,
        timeout=300,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))},
    )
