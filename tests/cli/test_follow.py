"""``consume --follow``, a real process beside a real S3 and a real queue."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import boto3
import pytest
from click.testing import CliRunner

from powerstage.cli import cli
from powerstage.contract import Contract
from powerstage.producer import publish, retract, synthesise
from powerstage.sim import EmbeddedS3, blind_to_aws
from powerstage.store import Store, open_store
from tests.conftest import ROOT, START, clock
from tests.producer.conftest import HALF_DAYS, edited

BUCKET = "follow"
URL = f"s3://{BUCKET}/feed"


@pytest.fixture
def s3() -> Iterator[EmbeddedS3]:
    """A server of S3 and SQS that this process knows alone."""
    with EmbeddedS3() as server, blind_to_aws(server.environment()):
        server.create_bucket(BUCKET)
        yield server
        boto3.resource("s3").Bucket(BUCKET).objects.delete()
        boto3.client("s3").delete_bucket(Bucket=BUCKET)


@pytest.fixture
def notified(s3: EmbeddedS3) -> str:
    """The URL of a queue that the bucket notifies of commits."""
    del s3
    sqs, name = boto3.client("sqs"), "hints"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    boto3.client("s3").put_bucket_notification_configuration(
        Bucket=BUCKET,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn["QueueArn"], "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    return url


@pytest.fixture
def half_days(contract: Contract) -> Contract:
    """The default contract, but that a delivery covers 12 hours."""
    return edited(contract, HALF_DAYS)


@pytest.fixture
def store(s3: EmbeddedS3, half_days: Contract) -> Store:
    """A feed of one device over a day."""
    del s3
    store = open_store(URL)
    publish(synthesise(half_days, devices=1, start=START), store, clock=clock)
    return store


class Following:
    """The process, and the documents that it has printed."""

    def __init__(self, server: EmbeddedS3, *arguments: str) -> None:
        bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "powerstage", "consume", URL, "--follow", "--json", *arguments],
            env=bare | server.environment() | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def document(self) -> dict[str, Any]:
        """The next document."""
        found: dict[str, Any] = json.loads(self._lines.get(timeout=60))
        return found

    def end(self, signal_: signal.Signals) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(signal_)
        code = self.process.wait(timeout=60)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


Follow: TypeAlias = Callable[..., Following]


@pytest.fixture
def follow(s3: EmbeddedS3, tmp_path: Path) -> Iterator[Follow]:
    """Start following the feed; whatever becomes of it, no process is left."""
    started: list[Following] = []

    def start(*arguments: str) -> Following:
        started.append(Following(s3, "--into", str(tmp_path / "lake"), *arguments))
        return started[-1]

    yield start
    for following in started:
        following.end(signal.SIGKILL)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_notification_is_heard_and_it_stops_when_told_to(
    notified: str, follow: Follow, store: Store, how: signal.Signals, half_days: Contract
) -> None:
    """An hour before the next look, a retraction is judged; then it ends, with nothing wrong."""
    following = follow("--queue", notified, "--every", "3600")
    assert following.document()["new"] == 3
    retract(store, half_days, START, clock=clock)
    told = following.document()
    assert following.end(how) == 0
    assert [found["delivery"] for found in told["deliveries"]] == [
        "telemetry/2026-11-02T0000/r000001"
    ]
    assert len(list(store.list("receipts/"))) == 4


def test_without_a_queue_it_looks_now_and_then(
    follow: Follow, store: Store, half_days: Contract
) -> None:
    """As often as it was told to."""
    following = follow("--every", "0.1")
    following.document()
    retract(store, half_days, START, clock=clock)
    assert following.document()["new"] == 1
    assert following.end(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--queue", "http://127.0.0.1/q"], "--queue is for --follow"),
        (["--every", "60"], "--every is for --follow"),
        (["--follow", "--queue", "http://127.0.0.1/q"], "is in no bucket"),
    ],
)
def test_an_option_that_is_of_no_use_is_said_to_be(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    """Before anything is done."""
    feed, lake = str(tmp_path / "feed"), str(tmp_path / "lake")
    done = CliRunner().invoke(cli, ["consume", feed, "--into", lake, *arguments])
    assert done.exception is not None
    assert words in str(done.exception)
