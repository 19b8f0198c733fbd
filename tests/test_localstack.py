"""``localstack/up``: an S3 and a queue with no Docker, there until a signal comes."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
import yaml

from powerstage.producer import status as feed_status
from powerstage.sim import blind_to_aws
from powerstage.store import HintQueue, open_store
from tests.conftest import ROOT, clock
from tests.environments import UnreachableError
from tests.servers import NO_DOCKER, UP, localstack

COMPOSE = yaml.safe_load((ROOT / "localstack" / "compose.yaml").read_text("utf-8"))


def listens(host: str, port: int) -> bool:
    """Whether somebody takes a connection."""
    try:
        with socket.create_connection((host, port), timeout=5):
            return True
    except OSError:
        return False


def notified(bucket: str) -> str:
    """The URL of a queue that a bucket notifies of what is put."""
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="hints")["QueueUrl"]
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    boto3.client("s3").put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [
                {"QueueArn": told["Attributes"]["QueueArn"], "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    )
    return url


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal_comes(end: signal.Signals) -> None:
    """S3 notifies SQS, on this machine alone, with what is exported; then nothing answers."""
    try:
        with localstack(Path(), end=end) as settings:
            address = urlsplit(settings["AWS_ENDPOINT_URL"])
            assert address.hostname == "::1"
            assert address.port
            with blind_to_aws(settings):
                store = open_store("s3://bucket/feed", create_bucket=True)
                hints = HintQueue(notified("bucket"), store.url)
                store.put("a", b"x")
                # The first message may be S3's test.
                told = (hint.keys for _ in range(10) for hint in hints.receive(2) if hint.keys)
                assert next(told, None) == ("a",)
            assert not listens("127.0.0.1", address.port)
    except UnreachableError as error:
        pytest.skip(str(error))
    assert not listens("::1", address.port)


def test_without_a_python_3_13_it_says_how_to_get_one(tmp_path: Path) -> None:
    """Neither on PATH nor with pyenv nor with uv: an error for people, and nothing is left."""
    up = tmp_path / "localstack" / "up"
    up.parent.mkdir()
    shutil.copy(UP, up)
    nothing = {"PATH": "/nowhere", "HOME": "/nowhere", "PYENV_ROOT": "/nowhere"}
    done = subprocess.run(
        [sys.executable, up], capture_output=True, text=True, check=False, env=nothing
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "LocalStack needs Python 3.13" in done.stderr
    assert "pyenv install 3.13" in done.stderr
    assert list(tmp_path.rglob("*")) == [up.parent, up]


def test_a_port_that_is_taken_is_named() -> None:
    """Before anything is started: LocalStack itself would wait for ever."""
    with socket.socket(socket.AF_INET6) as other:
        other.bind(("::1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = subprocess.run(
            [UP, str(port)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=os.environ | NO_DOCKER,
        )
    assert done.returncode == 3
    assert f"port {port} of ::1 cannot be had" in done.stderr


def test_a_port_that_is_no_number_is_a_wrong_call() -> None:
    """Nothing is started."""
    done = subprocess.run([UP, "s3"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "up [PORT]" in done.stderr


def test_compose_serves_this_machine_alone_and_starts_moto_by_itself() -> None:
    """Every port is bound to 127.0.0.1; what wants an account or gets no fixes has a profile."""
    services = COMPOSE["services"]
    ports = [port for service in services.values() for port in service["ports"]]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert [name for name, service in services.items() if "profiles" not in service] == ["moto"]
    assert services["localstack-free"]["image"] == "localstack/localstack:4.14.0"


def test_the_demo_ends_well(tmp_path: Path) -> None:
    """All of it, with a server of its own; what it names is there to be looked at."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, ROOT / "localstack" / "demo.py"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=tmp_path,
        env=bare | NO_DOCKER | {"PYTHONPATH": str(ROOT)},
    )
    if done.returncode == 3:
        pytest.skip(done.stderr)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.count("✓ caught") == 8
    (look,) = re.findall(r"powerstage status (\S+)", done.stdout)
    status = feed_status(open_store(str(tmp_path / look)), clock=clock)
    assert status.verdicts("a") == status.verdicts("b")
    assert status.verdicts("a")["accepted"] == 28
