"""What S3 and its settings can do wrong, in words that a person can act on."""

import base64
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from powerstage.errors import (
    ObjectNotFoundError,
    PowerstageError,
    StoreRefusedError,
    StoreUnavailableError,
    UsageError,
)
from powerstage.sim import EmbeddedS3, blind_to_aws
from powerstage.store import FolderStore, MemoryStore, Store, is_local, open_store
from powerstage.store.s3 import S3Store

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@pytest.fixture
def stubbed() -> Iterator[tuple[S3Store, Stubber]]:
    """A store whose server says what it is told to say."""
    client: S3Client = boto3.client(
        "s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stubber:
        yield S3Store(client, "bucket", "feed"), stubber


def test_a_digest_that_is_known_is_what_s3_holds_the_body_to(
    stubbed: tuple[S3Store, Stubber],
) -> None:
    """It goes with the body as its checksum."""
    store, stubber = stubbed
    sha256 = hashlib.sha256(b"other").digest()
    said = {
        "ChecksumAlgorithm": "SHA256",
        "ChecksumSHA256": base64.b64encode(sha256).decode(),
    }
    wanted = {"Bucket": "bucket", "Key": "feed/a", "Body": ANY} | said
    stubber.add_response("put_object", {"ETag": "e"}, wanted)
    store.put("a", b"these", sha256=sha256.hex())
    stubber.assert_no_pending_responses()


@pytest.mark.parametrize(("sha256", "asked"), [("", {"ChecksumMode": "ENABLED"}), ("0" * 64, {})])
def test_bytes_are_checked_by_boto3_or_by_whoever_has_their_digest(
    stubbed: tuple[S3Store, Stubber], sha256: str, asked: dict[str, str]
) -> None:
    """Once: boto3 hashes what it gets unless the caller will."""
    store, stubber = stubbed
    body = {"ETag": "e", "Body": StreamingBody(BytesIO(b"these"), 5)}
    stubber.add_response("get_object", body, {"Bucket": "bucket", "Key": "feed/a"} | asked)
    assert b"".join(store.get("a", sha256=sha256)) == b"these"


def test_a_digest_that_is_known_is_kept_to_be_read_back(server: EmbeddedS3) -> None:
    """Without its algorithm some servers drop it, and a bit that flips on the way goes unseen."""
    with blind_to_aws(server.environment()):
        store = open_store("s3://checksums/feed", create_bucket=True)
        store.put("a", b"these", sha256=hashlib.sha256(b"these").hexdigest())
        head = boto3.client("s3").head_object(
            Bucket="checksums", Key="feed/a", ChecksumMode="ENABLED"
        )
    assert base64.b64decode(head["ChecksumSHA256"]) == hashlib.sha256(b"these").digest()


def test_a_dead_endpoint_is_named_with_a_fix() -> None:
    """Nothing listens: the error says where, and what decides about it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with blind_to_aws(
        {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
        }
    ):
        with pytest.raises(StoreUnavailableError, match=str(port)) as caught:
            next(open_store("s3://bucket/feed").list(""))
        assert "AWS_ENDPOINT_URL" in caught.value.fix
        assert caught.value.exit_code == 3


@pytest.mark.parametrize("verb", ["list", "get", "head", "put", "put_if_absent"])
def test_a_missing_bucket_is_named_with_the_command_that_makes_it(
    server: EmbeddedS3, verb: str
) -> None:
    """Every verb tells a missing bucket from a missing object."""
    with blind_to_aws(server.environment()):
        store = open_store("s3://no-such-bucket/feed")
        calls: dict[str, Callable[[], object]] = {
            "list": lambda: next(store.list("")),
            "get": lambda: store.get("a"),
            "head": lambda: store.head("a"),
            "put": lambda: store.put("a", b""),
            "put_if_absent": lambda: store.put_if_absent("a", b""),
        }
        with pytest.raises(StoreRefusedError, match="no bucket no-such-bucket") as caught:
            calls[verb]()
        assert "aws s3 mb s3://no-such-bucket" in caught.value.fix


class SaysYes(BaseHTTPRequestHandler):
    """A web server that answers 200 to everything, with one page."""

    page = b""

    def do_GET(self) -> None:
        """The page, whatever is asked."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.page)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.page)

    do_HEAD = do_PUT = do_GET  # noqa: N815 - their names there

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Nothing."""


@pytest.fixture
def web_server() -> Iterator[Store]:
    """A store at a web server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), SaysYes) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        settings = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
        endpoint = f"http://127.0.0.1:{web.server_port}"
        with blind_to_aws(settings | {"AWS_ENDPOINT_URL": endpoint}):
            yield open_store("s3://bucket/feed")
        web.shutdown()
        thread.join()


def _listing(time: str) -> bytes:
    return (
        "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>feed/a</Key>"
        f"<Size>1</Size><LastModified>{time}</LastModified></Contents></ListBucketResult>"
    ).encode()


