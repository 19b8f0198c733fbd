"""Python environments with a few packages of others and nothing of ours."""

import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

DATACONTRACT = "datacontract-cli[duckdb]==1.2.8"


class UnreachableError(Exception):
    """No registry answered."""


def python_with(folder: Path, *packages: str) -> Path:
    """The interpreter of an environment with these packages.

    Args:
        folder: where environments are kept; one that is there already is used again.
        packages: with their versions, like ``duckdb==1.5.3``.

    Raises:
        UnreachableError: pip could not reach a registry.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    place = folder / f"{'-'.join(packages)}-{version}"
    if not place.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder))
        subprocess.run([sys.executable, "-m", "venv", str(made)], check=True)
        pip = [str(made / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        done = subprocess.run(
            [*pip, "install", "-q", *packages], check=False, capture_output=True, text=True
        )
        # What pip says, among other things, before it gives up.
        if done.returncode and "connection broken by" in done.stderr:
            raise UnreachableError(f"no registry answers: {', '.join(packages)}")
        if done.returncode:
            raise RuntimeError(done.stderr)
        # Only now does it exist: an installation that was cut off is never found. Another
        # process may have been faster.
        with suppress(OSError):
            made.rename(place)
    return place / "bin" / "python"
