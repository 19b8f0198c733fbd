"""``powerstage doctor``: what it sees, and that it harms nothing."""

import json
import os
import socket
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

from powerstage import doctor
from powerstage.checks import Checker
from powerstage.cli import cli
from powerstage.contract import Contract, loads
from powerstage.errors import (
    PowerstageError,
    StoreRefusedError,
    StoreUnavailableError,
    WorkerError,
)
from powerstage.producer import MockSource, publish, retract, synthesise
from powerstage.sim import EmbeddedS3, blind_to_aws
from powerstage.store import (
    FolderStore,
    MemoryStore,
    ObjectInfo,
    Observation,
    open_bucket,
    open_store,
)
from powerstage.store.bucket import Bucket
from powerstage.store.s3 import S3Store
from tests.conftest import ROOT, START, Run, clock
from tests.documents import require_described

HERE = {"version", "worker", "credentials"}
OBJECTS = {"list", "read", "data", "receipts", "conditional writes"}
SETTINGS = {
    "public access",
    "ownership",
    "encryption",
    "versioning",
    "lifecycle",
    "bucket policy",
}


def diagnosed(feed: str | None) -> dict[str, Observation]:
    """What the doctor sees, by subject."""
    return {seen.subject: seen for seen in doctor.diagnose(feed, clock=clock)}


@pytest.fixture
def source(contract: Contract) -> MockSource:
    """A day of one device, in one delivery."""
    text = contract.text.replace("value: 1\n    unit: h", "value: 1\n    unit: d")
    return synthesise(loads(text, "daily"), devices=1, start=START)


@pytest.fixture
def delivered(feed_url: str, source: MockSource) -> str:
    """A feed in a bucket, with a delivery."""
    publish(source, open_store(feed_url), clock=clock)
    return feed_url


def test_without_a_feed_only_this_machine_is_looked_at(powerstage: Run) -> None:
    """Versions, worker and credentials; the lack of these is a warning."""
    done = powerstage("doctor", AWS_SHARED_CREDENTIALS_FILE=os.devnull)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in done.stdout.splitlines() if not line.startswith("  fix")]
    assert {line[9:].partition(":")[0] for line in lines} == HERE
    assert [line for line in lines if line.startswith("warning")] == [
        "warning  credentials: no AWS credentials: folders alone can be used"
    ]
    assert "  fix    aws sso login" in done.stdout


def test_a_feed_in_a_bucket_is_looked_at_from_all_sides(delivered: str) -> None:
    """All works here but the bucket's settings, which nobody has made."""
    seen = diagnosed(delivered)
    assert seen.keys() == HERE | {"endpoint", "clock", "identity"} | OBJECTS | SETTINGS
    unwell = {subject for subject, one in seen.items() if one.state != "ok"}
    # The clock of these tests stands still.
    assert unwell == SETTINGS | {"clock"}
    assert all(one.fix for one in seen.values() if one.state != "ok")


def test_nothing_is_changed_by_looking(delivered: str) -> None:
    """No object comes, goes, or is written again, in a bucket that keeps every version."""
    bucket = open_bucket(delivered)
    client, name = bucket.store.client, bucket.store.bucket
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def versions() -> list[tuple[str, str]]:
        listed = client.list_object_versions(Bucket=name)
        assert "DeleteMarkers" not in listed
        return [(found["Key"], found["VersionId"]) for found in listed["Versions"]]

    before = versions()
    assert diagnosed(delivered)["conditional writes"].state == "ok"
    assert versions() == before


def test_an_empty_feed_cannot_tell_of_conditional_writes(feed_url: str) -> None:
    """Nothing is written to find out."""
    seen = diagnosed(feed_url)
    assert seen["conditional writes"].state == seen["read"].state == "warning"
    assert "cannot tell" in seen["conditional writes"].words
    assert list(open_store(feed_url).list("")) == []


