"""All kinds of fault, and which of them a contract has."""

import textwrap
from collections.abc import Mapping
from dataclasses import replace
from string import Template
from typing import Final

from powerstage.checks import PERIOD_MISSING, Check, compile_plan
from powerstage.consumer import judge
from powerstage.consumer.findings import VALUE_CHECKS
from powerstage.contract import Contract
from powerstage.contract.model import Severity
from powerstage.faults.delivery_kinds import (
    COMMIT_KINDS,
    FLEET_KINDS,
    WIRE_KINDS,
)
from powerstage.faults.fault import Fault
from powerstage.faults.file_kinds import COLUMN_KINDS, FILE_KINDS
from powerstage.faults.harmless_kinds import HARMLESS_KINDS
from powerstage.faults.null_kinds import ENDLESS_KINDS, MALFORMED_KINDS, NULL_KINDS, PRODUCT_KINDS
from powerstage.faults.parts import columns, listed_columns
from powerstage.faults.row_kinds import KEY_KINDS, ROW_KINDS, TIMING_KINDS
from powerstage.faults.value_kinds import VALUE_KINDS

_KINDS: Final = (
    *VALUE_KINDS,
    *NULL_KINDS,
    *ROW_KINDS,
    *KEY_KINDS,
    *PRODUCT_KINDS,
    *TIMING_KINDS,
    *ENDLESS_KINDS,
    *COLUMN_KINDS,
    *FILE_KINDS,
    *COMMIT_KINDS,
    *WIRE_KINDS,
    *FLEET_KINDS,
    *MALFORMED_KINDS,
    *HARMLESS_KINDS,
)
_LINE_CHARACTERS: Final = 76
_OF_THE_TRANSFER: Final = {
    check.id for check in vars(judge).values() if isinstance(check, Check)
} | {PERIOD_MISSING.id}


def catalogue(contract: Contract) -> tuple[Fault, ...]:
    """Every kind under this contract, harmless ones too; what it allows, or only warns of, is none.

    A caller picks by ``evidence``, and by ``has_check``: whether a check of today sees it.
    """
    return tuple(fault for fault, reason in _kinds(contract) if not reason)


def refusals(contract: Contract) -> dict[str, str]:
    """Why each other kind is no fault of this contract, by its name."""
    return {fault.name: reason for fault, reason in _kinds(contract) if reason}


def names_by_level() -> str:
    """The names of all kinds, for people: a line for each level."""
    levels = dict.fromkeys(kind.level for kind in _KINDS)
    return "\n".join(
        textwrap.fill(
            f"{level}: {', '.join(kind.name for kind in _KINDS if kind.level == level)}",
            width=_LINE_CHARACTERS,
            subsequent_indent="  ",
        )
        for level in levels
    )


def checks_of_today(contract: Contract) -> Mapping[str, Severity]:
    """The id of every check that a consumer has under this contract, and how much it weighs."""
    severities: dict[str, Severity] = dict.fromkeys(_OF_THE_TRANSFER, "error")
    for plan in (compile_plan(contract, "inventory"), compile_plan(contract, "telemetry")):
        severities |= {check.id: check.severity for check in plan.checks}
    return severities | {check.id: check.severity for check in VALUE_CHECKS}


def _kinds(contract: Contract) -> list[tuple[Fault, str]]:
    """Every kind with its texts filled in, and why it is no fault of this contract, or nothing."""
    names, severities = _names(contract), checks_of_today(contract)
    kinds = []
    for kind in _KINDS:
        reason = next(filter(None, (unless(contract) for unless in kind.unless)), "")
        if reason:
            kinds.append((kind, reason))
            continue
        check = Template(kind.check).substitute(names)
        fault = replace(
            kind,
            words=Template(kind.words).substitute(names),
            magnitude=Template(kind.magnitude).substitute(names),
            check=check,
            or_check=Template(kind.or_check).substitute(names),
            has_check=check in severities,
        )
        # A finding about the feed only warns, whatever it is: no delivery is to blame.
        warns = fault.verdict is not None and severities.get(check) == "warning"
        kinds.append((fault, f"it only warns: {check}" if warns else ""))
    return kinds


def _names(contract: Contract) -> dict[str, str]:
    known = columns(contract)
    names = {part: column.name for part, column in known.items()}
    names |= {f"listed_{part}": column.name for part, column in listed_columns(contract).items()}
    kind = "allowed" if known["measure"].allowed else "known"
    return names | {"measure_check": f"{known['measure'].name}.{kind}"}
