"""A bucket to try things out in: made, seeded and deleted, and no other bucket is touched."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from powerstage.cli.dev_bucket import dev_bucket
from powerstage.contract import Contract, loads
from powerstage.errors import StoreRefusedError, StoreUnavailableError, UsageError
from powerstage.producer import MockSource, synthesise
from powerstage.sim import EmbeddedS3, blind_to_aws, seed_dev_bucket
from powerstage.store import open_bucket
from powerstage.store.bucket import Bucket
from tests.conftest import ROOT, START, clock


@pytest.fixture
def source(contract: Contract) -> MockSource:
    """A day of two devices, in one delivery."""
    text = contract.text.replace("value: 1\n    unit: h", "value: 1\n    unit: d")
    return synthesise(loads(text, "daily"), devices=2, start=START)


@pytest.fixture
def bucket(feed_url: str) -> Bucket:
    """A bucket that is not there yet."""
    return open_bucket(f"{feed_url.removesuffix('/feed')}-new/feed")


def test_a_bucket_is_made_set_up_and_seeded(bucket: Bucket, source: MockSource) -> None:
    """All its settings are as they should be, and the feed has its contract and deliveries."""
    seeded = seed_dev_bucket(bucket, source, clock=clock)
    assert (seeded.is_new, seeded.is_ours, len(seeded.published)) == (True, True, 2)
    assert {seen.state for seen in bucket.observe_settings()} == {"ok"}
    keys = [info.key.partition("/")[0] for info in bucket.store.list("")]
    assert keys == ["commits", "commits", "contract", "data", "data"]


def test_the_cost_is_what_was_sent(bucket: Bucket, source: MockSource) -> None:
    """Requests and bytes of objects; a dry run says the same beforehand, and sends none."""
    planned = seed_dev_bucket(bucket, source, clock=clock, dry_run=True)
    assert not bucket.is_there()
    seeded = seed_dev_bucket(bucket, source, clock=clock)
    assert seeded == planned
    assert seeded.requests == {"HEAD": 1, "LIST": 1, "PUT": 6}
    # The contract is sent twice: that it is refused the second time says that conditions count.
    contract = len(source.contract.text.encode())
    assert seeded.sent_bytes == contract + sum(info.size_bytes for info in bucket.store.list(""))


def test_a_dry_run_changes_nothing(feed_url: str, source: MockSource) -> None:
    """A bucket that is there stays as it is."""
    bucket = open_bucket(feed_url)
    bucket.create()
    before = bucket.observe_settings()
    seed_dev_bucket(bucket, source, clock=clock, dry_run=True)
    assert bucket.observe_settings() == before
    assert bucket.is_empty()


def test_what_was_cut_off_is_finished(
    bucket: Bucket, source: MockSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket of our own is gone on with, though it is not empty any more."""

    def fail(_: object, __: str, ___: bytes) -> bool:
        raise StoreUnavailableError("cut off")

    with monkeypatch.context() as cut:
        cut.setattr(type(bucket.store), "put_if_absent", fail)
        with pytest.raises(StoreUnavailableError):
            seed_dev_bucket(bucket, source, clock=clock)
    bucket.store.put("data/stray", b"x")
    seeded = seed_dev_bucket(bucket, source, clock=clock)
    assert (seeded.is_new, seeded.is_ours) == (False, True)
    assert {seen.state for seen in bucket.observe_settings()} == {"ok"}


def test_a_bucket_with_something_in_it_is_not_touched(feed_url: str, source: MockSource) -> None:
    """It is somebody's."""
    bucket = open_bucket(feed_url)
    bucket.store.put("notes", b"x")
    before = bucket.observe_settings()
    with pytest.raises(UsageError, match="is not empty"):
        seed_dev_bucket(bucket, source, clock=clock)
    assert [info.key for info in bucket.store.list("")] == ["notes"]
    assert bucket.observe_settings() == before


def test_a_bucket_of_others_is_checked_and_not_changed(feed_url: str, source: MockSource) -> None:
    """What is wrong with it is said, with what mends it."""
    bucket = open_bucket(feed_url)
    with pytest.raises(StoreRefusedError, match="not set up") as caught:
        seed_dev_bucket(bucket, source, clock=clock)
    assert "versioning is off" in caught.value.cause
    assert "put-bucket-versioning" in caught.value.fix
    assert bucket.is_empty()
    assert {seen.state for seen in bucket.observe_settings()} == {"warning"}


def test_a_bucket_of_others_that_is_as_it_should_be_is_seeded(
    feed_url: str, source: MockSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets deliveries, and neither our settings nor our tag."""
    # The S3 of these tests would refuse every object once the policy stands there.
    monkeypatch.setattr(Bucket, "observe_settings", lambda _: ())
    bucket = open_bucket(feed_url)
    seeded = seed_dev_bucket(bucket, source, clock=clock)
    assert (seeded.is_new, seeded.is_ours, len(seeded.published)) == (False, False, 2)
    assert not bucket.is_ours()


def test_another_feed_in_our_bucket_is_refused(bucket: Bucket, source: MockSource) -> None:
    """The policy would leave the first one unprotected."""
    seed_dev_bucket(bucket, source, clock=clock)
    other = open_bucket(bucket.store.url.replace("/feed", "/other"))
    with pytest.raises(StoreRefusedError, match="not the one for"):
        seed_dev_bucket(other, source, clock=clock)
    assert list(other.store.list("")) == []


def told(*words: str) -> str:
    """What the script says."""
    done = CliRunner().invoke(dev_bucket, [*words], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_the_script_goes_all_the_way_round(bucket: Bucket) -> None:
    """Dry run, seeding, dry teardown, teardown: each says what it did, or would do."""
    feed = bucket.store.url
    assert "25 deliveries would be published" in told(feed, "--devices", "1", "--dry-run")
    assert not bucket.is_there()
    said = told(feed, "--devices", "1")
    assert "25 deliveries published" in said
    assert "cost: 1 HEAD, 1 LIST, 52 PUT; " in said
    assert "51 versions of objects would be deleted" in told(feed, "--teardown", "--dry-run")
    assert "51 versions of objects deleted" in told(feed, "--teardown")
    assert not bucket.is_there()


@pytest.mark.parametrize("more", [(), ("--teardown",), ("--yes-write-to", "s3://another")])
def test_a_real_bucket_must_be_named_twice(more: tuple[str, ...]) -> None:
    """Before any request is made."""
    settings = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    with blind_to_aws(settings):
        done = CliRunner().invoke(dev_bucket, ["s3://our-bucket/feed", *more])
    assert isinstance(done.exception, UsageError)
    assert "--yes-write-to s3://our-bucket" in done.exception.fix


def test_the_script_tells_errors_as_every_command_does(server: EmbeddedS3) -> None:
    """What happened, and what to do; exit code 3."""
    module = "powerstage.cli.dev_bucket"
    assert f"-m {module} " in (ROOT / "scripts" / "seed-dev-bucket").read_text("utf-8")
    done = subprocess.run(
        [sys.executable, "-m", module, "s3://no-such-bucket/feed", "--teardown"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": str(ROOT), **server.environment()},
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error there is no bucket no-such-bucket")
