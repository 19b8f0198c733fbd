"""What a worker answers, held to its form: it may be in the hands of what it read."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from powerstage.checks.counts import SAMPLES_MAX
from powerstage.checks.result import Check, CheckResult, Report, Sample, fails, passes
from powerstage.contract.receipt import COUNT_MAX
from powerstage.contract.safe_text import shown
from powerstage.errors import WorkerError

# What to do where accepted data cannot be looked at.
IS_RECORDED: Final = "what was judged is recorded; if it ends so again, report it"
_DETAIL_CHARACTERS_MAX: Final = 1_000
_VALUE_CHARACTERS_MAX: Final = 200


@contextmanager
def held_to_form(what: str) -> Iterator[None]:
    """What is read of an answer in here has another form only if the worker is not itself.

    Args:
        what: it should have given.

    Raises:
        WorkerError: it gave something else.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise WorkerError(
            f"the worker gave no {what} but something else", cause=str(error), fix=IS_RECORDED
        ) from error


def report_of(checks: Sequence[Check], answer: dict[str, Any]) -> Report:
    """Only ids, counts and texts are taken from the worker: words and severities are ours.

    It may be in the hands of what it read: an answer of another form is a ``ValueError`` or the
    like, and so is one that lets something pass that was not looked at.
    """
    outcomes = {outcome["id"]: outcome for outcome in answer["outcomes"]}
    results = [_result(check, outcomes[check.id]) for check in checks if check.id in outcomes]
    report = Report(results=tuple(results), rows=_count(answer["rows"]))
    if len(results) < len(checks) and not report.findings:
        raise ValueError("checks are missing, and none has failed")
    return report


def _result(check: Check, outcome: dict[str, Any]) -> CheckResult:
    failed, total = _count(outcome["failed"]), _count(outcome["total"])
    observed = _observed(outcome.get("observed"))
    if failed == 0:
        return passes(check, total, observed=observed)
    samples = tuple(
        Sample(
            file=_shown_value(sample["file"]),
            row=_count(sample["row"]),
            values=tuple(
                (_shown_value(name), _shown_value(value))
                for name, value in sample["values"].items()
            ),
        )
        for sample in outcome.get("samples", ())[:SAMPLES_MAX]
    )
    return fails(
        check,
        failed=failed,
        total=total,
        samples=samples,
        detail=shown_detail(outcome.get("detail", ""))
        or ("" if observed is None else f"observed: {observed:.12g}"),
        observed=observed,
    )


def shown_detail(text: object) -> str:
    """A complaint, fit to be shown."""
    return shown(str(text), _DETAIL_CHARACTERS_MAX)


def _shown_value(value: object) -> str:
    return shown(str(value), _VALUE_CHARACTERS_MAX)


def _observed(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"no number: {value!r}")
    return float(value)


def _count(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value <= COUNT_MAX:
        raise ValueError(f"no count: {value!r}")
    return value
