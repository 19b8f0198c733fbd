"""The data unit tests: a contract compiled to SQL, run by a limited worker over files.

Both sides use them: the producer before anything is sent, the consumer on what arrived.
"""

from powerstage.checks.failing_rows import FailingRows
from powerstage.checks.files import FileFormat
from powerstage.checks.hints import add_hints
from powerstage.checks.plan import Plan, Window, compile_plan
from powerstage.checks.result import Check, CheckResult, Report, Sample, fails, merge, passes
from powerstage.checks.run import Checker, InputFile

__all__ = [
    "Check",
    "CheckResult",
    "Checker",
    "FailingRows",
    "FileFormat",
    "InputFile",
    "Plan",
    "Report",
    "Sample",
    "Window",
    "add_hints",
    "compile_plan",
    "fails",
    "merge",
    "passes",
]
