"""Which keys we write and read: plain ones, that no store reads otherwise and no path escapes."""

import re
from typing import Final

from powerstage.errors import UsageError

KEY_BYTES_MAX: Final = 512
_KEY: Final = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*(/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)*")


def check_key(key: str) -> str:
    """The key, if it is a plain one; ``UsageError`` otherwise, before anything is touched."""
    if len(key) > KEY_BYTES_MAX or not _KEY.fullmatch(key):
        raise UsageError(
            f"not a key that is read or written here: {key[:KEY_BYTES_MAX]!r}",
            fix="keys are parts of A-Z a-z 0-9 . _ = - joined by '/', none beginning with '.'",
        )
    return key
