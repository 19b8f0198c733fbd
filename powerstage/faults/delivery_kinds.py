"""Faults in commits, on the wire, and in the inventory."""

from typing import Final

from powerstage.checks import PERIOD_MISSING
from powerstage.contract import Verdict
from powerstage.faults import edits
from powerstage.faults.fault import (
    Change,
    Fault,
    Nothing,
    Record,
    Restate,
    Target,
    Wire,
)
from powerstage.faults.parts import (
    needs_all,
    needs_column,
    needs_pattern,
)

LOWER_BY_A_HUNDREDTH: Final = Change(
    does="replace", columns=(("value", "greatest($minimum, round($value * 0.99, 3))"),)
)


def _commit(name: str, words: str, magnitude: str, check: str, edit: edits.CommitEdit) -> Fault:
    is_whole = not check.startswith(("commit.", "object."))
    verdict: Verdict = "rejected" if is_whole else "unreadable"
    return Fault(
        name=name,
        level="commit",
        words=words,
        magnitude=magnitude,
        check=check,
        verdict=verdict,
        effects=(Record(edit=edit),),
    )


COMMIT_KINDS: Final = (
    Fault(
        name="missing_hour",
        level="commit",
        words="a period that is never delivered",
        magnitude="one period",
        check=PERIOD_MISSING.id,
        verdict=None,
        effects=(Nothing(held_back=True),),
    ),
    _commit(
        "lying_commit",
        "a commit that promises a row too many",
        "1 row",
        "rows.as_committed",
        edits.one_row_more,
    ),
    _commit(
        "lying_size",
        "a commit that promises a byte too many",
        "1 byte",
        "object.size",
        edits.one_byte_more,
    ),
    _commit(
        "missing_object",
        "a commit that names an object of another digest",
        "a digest that no object has",
        "object.present",
        edits.another_object,
    ),
    _commit(
        "file_listed_twice",
        "a commit that names a file twice",
        "one file",
        "commit.readable",
        edits.files_twice,
    ),
    _commit(
        "edited_commit",
        "a commit that was edited after it was named",
        "1 row more, under the identity of before",
        "commit.readable",
        edits.after_naming,
    ),
    _commit(
        "cut_commit",
        "a commit that was written in part",
        "the first half of its bytes",
        "commit.readable",
        edits.half_record,
    ),
    _commit(
        "other_contract",
        "a commit that follows another contract",
        "the digest of a text that differs",
        "contract.agreed",
        edits.another_contract,
    ),
    _commit(
        "unknown_inventory",
        "a commit that refers to an inventory that was never delivered",
        "the next revision of the one in force",
        "inventory.accepted",
        edits.undelivered_inventory,
    ),
    _commit(
        "wrong_pin",
        "a commit that refers to an inventory by another identity",
        "the slot in force, another identity",
        "inventory.accepted",
        edits.another_inventory,
    ),
    _commit(
        "broken_chain",
        "a first revision that supersedes another",
        "an identity where none may be",
        "commit.readable",
        edits.supersedes_nothing,
    ),
    Fault(
        name="off_calendar",
        level="commit",
        words="a delivery of a period that is none of those agreed",
        magnitude="a minute later",
        check="period.agreed",
        effects=(Record(edit=edits.minute_later, moved=edits.MINUTE),),
    ),
    Fault(
        name="wrong_revision",
        level="commit",
        words="a second revision that supersedes another delivery than the first",
        magnitude="an identity that none has; the values of a site, a hundredth lower",
        check="commit.chain",
        target=Target(devices="site"),
        effects=(Restate(change=LOWER_BY_A_HUNDREDTH, breaks_chain=True),),
        unless=(needs_column("site", "column for a site"),),
    ),
    _commit(
        "misfiled_commit",
        "a commit under the key of another period",
        "the record of the next period",
        "commit.readable",
        edits.period_later,
    ),
)


def _wire(name: str, words: str, magnitude: str, check: str, wire: Wire) -> Fault:
    return Fault(
        name=name,
        level="wire",
        words=words,
        magnitude=magnitude,
        check=check,
        or_check="object.digest" if wire.swap else "",
        verdict="unreadable",
        target=Target(periods=2 if wire.swap else 1),
        effects=(Nothing(), wire) if wire.swap else (wire,),
    )


WIRE_KINDS: Final = (
    _wire(
        "flipped_byte",
        "one byte changed on the way",
        "one bit, in the middle",
        "object.digest",
        Wire(edit=edits.flipped),
    ),
    _wire(
        "cut_object",
        "an object that arrived in part",
        "the first half of its bytes",
        "object.size",
        Wire(edit=edits.halved),
    ),
    _wire(
        "lost_object",
        "an object that never arrived",
        "one object",
        "object.present",
        Wire(edit=edits.lost),
    ),
    _wire(
        "swapped_objects",
        "the objects of two periods in each other's place",
        "two objects, whole",
        "object.size",
        Wire(swap=True),
    ),
)

_ONE: Final = Target(devices="one")

FLEET_KINDS: Final = (
    Fault(
        name="doubled_device",
        level="fleet",
        words="a device that stands in the inventory twice",
        magnitude="one row",
        check="key.unique",
        dataset="inventory",
        target=_ONE,
        inventory=Change(does="repeat"),
    ),
    Fault(
        name="unlisted_device",
        level="fleet",
        words="a device that the inventory leaves out",
        magnitude="one row; the readings are there",
        check="$device.in_inventory",
        target=_ONE,
        inventory=Change(does="drop"),
    ),
    Fault(
        name="absent_device",
        level="fleet",
        words="a device of the inventory that is never read",
        magnitude="one row, without a reading",
        check="device.silent",
        target=Target(devices="one", detail="free device"),
        inventory=Change(does="repeat", columns=(("device", "planned.text"),)),
        unless=(needs_all,),
    ),
    Fault(
        name="empty_inventory",
        level="fleet",
        words="an inventory that lists no device",
        magnitude="0 rows",
        check="$device.in_inventory",
        target=Target(devices="all"),
        inventory=Change(does="drop"),
    ),
    Fault(
        name="malformed_serial",
        level="fleet",
        words="a serial number in the inventory that is of another form",
        magnitude="a space and a question mark at its end",
        check="$listed_device.pattern",
        dataset="inventory",
        target=_ONE,
        inventory=Change(does="replace", columns=(("device", "$device || ' ?'"),)),
        unless=(needs_pattern,),
    ),
    Fault(
        name="unknown_site",
        level="fleet",
        words="a device at a site that nobody agreed on",
        magnitude="ZZ-99, in the inventory and in the readings",
        check="$listed_site.agreed",
        dataset="inventory",
        target=_ONE,
        effects=(Change(does="replace", columns=(("site", "'ZZ-99'"),)),),
        inventory=Change(does="replace", columns=(("site", "'ZZ-99'"),)),
    ),
)
