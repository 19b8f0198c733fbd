"""The policies for AWS: who may do what, and that it is enough for what is really asked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import boto3
import pytest

from powerstage.consumer import Lake, consume
from powerstage.contract import Contract
from powerstage.faults import Injector, plan_faults
from powerstage.producer import MockSource, publish, retract, status
from powerstage.store import HintQueue, open_bucket, policy
from powerstage.store.policy import PolicyName, statements
from powerstage.store.s3 import S3Store
from tests.conftest import START, clock
from tests.store.iam import Context, is_allowed

BUCKET, ACCOUNT = "our-bucket", "123456789012"
SLOT = "telemetry/2026-11-02T0500/r000000"
COMMIT, DATA = f"commits/{SLOT}.json", f"data/telemetry/date=2026-11-02/{'0' * 64}.parquet"
CONTRACT = "contract/power-telemetry/1.0.0.odcs.yaml"
RECEIPT, OTHERS_RECEIPT = f"receipts/consumer/{SLOT}.j01.json", f"receipts/other/{SLOT}.j01.json"
PUT, GET, LIST = "s3:PutObject", "s3:GetObject", "s3:ListBucket"
DELETE, DELETE_VERSION, VERSIONS = (
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:ListBucketVersions",
)
TAKE, TAKE_OFF, HINT = "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:SendMessage"
QUEUE = f"arn:aws:sqs:eu-central-1:{ACCOUNT}:hints"
OTHERS_QUEUE = f"arn:aws:sqs:eu-central-1:{ACCOUNT}:others"
QUEUE_ELSEWHERE = "arn:aws:sqs:eu-central-1:999999999999:hints"
ONCE = {"s3:if-none-match": "*"}
PLAIN_HTTP = {"aws:SecureTransport": "false"}
ELSEWHERE = {"aws:ResourceAccount": "999999999999"}
PART = {"s3:ObjectCreationOperation": "false"}

# Who, does what, to which key or queue (or lists which prefix), how: may he?
TABLE: list[tuple[PolicyName, str, str, Context, bool]] = [
    ("producer", PUT, DATA, {}, True),
    ("producer", PUT, DATA, PLAIN_HTTP, False),
    ("producer", PUT, DATA, ELSEWHERE, False),
    ("producer", PUT, COMMIT, ONCE, True),
    ("producer", PUT, COMMIT, {}, False),
    ("producer", PUT, COMMIT, {"s3:if-match": "etag"}, False),
    ("producer", PUT, COMMIT, PART, False),
    ("producer", PUT, COMMIT, ONCE | PLAIN_HTTP, False),
    ("producer", PUT, CONTRACT, ONCE, True),
    ("producer", PUT, CONTRACT, {}, False),
    ("producer", PUT, RECEIPT, ONCE, False),
    ("producer", GET, CONTRACT, {}, True),
    ("producer", GET, COMMIT, {}, True),
    ("producer", GET, RECEIPT, {}, True),
    ("producer", GET, DATA, {}, False),
    ("producer", LIST, "commits/", {}, True),
    ("producer", LIST, "receipts/", {}, True),
    ("producer", LIST, CONTRACT, {}, True),
    ("producer", LIST, COMMIT, {}, True),
    ("producer", LIST, "data/", {}, True),
    ("producer", LIST, "", {}, False),
    ("producer", DELETE, COMMIT, {}, False),
    ("producer", DELETE, DATA, {}, False),
    ("producer", DELETE_VERSION, DATA, {}, False),
    ("consumer", GET, CONTRACT, {}, True),
    ("consumer", GET, COMMIT, {}, True),
    ("consumer", GET, DATA, {}, True),
    ("consumer", GET, DATA, PLAIN_HTTP, False),
    ("consumer", GET, DATA, ELSEWHERE, False),
    ("consumer", GET, RECEIPT, {}, True),
    ("consumer", GET, OTHERS_RECEIPT, {}, False),
    ("consumer", LIST, "commits/", {}, True),
    ("consumer", LIST, "contract/", {}, True),
    ("consumer", LIST, DATA, {}, True),
    ("consumer", LIST, RECEIPT, {}, True),
    ("consumer", LIST, "receipts/", {}, False),
    ("consumer", LIST, OTHERS_RECEIPT, {}, False),
    ("consumer", PUT, RECEIPT, ONCE, True),
    ("consumer", PUT, RECEIPT, {}, False),
    ("consumer", PUT, OTHERS_RECEIPT, ONCE, False),
    ("consumer", PUT, COMMIT, ONCE, False),
    ("consumer", PUT, CONTRACT, ONCE, False),
    ("consumer", PUT, DATA, {}, False),
    ("consumer", DELETE, RECEIPT, {}, False),
    ("consumer", DELETE_VERSION, DATA, {}, False),
    ("consumer", TAKE, QUEUE, {}, True),
    ("consumer", TAKE_OFF, QUEUE, {}, True),
    ("consumer", HINT, QUEUE, {}, False),
    ("consumer", TAKE, OTHERS_QUEUE, {}, False),
    ("consumer", TAKE_OFF, OTHERS_QUEUE, {}, False),
    ("consumer", TAKE, QUEUE_ELSEWHERE, {}, False),
    ("producer", TAKE, QUEUE, {}, False),
    ("producer", TAKE_OFF, QUEUE, {}, False),
    ("janitor", TAKE, QUEUE, {}, False),
    ("janitor", LIST, "commits/", {}, True),
    ("janitor", VERSIONS, "data/", {}, True),
    ("janitor", VERSIONS, "receipts/", {}, False),
    ("janitor", GET, COMMIT, {}, True),
    ("janitor", GET, DATA, {}, False),
    ("janitor", DELETE_VERSION, DATA, {}, True),
    ("janitor", DELETE, DATA, {}, False),
    ("janitor", DELETE_VERSION, COMMIT, {}, False),
    ("janitor", DELETE_VERSION, CONTRACT, {}, False),
    ("janitor", PUT, DATA, {}, False),
]
# What a person may do who may do everything: only the bucket's own policy is in the way.
OWNER: dict[str, Any] = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
OWNERS_TABLE: list[tuple[str, str, Context, bool]] = [
    (PUT, COMMIT, {}, False),
    (PUT, COMMIT, ONCE, True),
    (PUT, COMMIT, PART, True),
    (PUT, CONTRACT, {}, False),
    (PUT, RECEIPT, {}, False),
    (PUT, DATA, {}, True),
    (PUT, DATA, PLAIN_HTTP, False),
    (DELETE, COMMIT, {}, False),
    (DELETE_VERSION, RECEIPT, {}, False),
    (DELETE_VERSION, CONTRACT, {}, False),
    (DELETE_VERSION, DATA, {}, True),
]


def filled(name: PolicyName, bucket: str = BUCKET, prefix: str = "feed/") -> dict[str, Any]:
    """A policy for the bucket of these tests."""
    return policy(
        name, bucket=bucket, prefix=prefix, consumer="consumer", queue="hints", account=ACCOUNT
    )


def may(
    identity: dict[str, Any],
    action: str,
    place: str,
    context: Context,
    *,
    bucket: str = BUCKET,
) -> bool:
    """Whether a request goes through, at a bucket that has the bucket's policy."""
    whole = {"aws:SecureTransport": "true", "aws:ResourceAccount": ACCOUNT}
    resource = f"arn:aws:s3:::{bucket}"
    if action.startswith("sqs:"):
        resource = place
    elif action in {LIST, VERSIONS}:
        whole["s3:prefix"] = f"feed/{place}"
    else:
        resource += f"/feed/{place}"
    if action == PUT:
        whole["s3:ObjectCreationOperation"] = "true"
    return is_allowed(identity, filled("bucket", bucket), action, resource, whole | context)


