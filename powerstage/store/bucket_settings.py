"""The settings that a bucket with a feed should have: how each is read, wanted, and put."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from botocore.exceptions import ClientError

from powerstage.store.observation import Observation
from powerstage.store.policy import policy, policy_path, statements
from powerstage.store.s3 import S3Store

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import (
        BucketLifecycleConfigurationTypeDef,
        PublicAccessBlockConfigurationTypeDef,
    )

POLICY: Final = "bucket policy"
_BLOCKED: "Final[PublicAccessBlockConfigurationTypeDef]" = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
_LIFECYCLE: "Final[BucketLifecycleConfigurationTypeDef]" = {
    "Rules": [
        {
            "ID": "abort-unfinished-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        }
    ]
}
_RECORDS: Final = ("contract/", "commits/", "receipts/")
# What takes an object away, or where it is not read at once.
_TAKES_AWAY: Final = ("Expiration", "Transitions")
# What S3 calls a setting that nobody has made.
_UNSET: Final = {
    "NoSuchBucketPolicy",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "OwnershipControlsNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
}
_FORBIDDEN: Final = {"AccessDenied", "403"}
# What a server says that is S3 in part.
_UNKNOWN: Final = {"NotImplemented", "MethodNotAllowed", "501", "405"}

_Found: TypeAlias = Mapping[str, Any]
_Judged: TypeAlias = tuple[Literal["ok", "warning", "problem"], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """``read`` gives the answer of S3; ``judge`` its state and what was seen; ``put`` mends it."""

    name: str
    read: "Callable[[S3Client, str], Any]"
    judge: "Callable[[_Found, S3Store], _Judged]"
    put: "Callable[[S3Store], object]"
    fix: str


def _versioning(found: _Found, _: S3Store) -> _Judged:
    status = found.get("Status", "off").lower()
    return ("ok" if status == "enabled" else "warning"), f"versioning is {status}"


def _public_access(found: _Found, _: S3Store) -> _Judged:
    block = found.get("PublicAccessBlockConfiguration", {})
    missing = [name for name in _BLOCKED if not block.get(name)]
    return ("warning", f"not set: {', '.join(missing)}") if missing else ("ok", "all of it blocked")


def _encryption(found: _Found, _: S3Store) -> _Judged:
    rules = found.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    names = [
        rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
        for rule in rules
        if "ApplyServerSideEncryptionByDefault" in rule
    ]
    return ("ok", f"by default, {names[0]}") if names else ("warning", "not by default")


def _ownership(found: _Found, _: S3Store) -> _Judged:
    rules = found.get("OwnershipControls", {}).get("Rules", [])
    names = [rule["ObjectOwnership"] for rule in rules]
    if names == ["BucketOwnerEnforced"]:
        return "ok", "every object is the bucket owner's"
    return "warning", "an object may be its writer's, and unreadable to others"


def _policy(found: _Found, store: S3Store) -> _Judged:
    standing = statements(json.loads(found.get("Policy", "{}")))
    wanted = _wanted_policy(store)
    missing = [
        statement["Sid"]
        for statement, plain in zip(wanted["Statement"], statements(wanted), strict=True)
        if plain not in standing
    ]
    if missing:
        return "warning", f"says otherwise, or nothing, about {', '.join(missing)}"
    return "ok", "asks for TLS, and for records that are written once and never deleted"


def _lifecycle(found: _Found, store: S3Store) -> _Judged:
    rules = [rule for rule in found.get("Rules", []) if rule["Status"] == "Enabled"]
    for rule in rules:
        if any(name in rule for name in _TAKES_AWAY) and _meets_records(rule, store.prefix):
            return "problem", f"the rule {rule.get('ID', '')!r} takes away records"
    if any("AbortIncompleteMultipartUpload" in rule for rule in rules):
        return "ok", "ends unfinished uploads, and leaves records alone"
    return "warning", "unfinished uploads stay, unseen and paid for"


def _meets_records(rule: _Found, prefix: str) -> bool:
    """Whether a rule is about our records; they have no tags."""
    chosen = rule.get("Filter", {})
    both = chosen.get("And", {})
    if "Tag" in chosen or both.get("Tags"):
        return False
    start = rule.get("Prefix") or chosen.get("Prefix") or both.get("Prefix") or ""
    places = [prefix + record for record in _RECORDS]
    return any(place.startswith(start) or start.startswith(place) for place in places)


def _wanted_policy(store: S3Store) -> dict[str, Any]:
    return policy("bucket", bucket=store.bucket, prefix=store.prefix)


_SETTINGS: Final = (
    _Setting(
        name="public access",
        read=lambda client, bucket: client.get_public_access_block(Bucket=bucket),
        judge=_public_access,
        put=lambda store: store.client.put_public_access_block(
            Bucket=store.bucket, PublicAccessBlockConfiguration=_BLOCKED
        ),
        fix="block all public access: aws s3api put-public-access-block",
    ),
    _Setting(
        name="ownership",
        read=lambda client, bucket: client.get_bucket_ownership_controls(Bucket=bucket),
        judge=_ownership,
        put=lambda store: store.client.put_bucket_ownership_controls(
            Bucket=store.bucket,
            OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        ),
        fix="set BucketOwnerEnforced: aws s3api put-bucket-ownership-controls",
    ),
    _Setting(
        name="encryption",
        read=lambda client, bucket: client.get_bucket_encryption(Bucket=bucket),
        judge=_encryption,
        put=lambda store: store.client.put_bucket_encryption(
            Bucket=store.bucket,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
        ),
        fix="encrypt by default: aws s3api put-bucket-encryption",
    ),
    _Setting(
        name="versioning",
        read=lambda client, bucket: client.get_bucket_versioning(Bucket=bucket),
        judge=_versioning,
        put=lambda store: store.client.put_bucket_versioning(
            Bucket=store.bucket, VersioningConfiguration={"Status": "Enabled"}
        ),
        fix="enable it: aws s3api put-bucket-versioning",
    ),
    _Setting(
        name="lifecycle",
        read=lambda client, bucket: client.get_bucket_lifecycle_configuration(Bucket=bucket),
        judge=_lifecycle,
        put=lambda store: store.client.put_bucket_lifecycle_configuration(
            Bucket=store.bucket, LifecycleConfiguration=_LIFECYCLE
        ),
        fix="one rule, that aborts unfinished uploads:"
        " aws s3api put-bucket-lifecycle-configuration",
    ),
    _Setting(
        name=POLICY,
        read=lambda client, bucket: client.get_bucket_policy(Bucket=bucket),
        judge=_policy,
        put=lambda store: store.client.put_bucket_policy(
            Bucket=store.bucket, Policy=json.dumps(_wanted_policy(store))
        ),
        fix=f"add the statements of {policy_path('bucket')}, with your names put in",
    ),
)


def setting_names() -> tuple[str, ...]:
    """The settings, in the order in which they are made: the policy, which may refuse, is last."""
    return tuple(setting.name for setting in _SETTINGS)


def put_setting(store: S3Store, name: str) -> None:
    """Make a setting as it should be.

    Raises:
        StoreRefusedError, StoreUnavailableError: it was not made, or perhaps not.
    """
    (setting,) = (setting for setting in _SETTINGS if setting.name == name)
    with store.translated(""):
        setting.put(store)


def has_policy(store: S3Store) -> bool:
    """Whether somebody gave the bucket a policy."""
    (setting,) = (setting for setting in _SETTINGS if setting.name == POLICY)
    with store.translated(""):
        try:
            setting.read(store.client, store.bucket)
        except ClientError as error:
            if _code(error) in _UNSET:
                return False
            raise
    return True


def observe_settings(store: S3Store) -> tuple[Observation, ...]:
    """Each setting, held against what it should be; one line if none may be seen.

    Raises:
        StoreRefusedError, StoreUnavailableError: the bucket is not there, or does not answer.
    """
    observed = [(setting, _observe(setting, store)) for setting in _SETTINGS]
    seen = tuple(observation for _, observation in observed if observation)
    unseen = [setting.name for setting, observation in observed if observation is None]
    if not unseen:
        return seen
    hidden = Observation(
        subject="settings",
        state="warning",
        words=f"these credentials may not see {', '.join(unseen)}",
        fix="have whoever owns the bucket run powerstage doctor",
    )
    return (*seen, hidden)


def _observe(setting: _Setting, store: S3Store) -> Observation | None:
    """None where it may not be seen."""
    with store.translated(""):
        try:
            found = setting.read(store.client, store.bucket)
        except ClientError as error:
            if _code(error) in _FORBIDDEN:
                return None
            if _code(error) in _UNKNOWN:
                words = "this S3 has no such setting"
                return Observation(
                    subject=setting.name, state="warning", words=words, fix="use one that has"
                )
            if _code(error) not in _UNSET:
                raise
            found = {}
    state, words = setting.judge(found, store)
    fix = "" if state == "ok" else setting.fix
    return Observation(subject=setting.name, state=state, words=words, fix=fix)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
