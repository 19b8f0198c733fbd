"""Who asks which S3, and whether their clocks agree: what boto3's settings come to."""

from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from powerstage.errors import EnvironmentFailedError
from powerstage.store.observation import Observation
from powerstage.store.s3 import S3Store

# S3 refuses what is signed at another time: RequestTimeTooSkewed.
_SKEW_MAX: Final = timedelta(minutes=15)
_SKEW_NOTED: Final = timedelta(minutes=1)
_AWS: Final = (".amazonaws.com", ".amazonaws.com.cn")
_NO_CREDENTIALS: Final = (
    "aws sso login, or set AWS_PROFILE; for a local S3 any value does:"
    " AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test"
)
_SETTINGS: Final = "AWS_ENDPOINT_URL, AWS_REGION and AWS_PROFILE say which server is asked"
# A HEAD has no body that would say which: not ours to see, or credentials that nobody knows.
_MAY_NOT_SEE: Final = {"403", "AccessDenied"}
_ABSENT: Final = {"404", "NoSuchBucket"}


def observe_credentials() -> Observation:
    """Whether boto3 finds credentials, and where; nobody is asked whether they are good."""
    try:
        found = boto3.session.Session().get_credentials()
    except BotoCoreError as error:
        return Observation(
            subject="credentials",
            state="problem",
            words=f"the AWS settings cannot be used: {error}",
            fix="check AWS_PROFILE: aws configure list",
        )
    if found is None:
        return Observation(
            subject="credentials",
            state="warning",
            words="no AWS credentials: folders alone can be used",
            fix=_NO_CREDENTIALS,
        )
    return Observation(subject="credentials", state="ok", words=f"found by boto3 ({found.method})")


def observe_endpoint(store: S3Store, clock: Callable[[], datetime]) -> tuple[Observation, ...]:
    """Whether S3 answers for the bucket, and how far its clock is from ours.

    One request, that changes nothing. Where there is a problem, no other request will do.
    """
    before = clock()
    try:
        with store.translated(""):
            try:
                answer: Any = store.client.head_bucket(Bucket=store.bucket)
                code = "200"
            except ClientError as error:
                answer, code = error.response, str(error.response["Error"]["Code"])
    except EnvironmentFailedError as error:
        words = f"{error.message}: {error.cause}" if error.cause else error.message
        return (Observation(subject="endpoint", state="problem", words=words, fix=error.fix),)
    headers = answer["ResponseMetadata"].get("HTTPHeaders", {})
    after = clock()
    return (_endpoint(store, code), _clocks(headers.get("date", ""), before, after))


def observe_identity(store: S3Store) -> Observation:
    """Who we are, in the words of the STS that belongs to the S3; no other is asked."""
    config = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1})
    try:
        client: Any = boto3.session.Session().client(
            "sts", region_name=store.client.meta.region_name, config=config
        )
        if not _belong_together(store.endpoint_url, client.meta.endpoint_url):
            return _unknown("no STS is known that belongs to this S3")
        arn = client.get_caller_identity()["Arn"]
    except (BotoCoreError, ClientError, KeyError) as error:
        return _unknown(f"STS does not say who you are: {error}")
    return Observation(subject="identity", state="ok", words=arn)


def _endpoint(store: S3Store, code: str) -> Observation:
    where = f"S3 at {store.endpoint_url}, region {store.client.meta.region_name}"
    if code == "200" or code in _MAY_NOT_SEE:
        return Observation(subject="endpoint", state="ok", words=f"{where}, answers")
    if code in _ABSENT:
        return Observation(
            subject="endpoint",
            state="problem",
            words=f"{where}, has no bucket {store.bucket}",
            fix=f"make it (aws s3 mb s3://{store.bucket}), or correct its name; {_SETTINGS}",
        )
    return Observation(
        subject="endpoint",
        state="problem",
        words=f"{where}, answers {code}",
        fix=f"the bucket may be in another region, or the credentials expired; {_SETTINGS}",
    )


def _clocks(date: str, before: datetime, after: datetime) -> Observation:
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return Observation(
            subject="clock",
            state="warning",
            words="the server does not say what time it is",
            fix="hold this machine's clock against another one",
        )
    # They tell whole seconds.
    ahead = max(before - theirs - timedelta(seconds=1), timedelta())
    behind = max(theirs - after, timedelta())
    skew = max(ahead, behind)
    if skew <= _SKEW_NOTED:
        return Observation(subject="clock", state="ok", words="this machine and S3 agree")
    words = f"this machine is {_span(skew)} {'ahead of' if ahead else 'behind'} S3"
    return Observation(
        subject="clock",
        state="problem" if skew >= _SKEW_MAX else "warning",
        words=words,
        fix="set the clock, best by NTP: S3 refuses what is signed 15 minutes off",
    )


def _span(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.1f} minutes"


def _belong_together(s3_url: str, sts_url: str) -> bool:
    s3, sts = urlsplit(s3_url), urlsplit(sts_url)
    of_aws = (s3.hostname or "").endswith(_AWS) and (sts.hostname or "").endswith(_AWS)
    return of_aws or (s3.hostname, s3.port) == (sts.hostname, sts.port)


def _unknown(words: str) -> Observation:
    return Observation(
        subject="identity",
        state="warning",
        words=words,
        fix="aws sts get-caller-identity shows it where there is an STS",
    )
