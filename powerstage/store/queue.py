"""A queue of hints that something was written: S3's notifications, through SQS.

A hint may be lost, doubled, late, out of order, about another bucket, or no hint at all: it says
where to look, never what is there.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus, urlsplit

from powerstage.errors import StoreRefusedError, StoreUnavailableError, UsageError

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import DeleteMessageBatchRequestEntryTypeDef

# What SQS gives at once, and how long it waits for something to come.
_MESSAGES_MAX: Final = 10
_WAIT_SECONDS_MAX: Final = 2
_BODY_CHARACTERS_MAX: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """A message: the keys in the feed that it names, none where it is about something else."""

    keys: tuple[str, ...]
    receipt: str


class HintQueue:
    """The queue that a bucket notifies.

    Args:
        url: of the queue, as SQS says it.
        feed: the feed's URL, ``s3://bucket/prefix``: hints about other objects name nothing.

    Raises:
        UsageError: the feed is in no bucket, or the URL is none of a queue.
        StoreRefusedError: the AWS settings cannot be used.
    """

    def __init__(self, url: str, feed: str) -> None:
        if not feed.startswith("s3://"):
            raise UsageError(
                f"{feed} is in no bucket: nobody notifies of it", fix="leave --queue out"
            )
        if urlsplit(url).scheme not in {"http", "https"}:
            raise UsageError(
                f"{url!r} is no queue's URL",
                fix="aws sqs get-queue-url --queue-name NAME says it",
            )
        self._url = url
        self._bucket, _, self._prefix = feed.removeprefix("s3://").partition("/")
        self._client = _client(url)

    def receive(self, seconds: float) -> list[Hint]:
        """What came; waits for it so many seconds at most, rounded up, and no longer than two.

        Raises:
            StoreUnavailableError: the queue does not answer.
            StoreRefusedError: it refuses.
        """
        with self._translated():
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_MESSAGES_MAX,
                WaitTimeSeconds=min(_WAIT_SECONDS_MAX, ceil(seconds)),
            )
        return [
            Hint(
                keys=tuple(keys_in(message.get("Body", ""), self._bucket, self._prefix)),
                receipt=message["ReceiptHandle"],
            )
            for message in answer.get("Messages", [])
        ]

    def delete(self, hints: Sequence[Hint]) -> None:
        """Take hints off the queue; what was not taken off comes again.

        Raises:
            StoreUnavailableError, StoreRefusedError: as ``receive``.
        """
        if not hints:
            return
        entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
            {"Id": str(index), "ReceiptHandle": hint.receipt} for index, hint in enumerate(hints)
        ]
        with self._translated():
            self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            yield
        except ClientError as error:
            raise StoreRefusedError(
                f"the queue {self._url} refused",
                cause=str(error),
                fix="check --queue, and sqs:ReceiveMessage and sqs:DeleteMessage on it",
            ) from error
        except BotoCoreError as error:
            raise StoreUnavailableError(
                f"the queue {self._url} did not answer",
                cause=str(error),
                fix="run it again: nothing is lost, and without --queue nothing is missed",
            ) from error


def keys_in(body: str, bucket: str, prefix: str) -> Iterator[str]:
    """The keys below a prefix that a notification names; none of what is no notification.

    S3 sends a test event first, which has no records; keys are encoded as in a query.
    """
    try:
        records = json.loads(body[:_BODY_CHARACTERS_MAX])["Records"]
        named = [
            (record["s3"]["bucket"]["name"], record["s3"]["object"]["key"]) for record in records
        ]
    except (ValueError, LookupError, TypeError, RecursionError):
        return
    start = f"{prefix}/" if prefix else ""
    for name, encoded in named:
        if name == bucket and isinstance(encoded, str):
            key = unquote_plus(encoded)
            if key.startswith(start):
                yield key.removeprefix(start)


def _client(url: str) -> "SQSClient":
    import boto3  # noqa: PLC0415 - it takes half a second to import
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=30
    )
    try:
        session = boto3.session.Session()
        return session.client("sqs", region_name=session.region_name or _region(url), config=config)
    except (BotoCoreError, ValueError) as error:
        raise StoreRefusedError(
            f"cannot open {url}: {error}",
            cause="the AWS settings (environment, ~/.aws/config) cannot be used",
            fix="check AWS_PROFILE and AWS_ENDPOINT_URL: aws configure list",
        ) from error


def _region(url: str) -> str:
    """The region in a queue's URL: ``sqs.eu-west-1.amazonaws.com``."""
    parts = (urlsplit(url).hostname or "").split(".")
    return parts[1] if parts[0] == "sqs" and len(parts) > 2 else "us-east-1"
