"""What a store does otherwise than S3: tests expect it, and docs/stores.md shows it."""

from collections.abc import Mapping
from typing import Final

CREATE: Final = "a second create of a key"
RACE: Final = "eight creates of one key at once"
NESTED: Final = "objects `a/b` and then `a`"
CHECKSUM: Final = "an upload with a wrong SHA-256"
STRANGER: Final = "a wrong secret key"
ORDER: Final = "the order of a listing"
COPY: Final = "a copy onto an object, with `If-None-Match: *`"

S3: Final[Mapping[str, str]] = {
    CREATE: "refused",
    RACE: "one wins",
    NESTED: "both stand",
    CHECKSUM: "refused",
    STRANGER: "refused",
    ORDER: "by bytes",
    COPY: "refused",
}
# What only servers are asked.
OF_SERVERS: Final = (CHECKSUM, STRANGER, ORDER, COPY)

DIFFERENCES: Final[Mapping[str, Mapping[str, str]]] = {
    "memory": {},
    "folder": {NESTED: "the second is refused"},
    "moto": {CHECKSUM: "stored", STRANGER: "let in", COPY: "replaces it"},
    "LocalStack": {STRANGER: "let in", COPY: "refused, but damages it"},
    "SeaweedFS": {ORDER: "by folders"},
    "rclone": {
        CREATE: "replaces it",
        RACE: "all win",
        NESTED: "the second is refused, and hides the first",
        CHECKSUM: "stored",
        COPY: "replaces it",
    },
}
STORES: Final = tuple(DIFFERENCES)
SERVERS: Final = STORES[2:]


def expected(store: str, behaviour: str) -> str:
    """What a store is known to do."""
    return DIFFERENCES[store].get(behaviour, S3[behaviour])


def table() -> str:
    """Behaviours by stores, in Markdown."""
    lines = [f"| | S3 | {' | '.join(STORES)} |", "| --- " * (len(STORES) + 2) + "|"]
    for behaviour, promised in S3.items():
        cells = [_cell(store, behaviour, promised) for store in STORES]
        lines.append(f"| {behaviour} | {promised} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(store: str, behaviour: str, promised: str) -> str:
    if behaviour in OF_SERVERS and store not in SERVERS:
        return ""
    # What differs stands out.
    does = expected(store, behaviour)
    return does if does == promised else f"**{does}**"
