"""Where it was measured: the machine, and the versions of what was measured."""

import os
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from powerstage.engine import processors
from tests.benchmarks import moving_peers
from tests.benchmarks.validation import PEERS


def machine() -> str:
    """Processor, cores, memory and kernel, in a line."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (
        f"{models[0] if models else platform.machine()}, {processors()} cores,"
        f" {memory_bytes / 1024**3:.0f} GiB, {platform.system()} {platform.release()}"
    )


def versions() -> dict[str, str]:
    """Of Python, of ours, of what it stands on, and of each peer."""
    ours = {name: version(name) for name in ("powerstage", "duckdb", "pyarrow", "boto3", "moto")}
    pinned = [peer.package for peer in PEERS.values()] + [
        peer.package for peer in moving_peers.PEERS.values()
    ]
    peers = dict(package.split("==") for package in pinned)
    return {"Python": platform.python_version()} | ours | peers


def header(measured: Mapping[str, Any]) -> Iterator[str]:
    """The lines that stand above the parts."""
    yield f"`{measured['command']}` on {measured['date']}, {measured['machine']}."
    yield ", ".join(f"{name} {number}" for name, number in measured["versions"].items()) + "."
