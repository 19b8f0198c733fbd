"""A bucket as a whole: made, set up, looked at and deleted. Feeds never need any of it."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from powerstage.errors import StoreRefusedError
from powerstage.store.account import observe_endpoint, observe_identity
from powerstage.store.bucket_settings import (
    POLICY,
    has_policy,
    observe_settings,
    put_setting,
    setting_names,
)
from powerstage.store.observation import Observation
from powerstage.store.s3 import S3Store

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import ObjectIdentifierTypeDef, TagTypeDef

# By this we know what we may delete.
_TAG: "Final[TagTypeDef]" = {"Key": "powerstage", "Value": "dev-bucket"}
_NO_TAGS: Final = "NoSuchTagSet"
_ABSENT: Final = {"404", "NoSuchBucket"}
_FORBIDDEN: Final = {"403", "AccessDenied"}
_BATCH_MAX: Final = 1_000


class Bucket:
    """The bucket of a store.

    Every method raises ``StoreRefusedError`` or ``StoreUnavailableError`` where S3 does not do
    as it is asked.
    """

    def __init__(self, store: S3Store) -> None:
        self.store = store
        self._client, self._name = store.client, store.bucket

    @property
    def url(self) -> str:
        """``s3://bucket``."""
        return f"s3://{self._name}"

    def is_there(self) -> bool:
        """Whether there is a bucket of this name; one that is not ours to see is refused."""
        with self.store.translated(""):
            try:
                self._client.head_bucket(Bucket=self._name)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code in _ABSENT:
                    return False
                if code in _FORBIDDEN:
                    raise StoreRefusedError(
                        f"{self.url} is there, and not to be seen with these credentials",
                        cause="it may be somebody else's: all of S3 shares its names",
                        fix="choose another name, or ask whoever owns the bucket",
                    ) from error
                raise
        return True

    def is_ours(self) -> bool:
        """Whether ``create`` made it."""
        with self.store.translated(""):
            try:
                tags = self._client.get_bucket_tagging(Bucket=self._name)["TagSet"]
            except ClientError as error:
                if error.response["Error"]["Code"] == _NO_TAGS:
                    return False
                raise
        return _TAG in tags

    def is_empty(self) -> bool:
        """Whether no version of any object is in it."""
        return next(self._versions(), None) is None

    def create(self) -> None:
        """Make it, with the tag by which it is known."""
        self.store.create_bucket()
        with self.store.translated(""):
            self._client.put_bucket_tagging(Bucket=self._name, Tagging={"TagSet": [_TAG]})

    def observe_access(self, clock: Callable[[], datetime]) -> tuple[Observation, ...]:
        """Endpoint, clock and identity: whether anybody answers, and for whom he takes us."""
        around = observe_endpoint(self.store, clock)
        if around[0].state == "problem":
            return around
        return (*around, observe_identity(self.store))

    def observe_settings(self) -> tuple[Observation, ...]:
        """Its settings, held against what they should be."""
        return observe_settings(self.store)

    def set_up(self) -> None:
        """Make the settings that are not as they should be, but for the policy."""
        for name in self._lacking():
            if name != POLICY:
                put_setting(self.store, name)

    def close_up(self) -> None:
        """Give it the policy, by which nobody overwrites or deletes a record of the feed."""
        if POLICY in self._lacking():
            put_setting(self.store, POLICY)

    def require_no_other_policy(self) -> None:
        """Raise ``StoreRefusedError`` where a policy is not the one for this feed."""
        if not has_policy(self.store):
            return
        (observed,) = (seen for seen in self.observe_settings() if seen.subject == POLICY)
        if observed.state != "ok":
            raise StoreRefusedError(
                f"{self.url} has a policy that is not the one for {self.store.url}",
                cause="it may protect another feed",
                fix="name the feed that stands there, or another bucket",
            )

    def delete(self, *, dry_run: bool = False) -> int:
        """Delete it with every version of every object in it; how many there were.

        Cut off anywhere and run again, it finishes. ``dry_run`` only counts.

        Raises:
            StoreRefusedError: ``create`` did not make it; nothing was deleted.
        """
        if not self.is_ours():
            raise StoreRefusedError(
                f"{self.url} was not made by powerstage",
                cause=f"it has no tag {_TAG['Key']}={_TAG['Value']}",
                fix="nothing was deleted; whoever made it may delete it",
            )
        if dry_run:
            return sum(1 for _ in self._versions())
        with self.store.translated(""):
            # It denies what comes now.
            self._client.delete_bucket_policy(Bucket=self._name)
        deleted = 0
        while batch := list(islice(self._versions(), _BATCH_MAX)):
            self._delete_versions(batch)
            deleted += len(batch)
        with self.store.translated(""):
            self._client.delete_bucket(Bucket=self._name)
        return deleted

    def _lacking(self) -> list[str]:
        well = {seen.subject for seen in self.observe_settings() if seen.state == "ok"}
        return [name for name in setting_names() if name not in well]

    def _delete_versions(self, batch: "list[ObjectIdentifierTypeDef]") -> None:
        with self.store.translated(""):
            answer = self._client.delete_objects(
                Bucket=self._name, Delete={"Objects": batch, "Quiet": True}
            )
        for error in answer.get("Errors", []):
            raise StoreRefusedError(
                f"{self.url} keeps {error.get('Key', '')}",
                cause=f"{error.get('Code', '')}: {error.get('Message', '')}",
                fix="mend that, and run it again",
            )

    def _versions(self) -> "Iterator[ObjectIdentifierTypeDef]":
        with self.store.translated(""):
            pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._name)
            for page in pages:
                for found in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                    yield {"Key": found["Key"], "VersionId": found["VersionId"]}
