"""JSON that comes from outside: limits first, then every field with its type."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from powerstage.contract.model import DatasetName
from powerstage.errors import RecordError

RECORD_BYTES_MAX: Final = 1024 * 1024
JSON_DEPTH_MAX: Final = 8
TEXT_CHARACTERS_MAX: Final = 4_096
DIGEST_CHARACTERS: Final = 64

# One without an end takes all that is left. Nothing is tried twice, however long it is.
_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_UNFIT: Final = re.compile("[\x00-\x1f\ud800-\udfff]")

T = TypeVar("T")


def is_digest(text: str) -> bool:
    """Whether a text is a sha256 in lower-case hexadecimal."""
    return len(text) == DIGEST_CHARACTERS and set(text) <= set("0123456789abcdef")


def dump(record: Mapping[str, object]) -> bytes:
    """A record as it is written: UTF-8, indented for people, newline at the end."""
    return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()


def load(body: bytes, what: str) -> "Fields":
    """The JSON object in these bytes, within the limits; else ``RecordError``."""
    if len(body) > RECORD_BYTES_MAX:
        raise RecordError(f"the record is larger than {RECORD_BYTES_MAX} bytes")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecordError("the record is not UTF-8", cause=str(error)) from error
    _limit_depth(text)
    try:
        value = json.loads(text, object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    except ValueError as error:
        raise RecordError("the record is not JSON", cause=str(error)) from error
    return Fields(value, what)


def _limit_depth(text: str) -> None:
    """Refuse deep nesting before the recursive parser meets it."""
    depth = 0
    for character in _STRING.sub("", text):
        if character in "[{":
            depth += 1
            if depth > JSON_DEPTH_MAX:
                raise RecordError(f"the record is nested deeper than {JSON_DEPTH_MAX}")
        elif character in "]}":
            depth -= 1


def _no_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise RecordError("a field of the record stands twice")
    return values


def _no_constant(name: str) -> object:
    raise RecordError(f"{name} is not JSON")


class Fields:
    """A JSON object that is read field by field, each with its type; else ``RecordError``."""

    def __init__(self, value: object, what: str) -> None:
        if not isinstance(value, dict):
            raise RecordError(f"the {what} is not a JSON object")
        self._values: Mapping[str, Any] = value
        self._what = what

    def only(self, *, required: str, optional: str = "") -> None:
        """Require these names (separated by spaces) and allow no others but the optional ones."""
        needed, known = set(required.split()), set(required.split()) | set(optional.split())
        if missing := sorted(needed - set(self._values)):
            raise RecordError(f"the {self._what} lacks {', '.join(missing)}")
        if unknown := sorted(set(self._values) - known):
            raise RecordError(f"the {self._what} has unknown fields: {', '.join(unknown)[:200]}")

    def equal(self, name: str, expected: str) -> None:
        """Require a field to be this text."""
        if self.text(name) != expected:
            raise RecordError(f"{name} is {self.text(name)!r}, not {expected!r}")

    def text(self, name: str, *, default: str | None = None) -> str:
        """A text of one line."""
        value = self._values.get(name, default)
        if not isinstance(value, str) or len(value) > TEXT_CHARACTERS_MAX:
            raise self._wrong(name, f"a text of at most {TEXT_CHARACTERS_MAX} characters")
        if _UNFIT.search(value):
            raise self._wrong(name, "a text of one line in Unicode")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        values = self._values[name]
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise self._wrong(name, "a list of texts")
        return tuple(values)

    def integer(self, name: str, maximum: int) -> int:
        """A whole number from 0 to the maximum; ``true`` and ``1.0`` are none."""
        value = self._values[name]
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= maximum:
            raise self._wrong(name, f"an integer from 0 to {maximum}")
        return value

    def digest(self, name: str) -> str:
        """A sha256 in lower-case hexadecimal."""
        value = self._values[name]
        if not isinstance(value, str) or not is_digest(value):
            raise self._wrong(name, "64 lower-case hexadecimal digits")
        return value

    def dataset(self, name: str) -> DatasetName:
        """``inventory`` or ``telemetry``."""
        value = self._values[name]
        if value == "inventory":
            return "inventory"
        if value == "telemetry":
            return "telemetry"
        raise self._wrong(name, "inventory or telemetry")

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        """None where the field is null, else what ``read`` makes of it."""
        return None if self._values[name] is None else read(name)

    def fields(self, name: str) -> "Fields":
        """An object within the object."""
        return Fields(self._values[name], name)

    def list(self, name: str, length_max: int) -> "list[Fields]":
        """A list of objects."""
        values = self._values[name]
        if not isinstance(values, list) or len(values) > length_max:
            raise self._wrong(name, f"a list of at most {length_max}")
        return [Fields(value, f"entry of {name}") for value in values]

    def _wrong(self, name: str, expected: str) -> RecordError:
        return RecordError(f"{name} of the {self._what} is not {expected}")
