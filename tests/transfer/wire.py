"""S3 without a socket: boto3's requests go to moto one at a time, with faults on the way.

botocore's ``before-send`` is its last hook before the socket, and whoever answers there owns the
sending: the request can be lost, carried out with its reply lost, or delivered an hour late.
"""

import base64
import hashlib
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    ReadTimeoutError,
)
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.request import Request
from moto.s3.models import FakeKey, s3_backends
from moto.s3.responses import S3Response
from werkzeug.exceptions import HTTPException

from powerstage.sim.embedded import REGION
from powerstage.store import VersionedStore, open_store
from powerstage.store.s3 import S3Store
from tests.conftest import NOW

BUCKET: Final = "wire"
PREFIX: Final = "feed"
URL: Final = f"s3://{BUCKET}/{PREFIX}"

_ANY_FAULTS: Final = (
    "crash before",
    "crash after",
    "request lost",
    "reply lost",
    "connection reset",
    "500",
    "503",
)
WRITE_FAULTS: Final = (*_ANY_FAULTS, "applied, then 500", "409")
READ_FAULTS: Final = (*_ANY_FAULTS, "truncated", "bit flipped")
LIST_FAULTS: Final = _ANY_FAULTS
CRASHES: Final = frozenset({"crash before", "crash after"})
_ANSWERS: Final = {
    "409": (409, "ConditionalRequestConflict"),
    "500": (500, "InternalError"),
    "503": (503, "SlowDown"),
    "applied, then 500": (500, "InternalError"),
}
_UNSENT: Final = frozenset({"crash before", "request lost", "arrives late", "409", "500", "503"})
_UNHEARD: Final = {"reply lost": ReadTimeoutError, "connection reset": ConnectionClosedError}
_DAMAGES: Final = frozenset({"truncated", "bit flipped"})
_HTTP_OK: Final = 200
_HTTP_TAKEN: Final = 412


class Crash(BaseException):
    """The process is gone: what catches errors does not catch it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request as it went out; ``key`` is relative to the feed, empty for a listing."""

    method: str
    url: str
    key: str
    headers: dict[str, str]
    body: bytes

    @property
    def is_conditional(self) -> bool:
        """Whether it creates a record."""
        return "If-None-Match" in self.headers

    @property
    def faults(self) -> tuple[str, ...]:
        """What can happen to such a request."""
        if self.method == "PUT":
            return WRITE_FAULTS
        return READ_FAULTS if self.method == "GET" and self.key else LIST_FAULTS


class Caller(Protocol):
    """Who sends, and what happens to what he sends."""

    @property
    def name(self) -> str:
        """Whose requests these are."""
        ...

    def fault(self, sent: Sent) -> str | None:
        """The fault that this request meets; None for none."""
        ...

    def flipped_bit(self, body: bytes) -> int:
        """Which bit of a body is turned."""
        ...


