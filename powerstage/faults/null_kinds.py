"""Faults in any column: nothing where something is required, and what no agreement knows."""

from typing import Final

from powerstage.faults.fault import Change, Fault, Target
from powerstage.faults.parts import needs_column, needs_enum, needs_listed, needs_required

_READING: Final = Target(devices="one", measures="any", intervals="one")
_ONE: Final = Target(devices="one")


def _null(part: str, words: str) -> Fault:
    return Fault(
        name=f"null_{part}",
        level="value",
        words=f"a reading without {words}",
        magnitude="one null",
        check=f"${part}.not_null",
        target=_READING,
        effects=(Change(does="replace", columns=((part, "NULL"),)),),
        unless=(needs_column(part, f"column for {words}"), needs_required(part)),
    )


def _endless(part: str, words: str) -> Fault:
    return Fault(
        name=f"endless_{part}",
        level="timing",
        words=f"a reading that {words} at no time",
        magnitude="infinity, as databases write it",
        check=f"${part}.finite",
        target=_READING,
        effects=(Change(does="replace", columns=((part, "'infinity'::TIMESTAMPTZ"),)),),
        unless=(needs_column(part, f"column for when a reading {words}"),),
    )


def _malformed(part: str, words: str) -> Fault:
    return Fault(
        name=f"malformed_{part}",
        level="fleet",
        words=f"a {words} in the inventory that is of another form",
        magnitude="a space and a question mark at its end",
        check=f"$listed_{part}.pattern",
        dataset="inventory",
        target=_ONE,
        inventory=Change(does="replace", columns=((part, f"${part} || ' ?'"),)),
        unless=(needs_listed(part),),
    )


NULL_KINDS: Final = (
    _null("device", "a serial number"),
    _null("model", "a model"),
    _null("product", "a product number"),
    _null("site", "a site"),
    _null("start", "a start"),
    _null("end", "an end"),
    _null("source", "a source"),
    _null("measure", "a measure"),
    _null("unit", "a unit"),
    Fault(
        name="unknown_unit",
        level="value",
        words="a unit that nobody agreed on",
        magnitude="a question mark after the unit",
        check="$unit.allowed",
        target=_READING,
        effects=(Change(does="replace", columns=(("unit", "$unit || '?'"),)),),
        unless=(needs_enum("unit"),),
    ),
)
PRODUCT_KINDS: Final = (
    Fault(
        name="wrong_product",
        level="key",
        words="a device under another product number than in the inventory",
        magnitude="an X at its end",
        check="$product.as_inventory",
        target=_ONE,
        effects=(Change(does="replace", columns=(("product", "$product || 'X'"),)),),
        unless=(needs_column("product", "column for a product number"),),
    ),
)
ENDLESS_KINDS: Final = (_endless("start", "starts"), _endless("end", "ends"))
MALFORMED_KINDS: Final = (_malformed("product", "product number"), _malformed("site", "site code"))
