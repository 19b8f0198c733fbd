"""Who may do what in a bucket: policies for AWS, as templates in ``policies/``.

Capitals are to be filled in: BUCKET, FEED (the prefix), CONSUMER (the name in its receipts),
QUEUE (the name of the one that the bucket notifies), ACCOUNT (whose bucket and queue they are:
others of the same names get nothing).
"""

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

PolicyName: TypeAlias = Literal["producer", "consumer", "janitor", "bucket"]
# A feed may be the whole bucket; then its slash goes, too.
_PLACE: Final = re.compile(r"\b(BUCKET|FEED/|CONSUMER|QUEUE|ACCOUNT)")


def policy_path(name: PolicyName) -> Path:
    """Where the template stands."""
    return Path(str(resources.files("powerstage.store").joinpath("policies", f"{name}.json")))


def policy(
    name: PolicyName,
    *,
    bucket: str,
    prefix: str,
    consumer: str = "",
    queue: str = "",
    account: str = "",
) -> dict[str, Any]:
    """A policy with its places filled in.

    Args:
        name: of an actor, for its identity; or ``bucket``, for the bucket itself.
        bucket: the bucket's name.
        prefix: of the feed, with its slash; empty where the feed is the whole bucket.
        consumer: what receipts call the consumer.
        queue: the name of the queue that the bucket notifies; empty for none.
        account: the twelve digits of the account that owns the bucket and the queue.
    """
    values = {
        "BUCKET": bucket,
        "FEED/": prefix,
        "CONSUMER": consumer,
        "QUEUE": queue,
        "ACCOUNT": account,
    }
    text = policy_path(name).read_text("utf-8")
    filled: dict[str, Any] = json.loads(_PLACE.sub(lambda found: values[found[0]], text))
    return filled


def statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    """A policy's statements in one form, without their names: S3 hands them back in another."""
    found = document.get("Statement", [])
    return [
        {key: _plain(value) for key, value in statement.items() if key != "Sid"}
        for statement in (found if isinstance(found, list) else [found])
    ]


def _plain(value: object) -> object:
    """Lists sorted; a list of one is what it holds; everybody is ``*``; all else is a text."""
    if isinstance(value, dict):
        if value == {"AWS": "*"}:
            return "*"
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        parts = sorted(str(_plain(part)) for part in value)
        return parts[0] if len(parts) == 1 else parts
    return str(value).lower() if isinstance(value, bool) else str(value)
