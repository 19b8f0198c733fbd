"""Texts from outside, fit to be shown: whatever is in them is written out, nothing is obeyed.

Control characters, and those that turn the direction of writing, become escapes.
"""

import unicodedata
from typing import Final

_UNSAFE: Final = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def safe(text: str) -> str:
    """A text with its unsafe characters written as escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _UNSAFE
        else character
        for character in text
    )


def shown(text: str, characters_max: int) -> str:
    """A safe text of so many characters at most; what is cut off is not missed silently."""
    whole = safe(text[: characters_max + 1])
    return whole if len(whole) <= characters_max else whole[: characters_max - 1] + "…"
