"""What holds at every instant of a transfer, and what holds in the end.

The names are those of the proof: visibility, integrity, write-once, agreement, no loss, no
duplicate, monotonicity, convergence, and that receipts are sound. Everything is worked out anew
from the objects of the feed: nothing of the consumer's is asked but what it shows.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias, get_args

from powerstage.consumer import Lake
from powerstage.consumer.ledger import Entry
from powerstage.contract import (
    Commit,
    CommitKey,
    Receipt,
    ReceiptKey,
    Slot,
    Verdict,
    parse_key,
)
from powerstage.contract.model import DatasetName
from tests.transfer.judging import SPOILT

Objects: TypeAlias = Mapping[str, bytes]
Period: TypeAlias = tuple[DatasetName, datetime]
# Of each period the revision that is shown, and the digests of its files.
Shown: TypeAlias = dict[Period, tuple[int, tuple[str, ...]]]
RECORDS: Final = ("commits/", "contract/", "receipts/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A lake as somebody sees it who opens it now."""

    shown: Shown
    views: tuple[str, ...]
    entries: tuple[Entry, ...]
    unsent: int
    kept: Mapping[str, str]


def look_into(folder: Path) -> Look:
    """What a lake shows; ``kept`` are the digests of its files by the names that they have."""
    with Lake(folder) as lake:
        found = [
            (slot, tuple(digests))
            for dataset in get_args(DatasetName)
            for slot, digests in lake.ledger.exposed(dataset)
        ]
        periods = [(slot.dataset, slot.period) for slot, _ in found]
        assert len(set(periods)) == len(periods), "no duplicate: a period is shown twice"
        views = folder / "lake.duckdb"
        return Look(
            shown={
                (slot.dataset, slot.period): (slot.revision, digests) for slot, digests in found
            },
            views=tuple(views.read_text(encoding="utf-8").split()) if views.exists() else (),
            entries=tuple(lake.ledger.entries()),
            unsent=len(lake.ledger.unsent_receipts()),
            kept={
                path.stem: hashlib.sha256(path.read_bytes()).hexdigest()
                for path in (folder / "data").iterdir()
            },
        )


def records(objects: Objects) -> dict[str, bytes]:
    """What is written once."""
    return {key: body for key, body in objects.items() if key.startswith(RECORDS)}


def commits(objects: Objects) -> dict[Slot, Commit]:
    """Every commit, by the slot that its key names."""
    found = {}
    for key, body in objects.items():
        parsed = _parsed(key)
        if isinstance(parsed, CommitKey):
            found[parsed.slot] = _commit(body)
            assert found[parsed.slot].slot == parsed.slot, "agreement: a commit of another slot"
    return found


_parsed = cache(parse_key)


@cache
def _commit(body: bytes) -> Commit:
    return Commit.from_json(body)


def receipts(objects: Objects) -> dict[ReceiptKey, Receipt]:
    """Every receipt, by its key."""
    keys = {key: _parsed(key) for key in objects}
    return {
        parsed: Receipt.from_json(objects[key])
        for key, parsed in keys.items()
        if isinstance(parsed, ReceiptKey)
    }


def verdict(objects: Objects, slot: Slot) -> Verdict:
    """What has to be said of a delivery, by the feed alone."""
    known = commits(objects)
    commit = known[slot]
    if commit.supersedes is not None:
        before = known.get(before_of(slot))
        if before is None or before.identity != commit.supersedes:
            return "rejected"
    if commit.inventory is not None:
        pinned = known.get(commit.inventory.slot)
        if pinned is None or pinned.identity != commit.inventory.identity or not pinned.files:
            return "rejected"
        if verdict(objects, pinned.slot) != "accepted":
            return "rejected"
    bodies = [objects.get(file.key) for file in commit.files]
    for file, body in zip(commit.files, bodies, strict=True):
        if body is None or hashlib.sha256(body).hexdigest() != file.sha256:
            return "unreadable"
    is_spoilt = any(body is not None and body.startswith(SPOILT) for body in bodies)
    return "rejected" if is_spoilt else "accepted"


def before_of(slot: Slot) -> Slot:
    """The revision before."""
    return Slot(dataset=slot.dataset, period=slot.period, revision=slot.revision - 1)


def expected(objects: Objects, judged: Collection[Slot] | None = None) -> Shown:
    """What a lake must show that has judged these deliveries; None for all of them."""
    shown: Shown = {}
    for slot, commit in sorted(commits(objects).items()):
        if (judged is None or slot in judged) and verdict(objects, slot) == "accepted":
            digests = tuple(sorted(file.sha256 for file in commit.files))
            shown[slot.dataset, slot.period] = (slot.revision, digests)
    return shown


