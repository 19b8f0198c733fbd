"""Serial numbers: every text matches the contract's pattern, and no two are the same."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from powerstage.engine import connect
from powerstage.errors import UsageError
from powerstage.producer.parameters import SERIAL_FORM
from powerstage.producer.serials import serial_form

NUMBERS = 10_000

characters = st.sampled_from(
    ["A", "z", "0", "-", "_", "/", " ", "'", '"', "é", "%", "#", r"\.", r"\$", r"\[", r"\\", r"\-"]
)
classes = st.sampled_from(
    [
        "[0-9]", "[A-F]", "[A-HJ-NP-Z]", "[a-zA-Z0-9]", "[abc]", "[aab]", "[-x]", "[x-]", r"[\d]",
        r"[\dA-F]", r"[\w-]", r"[\]x]", r"[\^x]", "[é-í]", "['%]", r"\d", r"\w",
    ]
)  # fmt: skip
counts = st.sampled_from(["", "", "{1}", "{2}", "{3}", "{2,}", "{1,4}", "{10}"])
tokens = st.tuples(st.one_of(characters, classes), counts).map("".join)
patterns = st.lists(tokens, min_size=1, max_size=6).map("".join)


def serials(pattern: str | None, numbers: int = NUMBERS, offset: int = 7) -> Sequence[str]:
    """The first serial numbers of a form, as many as it has or as are asked for."""
    form = serial_form(pattern)
    with connect(threads=1) as connection:
        found = connection.execute(
            f"SELECT {form.spell('scattered')} FROM (SELECT {form.scatter('range', offset)}"
            f" AS scattered FROM range({min(numbers, form.space)}))"
        ).fetchall()
    return [text for (text,) in found]


@example("[aab]{2}", 0)
@settings(max_examples=60, deadline=None)
@given(patterns, st.integers(0, 2**63 - 1))
def test_serial_numbers_match_their_pattern_and_differ(pattern: str, offset: int) -> None:
    """Ten thousand of them, or as many as there are, wherever the sequence begins."""
    anchored = f"^{pattern}$"
    found = serials(anchored, offset=offset)
    assert all(re.fullmatch(anchored, text) for text in found)
    assert len(set(found)) == len(found)
    assert len(found) == min(NUMBERS, serial_form(anchored).space)


@pytest.mark.parametrize("pattern", [None, "^[0-9A-Z]{10}$", "^[A-Z0-9]+$", ".*", "^CZJ.{7}$"])
def test_serial_numbers_look_like_those_of_hpe_where_they_may(pattern: str | None) -> None:
    """Plant, year, week and number, without letters that look like digits."""
    found = serials(pattern)
    assert len(set(found)) == NUMBERS
    assert all(re.fullmatch("CZJ[0-9]{3}[0-9A-HJ-NP-Z]{4}", text) for text in found)
    assert {int(text[4:6]) for text in found} == set(range(50))


def test_the_form_has_room_for_the_largest_fleet() -> None:
    """A million places, and twenty years of servers in each."""
    assert serial_form(SERIAL_FORM).space > 1_000_000 * 7


def test_neighbours_do_not_look_alike() -> None:
    """Servers of one rack were not bought together: their numbers begin in many ways."""
    found = serials(None, 100)
    assert len({text[:6] for text in found}) > 90


@pytest.mark.parametrize(
    "pattern",
    [
        "^(A|B)[0-9]{6}$",
        "^[^0-9]{6}$",
        "^A?[0-9]{6}$",
        "^[0-9]{6}(?=x)$",
        r"^\s[0-9]{6}$",
        "^[0-9]{200}$",
        "^a|b$",
        "^$",
        "",
        "^[0-9]{0}$",
    ],
)
def test_a_pattern_that_cannot_be_followed_is_named(pattern: str) -> None:
    """With what would do instead."""
    with pytest.raises(UsageError, match="serial numbers cannot follow") as caught:
        serial_form(pattern)
    assert repr(pattern) in caught.value.cause
    assert "SRV-" in caught.value.fix