@pytest.mark.parametrize(("actor", "action", "place", "context", "expected"), TABLE)
def test_an_actor_may_do_what_he_needs_and_no_more(
    actor: PolicyName, action: str, place: str, context: Context, expected: bool
) -> None:
    """The table says who may do what, to which key, and how."""
    assert may(filled(actor), action, place, context) is expected


@pytest.mark.parametrize(("action", "place", "context", "expected"), OWNERS_TABLE)
def test_nobody_at_all_may_spoil_a_record(
    action: str, place: str, context: Context, expected: bool
) -> None:
    """The bucket's policy binds those, too, who may do everything else."""
    assert may(OWNER, action, place, context) is expected


def test_no_actor_has_a_right_in_another_feed() -> None:
    """Every right in the bucket ends at the feed's prefix."""
    for actor, action, place, context, _ in TABLE:
        if action.startswith("s3:"):
            assert not may(filled(actor, prefix="fee/"), action, place, context)


@pytest.fixture
def asked(feed_url: str) -> Callable[[], tuple[S3Store, list[tuple[str, str, Context]]]]:
    """A store on the feed, and what it asks of S3, in the words of policies."""

    def opened() -> tuple[S3Store, list[tuple[str, str, Context]]]:
        store = open_bucket(feed_url).store
        requests: list[tuple[str, str, Context]] = []

        def note(params: dict[str, Any], model: Any, **_: object) -> None:
            if model.name == "HeadBucket":
                # Where it is refused, the store goes on.
                return
            action = {"ListObjectsV2": LIST, "PutObject": PUT}.get(model.name, GET)
            place = str(params.get("Key", params.get("Prefix"))).removeprefix("feed/")
            once = {"s3:if-none-match": params["IfNoneMatch"]} if "IfNoneMatch" in params else {}
            requests.append((action, place, once))

        store.client.meta.events.register("provide-client-params.s3", note)
        return store, requests

    return opened