@pytest.mark.usefixtures("feed_url")
def test_a_missing_bucket_is_a_problem_and_the_end() -> None:
    """Exit code 3, with the command that makes it; nothing else is asked."""
    done = CliRunner().invoke(cli, ["doctor", "s3://no-such-bucket/feed"])
    assert done.exit_code == 3
    assert "problem  endpoint: " in done.stdout
    assert "aws s3 mb s3://no-such-bucket" in done.stdout
    assert "list:" not in done.stdout


def test_a_dead_endpoint_is_a_problem(server: EmbeddedS3) -> None:
    """Nothing listens there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = server.environment() | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    with blind_to_aws(settings):
        seen = diagnosed("s3://bucket/feed")
    assert seen["endpoint"].state == "problem"
    assert str(port) in seen["endpoint"].words


def test_a_profile_that_is_not_there_is_told(server: EmbeddedS3) -> None:
    """As a problem of the credentials, and of the feed that needs them."""
    with blind_to_aws(server.environment() | {"AWS_PROFILE": "gone"}):
        seen = diagnosed("s3://bucket/feed")
    assert (seen["credentials"].state, seen["endpoint"].state) == ("problem", "problem")


def test_a_folder_is_a_feed_too(tmp_path: Path, source: MockSource) -> None:
    """It has no endpoint and no settings, and conditional writes."""
    feed = tmp_path / "feed"
    publish(source, FolderStore(feed), clock=clock)
    seen = diagnosed(str(feed))
    assert seen.keys() == HERE | {"folder"} | OBJECTS
    assert {seen[subject].state for subject in OBJECTS | {"folder"}} == {"ok"}
    assert not list(feed.rglob(".*"))


def test_a_folder_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    """Nothing can be put into it."""
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert diagnosed(str(tmp_path / "file"))["folder"].state == "problem"


class Spoilt(MemoryStore):
    """A store that fails at one request; without an error it writes what stands there."""

    def __init__(self, error: PowerstageError | None, request: str) -> None:
        super().__init__()
        self._error, self._request = error, request

    def get(self, key: str, *, sha256: str = "") -> Iterator[bytes]:
        """The object's bytes."""
        self._fail(f"get {key.partition('/')[0]}")
        return super().get(key, sha256=sha256)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """What is there."""
        self._fail(f"list {prefix}")
        return super().list(prefix)

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write, whatever stands there, unless that fails."""
        if self._request != "create":
            return super().put_if_absent(key, body)
        self._fail("create")
        self.put(key, body)
        return True

    def _fail(self, request: str) -> None:
        if self._error is not None and request == self._request:
            raise self._error


REFUSED = StoreRefusedError("no", fix="ask for it")
SILENT = StoreUnavailableError("no answer", cause="501", fix="run it again")


@pytest.mark.parametrize(
    ("error", "asked", "expected"),
    [
        (REFUSED, "list commits/", ("list", "problem", "no")),
        (REFUSED, "list contract/", ("list", "problem", "no")),
        (REFUSED, "list receipts/", ("receipts", "warning", "a producer alone")),
        (SILENT, "list receipts/", ("receipts", "problem", "no answer: 501")),
        (REFUSED, "get contract", ("read", "problem", "no")),
        (REFUSED, "get commits", ("read", "problem", "no")),
        (REFUSED, "get data", ("data", "warning", "a consumer alone")),
        (SILENT, "get data", ("data", "problem", "no answer")),
        (REFUSED, "create", ("conditional writes", "warning", "a producer alone")),
        (SILENT, "create", ("conditional writes", "problem", "no answer")),
        (None, "create", ("conditional writes", "problem", "although it stands there")),
    ],
)
def test_what_a_store_refuses_is_told(
    source: MockSource,
    error: PowerstageError | None,
    asked: str,
    expected: tuple[str, str, str],
) -> None:
    """A right that one side alone needs is a warning; what both need is a problem."""
    whole, store = MemoryStore(), Spoilt(error, asked)
    publish(source, whole, clock=clock)
    for info in whole.list(""):
        store.put(info.key, b"".join(whole.get(info.key)))
    (seen,) = (seen for seen in doctor._objects(store) if seen.state != "ok")
    subject, state, words = expected
    assert (seen.subject, seen.state) == (subject, state)
    assert words in seen.words
    assert seen.fix


def test_credentials_that_nobody_knows_are_told(
    delivered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused everywhere, the doctor still says all that it has seen."""

    def refuse(*_: object) -> None:
        raise REFUSED

    monkeypatch.setattr(S3Store, "list", refuse)
    monkeypatch.setattr(Bucket, "observe_settings", refuse)
    seen = diagnosed(delivered)
    assert [seen[subject].state for subject in ("endpoint", "list", "settings")] == [
        "ok",
        "problem",
        "problem",
    ]


