"""What a fault is: a record that says what is done to which rows, and which check must see it.

Its texts and SQL name columns by their part in the contract: ``$device``, ``$measure``,
``$start``, ``$end``, ``$unit``, ``$value``; ``$site``, ``$model`` and ``$source`` are texts of
telemetry that are no part of a reading. In SQL, ``$start_us`` is the start of the interval in
microseconds since 1970, ``$other_value`` the value of another reading, and ``planned`` a row
of the plan.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal, TypeAlias

from powerstage.contract import Commit, Contract, Verdict
from powerstage.contract.model import DatasetName

Level: TypeAlias = Literal[
    "value", "row", "key", "timing", "column", "file", "commit", "wire", "fleet"
]
# certain: one delivery proves it. needs history: only several periods show it. undetectable:
# noise hides it. harmless: no fault at all, and no check may say so.
Evidence: TypeAlias = Literal["certain", "needs history", "undetectable", "harmless"]
Devices: TypeAlias = Literal["none", "all", "one", "busy", "pair", "site"]
Measures: TypeAlias = Literal["all", "any", "power", "utilisation", "each"]
# Which intervals: all, one of the first period or of the second, or the first after the last.
Intervals: TypeAlias = Literal["all", "one", "one later", "next"]
# Where another reading comes from: the file itself, the one before or after it, or the one
# before the first period of the fault.
Donor: TypeAlias = Literal["none", "itself", "before", "after", "before all"]
# What the planner looks up for a row of the plan.
Detail: TypeAlias = Literal[
    "none",
    "free device",
    "retired device",
    "other model",
    "other site",
    "offset",
    "idle",
    "full load",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of the rows that the plan names: columns by their part, each with its SQL.

    ``add`` takes the rows from the donor; all others are rows of the file.
    """

    does: Literal["replace", "drop", "repeat", "add"]
    columns: tuple[tuple[str, str], ...] = ()
    donor: Donor = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What becomes of a whole file: a list of columns, and which of the rows."""

    columns: str = "*"
    rows: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """What becomes of a file's bytes before it is hashed."""

    edit: Callable[[Path], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is written in the place of a commit; ``moved`` so much after its period."""

    edit: Callable[[Commit, timedelta], bytes]
    moved: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What arrives of an object: what ``edit`` makes of it, None for nothing.

    ``swap`` gives it the bytes of the object of the fault's first period, and that one its own.
    """

    edit: Callable[[bytes], bytes | None] | None = None
    swap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Restate:
    """A second revision follows at once, in which the change was made.

    With ``breaks_chain`` it supersedes another than the first.
    """

    change: Change
    breaks_chain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """The period is left as it is, or (``held_back``) never delivered."""

    held_back: bool = False


Effect: TypeAlias = Change | Whole | Bytes | Record | Wire | Restate | Nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the seed chooses from.

    It goes on for as long as it ``lasts``, and at least so many ``periods``. A ``busy`` device
    has a load over 30 % in each reading, or the highest that is its least.
    """

    devices: Devices = "none"
    measures: Measures = "all"
    lasts: timedelta = timedelta()
    periods: int = 1
    intervals: Intervals = "all"
    detail: Detail = "none"
    at_clock_change: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A kind of defect, or (``harmless``) of what looks like one.

    ``check`` is the id of the check that must see it, empty where none must; ``has_check``
    tells whether there is one today. ``or_check`` sees it where the values or sizes that it
    meets leave the first one silent, which the plan settles. ``verdict`` is what must come of
    a delivery of ``dataset``; None where it is a finding about the feed and no delivery is to
    blame. ``source`` names where the defect was seen.

    ``effects`` are those of its first, second, … period, the last of them of all further ones;
    ``inventory`` is what is done to the snapshot. ``unless`` say, each, why it is no fault of a
    contract, or nothing.
    """

    name: str
    level: Level
    words: str
    magnitude: str
    check: str = ""
    or_check: str = ""
    verdict: Verdict | None = "rejected"
    evidence: Evidence = "certain"
    dataset: DatasetName = "telemetry"
    source: str = ""
    target: Target = Target()
    effects: tuple[Effect, ...] = (Nothing(),)
    inventory: Change | None = None
    unless: tuple[Callable[[Contract], str], ...] = ()
    has_check: bool = False

    @property
    def window(self) -> str:
        """How much it hits, in words."""
        if self.target.intervals != "all":
            return "one interval"
        several = self.target.lasts or self.target.periods > 1
        return "several periods" if several else "a period"

    def effect(self, index: int) -> Effect:
        """What is done to its period of this number."""
        return self.effects[min(index, len(self.effects) - 1)]
