"""An S3 server in a process of its own, so that its CPU is known apart from its clients'."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from powerstage.sim import EmbeddedS3, blind_to_aws
from tests.environments import CACHE
from tests.servers import SERVERS


@contextmanager
def s3_server(name: str) -> Iterator[None]:
    """Within, this process and all that it starts find a server of this name, and no other.

    Raises:
        UnreachableError: it is not there, and no registry answers.
    """
    with _moto() if name == "moto" else SERVERS[name](CACHE) as settings, blind_to_aws(settings):
        yield


@contextmanager
def _moto() -> Iterator[Mapping[str, str]]:
    command = [sys.executable, "-m", "tests.benchmarks.s3_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        # It ends when its input does, which is closed where the block is left.
        yield json.loads(process.stdout.readline())


def main() -> None:
    """Serve until there is no more input."""
    with EmbeddedS3() as server:
        print(json.dumps(server.environment()), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