@pytest.mark.parametrize("prefix", ["commits/", "data/"])
def test_what_was_spoilt_is_a_problem(source: MockSource, tmp_path: Path, prefix: str) -> None:
    """A commit that is none, or data that are gone: what says more is named."""
    store = FolderStore(tmp_path)
    publish(source, store, clock=clock)
    for info in list(store.list(prefix)):
        (tmp_path / info.key).unlink()
        if prefix == "commits/":
            store.put(info.key, b"{")
    (seen,) = (seen for seen in doctor._objects(store) if seen.state != "ok")
    assert (seen.subject, seen.state) == ("read" if prefix == "commits/" else "data", "problem")
    assert "powerstage validate" in seen.fix


def test_a_delivery_without_data_cannot_tell_of_them(source: MockSource) -> None:
    """Nothing that could be read is no proof of reading."""
    store, only = MemoryStore(), MemoryStore()
    publish(source, store, clock=clock)
    retract(store, source.contract, START, clock=clock)
    for info in store.list("commits/telemetry/"):
        if info.key.endswith("r000001.json"):
            only.put(info.key, b"".join(store.get(info.key)))
    (seen,) = (seen for seen in doctor._objects(only) if seen.subject == "data")
    assert (seen.state, "has none" in seen.words) == ("warning", True)


def test_a_worker_that_does_not_start_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads all that is delivered."""

    def die(*_: object) -> None:
        raise WorkerError("killed", cause="memory", fix="ulimit")

    monkeypatch.setattr(Checker, "ask_rows", die)
    seen = diagnosed(None)["worker"]
    assert (seen.state, seen.words, seen.fix) == ("problem", "killed: memory", "ulimit")


def test_a_library_that_is_too_old_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that mends it."""
    monkeypatch.setattr(metadata, "version", lambda name: "1.5.2")
    problems = [seen for seen in doctor._versions() if seen.state == "problem"]
    assert [(seen.words, seen.fix) for seen in problems] == [
        ("duckdb 1.5.2 is older than 1.5.3", "pip install 'duckdb>=1.5.3'"),
        ("boto3 1.5.2 is older than 1.36", "pip install 'boto3>=1.36'"),
    ]


def test_the_oldest_versions_are_those_of_the_package() -> None:
    """The doctor asks for what the package asks for."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    for name, oldest in doctor.OLDEST.items():
        (line,) = (line for line in wanted if line.startswith(name))
        assert line.split(",")[0] == f"{name}>={'.'.join(map(str, oldest))}"


@pytest.mark.parametrize("named", [True, False])
def test_the_document_is_described(tmp_path: Path, named: bool) -> None:
    """With a feed and without one; the lines go to standard error."""
    words = ["doctor", str(tmp_path), "--json"] if named else ["doctor", "--json"]
    done = CliRunner().invoke(cli, words)
    document = json.loads(done.stdout)
    require_described(document)
    assert document["feed"] == (str(tmp_path) if named else None)
    assert "ok       version: powerstage" in done.stderr
