"""What was seen of the surroundings: whether it is well, and what to do if it is not."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One thing that was looked at.

    Args:
        subject: what was looked at.
        state: ``problem`` is what keeps the exchange from working, ``warning`` what may harm it
            or could not be seen.
        words: what was seen.
        fix: what to do about it; empty where it is ok.
    """

    subject: str
    state: Literal["ok", "warning", "problem"]
    words: str
    fix: str = ""
