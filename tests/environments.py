"""Python environments with what is named alone: a kit is taken home without anything of ours."""

import subprocess
import sys
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest

from tests.conftest import ROOT

DATACONTRACT = "datacontract-cli[duckdb]==1.2.8"
# Where the benchmarks keep theirs.
CACHE = ROOT / ".cache" / "environments"


class UnreachableError(Exception):
    """No registry answered."""


def python_with_powerstage(folder: Path) -> Path:
    """The interpreter of an environment with pytest and this powerstage, as it stands here."""
    project = (ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()
    name = f"powerstage-{sha256(project).hexdigest()[:12]}"
    return _python(folder, name, f"pytest=={pytest.__version__}", "--editable", str(ROOT))


def python_with(folder: Path, *packages: str) -> Path:
    """The interpreter of an environment with these packages.

    Args:
        folder: where environments are kept; one that is there already is used again.
        packages: with their versions, like ``duckdb==1.5.3``.

    Raises:
        UnreachableError: pip could not reach a registry.
    """
    return _python(folder, "-".join(packages), *packages)


def _python(folder: Path, name: str, *wanted: str) -> Path:
    place = folder / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    if not place.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder))
        subprocess.run([sys.executable, "-m", "venv", str(made)], check=True)
        pip = [str(made / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        done = subprocess.run(
            [*pip, "install", "-q", "--no-compile", *wanted],
            check=False,
            capture_output=True,
            text=True,
        )
        # What pip says, among other things, before it gives up.
        if done.returncode and "connection broken by" in done.stderr:
            raise UnreachableError(f"no registry answers: {', '.join(wanted)}")
        if done.returncode:
            raise RuntimeError(done.stderr)
        # Only now does it exist: an installation that was cut off is never found. Another
        # process may have been faster.
        with suppress(OSError):
            made.rename(place)
    return place / "bin" / "python"