@pytest.mark.parametrize("time", ["yesterday", "2026-13-01T00:00:00Z", "9" * 20])
def test_a_listing_with_a_time_that_is_none_is_of_no_s3(web_server: Store, time: str) -> None:
    """What cannot be a time is named with who sent it."""
    with (
        patch.object(SaysYes, "page", _listing(time)),
        pytest.raises(StoreRefusedError, match="is no S3"),
    ):
        list(web_server.list(""))


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-02T05:00:00.000Z",
        "2026-11-02T05:00:00",
        "2026-11-02T06:00:00+01:00",
        "Mon, 02 Nov 2026 05:00:00 GMT",
        "1793595600",
    ],
)
def test_a_time_is_read_in_whatever_form_it_is_sent(web_server: Store, time: str) -> None:
    """Those of listings and of headers, without a zone as UTC, and what else boto3 reads."""
    with patch.object(SaysYes, "page", _listing(time)):
        (found,) = web_server.list("")
    assert found.modified_at == datetime(2026, 11, 2, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "call",
    [
        lambda store: list(store.list("")),
        lambda store: store.get("a"),
        lambda store: store.head("a"),
        lambda store: store.put("a", b""),
        lambda store: store.put_if_absent("a", b""),
    ],
    ids=["list", "get", "head", "put", "put_if_absent"],
)
def test_a_web_server_that_says_yes_to_all_is_no_s3(
    web_server: Store, call: Callable[[Store], object]
) -> None:
    """An answer without an ETag, or a listing without its end, tells of no object."""
    with pytest.raises(StoreRefusedError, match="is no S3") as caught:
        call(web_server)
    assert caught.value.exit_code == 3


def test_missing_credentials_say_what_to_set(server: EmbeddedS3) -> None:
    """Which credentials, for what, and that a local S3 takes any."""
    settings = server.environment()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del settings[name]
    with blind_to_aws(settings), pytest.raises(StoreRefusedError, match="credentials") as caught:
        next(open_store("s3://bucket/feed").list(""))
    assert "AWS_ACCESS_KEY_ID=test" in caught.value.fix


def test_a_profile_that_is_not_there_is_named(server: EmbeddedS3) -> None:
    """A stale AWS_PROFILE is the user's to mend."""
    settings = server.environment() | {"AWS_PROFILE": "gone"}
    with blind_to_aws(settings), pytest.raises(StoreRefusedError, match="gone"):
        open_store("s3://bucket/feed")


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ConditionalRequestConflict", 409, StoreUnavailableError),
        ("InternalError", 500, StoreUnavailableError),
        ("SlowDown", 503, StoreUnavailableError),
        ("ExpiredToken", 400, StoreRefusedError),
        ("AccessDenied", 403, StoreRefusedError),
        ("InvalidAccessKeyId", 403, StoreRefusedError),
    ],
)
def test_an_unknown_outcome_is_told_from_a_refusal(
    stubbed: tuple[S3Store, Stubber], code: str, status: int, kind: type[PowerstageError]
) -> None:
    """409 and 5xx may have been carried out; 403 has not."""
    store, stubber = stubbed
    stubber.add_client_error("put_object", code, http_status_code=status)
    with pytest.raises(kind):
        store.put_if_absent("commits/x", b"")


def test_a_refusal_to_show_an_absent_object_means_absence(
    stubbed: tuple[S3Store, Stubber],
) -> None:
    """Without s3:ListBucket on the key, S3 answers 403 where it means 404."""
    store, stubber = stubbed
    stubber.add_client_error("get_object", "AccessDenied", http_status_code=403)
    stubber.add_response("list_objects_v2", {"Contents": [], "IsTruncated": False})
    with pytest.raises(ObjectNotFoundError):
        store.get("commits/x")


@pytest.mark.parametrize(
    "url", ["s3://", "s3://Ab", "s3://ab", "https://x/y", "", "s3://bucket/../x"]
)
def test_a_url_that_names_nothing_is_refused_early(url: str) -> None:
    """Before any request is made."""
    with pytest.raises(UsageError):
        open_store(url)


def test_slashes_at_the_end_do_not_matter(feed_url: str) -> None:
    """A feed is one place, however it is written."""
    open_store(feed_url + "//").put("a", b"x")
    assert b"".join(open_store(feed_url).get("a")) == b"x"


def test_only_a_server_on_this_machine_is_local(feed_url: str, tmp_path: Path) -> None:
    """Writing elsewhere must be allowed by name."""
    elsewhere: Store = S3Store(
        boto3.client("s3", endpoint_url="https://s3.eu-west-1.amazonaws.com"), "bucket"
    )
    assert [
        is_local(store)
        for store in (MemoryStore(), FolderStore(tmp_path), open_store(feed_url), elsewhere)
    ] == [True, True, True, False]
