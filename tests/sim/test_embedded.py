"""The embedded S3 and the blindfold: on this machine alone, seen whole, gone without a trace."""

import os
import socket
import threading
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from powerstage.sim import EmbeddedS3, blind_to_aws
from powerstage.store import open_store

LAPTOP = {
    "AWS_PROFILE": "gone",
    "AWS_ENDPOINT_URL": "http://s3.invalid",
    "AWS_SESSION_TOKEN": "stale",
    "HTTP_PROXY": "http://proxy.invalid:3128",
    "https_proxy": "http://proxy.invalid:3128",
    "ALL_PROXY": "socks5://proxy.invalid",
    "no_proxy": "example.org",
    "NO_PROXY": "example.org",
}


def answers(url: str, host: str = "") -> bool:
    """Whether something listens there."""
    parts = urlsplit(url)
    try:
        socket.create_connection((host or parts.hostname, parts.port or 0), timeout=5).close()
    except OSError:
        return False
    return True


def test_two_servers_stand_side_by_side() -> None:
    """Each has a port of its own, and counts its own requests."""
    with EmbeddedS3() as one, EmbeddedS3() as other:
        assert one.url != other.url
        one.create_bucket("side-by-side")
        with blind_to_aws(one.environment()):
            open_store("s3://side-by-side").put("a", b"x")
        with blind_to_aws(other.environment()):
            store = open_store("s3://side-by-side")
            assert [b"".join(store.get("a")) for _ in range(2)] == [b"x", b"x"]
        assert (one.requests, other.requests) == (1, 2)


def test_it_listens_on_this_machine_alone(server: EmbeddedS3) -> None:
    """On 127.0.0.1 and on no other address, not even one of this machine."""
    assert server.url.startswith("http://127.0.0.1:")
    assert answers(server.url)
    assert not answers(server.url, "127.0.0.2")


def test_every_request_is_seen_before_it_is_handled(tmp_path: Path) -> None:
    """Number from 1, method and path; and the number is counted by then."""
    seen: list[tuple[int, str, str]] = []
    with EmbeddedS3(on_request=lambda *request: seen.append(request)) as server:
        server.create_bucket("watched")
        with blind_to_aws(server.environment()):
            store = open_store("s3://watched/feed")
            (tmp_path / "file").write_bytes(b"x")
            store.put("a/b", tmp_path / "file")
            store.put_if_absent("c", b"x")
            list(store.get("a/b"))
            list(store.list(""))
        assert seen == [
            (1, "PUT", "/watched/feed/a/b"),
            (2, "PUT", "/watched/feed/c"),
            (3, "GET", "/watched/feed/a/b"),
            (4, "GET", "/watched"),
        ]
        assert server.requests == 4


def test_requests_at_once_are_each_counted_once() -> None:
    """Eight threads with five requests each are forty numbers."""
    numbers: list[int] = []
    with EmbeddedS3(on_request=lambda number, *_: numbers.append(number)) as server:
        server.create_bucket("busy")
        with blind_to_aws(server.environment()):
            store = open_store("s3://busy")

            def write() -> None:
                for _ in range(5):
                    store.put("a", b"x")

            threads = [threading.Thread(target=write) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert sorted(numbers) == list(range(1, 41))
        assert server.requests == 40


def test_it_is_gone_when_its_block_is_left() -> None:
    """Nothing listens any more, however the block was left."""
    with EmbeddedS3() as server:
        assert answers(server.url)
    assert not answers(server.url)
    with pytest.raises(RuntimeError, match="on purpose"), EmbeddedS3() as second:
        raise RuntimeError("on purpose")
    assert not answers(second.url)


@pytest.mark.parametrize("fails", [False, True], ids=["as planned", "by an exception"])
def test_the_blindfold_hides_all_and_restores_all(
    monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """Within, what was given is all that boto3 can see; afterwards all is as it was."""
    for name, value in LAPTOP.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_REGION", raising=False)
    given = {"AWS_REGION": "us-east-1", "AWS_PROFILE": "ours", "NO_PROXY": "127.0.0.1"}
    before = dict(os.environ)
    within = {}
    with pytest.raises(RuntimeError) if fails else nullcontext(), blind_to_aws(given):
        within = dict(os.environ)
        if fails:
            raise RuntimeError("on purpose")
    assert within == {name: text for name, text in before.items() if not hidden(name)} | given
    assert dict(os.environ) == before


def hidden(name: str) -> bool:
    """Whether a setting is about AWS or a proxy."""
    proxies = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
    return name.startswith("AWS_") or name.lower() in proxies


def test_a_blindfold_goes_over_a_blindfold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inner one gives way to the outer, and that to what was there."""
    monkeypatch.setenv("AWS_PROFILE", "gone")
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    with blind_to_aws({"AWS_REGION": "outer", "TZ": "UTC"}):
        with blind_to_aws({"AWS_REGION": "inner", "AWS_PROFILE": "inner"}):
            assert (os.environ["AWS_REGION"], os.environ["AWS_PROFILE"]) == ("inner", "inner")
            os.environ["AWS_ROLE_ARN"] = "left behind"
        assert "AWS_ROLE_ARN" not in os.environ
        assert (os.environ["AWS_REGION"], os.environ.get("AWS_PROFILE")) == ("outer", None)
    assert (os.environ["AWS_PROFILE"], os.environ["TZ"]) == ("gone", "Asia/Kolkata")


def test_a_server_can_be_used_under_a_laptops_stale_settings(
    server: EmbeddedS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile that is gone, another endpoint and proxies do not lead away from it."""
    for name, value in LAPTOP.items():
        monkeypatch.setenv(name, value)
    server.create_bucket("stale-laptop")
    before = server.requests
    with blind_to_aws(server.environment()):
        open_store("s3://stale-laptop").put("a", b"x")
    assert server.requests == before + 1
