"""What the tests of stores share: each store in turn, and each server, over HTTP."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from powerstage.sim import EmbeddedS3, blind_to_aws
from powerstage.store import FolderStore, MemoryStore, Store, open_store
from tests.environments import UnreachableError
from tests.servers import SERVERS, Settings
from tests.store.differences import STORES

BUCKET = "stores"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def running(pytestconfig: pytest.Config, server: EmbeddedS3) -> Iterator[Callable[[str], Settings]]:
    """The settings of a server by its name; it is started when it is first asked for."""
    cache = pytestconfig.cache
    assert cache is not None
    started: dict[str, Settings] = {"moto": server.environment()}
    server.create_bucket(BUCKET)
    with ExitStack() as stack:

        def start(name: str) -> Settings:
            if name not in started:
                context = SERVERS[name](cache.mkdir("environments"))
                try:
                    started[name] = stack.enter_context(context)
                except UnreachableError as error:
                    pytest.skip(str(error))
                with blind_to_aws(started[name]):
                    open_store(f"s3://{BUCKET}", create_bucket=True)
            return started[name]

        yield start


@pytest.fixture
def server_url(name: str, running: Callable[[str], Settings]) -> Iterator[str]:
    """An empty place in the server of this name, with AWS settings that point at it."""
    with blind_to_aws(running(name)):
        yield f"s3://{BUCKET}/{next(_numbers)}"


@pytest.fixture(params=STORES)
def name(request: pytest.FixtureRequest) -> str:
    """Each store in turn."""
    return str(request.param)


@pytest.fixture
def store(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Store:
    """The store of this name, empty."""
    if name == "memory":
        return MemoryStore()
    if name == "folder":
        return FolderStore(tmp_path / "root")
    return open_store(request.getfixturevalue("server_url"))
