"""A store in an S3 bucket, by boto3: one request an object, whole objects only."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypedDict

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from powerstage.errors import (
    ObjectNotFoundError,
    PowerstageError,
    StoreRefusedError,
    StoreUnavailableError,
)
from powerstage.store.keys import check_key
from powerstage.store.protocol import PAGE, ObjectInfo, VersionInfo

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ObjectTypeDef

CHUNK_BYTES: Final = 1024 * 1024
_LOCALSTACK_PORT: Final = ":4566"
_NO_ANSWER: Final = (
    BotoConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
# What S3 calls the version of an object in a bucket without versions.
_NO_VERSION: Final = "null"
_ABSENT: Final = {"NoSuchKey", "404", "NotFound"}
_TRY_AGAIN: Final = {
    "408",
    "409",
    "ConditionalRequestConflict",
    "OperationAborted",
    "RequestTimeout",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
}
_TAKEN: Final = {"412", "PreconditionFailed"}
_HTTP_SERVER_ERROR: Final = 500
_HTTP_TOO_MANY: Final = 429
_CAUSE_MAX: Final = 200
_FIXES: Final = {
    "NoSuchBucket": "make the bucket (aws s3 mb s3://{bucket}), or correct its name",
    "AccessDenied": "ask for s3:ListBucket, s3:GetObject and s3:PutObject on s3://{bucket}",
    "403": "ask for s3:ListBucket, s3:GetObject and s3:PutObject on s3://{bucket}",
    "ExpiredToken": "renew the credentials: aws sso login",
    "InvalidAccessKeyId": "check AWS_ACCESS_KEY_ID, AWS_PROFILE and AWS_ENDPOINT_URL",
    "SignatureDoesNotMatch": "check AWS_SECRET_ACCESS_KEY and AWS_PROFILE",
}


class _Checksum(TypedDict, total=False):
    ChecksumSHA256: str
    ChecksumAlgorithm: Literal["SHA256"]


class _Checked(TypedDict, total=False):
    ChecksumMode: Literal["ENABLED"]


class S3Store:
    """Objects of a bucket under a prefix.

    Args:
        client: boto3's S3 client.
        bucket: its name.
        prefix: what stands before every key, without a slash at either end; may be empty.
    """

    def __init__(self, client: "S3Client", bucket: str, prefix: str = "") -> None:
        self._client, self._bucket = client, bucket
        self._prefix = f"{prefix}/" if prefix else ""

    def __reduce__(self) -> tuple[object, ...]:
        """Another process opens the URL by its own settings: no credentials travel."""
        from powerstage.store.open import reopened  # noqa: PLC0415 - it opens us

        return reopened, (self.url,)

    @property
    def url(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    @property
    def client(self) -> "S3Client":
        """boto3's client, for what is no matter of objects."""
        return self._client

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self._bucket

    @property
    def prefix(self) -> str:
        """What stands before every key, with its slash; may be empty."""
        return self._prefix

    @property
    def endpoint_url(self) -> str:
        """The server, as boto3 resolved it."""
        return self._client.meta.endpoint_url

    def create_bucket(self) -> None:
        """Make the bucket, unless it is there and ours."""
        region = self._client.meta.region_name
        with self.translated(""):
            try:
                if region == "us-east-1":
                    self._client.create_bucket(Bucket=self._bucket)
                else:
                    self._client.create_bucket(
                        Bucket=self._bucket,
                        CreateBucketConfiguration={"LocationConstraint": region},  # type: ignore[typeddict-item]
                    )
            except ClientError as error:
                if _code(error) != "BucketAlreadyOwnedByYou":
                    raise

    def get(self, key: str, *, sha256: str = "") -> Iterator[bytes]:
        """The object's bytes in chunks."""
        full = self._prefix + check_key(key)
        # What was damaged on the way is no answer: nobody else could tell.
        checked: _Checked = {} if sha256 else {"ChecksumMode": "ENABLED"}
        try:
            with self.translated(key):
                found = self._client.get_object(Bucket=self._bucket, Key=full, **checked)
                _require(found, "ETag")
        except StoreRefusedError:
            # Without s3:ListBucket, 403 stands for an absent key too.
            if self._is_listed(key):
                raise
            raise self._not_found(key) from None
        return self._chunks(found["Body"].iter_chunks(CHUNK_BYTES), key)

    def put(self, key: str, body: bytes | Path, *, sha256: str = "") -> None:
        """Write an object, in place of any that stands there."""
        full = self._prefix + check_key(key)
        with self.translated(key):
            with BytesIO(body) if isinstance(body, bytes) else body.open("rb") as file:
                done = self._client.put_object(
                    Bucket=self._bucket, Key=full, Body=file, **_checksum(sha256)
                )
            _require(done, "ETag")

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write an object where none stands."""
        full = self._prefix + check_key(key)
        with self.translated(key):
            try:
                done = self._client.put_object(
                    Bucket=self._bucket,
                    Key=full,
                    Body=body,
                    IfNoneMatch="*",
                    ChecksumAlgorithm="SHA256",
                )
            except ClientError as error:
                if _code(error) in _TAKEN:
                    return False
                raise
            _require(done, "ETag")
        return True

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every object whose key starts with the prefix, in byte order."""
        found = []
        with self.translated(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                _require(page, "IsTruncated")
                found += [self._info(entry) for entry in page.get("Contents", [])]
        # Not every server lists in the order of bytes.
        yield from sorted(found, key=lambda info: info.key.encode())

    def page(self, prefix: str, after: str) -> Sequence[ObjectInfo]:
        """Up to 1,000 objects after a key."""
        with self.translated(prefix):
            found = self._client.list_objects_v2(
                Bucket=self._bucket,
                Prefix=self._prefix + prefix,
                StartAfter=self._prefix + after,
                MaxKeys=PAGE,
            )
            _require(found, "IsTruncated")
            return [self._info(entry) for entry in found.get("Contents", [])]

    def head(self, key: str) -> ObjectInfo | None:
        """The object's facts, or None."""
        full = self._prefix + check_key(key)
        try:
            with self.translated(key):
                found = self._client.head_object(Bucket=self._bucket, Key=full)
                _require(found, "ETag")
        except ObjectNotFoundError:
            self._require_bucket()
            return None
        except StoreRefusedError:
            if self._is_listed(key):
                raise
            return None
        return ObjectInfo(
            key=key, size_bytes=found["ContentLength"], modified_at=found["LastModified"]
        )

    def versions(self, prefix: str) -> Iterator[VersionInfo]:
        """Every version of every object whose key starts with the prefix."""
        with self.translated(prefix):
            pages = self._client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for entry in page.get("Versions", []):
                    yield VersionInfo(
                        key=entry["Key"].removeprefix(self._prefix),
                        version=entry["VersionId"],
                        size_bytes=entry["Size"],
                        modified_at=entry["LastModified"],
                    )

    def delete_version(self, version: VersionInfo) -> None:
        """Delete this version and no other: one that was uploaded meanwhile stays."""
        full = self._prefix + check_key(version.key)
        if version.version == _NO_VERSION and version not in self.versions(version.key):
            # Where a bucket keeps no versions, all that stood there have this one in turn.
            return
        with self.translated(version.key):
            self._client.delete_object(Bucket=self._bucket, Key=full, VersionId=version.version)

    def _info(self, entry: "ObjectTypeDef") -> ObjectInfo:
        """An object as a listing tells it."""
        return ObjectInfo(
            key=entry["Key"].removeprefix(self._prefix),
            size_bytes=entry["Size"],
            modified_at=entry["LastModified"],
        )

    def _require_bucket(self) -> None:
        """HEAD has no body to tell a missing key from a missing bucket."""
        with self.translated(""):
            try:
                self._client.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if _code(error) in _ABSENT:
                    raise self._refused("NoSuchBucket", "", error) from error
                if _code(error) != "403":
                    raise

    def _is_listed(self, key: str) -> bool:
        return any(info.key == key for info in self.list(key))

    def _chunks(self, chunks: Iterator[bytes], key: str) -> Iterator[bytes]:
        with self.translated(key):
            yield from chunks

    @contextmanager
    def translated(self, key: str) -> Iterator[None]:
        """The one place where errors of boto3 become ours."""
        try:
            yield
        except _NO_ANSWER as error:
            raise self._unavailable(key, error) from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise StoreRefusedError(
                f"no AWS credentials for {self.url}",
                cause=str(error),
                fix="aws sso login, or set AWS_PROFILE; for a local S3 any value does:"
                " AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test",
            ) from error
        except ClientError as error:
            raise self._answered(key, error) from error
        except (RuntimeError, KeyError, ValueError) as error:
            # Redirected for ever, or answered without the fields that every S3 sends, or with
            # times that are none.
            raise StoreRefusedError(
                f"what answers at {self.endpoint_url} is no S3",
                cause=f"{type(error).__name__}: {error}"[:_CAUSE_MAX],
                fix="AWS_ENDPOINT_URL and AWS_PROFILE say which server is asked",
            ) from error
        except BotoCoreError as error:
            raise StoreRefusedError(
                f"cannot use {self.url}: {error}", fix="check the AWS settings"
            ) from error

    def _answered(self, key: str, error: ClientError) -> PowerstageError:
        code = _code(error)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _ABSENT:
            return self._not_found(key)
        if code in _TRY_AGAIN or status >= _HTTP_SERVER_ERROR or status == _HTTP_TOO_MANY:
            return self._unavailable(key, error)
        return self._refused(code, key, error)

    def _not_found(self, key: str) -> ObjectNotFoundError:
        return ObjectNotFoundError(f"there is no {key} in {self.url}")

    def _refused(self, code: str, key: str, error: ClientError) -> StoreRefusedError:
        where = f"{self.url}/{key}" if key else self.url
        words = {
            "NoSuchBucket": f"there is no bucket {self._bucket} at {self.endpoint_url}",
        }.get(code, f"S3 at {self.endpoint_url} refused {where}: {code}")
        fix = _FIXES.get(code, "check the AWS settings and the permissions on s3://{bucket}")
        return StoreRefusedError(words, cause=str(error), fix=fix.format(bucket=self._bucket))

    def _unavailable(self, key: str, error: Exception) -> StoreUnavailableError:
        fix = "run it again: what was done stays done"
        if _LOCALSTACK_PORT in self.endpoint_url:
            fix += "; a LocalStack container that ended with exit code 55 wants an account token"
        return StoreUnavailableError(
            f"S3 at {self.endpoint_url} did not answer for {self.url}/{key}".rstrip("/"),
            cause=str(error),
            fix=fix + "; AWS_ENDPOINT_URL and AWS_PROFILE say which server is asked",
        )


def _require(answer: Mapping[str, object], field: str) -> None:
    """``KeyError`` without a field that S3 never leaves out: a web server may say 200 to all."""
    if field not in answer:
        raise KeyError(field)


def _checksum(sha256: str) -> "_Checksum":
    """What S3 is to hold a body to: the digest that is known, or one that boto3 works out."""
    # Not every server keeps a digest whose algorithm is not named, and then none is read back.
    algorithm: _Checksum = {"ChecksumAlgorithm": "SHA256"}
    if sha256:
        return algorithm | {"ChecksumSHA256": b64encode(bytes.fromhex(sha256)).decode()}
    return algorithm


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