def _viewed(shown: Shown, objects: Objects) -> set[str]:
    """The files that the views are over: all telemetry, and what says where its devices stand."""
    telemetry = {
        digest
        for (dataset, _), (_, digests) in shown.items()
        if dataset == "telemetry"
        for digest in digests
    }
    if not telemetry:
        last = max((period for period in shown if period[0] == "inventory"), default=None)
        return set() if last is None else set(shown[last][1])
    return telemetry | {
        file.sha256
        for slot, commit in commits(objects).items()
        if slot.dataset == "inventory" and verdict(objects, slot) == "accepted"
        for file in commit.files
    }


def require_write_once(before: Objects, after: Objects) -> None:
    """No record ever changes or disappears."""
    for key, body in records(before).items():
        assert after.get(key) == body, f"write-once: {key} is another"


def require_data_before_commits(objects: Objects) -> None:
    """What a commit names is there: nobody can see half a delivery."""
    for slot, commit in commits(objects).items():
        for file in commit.files:
            body = objects.get(file.key)
            assert body is not None, f"visibility: {slot} exists without {file.key}"
            digest = hashlib.sha256(body).hexdigest()
            assert (digest, len(body)) == (file.sha256, file.bytes), f"integrity: {file.key}"


def require_sound(look: Look, objects: Objects, *, is_mistaken: bool = False) -> None:
    """Visibility, integrity and no duplicate, at any instant.

    Whoever is mistaken about the contract may refuse what he should accept, until he knows better.
    """
    known = commits(objects)
    for entry in look.entries:
        assert entry.slot in known, f"visibility: {entry.slot} was judged and does not exist"
        assert entry.identity == known[entry.slot].identity, f"integrity: {entry.slot}"
        is_due = entry.verdict == verdict(objects, entry.slot)
        assert is_due or (is_mistaken and entry.verdict == "rejected"), f"integrity: {entry}"
    accepted = {entry.slot for entry in look.entries if entry.verdict == "accepted"}
    assert look.shown == expected(objects, accepted), "visibility: other than what was accepted"
    for _, digests in look.shown.values():
        for digest in digests:
            assert look.kept.get(digest) == digest, f"integrity: the lake's file {digest}"


def require_monotone(before: Shown, after: Shown) -> None:
    """What is shown of a period never goes back."""
    for period, (revision, _) in before.items():
        assert period in after, f"monotonicity: {period} has gone"
        assert after[period][0] >= revision, f"monotonicity: {period} went back from {revision}"


def require_sound_receipts(objects: Objects) -> None:
    """A receipt says what has to be said; nobody is told twice.

    The same verdict for another reason is something else: a revision that names another identity
    than the one before it has was judged, when there was none before it.
    """
    known, shown = commits(objects), expected(objects)
    found = receipts(objects)
    for key, receipt in found.items():
        assert key.slot in known, f"receipts: {key} of what does not exist"
        assert receipt.identity == known[key.slot].identity, f"receipts: {key}"
        if replace(key, judgement=key.judgement + 1) not in found:
            is_due = receipt.verdict == verdict(objects, key.slot)
            assert is_due or is_superseded(key.slot, shown), f"receipts: {key}"
        if key.judgement > 1:
            before = found[replace(key, judgement=key.judgement - 1)]
            assert before.checks != receipt.checks, f"receipts: {key} says once more what was said"


def is_superseded(slot: Slot, shown: Shown) -> bool:
    """Whether nobody asks any more for telemetry that was refused: a later revision is shown."""
    revision, _ = shown.get((slot.dataset, slot.period), (-1, ()))
    return slot.dataset == "telemetry" and revision > slot.revision


def rejected_and_superseded(objects: Objects) -> list[Slot]:
    """What was rejected, and then replaced by something better."""
    shown = expected(objects)
    return [
        slot
        for slot in commits(objects)
        if verdict(objects, slot) == "rejected"
        and shown.get((slot.dataset, slot.period), (-1, ()))[0] > slot.revision
    ]


def require_rest(look: Look, objects: Objects, consumer: str) -> None:
    """When nothing is disturbed any more: no loss, convergence, every receipt is there."""
    require_sound(look, objects, is_mistaken=True)
    for entry in look.entries:
        is_due = entry.verdict == verdict(objects, entry.slot)
        assert is_due or is_superseded(entry.slot, look.shown), f"convergence: {entry}"
    known = set(commits(objects))
    assert {entry.slot for entry in look.entries} == known, "no loss: not all was judged"
    assert look.shown == expected(objects), "convergence"
    assert {Path(name).stem for name in look.views} == _viewed(look.shown, objects), (
        "convergence: the views"
    )
    assert look.unsent == 0, "no loss: a receipt was never sent"
    told = {key.slot for key in receipts(objects) if key.consumer == consumer}
    assert told == known, "no loss: a receipt is missing"