def test_the_policies_allow_all_that_is_really_asked(
    asked: Callable[[], tuple[S3Store, list[tuple[str, str, Context]]]],
    source: MockSource,
    contract: Contract,
    tmp_path: Path,
) -> None:
    """Publishing twice, retracting, asking for the status; consuming, with an object lost."""
    store, producers = asked()
    injector = Injector(plan_faults(source, ["lost_object"], seed=7), contract)
    publish(injector.source(source), injector.store(store), clock=clock)
    publish(source, store, clock=clock)
    consumers_store, consumers = asked()
    with Lake(tmp_path / "lake", make=True) as lake:
        consume(consumers_store, lake, clock=clock)
    status(store, clock=clock)
    retract(store, contract, START, clock=clock)

    rights: list[tuple[PolicyName, list[tuple[str, str, Context]]]] = [
        ("producer", producers),
        ("consumer", consumers),
    ]
    for actor, requests in rights:
        bucket = store.bucket
        identity = filled(actor, bucket)
        assert {action for action, _, _ in requests} == {PUT, GET, LIST}
        refused = [row for row in requests if not may(identity, *row, bucket=bucket)]
        assert refused == []


def test_the_consumer_may_do_all_that_hints_take(feed_url: str) -> None:
    """A hint comes, and is taken off the queue."""
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="hints")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    queue = HintQueue(url, feed_url)
    asked: list[str] = []
    queue._client.meta.events.register(
        "provide-client-params.sqs", lambda model, **_: asked.append(model.name)
    )
    queue.delete(queue.receive(0))
    # A batch of deletions is a right of its own nowhere.
    actions = [f"sqs:{name.removesuffix('Batch')}" for name in asked]
    assert actions == [TAKE, TAKE_OFF]
    assert all(may(filled("consumer"), action, QUEUE, {}) for action in actions)


def test_a_feed_may_be_the_whole_bucket() -> None:
    """Without a prefix, no slash is left of it."""
    text = json.dumps(filled("consumer", prefix=""))
    assert f"arn:aws:s3:::{BUCKET}/commits/*" in text
    assert '"commits/*"' in text


@pytest.mark.parametrize("name", get_args(PolicyName))
def test_a_template_is_filled_in_whole(name: PolicyName) -> None:
    """No place is left in capitals."""
    text = json.dumps(filled(name))
    assert not [word for word in ("BUCKET", "FEED", "CONSUMER", "QUEUE", "ACCOUNT") if word in text]


def test_statements_are_compared_as_s3_hands_them_back() -> None:
    """The order of lists, a list of one and the words for everybody make no difference."""
    ours = filled("bucket")
    theirs = json.loads(json.dumps(ours))
    for statement in theirs["Statement"]:
        statement["Principal"] = {"AWS": "*"}
        statement["Resource"].reverse()
        if isinstance(statement["Action"], str):
            statement["Action"] = [statement["Action"]]
        statement.pop("Sid")
    assert statements(theirs) == statements(ours)
    theirs["Statement"][0]["Resource"].pop()
    assert statements(theirs) != statements(ours)
