"""Servers that speak S3: where they differ from it, and which of them may hold a feed."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from powerstage.errors import StoreRefusedError
from powerstage.producer import MockSource, publish
from powerstage.store import open_store, read
from tests.conftest import Run, clock
from tests.servers import Settings
from tests.store.conftest import BUCKET
from tests.store.differences import CHECKSUM, COPY, CREATE, ORDER, SERVERS, STRANGER, expected

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# What comes back is looked at as it is.
PLAIN = Config(s3={"addressing_style": "path"}, response_checksum_validation="when_required")


@pytest.fixture(params=SERVERS)
def name(request: pytest.FixtureRequest) -> str:
    """Each server in turn."""
    return str(request.param)


@pytest.fixture
def client(server_url: str) -> tuple["S3Client", str]:
    """boto3's own client, and an empty prefix."""
    prefix = server_url.removeprefix(f"s3://{BUCKET}/")
    return boto3.session.Session().client("s3", config=PLAIN), prefix


def test_an_upload_is_held_to_its_checksum(name: str, client: tuple["S3Client", str]) -> None:
    """Bytes that are not those of the SHA-256 sent with them are refused."""
    s3, prefix = client
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    outcome = "stored"
    try:
        s3.put_object(Bucket=BUCKET, Key=f"{prefix}/a", Body=b"these", ChecksumSHA256=wrong)
    except ClientError:
        outcome = "refused"
    assert outcome == expected(name, CHECKSUM)


def test_a_wrong_secret_is_refused(
    name: str, client: tuple["S3Client", str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever does not know it reads nothing."""
    _, prefix = client
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    stranger = boto3.session.Session().client("s3", config=PLAIN)
    outcome = "let in"
    try:
        stranger.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    except ClientError:
        outcome = "refused"
    assert outcome == expected(name, STRANGER)


def test_a_listing_comes_in_the_order_of_bytes(name: str, client: tuple["S3Client", str]) -> None:
    """A hyphen stands before a slash."""
    s3, prefix = client
    for key in ("a/b", "a-b"):
        s3.put_object(Bucket=BUCKET, Key=f"{prefix}/{key}", Body=b"")
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/")["Contents"]
    order = " ".join(entry["Key"].removeprefix(f"{prefix}/") for entry in listed)
    assert {"a-b a/b": "by bytes", "a/b a-b": "by folders"}[order] == expected(name, ORDER)


def test_a_copy_replaces_nothing_if_none_may_be_there(
    name: str, client: tuple["S3Client", str]
) -> None:
    """Records are put, never copied: no server but one refuses this and leaves all as it was."""
    s3, prefix = client
    for key in ("old", "new"):
        s3.put_object(Bucket=BUCKET, Key=f"{prefix}/{key}", Body=key.encode())
    refused = False
    try:
        s3.copy_object(
            Bucket=BUCKET,
            Key=f"{prefix}/old",
            CopySource={"Bucket": BUCKET, "Key": f"{prefix}/new"},
            IfNoneMatch="*",
        )
    except ClientError:
        refused = True
    standing = s3.get_object(Bucket=BUCKET, Key=f"{prefix}/old")["Body"].read()
    outcomes = {
        (True, b"old"): "refused",
        (False, b"new"): "replaces it",
        (True, b"new"): "refused, but damages it",
    }
    assert outcomes[refused, standing] == expected(name, COPY)


def test_a_feed_is_published_where_a_second_create_is_refused(
    name: str, source: MockSource, server_url: str
) -> None:
    """And nowhere else: not even one data object is sent there."""
    store = open_store(server_url)
    if expected(name, CREATE) == "refused":
        assert len(publish(source, store, clock=clock)) == 25
        assert len(list(store.list("commits/"))) == 25
    else:
        with pytest.raises(StoreRefusedError, match="written once"):
            publish(source, store, clock=clock)
        contract = source.contract.text.encode()
        (info,) = store.list("")
        assert read(store, info.key, len(contract)) == contract


@pytest.mark.parametrize("name", ["rclone"])
def test_the_command_line_says_why_a_server_is_refused(
    running: Callable[[str], Settings],
    server_url: str,
    powerstage: Run,
    export: Path,
    name: str,
) -> None:
    """The environment failed: what happened, why, and where to read on."""
    done = powerstage("publish", export, server_url, **running(name))
    assert done.returncode == 3
    assert "writes over what must be written once" in done.stderr
    assert "412" in done.stderr
    assert "docs/stores.md" in done.stderr
