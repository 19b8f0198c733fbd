"""What a check is, and what comes out of it. Bad data is a result, never an exception."""

import json
from dataclasses import asdict, dataclass
from typing import Literal, Self, TypeAlias

from powerstage.contract.model import DatasetName, Severity

Outcome: TypeAlias = Literal["pass", "fail", "warn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One executable rule of the contract.

    ``at`` is the rule's place as ``file:line``; ``sql`` finds every row that breaks it, where
    rows can break it; ``counts`` says what ``failed`` counts.
    """

    id: str
    words: str
    expected: str
    severity: Severity
    at: str
    sql: str = ""
    counts: str = "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One of the rows that failed: its file, row and values.

    ``row`` counts from 1, in a CSV the header too: there it is the line, where no value before
    it has lines of its own. It is 0 where there is none.
    """

    file: str
    row: int
    values: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """In one line, for plain terminals and receipts."""
        place = f"{self.file}:{self.row} " if self.row else f"{self.file} " if self.file else ""
        return place + " ".join(f"{name}={value}" for name, value in self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The outcome of one check: how many of how many failed, and up to five of them.

    ``dataset`` is the one whose rows were looked at; empty where that is not what was looked at.
    ``found`` names the values of samples that show why, beside those that say which reading it
    is. ``detail`` says more where counts and rows do not: what a reader complained of, say.
    ``observed`` is the number that a rule of the user's own is about. ``hints`` are guesses at
    the cause, in words. ``script`` is SQL that anybody's DuckDB can run as it stands, to see
    everything that failed; empty where no row can.
    """

    check: Check
    outcome: Outcome
    failed: int = 0
    total: int = 0
    samples: tuple[Sample, ...] = ()
    detail: str = ""
    observed: float | None = None
    dataset: DatasetName | Literal[""] = ""
    found: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    script: str = ""

    def to_json(self) -> str:
        """All of it but the script, for a place of our own."""
        return json.dumps(asdict(self) | {"script": ""}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What ``to_json`` wrote."""
        told = json.loads(text)
        samples = tuple(
            Sample(
                file=sample["file"],
                row=sample["row"],
                values=tuple((name, value) for name, value in sample["values"]),
            )
            for sample in told["samples"]
        )
        lists = {name: tuple(told[name]) for name in ("found", "hints")}
        return cls(**told | lists | {"check": Check(**told["check"]), "samples": samples})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Every check that was run on something, in the order of the contract; rows looked at."""

    results: tuple[CheckResult, ...]
    rows: int

    @property
    def findings(self) -> tuple[CheckResult, ...]:
        """The checks that did not pass."""
        return tuple(result for result in self.results if result.outcome != "pass")

    @property
    def passed(self) -> int:
        """How many checks passed."""
        return len(self.results) - len(self.findings)

    @property
    def ok(self) -> bool:
        """Whether no check failed; a warning is no failure."""
        return all(result.outcome != "fail" for result in self.results)


def passes(check: Check, total: int = 0, *, observed: float | None = None) -> CheckResult:
    """The result of a check that found nothing."""
    return CheckResult(check=check, outcome="pass", total=total, observed=observed)


def fails(
    check: Check,
    *,
    failed: int = 1,
    total: int = 1,
    samples: tuple[Sample, ...] = (),
    detail: str = "",
    observed: float | None = None,
) -> CheckResult:
    """The result of a check that found something: ``fail`` or ``warn``, by its severity."""
    return CheckResult(
        check=check,
        outcome="fail" if check.severity == "error" else "warn",
        failed=failed,
        total=total,
        samples=samples,
        detail=detail,
        observed=observed,
    )


def merge(*reports: Report) -> Report:
    """Several reports as one."""
    return Report(
        results=tuple(result for report in reports for result in report.results),
        rows=sum(report.rows for report in reports),
    )
