"""A bucket as a whole: what its settings are, and that only our own is ever deleted."""

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from powerstage.errors import StoreRefusedError, UsageError
from powerstage.sim import EmbeddedS3, blind_to_aws
from powerstage.store import CountingStore, MemoryStore, Observation, open_bucket, policy
from powerstage.store.account import observe_credentials, observe_endpoint
from powerstage.store.bucket import Bucket
from powerstage.store.s3 import S3Store

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_numbers = itertools.count(1)


@pytest.fixture
def bucket(server: EmbeddedS3) -> Iterator[Bucket]:
    """A bucket that is not there yet, with a feed that is not there either."""
    with blind_to_aws(server.environment()):
        yield open_bucket(f"s3://whole-{next(_numbers)}/feed")


@pytest.fixture
def stubbed() -> Iterator[tuple[Bucket, Stubber]]:
    """A bucket whose server says what it is told to say."""
    client: S3Client = boto3.client(
        "s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stubber:
        yield Bucket(S3Store(client, "bucket", "feed")), stubber


def states(observations: tuple[Observation, ...]) -> dict[str, str]:
    """What was observed, without the words."""
    return {seen.subject: seen.state for seen in observations}


READS = [
    "get_public_access_block",
    "get_bucket_ownership_controls",
    "get_bucket_encryption",
    "get_bucket_versioning",
    "get_bucket_lifecycle_configuration",
    "get_bucket_policy",
]
SETTINGS = ["public access", "ownership", "encryption", "versioning", "lifecycle", "bucket policy"]


def test_a_plain_bucket_lacks_every_setting(bucket: Bucket) -> None:
    """Each is told with a fix."""
    bucket.create()
    observed = bucket.observe_settings()
    assert states(observed) == dict.fromkeys(SETTINGS, "warning")
    assert all(seen.fix for seen in observed)


def test_a_bucket_that_was_set_up_lacks_the_policy_alone(bucket: Bucket) -> None:
    """It comes last, because it may refuse what is still to be done."""
    bucket.create()
    bucket.set_up()
    assert states(bucket.observe_settings()) == dict.fromkeys(SETTINGS, "ok") | {
        "bucket policy": "warning"
    }
    bucket.close_up()
    assert states(bucket.observe_settings()) == dict.fromkeys(SETTINGS, "ok")


def test_what_was_added_to_the_policy_stays(bucket: Bucket) -> None:
    """A grant for the other company, say: ours is not put where it stands."""
    bucket.create()
    added = policy("bucket", bucket=bucket.store.bucket, prefix=bucket.store.prefix)
    added["Statement"].append(
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::999999999999:root"},
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{bucket.store.bucket}/feed/*",
        }
    )
    text = json.dumps(added)
    bucket.store.client.put_bucket_policy(Bucket=bucket.store.bucket, Policy=text)
    bucket.require_no_other_policy()
    bucket.close_up()
    assert bucket.store.client.get_bucket_policy(Bucket=bucket.store.bucket)["Policy"] == text


def test_the_policy_of_another_feed_is_no_protection(bucket: Bucket) -> None:
    """It is seen, and never replaced unawares."""
    bucket.create()
    bucket.close_up()
    bucket.require_no_other_policy()
    other = Bucket(S3Store(bucket.store.client, bucket.store.bucket, "other"))
    assert states(other.observe_settings())["bucket policy"] == "warning"
    with pytest.raises(StoreRefusedError, match="not the one for"):
        other.require_no_other_policy()


def test_a_policy_with_a_statement_less_is_told_by_name(bucket: Bucket) -> None:
    """What is missing is named."""
    bucket.create()
    wanted = policy("bucket", bucket=bucket.store.bucket, prefix=bucket.store.prefix)
    del wanted["Statement"][1]
    bucket.store.client.put_bucket_policy(Bucket=bucket.store.bucket, Policy=json.dumps(wanted))
    (seen,) = (seen for seen in bucket.observe_settings() if seen.subject == "bucket policy")
    assert (seen.state, seen.words.rpartition("about ")[2]) == ("warning", "RecordsAreWrittenOnce")


ABORTS = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}
EXPIRES = {"Expiration": {"Days": 30}}


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        (ABORTS | {"Filter": {"Prefix": ""}}, "ok"),
        (EXPIRES | {"Filter": {"Prefix": ""}}, "problem"),
        (EXPIRES | {"Filter": {"Prefix": "feed/commits/inventory/"}}, "problem"),
        (EXPIRES | {"Filter": {"Prefix": "feed/receipts/"}, "Status": "Disabled"}, "warning"),
        (EXPIRES | {"Filter": {"Prefix": "feed/data/"}}, "warning"),
        (EXPIRES | {"Filter": {"Prefix": "other/"}}, "warning"),
        (EXPIRES | {"Filter": {"Tag": {"Key": "a", "Value": "b"}}}, "warning"),
        (
            {"Transitions": [{"Days": 30, "StorageClass": "GLACIER"}], "Filter": {"Prefix": ""}},
            "problem",
        ),
    ],
)
def test_a_rule_that_takes_records_away_is_a_problem(
    bucket: Bucket, rule: dict[str, Any], state: str
) -> None:
    """Whatever else it is about; data may go, in their time."""
    bucket.create()
    bucket.store.client.put_bucket_lifecycle_configuration(
        Bucket=bucket.store.bucket,
        LifecycleConfiguration={"Rules": [{"ID": "a", "Status": "Enabled"} | rule]},  # type: ignore[list-item]
    )
    assert states(bucket.observe_settings())["lifecycle"] == state


def test_settings_that_may_not_be_seen_are_one_line(stubbed: tuple[Bucket, Stubber]) -> None:
    """A producer or a consumer need not see them: they are no problem of his."""
    bucket, stubber = stubbed
    for verb in READS:
        stubber.add_client_error(verb, "AccessDenied", http_status_code=403)
    (seen,) = bucket.observe_settings()
    assert (seen.subject, seen.state) == ("settings", "warning")
    assert all(name in seen.words for name in SETTINGS)


def test_a_server_may_have_no_such_setting(stubbed: tuple[Bucket, Stubber]) -> None:
    """Not all that is called S3 has all of it."""
    bucket, stubber = stubbed
    for verb in READS:
        stubber.add_client_error(verb, "NotImplemented", http_status_code=501)
    observed = bucket.observe_settings()
    assert states(observed) == dict.fromkeys(SETTINGS, "warning")
    assert {seen.words for seen in observed} == {"this S3 has no such setting"}


def test_a_bucket_that_we_made_is_deleted_with_every_version(bucket: Bucket) -> None:
    """What was overwritten and what was deleted goes, too; a policy is not in the way."""
    bucket.create()
    bucket.set_up()
    for body in (b"1", b"2"):
        bucket.store.put("data/a", body)
    bucket.store.client.delete_object(Bucket=bucket.store.bucket, Key="feed/data/a")
    bucket.close_up()
    assert not bucket.is_empty()
    assert bucket.delete(dry_run=True) == 3
    assert bucket.is_there()
    assert bucket.delete() == 3
    assert not bucket.is_there()


@pytest.mark.parametrize("tags", [{}, {"powerstage": "other"}, {"team": "dev-bucket"}])
def test_a_bucket_that_we_did_not_make_is_never_deleted(
    feed_url: str, tags: dict[str, str]
) -> None:
    """It lacks the tag, and keeps what is in it."""
    bucket = open_bucket(feed_url)
    bucket.store.put("a", b"x")
    if tags:
        bucket.store.client.put_bucket_tagging(
            Bucket=bucket.store.bucket,
            Tagging={"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]},
        )
    for dry_run in (True, False):
        with pytest.raises(StoreRefusedError, match="not made by powerstage") as caught:
            bucket.delete(dry_run=dry_run)
        assert "nothing was deleted" in caught.value.fix
    assert b"".join(bucket.store.get("a")) == b"x"


def test_an_object_that_stays_is_named(stubbed: tuple[Bucket, Stubber]) -> None:
    """S3 answers 200 where it deletes nothing."""
    bucket, stubber = stubbed
    tags = [{"Key": "powerstage", "Value": "dev-bucket"}]
    stubber.add_response("get_bucket_tagging", {"TagSet": tags})
    stubber.add_response("delete_bucket_policy", {})
    version = {"Key": "feed/a", "VersionId": "1"}
    stubber.add_response("list_object_versions", {"Versions": [version], "IsTruncated": False})
    stubber.add_response(
        "delete_objects", {"Errors": [{"Key": "feed/a", "Code": "AccessDenied", "Message": "no"}]}
    )
    with pytest.raises(StoreRefusedError, match="keeps feed/a"):
        bucket.delete()


def test_a_bucket_of_somebody_else_is_told_from_an_absent_one(
    stubbed: tuple[Bucket, Stubber],
) -> None:
    """All of S3 shares its names."""
    bucket, stubber = stubbed
    stubber.add_client_error("head_bucket", "403", http_status_code=403)
    with pytest.raises(StoreRefusedError, match="not to be seen"):
        bucket.is_there()


def test_a_folder_is_in_no_bucket() -> None:
    """A bucket is named by its URL."""
    with pytest.raises(UsageError, match="in no bucket"):
        open_bucket("feed")


NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
AT_NOON = "Sat, 28 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("seconds", "state", "words"),
    [
        (0, "ok", "agree"),
        (61, "ok", "agree"),
        (-60, "ok", "agree"),
        (62, "warning", "1.0 minutes ahead of"),
        (-120, "warning", "2.0 minutes behind"),
        (901, "problem", "15.0 minutes ahead of"),
        (-900, "problem", "15.0 minutes behind"),
    ],
)
def test_clocks_that_differ_are_told(
    stubbed: tuple[Bucket, Stubber], seconds: int, state: str, words: str
) -> None:
    """A minute is noted, a quarter of an hour is what S3 refuses."""
    bucket, stubber = stubbed
    metadata = {"HTTPHeaders": {"date": AT_NOON}, "HTTPStatusCode": 200}
    stubber.add_response("head_bucket", {"ResponseMetadata": metadata})
    _, seen = observe_endpoint(bucket.store, lambda: NOW + timedelta(seconds=seconds))
    assert (seen.subject, seen.state) == ("clock", state)
    assert words in seen.words


def test_a_server_without_a_date_is_told(stubbed: tuple[Bucket, Stubber]) -> None:
    """Nothing is guessed."""
    bucket, stubber = stubbed
    stubber.add_response("head_bucket", {"ResponseMetadata": {"HTTPStatusCode": 200}})
    assert states(observe_endpoint(bucket.store, lambda: NOW)) == {
        "endpoint": "ok",
        "clock": "warning",
    }


@pytest.mark.parametrize(("code", "state"), [("404", "problem"), ("403", "ok"), ("301", "problem")])
def test_an_endpoint_that_answers_is_ok_even_if_it_refuses(
    stubbed: tuple[Bucket, Stubber], code: str, state: str
) -> None:
    """A bucket need not be ours to see as a whole; but it must be there, in this region."""
    bucket, stubber = stubbed
    stubber.add_client_error("head_bucket", code, http_status_code=int(code))
    assert states(observe_endpoint(bucket.store, lambda: NOW))["endpoint"] == state


def test_no_sts_is_asked_but_that_of_the_s3(server: EmbeddedS3) -> None:
    """An S3 of one's own may have none; AWS need not hear of it."""
    settings = server.environment()
    settings["AWS_ENDPOINT_URL_S3"] = settings.pop("AWS_ENDPOINT_URL")
    settings["AWS_ENDPOINT_URL_STS"] = "http://127.0.0.1:9"
    with blind_to_aws(settings):
        bucket = open_bucket("s3://identity-bucket/feed")
        bucket.create()
        seen = bucket.observe_access(lambda: NOW)[-1]
    assert (seen.subject, seen.state) == ("identity", "warning")
    assert "no STS is known" in seen.words


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (lambda settings: None, "ok"),
        (lambda settings: settings.pop("AWS_ACCESS_KEY_ID"), "warning"),
        (lambda settings: settings.update(AWS_PROFILE="gone"), "problem"),
    ],
)
def test_credentials_are_found_or_missed(
    server: EmbeddedS3, change: Callable[[dict[str, str]], object], state: str
) -> None:
    """Without them there are folders; a profile that is not there is to be mended."""
    settings = server.environment()
    change(settings)
    with blind_to_aws(settings):
        assert observe_credentials().state == state


def test_requests_are_counted_by_what_s3_calls_them() -> None:
    """A listing is a request for each thousand keys; bytes are those sent."""
    counting = CountingStore(MemoryStore())
    for number in range(1_001):
        counting.put(f"a{number}", b"xy")
    counting.put_if_absent("b", b"z")
    assert len(list(counting.list("a"))) == 1_001
    counting.get("b")
    counting.head("b")
    assert counting.requests == {"PUT": 1_002, "LIST": 2, "GET": 1, "HEAD": 1}
    assert counting.sent_bytes == 2_003
