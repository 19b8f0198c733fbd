"""SQL to take along: a finding's rows, seen again in anybody's DuckDB."""

import re
from collections.abc import Sequence
from dataclasses import replace
from glob import escape
from typing import Final

from powerstage.checks.counts import ScanCheck
from powerstage.checks.files import FileFormat
from powerstage.checks.plan import Plan
from powerstage.checks.result import CheckResult, Report
from powerstage.checks.views import Job, setup
from powerstage.engine import sql_text

# A script that names more files is nothing to paste.
_FILES_MAX: Final = 50
_MADE: Final = re.compile(r"(?:SET VARIABLE|CREATE OR REPLACE TEMP (?:VIEW|TABLE)) (\w+)")
_LIMIT: Final = re.compile(r"\s*LIMIT \d+\s*$")


def explained(
    report: Report, plan: Plan, files: Sequence[Job], inventory: Sequence[tuple[str, FileFormat]]
) -> Report:
    """A report that names its dataset; findings say which values show why, and bring SQL along.

    Args:
        report: the report.
        plan: what was run.
        files: as in the worker's job, but by the paths where people can open them.
        inventory: the same of the inventory, with its format.
    """
    scanned = {check.check.id: check for check in plan.scan_checks}
    found = any(finding.check.id in scanned for finding in report.findings)
    before = _before(plan, files, inventory) if found else []

    def explain(result: CheckResult) -> CheckResult:
        check = scanned.get(result.check.id)
        if result.outcome == "pass" or check is None:
            return replace(result, dataset=plan.dataset)
        query = query_of(check)
        script = _script(before, query) if before and query else ""
        return replace(result, dataset=plan.dataset, found=check.found, script=script)

    return replace(report, results=tuple(explain(result) for result in report.results))


def query_of(scanned: ScanCheck) -> str:
    """All that a check finds, where its samples are the first of it."""
    return scanned.check.sql or _LIMIT.sub("", scanned.samples)


def _script(before: Sequence[str], query: str) -> str:
    """A query, with those statements before it that make what it names, or what they name."""
    needed = [query]
    for statement in reversed(before):
        made = _MADE.match(statement)
        if made is None or any(re.search(rf"\b{made[1]}\b", later) for later in needed):
            needed.append(statement)
    return "".join(f"{statement};\n" for statement in reversed(needed))


def _before(
    plan: Plan, files: Sequence[Job], inventory: Sequence[tuple[str, FileFormat]]
) -> list[str]:
    """What queries need before they can run; it may be run twice."""
    if len(files) > _FILES_MAX:
        return []
    job = {
        "plan": plan.to_json(),
        "files": files,
        "inventory": [{"path": path, "format": format_} for path, format_ in inventory],
    }
    statements = [
        f"SET TimeZone = {sql_text(plan.timezone)}",
        *(
            statement.replace("CREATE TEMP ", "CREATE OR REPLACE TEMP ", 1)
            for statement in setup(job)
        ),
    ]
    for path in (*(file["path"] for file in files), *(path for path, _ in inventory)):
        # A name may hold what a glob would read as its own, where a reader opens it.
        for before in ("(", "[", ", "):
            named, escaped = f"{before}{sql_text(path)}", f"{before}{sql_text(escape(path))}"
            statements = [statement.replace(named, escaped) for statement in statements]
    return statements