class Wire:
    """One client of boto3, whose requests are answered by moto within the process.

    Each thread sends in the name of its caller; one that has none, in that of the last.
    The bucket keeps versions, and takes ``now`` for the time.
    ``seen`` counts what was worth seeing.
    """

    def __init__(self) -> None:
        self.now = NOW
        store = open_store(URL, endpoint_url="http://localhost")
        assert isinstance(store, S3Store)
        self._client = store._client
        events: Any = self._client.meta.events
        events.register_first("before-send.s3", self._send)
        self._local = threading.local()
        self._last: Caller | None = None
        # moto looks, and then writes: two at a time could both be the first.
        self._one_at_a_time = threading.Lock()
        self.late: list[tuple[str, Sent]] = []
        self.seen: Counter[str] = Counter()
        self._writers: dict[str, str] = {}
        self._backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        if BUCKET not in self._backend.buckets:
            self._backend.create_bucket(BUCKET, REGION)
        self._bucket = self._backend.buckets[BUCKET]
        self._bucket.versioning_status = "Enabled"
        self.empty()

    def clock(self) -> datetime:
        """The time."""
        return self.now

    @property
    def store(self) -> VersionedStore:
        """The feed, as the product opens it."""
        return S3Store(self._client, BUCKET, PREFIX)

    def empty(self) -> None:
        """Forget every object, and what is still on its way."""
        for name in list(self._bucket.keys):
            self._bucket.keys.pop(name)
        self.now = NOW
        self.late.clear()
        self._writers.clear()

    def objects(self) -> dict[str, bytes]:
        """Every object of the feed, by a look into the server."""
        start = len(PREFIX) + 1
        last = self._bucket.keys.items()
        return {name[start:]: key.value for name, key in last if isinstance(key, FakeKey)}

    def written_at(self, key: str) -> datetime | None:
        """When an object was written last; None if it is not there."""
        found: FakeKey | None = self._bucket.keys.get(f"{PREFIX}/{key}")
        return None if found is None else found.last_modified.replace(tzinfo=UTC)

    def put(self, objects: dict[str, bytes]) -> None:
        """Lay objects down, unseen by anybody."""
        for key, body in objects.items():
            checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
            stored = self._backend.put_object(
                BUCKET, f"{PREFIX}/{key}", body, checksum_value=checksum
            )
            stored.checksum_algorithm = "SHA256"

    @contextmanager
    def used_by(self, caller: Caller) -> Iterator[None]:
        """Within, this thread sends in the name of a caller."""
        before = getattr(self._local, "caller", None)
        self._local.caller = self._last = caller
        try:
            yield
        finally:
            self._local.caller = before

    def deliver_late(self, index: int) -> None:
        """Carry out a request whose sender has given it up."""
        name, sent = self.late.pop(index)
        if self._apply(sent, name).status_code == _HTTP_OK and sent.is_conditional:
            self.seen["late arrival applied"] += 1

    def _send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        caller = getattr(self._local, "caller", None) or self._last
        assert caller is not None, "a request that nobody sends"
        sent = _sent(request)
        fault = caller.fault(sent)
        if fault in _UNSENT:
            return self._lose(caller, sent, fault)
        response = self._apply(sent, caller.name)
        if fault == "crash after":
            raise Crash
        if fault in _UNHEARD:
            raise _UNHEARD[fault](endpoint_url=sent.url)
        if fault == "applied, then 500":
            return _answer(sent, *_ANSWERS[fault])
        if fault in _DAMAGES and response.status_code == _HTTP_OK:
            body = response.raw.getvalue()
            damaged = body[: len(body) // 2]
            if fault == "bit flipped":
                damaged = _flipped(body, caller.flipped_bit(body))
            return _response(sent, _HTTP_OK, response.headers, damaged)
        return response

    def _lose(self, caller: Caller, sent: Sent, fault: str) -> AWSResponse:
        """What the server is not told, or not yet."""
        if fault == "crash before":
            raise Crash
        if fault == "request lost":
            raise ConnectTimeoutError(endpoint_url=sent.url)
        if fault == "arrives late":
            self.late.append((caller.name, sent))
            raise ReadTimeoutError(endpoint_url=sent.url)
        self.seen[fault] += 1
        return _answer(sent, *_ANSWERS[fault])

    def _apply(self, sent: Sent, name: str) -> AWSResponse:
        """What moto does with it."""
        request = Request.from_primitives(sent.method, sent.url, sent.headers, sent.body)
        handle = S3Response.key_dispatch if sent.key else S3Response.ambiguous_dispatch
        with self._one_at_a_time:
            try:
                status, headers, body = handle(request, request.url, request.headers)
            except HTTPException as error:
                status, headers, body = error.code or 500, dict(error.get_headers()), ""
        if sent.is_conditional:
            if status == _HTTP_OK:
                self._writers[sent.key] = name
            elif status == _HTTP_TAKEN:
                is_own = self._writers.get(sent.key) == name
                self.seen["412 own" if is_own else "412 other"] += 1
        return _response(sent, status, headers, body)


def _sent(request: AWSPreparedRequest) -> Sent:
    body: Any = request.body
    path = request.url.partition("?")[0].partition(f"/{BUCKET}")[2]
    return Sent(
        method=request.method,
        url=request.url,
        key=path.removeprefix("/").removeprefix(f"{PREFIX}/"),
        headers={
            name: value.decode() if isinstance(value, bytes) else value
            for name, value in dict[str, Any](request.headers).items()
        },
        body=body.read() if hasattr(body, "read") else body or b"",
    )


def _response(
    sent: Sent, status: int, headers: Mapping[str, str], body: bytes | str
) -> AWSResponse:
    answered: Any = headers
    return AWSResponse(sent.url, status, answered, MockRawResponse(body))


def _answer(sent: Sent, status: int, code: str) -> AWSResponse:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>fault</Message></Error>"
    headers = {"content-type": "application/xml", "content-length": str(len(body))}
    return _response(sent, status, headers, "" if sent.method == "HEAD" else body)


def _flipped(body: bytes, bit: int) -> bytes:
    spoilt = bytearray(body)
    spoilt[bit // 8] ^= 1 << bit % 8
    return bytes(spoilt)
