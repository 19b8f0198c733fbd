"""A target validated, and its reports as test items look them up: by what they are on."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from powerstage.checks import Check, CheckResult, Report, Sample, fails, passes
from powerstage.consumer import Consumed
from powerstage.contract import load, period_text
from powerstage.contract.calendar import Gap
from powerstage.validate import validate


def _feed_check(id_: str, words: str, expected: str, counts: str) -> Check:
    return Check(
        id=id_, words=words, expected=expected, severity="error", at="the transfer", counts=counts
    )


_PERIODS: Final = _feed_check(
    "period.missing", "no period is missing", "a delivery of every period", "periods"
)
_KEYS: Final = _feed_check(
    "commit.key", "nothing but commits stands under commits/", "keys of the layout", "keys"
)
# Findings about a feed as a whole: no delivery is blamed for them.
FEED_CHECKS: Final = (_PERIODS, _KEYS)


def now() -> datetime:
    """The time, for this door of the package."""
    return datetime.now(UTC)  # noqa: TID251 - the clock that is handed to everything else


def reports_of(place: str, *, contract: str | None, inventory: str | None) -> dict[str, Report]:
    """The report on the target itself under ``""``, those on a feed's deliveries by their names.

    Raises:
        PowerstageError: as ``validate``.
    """
    validated = validate(
        place,
        clock=now,
        contract=None if contract is None else load(contract),
        inventory=None if inventory is None else Path(inventory),
    )
    reports = dict(validated.reports)
    if validated.consumed is None:
        return {"": reports[place]}
    if validated.slot is not None:
        return {"": reports[str(validated.slot)]}
    return {"": _feed_report(validated.consumed), **reports}


def _feed_report(consumed: Consumed) -> Report:
    slots = {judgement.slot for judgement in consumed.judgements}
    periods = {slot.period for slot in slots if slot.dataset == "telemetry"}
    missing = sum(gap.periods for gap in consumed.gaps)
    gaps = [_gap_sample(gap) for gap in consumed.gaps]
    strays = [Sample(file=key, row=0, values=()) for key in consumed.strays]
    return Report(
        results=(
            _result(_PERIODS, missing, len(periods) + missing, gaps),
            _result(_KEYS, len(strays), len(slots) + len(strays), strays),
        ),
        rows=0,
    )


def _gap_sample(gap: Gap) -> Sample:
    first, last = period_text(gap.first), period_text(gap.last)
    values = (("first", first), ("last", last), ("periods", str(gap.periods)))
    return Sample(file="", row=0, values=values)


def _result(check: Check, failed: int, total: int, samples: list[Sample]) -> CheckResult:
    if not failed:
        return passes(check, total)
    return fails(check, failed=failed, total=total, samples=tuple(samples[:5]))
