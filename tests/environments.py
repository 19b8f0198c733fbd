"""Python environments with what is named alone: who takes a kit home has nothing of ours."""

import subprocess
import sys
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest

from tests.conftest import ROOT


def python_with(folder: Path, duckdb: str) -> Path:
    """The interpreter of an environment with pytest and one version of DuckDB.

    Args:
        folder: where environments are kept; one that is there already is used again.
        duckdb: the version, like ``1.5.3``.
    """
    return _python(folder, f"duckdb-{duckdb}", f"duckdb=={duckdb}")


def python_with_powerstage(folder: Path) -> Path:
    """The interpreter of an environment with pytest and this powerstage, as it stands here."""
    project = (ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()
    return _python(folder, f"powerstage-{sha256(project).hexdigest()[:12]}", "--editable", ROOT)


def _python(folder: Path, name: str, *wanted: str | Path) -> Path:
    place = folder / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    if not place.is_dir():
        made = Path(tempfile.mkdtemp(dir=folder))
        subprocess.run([sys.executable, "-m", "venv", str(made)], check=True)
        pip = [str(made / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        install = [*pip, "install", "-q", "--no-compile", f"pytest=={pytest.__version__}"]
        subprocess.run([*install, *map(str, wanted)], check=True, capture_output=True)
        # Only now does it exist: an installation that was cut off is never found. Another
        # process may have been faster.
        with suppress(OSError):
            made.rename(place)
    return place / "bin" / "python"
