"""The data unit tests: a contract compiled to SQL, run by a limited worker over files.

Both sides use them: the producer before anything is sent, the consumer on what arrived.
"""

from powerstage.checks.answer import held_to_form
from powerstage.checks.failing_rows import FailingRows
from powerstage.checks.feed import (
    FEED_FRESH,
    PERIOD_LATE,
    PERIOD_MISSING,
    FeedFinding,
    feed_check,
    find_timeliness,
    first_arrivals,
    late_periods,
)
from powerstage.checks.files import FileFormat
from powerstage.checks.hints import add_hints
from powerstage.checks.plan import Plan, Window, compile_plan
from powerstage.checks.result import Check, CheckResult, Report, Sample, fails, merge, passes
from powerstage.checks.run import Checker, InputFile

__all__ = [
    "FEED_FRESH",
    "PERIOD_LATE",
    "PERIOD_MISSING",
    "Check",
    "CheckResult",
    "Checker",
    "FailingRows",
    "FeedFinding",
    "FileFormat",
    "InputFile",
    "Plan",
    "Report",
    "Sample",
    "Window",
    "add_hints",
    "compile_plan",
    "fails",
    "feed_check",
    "find_timeliness",
    "first_arrivals",
    "held_to_form",
    "late_periods",
    "merge",
    "passes",
]
