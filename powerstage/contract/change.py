"""A change between two contracts, and every kind of it: whom it breaks, and why."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from powerstage.contract.model import Rule

Side: TypeAlias = Literal["producer", "consumer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of change; ``breaks`` names those who cannot go on as they are."""

    words: str
    breaks: tuple[Side, ...]
    why: str


_BOTH: Final[tuple[Side, ...]] = ("producer", "consumer")
_PRODUCER: Final[tuple[Side, ...]] = ("producer",)
_CONSUMER: Final[tuple[Side, ...]] = ("consumer",)
_REFUSED: Final = "data that were accepted are refused"
_UNKNOWN: Final = "data come that it has never had"


def _kind(words: str, breaks: tuple[Side, ...], why: str) -> Kind:
    return Kind(words=words, breaks=breaks, why=why)


KINDS: Final = {
    "column.added": _kind(
        "a column added", _BOTH, "files without it are refused; a strict reader refuses it"
    ),
    "column.removed": _kind(
        "a column removed", _BOTH, "files with it are refused; a reader misses it"
    ),
    "column.retyped": _kind("another type", _BOTH, "files and readers have the old one"),
    "column.required": _kind("a column now required", _PRODUCER, "its nulls are refused"),
    "column.optional": _kind("a column no longer required", _CONSUMER, "nulls come"),
    "column.order": _kind("columns in another order", (), "they go by their names"),
    "pattern.added": _kind("a pattern added", _PRODUCER, _REFUSED),
    "pattern.removed": _kind("a pattern removed", _CONSUMER, _UNKNOWN),
    "pattern.changed": _kind("another pattern", _BOTH, "nobody can tell which is wider"),
    "enum.narrowed": _kind("fewer agreed values", _PRODUCER, _REFUSED),
    "enum.widened": _kind("more agreed values", _CONSUMER, _UNKNOWN),
    "range.narrowed": _kind("a narrower range", _PRODUCER, _REFUSED),
    "range.widened": _kind("a wider range", _CONSUMER, _UNKNOWN),
    "measure.added": _kind(
        "a measure added", _BOTH, "every device has to be read for it; a reader does not know it"
    ),
    "measure.removed": _kind(
        "a measure removed", _BOTH, "its readings are refused; a reader misses them"
    ),
    "measure.unit": _kind("another unit of a measure", _BOTH, "values mean something else"),
    "key.changed": _kind("another primary key", _BOTH, "what was one row is two, or the reverse"),
    "reference.changed": _kind(
        "another reference to the inventory", _BOTH, "joins go by other columns"
    ),
    "role.changed": _kind(
        "another column for a part of a reading", _BOTH, "values are read from elsewhere"
    ),
    "start.changed": _kind(
        "readings with or without a start", _BOTH, "a stamp means another interval"
    ),
    "reading_interval.changed": _kind(
        "another reading interval", _BOTH, "other readings are due; sums and means are of others"
    ),
    "delivery_interval.changed": _kind(
        "another delivery interval", _BOTH, "periods have other borders and other names"
    ),
    "jitter.lowered": _kind("readings start less late", _PRODUCER, _REFUSED),
    "jitter.raised": _kind("readings start later", _CONSUMER, _UNKNOWN),
    "completeness.raised": _kind("more readings have to come", _PRODUCER, _REFUSED),
    "completeness.lowered": _kind("more readings may be missing", _CONSUMER, "gaps come"),
    "key_layout.changed": _kind(
        "another key layout", _BOTH, "objects are written and looked for elsewhere"
    ),
    "site.added": _kind("a site added", _CONSUMER, "it does not know the place"),
    "site.removed": _kind("a site removed", _BOTH, "its servers have no place"),
    "site.zone": _kind("another time zone of a site", _CONSUMER, "its days begin elsewhere"),
    "site.column": _kind("sites in another column", _BOTH, "places are read from elsewhere"),
    "severity.raised": _kind("a warning becomes an error", _PRODUCER, _REFUSED),
    "severity.lowered": _kind(
        "an error becomes a warning", _CONSUMER, "data that were refused are accepted"
    ),
    "quality.added": _kind("a rule of quality added", _PRODUCER, _REFUSED),
    "quality.removed": _kind("a rule of quality removed", _CONSUMER, _UNKNOWN),
    "quality.tightened": _kind("a rule of quality allows less", _PRODUCER, _REFUSED),
    "quality.loosened": _kind("a rule of quality allows more", _CONSUMER, _UNKNOWN),
    "quality.changed": _kind("another rule of quality", _BOTH, "nobody can tell which allows more"),
    "latency.shortened": _kind("deliveries due earlier", _PRODUCER, "it may be late"),
    "latency.lengthened": _kind("deliveries due later", _CONSUMER, "it has to wait"),
    "retention.shortened": _kind("deliveries kept shorter", _CONSUMER, "old ones are gone"),
    "retention.lengthened": _kind("deliveries kept longer", _PRODUCER, "it has to keep them"),
    "timezone.changed": _kind(
        "another zone of bare time stamps", _BOTH, "the same text is another instant"
    ),
    "export.changed": _kind(
        "other file names in an export", _BOTH, "files are written and looked for elsewhere"
    ),
    "tenant.changed": _kind("another customer", _CONSUMER, "deliveries belong to another"),
    "name.changed": _kind("another name", _BOTH, "it is another contract"),
    "purpose.changed": _kind("another purpose", (), "it informs"),
    "version.unchanged": _kind(
        "a change without a new version", _PRODUCER, "a feed refuses another text under it"
    ),
    "version.too_small": _kind(
        "a breaking change without a new major version",
        _CONSUMER,
        "whoever takes it for a small one is broken",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change: of what, from what to what, and its lines in both files.

    ``kind`` is a key of ``KINDS``; a line is None where that file does not have it. ``hint``
    names what the change may be in truth: half of a renaming.
    """

    kind: str
    subject: str
    words: str
    old_line: int | None
    new_line: int | None
    hint: str = ""

    @property
    def breaks(self) -> tuple[Side, ...]:
        """Who cannot go on as they are."""
        return KINDS[self.kind].breaks


def change(  # noqa: PLR0917 - the facts of one, in the order in which they are told
    kind: str,
    subject: str,
    words: str,
    old_line: int | None,
    new_line: int | None,
    hint: str = "",
) -> Change:
    """A change of a kind."""
    return Change(
        kind=kind, subject=subject, words=words, old_line=old_line, new_line=new_line, hint=hint
    )


def severity(subject: str, old: Rule, new: Rule) -> Iterator[Change]:
    """Whether a rule weighs more or less."""
    if old.severity != new.severity:
        kind = "severity.raised" if new.severity == "error" else "severity.lowered"
        yield change(kind, subject, f"{old.severity} → {new.severity}", old.line, new.line)


def listed(values: Iterable[str]) -> str:
    """Texts in a row."""
    return ", ".join(values)
