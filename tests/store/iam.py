"""What AWS would say to a request, as far as our policies go: a small evaluator.

It knows the elements and conditions that they use; whatever else it meets is a ``KeyError``.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Context = dict[str, str]


def is_allowed(
    identity: Mapping[str, Any],
    bucket: Mapping[str, Any],
    action: str,
    resource: str,
    context: Context,
) -> bool:
    """Whether an identity's policy allows a request, and neither policy denies it."""
    met = [
        statement["Effect"]
        for document in (identity, bucket)
        for statement in document["Statement"]
        if _meets(statement, action, resource, context)
    ]
    return "Allow" in met and "Deny" not in met


def _meets(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    unknown = statement.keys() - {
        "Sid",
        "Effect",
        "Principal",
        "Action",
        "Resource",
        "Condition",
    }
    if unknown or statement.get("Principal", "*") != "*":
        raise KeyError(*unknown)
    return (
        _is_like_any(action, statement["Action"])
        and _is_like_any(resource, statement["Resource"])
        and all(
            _CONDITIONS[operator](context.get(key), _list(wanted))
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _is_like_any(text: str | None, patterns: object) -> bool:
    return text is not None and any(_is_like(text, pattern) for pattern in _list(patterns))


def _is_like(text: str, pattern: str) -> bool:
    wild = {"*": ".*", "?": "."}
    return bool(re.fullmatch("".join(wild.get(c, re.escape(c)) for c in pattern), text))


def _list(value: object) -> Iterable[str]:
    return value if isinstance(value, list) else [str(value)]


_CONDITIONS: dict[str, Callable[[str | None, Iterable[str]], bool]] = {
    "StringEquals": lambda found, wanted: found in list(wanted),
    "StringLike": _is_like_any,
    "Bool": lambda found, wanted: found in list(wanted),
    # "true": the request has no such key.
    "Null": lambda found, wanted: str(found is None).lower() in wanted,
}
