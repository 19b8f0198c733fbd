"""JUnit's XML, as CI systems read it: a test case for each check, its rows in the failure."""

import re
from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from powerstage.contract.safe_text import safe
from powerstage.display.findings import (
    CheckSummary,
    agreed_at,
    contract_line,
    count_words,
    place,
    row_words,
)

_FINDINGS_MAX: Final = 20
# Printable, and still none of XML's characters.
_NO_XML: Final = re.compile("[\ufffe\uffff]")


def junit(
    target: str,
    contract: str,
    folder: str,
    checks: Sequence[CheckSummary],
    *,
    warnings_fail: bool,
) -> bytes:
    """The document.

    Args:
        target: what was checked.
        contract: the name of what it was held against.
        folder: where the files stand that findings name.
        checks: what came of it.
        warnings_fail: whether a warning is a failure; else it stands in the case's output.
    """
    failing = {"fail", "warn"} if warnings_fail else {"fail"}
    counts = {
        "tests": str(len(checks)),
        "failures": str(sum(check.outcome in failing for check in checks)),
        "errors": "0",
        "skipped": "0",
    }
    suites = Element("testsuites", {"name": "powerstage", **counts})
    suite = SubElement(suites, "testsuite", {"name": _text(target), **counts})
    for summary in checks:
        name = f"{contract}.{summary.dataset or 'transfer'}"
        attributes = {"classname": _text(name), "name": _text(summary.check.id)}
        file, line = contract_line(summary.check)
        if file:
            attributes |= {"file": _text(file), "line": line}
        case = SubElement(suite, "testcase", attributes)
        if summary.outcome in failing:
            counted = count_words(summary.failed, summary.total, summary.check)
            message = _text(f"{summary.check.words}: {counted}")
            failure = SubElement(case, "failure", {"message": message, "type": summary.outcome})
            failure.text = _rows(summary, folder)
        elif summary.findings:
            SubElement(case, "system-out").text = _rows(summary, folder)
    document: bytes = tostring(suites, encoding="utf-8", xml_declaration=True)
    return document


def _rows(summary: CheckSummary, folder: str) -> str:
    lines = []
    for name, finding in summary.findings[:_FINDINGS_MAX]:
        lines.append(f"{name}: {count_words(finding.failed, finding.total, finding.check)}")
        lines += [finding.detail] if finding.detail else []
        lines += [
            f"  {place(sample, folder)} {row_words(finding, sample)}" for sample in finding.samples
        ]
    if (more := len(summary.findings) - _FINDINGS_MAX) > 0:
        lines.append(f"and {more} more")
    lines.append(f"agreed at {agreed_at(summary.check)}")
    lines += [f"hint: {hint}" for hint in summary.hints]
    return "\n".join(_text(line) for line in lines)


def _text(text: str) -> str:
    return _NO_XML.sub("\ufffd", safe(text))
