"""From a URL to a store."""

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from powerstage.errors import StoreRefusedError, UsageError
from powerstage.store.folder import FolderStore
from powerstage.store.keys import check_key
from powerstage.store.protocol import Store, VersionedStore

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from powerstage.store.bucket import Bucket
    from powerstage.store.s3 import S3Store

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LOCAL_HOSTS: Final = {"localhost", "127.0.0.1", "::1", "localhost.localstack.cloud"}
# With one slash too: a slip of the pen, no folder.
_SCHEME: Final = re.compile(r"[a-z][a-z0-9]+:/")
_DEFAULT_REGION: Final = "us-east-1"


def open_store(
    url: str | Path, *, endpoint_url: str | None = None, create_bucket: bool = False
) -> VersionedStore:
    """The store that a URL names: ``s3://bucket/prefix``, or the path of a folder.

    boto3's own chain decides about endpoint, profile, credentials and region.

    Args:
        url: where.
        endpoint_url: another S3 than the one that boto3 would find.
        create_bucket: make the bucket if it is not there.

    Raises:
        UsageError: the URL names neither.
        StoreRefusedError: the AWS settings cannot be used.
    """
    url = str(url)
    if not url.startswith("s3://"):
        if _SCHEME.match(url) or not url:
            raise UsageError(
                f"{url!r} is no place for a feed", fix="name s3://bucket/prefix or a folder"
            )
        return FolderStore(Path(url))
    store = _open_s3(url, endpoint_url)
    if create_bucket:
        store.create_bucket()
    return store


@lru_cache(maxsize=4)
def reopened(url: str) -> VersionedStore:
    """A store that another process opened, once here: to make a client takes a tenth of a second.

    Settings and credentials are those of this process.
    """
    return open_store(url)


def open_bucket(url: str) -> "Bucket":
    """The bucket that ``s3://bucket/prefix`` names, to be set up, looked at and deleted.

    Raises:
        UsageError: the URL names none.
        StoreRefusedError: the AWS settings cannot be used.
    """
    if not url.startswith("s3://"):
        raise UsageError(f"{url!r} is in no bucket", fix="name s3://bucket/prefix")
    from powerstage.store.bucket import Bucket  # noqa: PLC0415 - as S3Store

    return Bucket(_open_s3(url, None))


def local_folder(path: Path | str) -> Path:
    """A path of this machine; ``UsageError`` for a URL, of which a path would make a folder."""
    if _SCHEME.match(str(path)):
        raise UsageError(f"{str(path)!r} is a URL", fix="name a folder of this machine")
    return Path(path)


def is_local(store: Store) -> bool:
    """Whether writing to a store stays on this machine."""
    endpoint = getattr(store, "endpoint_url", None)
    return endpoint is None or urlsplit(endpoint).hostname in _LOCAL_HOSTS


def _open_s3(url: str, endpoint_url: str | None) -> "S3Store":
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    prefix = prefix.strip("/")
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(
            f"{bucket!r} cannot be the name of a bucket",
            fix="3 to 63 of a-z 0-9 . - ; the URL reads s3://bucket/prefix",
        )
    if prefix:
        check_key(prefix)
    # boto3 takes half a second to import: folders need not wait for it.
    from powerstage.store.s3 import S3Store  # noqa: PLC0415

    return S3Store(_client(url, endpoint_url), bucket, prefix)


def _client(url: str, endpoint_url: str | None) -> "S3Client":
    import boto3  # noqa: PLC0415 - see above
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    from botocore.session import get_session  # noqa: PLC0415

    from powerstage.store.times import read_time  # noqa: PLC0415

    config = Config(
        # A checksum goes with every body, and is signed: to sign the body would hash it twice.
        s3={"payload_signing_enabled": False},
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=5,
        read_timeout=60,
        # Every byte is hashed here anyway.
        response_checksum_validation="when_required",
    )
    try:
        core = get_session()
        core.get_component("response_parser_factory").set_parser_defaults(
            timestamp_parser=read_time
        )
        session = boto3.session.Session(botocore_session=core)
        region = session.region_name or _DEFAULT_REGION
        client = session.client("s3", endpoint_url=endpoint_url, region_name=region, config=config)
        host = urlsplit(client.meta.endpoint_url).hostname or ""
        if not host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            # Other servers know no bucket.host names.
            config = config.merge(
                Config(s3={"payload_signing_enabled": False, "addressing_style": "path"})
            )
            client = session.client(
                "s3", endpoint_url=endpoint_url, region_name=region, config=config
            )
    except (BotoCoreError, ValueError) as error:
        raise StoreRefusedError(
            f"cannot open {url}: {error}",
            cause="the AWS settings (environment, ~/.aws/config) cannot be used",
            fix="check AWS_PROFILE and AWS_ENDPOINT_URL: aws configure list",
        ) from error
    client.meta.events.register_last("before-call.s3", _ask_no_leave)
    return client


def _ask_no_leave(params: dict[str, Any], **_: object) -> None:
    """Send a body at once: boto3 would ask first, and wait for an answer with each object."""
    params["headers"].pop("Expect", None)
