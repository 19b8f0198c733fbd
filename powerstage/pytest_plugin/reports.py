"""A target validated, and its reports as test items look them up: by what they are on."""

from datetime import UTC, datetime
from pathlib import Path

from powerstage.checks import Report
from powerstage.contract import load
from powerstage.display.findings import feed_results
from powerstage.validate import validate


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
    of_feed = Report(results=tuple(feed_results(validated.consumed)), rows=0)
    return {"": of_feed, **reports}
