"""Serial numbers by a pattern: each number of a range becomes another text that matches it."""

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from powerstage.engine import sql_text
from powerstage.errors import UsageError
from powerstage.producer.parameters import SERIAL_FORM

_DIGITS: Final = "0123456789"
_CAPITALS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ESCAPED: Final = {"d": _DIGITS, "w": _DIGITS + _CAPITALS + "_" + _CAPITALS.lower()}
_TOKEN: Final = re.compile(
    r"(?:\[(?P<group>(?!\^)(?:\\.|[^\]\\])+)\]|\\(?P<escaped>.)|(?P<literal>[^][(){}|*+?.^$\\]))"
    r"(?:\{(?P<count>[0-9]{1,3})(?:,[0-9]*)?\})?"
)
_LENGTH_MAX: Final = 100
# Far more than there are servers; times a number of devices it fits 128 bits.
_SPACE_MAX: Final = 10**15
_GOLDEN: Final = 0.6180339887498949


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialForm:
    """Texts of one length: for each place the characters that may stand there."""

    places: tuple[str, ...]

    @property
    def space(self) -> int:
        """How many different serial numbers there are."""
        return math.prod(len(place) for place in self.places)

    def scatter(self, number: str, offset: int) -> str:
        """SQL that scatters numbers from 0 to below ``space`` over it, each to another place.

        Args:
            number: SQL for the number.
            offset: moves the whole sequence.
        """
        space = self.space
        return f"((({number})::HUGEINT * {_stride(space)} + {offset % space}) % {space})::BIGINT"

    def spell(self, number: str) -> str:
        """SQL for the text whose places spell a number; each number another."""
        parts, radix = [], 1
        for place in reversed(self.places):
            digit = f"{number} // {radix} % {len(place)} + 1"
            parts.append(
                sql_text(place) if len(place) == 1 else f"substr({sql_text(place)}, {digit}, 1)"
            )
            radix *= len(place)
        return " || ".join(reversed(parts))

    def example(self, number: int) -> str:
        """The text whose places spell a number."""
        text = ""
        for place in reversed(self.places):
            number, digit = divmod(number, len(place))
            text = place[digit] + text
        return text


@cache
def serial_form(pattern: str | None) -> SerialForm:
    """HPE's form where the contract's pattern admits it, else the form of the pattern itself.

    Raises:
        UsageError: the pattern is more than characters, classes and counts in a row.
    """
    own = _parse(SERIAL_FORM)
    if pattern is None or (own is not None and _admits(pattern, own)):
        return _require(own, SERIAL_FORM)
    form = _parse(pattern.removeprefix("^").removesuffix("$"))
    if form is None or not _admits(pattern, form):
        form = None
    return _require(form, pattern)


def _require(form: SerialForm | None, pattern: str) -> SerialForm:
    if form is None:
        raise UsageError(
            "mock serial numbers cannot follow the contract's pattern",
            cause=f"{pattern!r} is more than characters, classes and counts in a row",
            fix="use a pattern such as '^SRV-[0-9]{6}$', or publish an export of your own",
        )
    return form


def _parse(pattern: str) -> SerialForm | None:
    places: list[str] = []
    position = 0
    while position < len(pattern):
        token = _TOKEN.match(pattern, position)
        if token is None:
            return None
        position = token.end()
        if token["group"] is not None:
            place = _characters(token["group"])
        elif token["escaped"] is not None:
            place = _ESCAPED.get(token["escaped"], token["escaped"])
        else:
            place = token["literal"]
        places += [place] * int(token["count"] or 1)
    return SerialForm(places=_few(places)) if 0 < len(places) <= _LENGTH_MAX else None


def _few(places: list[str]) -> tuple[str, ...]:
    """Fix what stands before as many places as are enough for any fleet."""
    space, kept = 1, []
    for place in reversed(places):
        enough = space * len(place) > _SPACE_MAX
        kept.append(place[0] if enough else place)
        space *= len(kept[-1])
    return tuple(reversed(kept))


def _characters(group: str) -> str:
    """The characters of a class, in order, each once."""
    found = ""
    for part in re.finditer(r"(\\?.)-(\\?.)|\\([dw])|\\?(.)", group):
        if part[1]:
            first, last = part[1][-1], part[2][-1]
            found += "".join(chr(code) for code in range(ord(first), ord(last) + 1))
        else:
            found += _ESCAPED[part[3]] if part[3] else part[4]
    return "".join(sorted(set(found)))


def _admits(pattern: str, form: SerialForm) -> bool:
    """Whether texts of a form, from all over it, match a pattern."""
    step = max(1, form.space // 97)
    numbers = {*range(0, form.space, step), form.space - 1}
    return all(re.fullmatch(pattern, form.example(number)) for number in numbers)


def _stride(space: int) -> int:
    """A stride that visits every number below ``space`` before one recurs, far from the last."""
    stride = max(1, int(space * _GOLDEN))
    while math.gcd(stride, space) != 1:
        stride += 1
    return stride
