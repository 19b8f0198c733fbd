"""Test items: a target, in a feed its deliveries, and of each its checks.

A target is validated when the first of its items is set up, once in a process.
"""

import warnings
from collections.abc import Iterable
from contextlib import chdir
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from powerstage.checks import CheckResult, Report
from powerstage.display.findings import agreed_at
from powerstage.errors import PowerstageError
from powerstage.pytest_plugin import DataWarning
from powerstage.pytest_plugin.reports import reports_of
from powerstage.pytest_plugin.text import error_words, finding_words


class AllTargets(pytest.Collector):
    """The root of all data unit tests.

    Args:
        listed: what ``list_targets`` gave.
    """

    def __init__(self, *, listed: dict[str, Any], **node: Any) -> None:  # noqa: ANN401
        super().__init__(nodeid=node["name"], **node)
        self._listed = listed

    def collect(self) -> Iterable["Target"]:
        """The targets, in the order in which they were named."""
        for facts in self._listed["targets"]:
            yield Target.from_parent(
                self,
                name=facts["name"],
                facts=facts,
                contract=self._listed["contract"],
                inventory=self._listed["inventory"],
            )


class Target(pytest.Collector):
    """What holds data: a file, an export, a feed or a delivery."""

    def __init__(
        self,
        *,
        facts: dict[str, Any],
        contract: str | None,
        inventory: str | None,
        **node: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**node)
        self._facts = facts
        self._contract = contract
        self._inventory = inventory
        self._reports: dict[str, Report] = {}
        self._error = ""

    def collect(self) -> Iterable["DataCheck | Delivery"]:
        """The checks of the target itself, then its deliveries."""
        if self._facts["error"]:
            raise self.CollectError(self._facts["error"])
        for name, ids in self._facts["groups"]:
            if name:
                yield Delivery.from_parent(self, name=name, target=self, ids=ids)
            else:
                yield from _checks(self, self, "", ids)

    @cached_property
    def selected(self) -> set[str]:
        """The node ids of all tests of this run."""
        return {item.nodeid for item in self.session.items}

    def setup(self) -> None:
        """Validate it. An error that keeps it from that is kept: no test waits for it again."""
        if not self._reports and not self._error:
            try:
                # A test of the project's own may have gone to another folder.
                with chdir(self.config.invocation_params.dir):
                    self._reports = reports_of(
                        self._facts["place"], contract=self._contract, inventory=self._inventory
                    )
            except PowerstageError as error:
                self._error = error_words(error)
        if self._error:
            pytest.fail(self._error, pytrace=False)

    def report(self, name: str) -> Report | None:
        """The report on the target (``""``) or on one of its deliveries; None if that is gone."""
        return self._reports.get(name)


class Delivery(pytest.Collector):
    """One delivery of a feed."""

    def __init__(self, *, target: Target, ids: list[str], **node: Any) -> None:  # noqa: ANN401
        super().__init__(**node)
        self._target = target
        self._ids = ids

    def collect(self) -> Iterable["DataCheck"]:
        """Its checks."""
        return _checks(self, self._target, self.name, self._ids)


class DataCheck(pytest.Item):
    """One check on a target or a delivery."""

    def __init__(
        self,
        *,
        target: Target,
        on: str,
        ids: list[str],
        **node: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**node)
        self._target = target
        self._on = on
        self._ids = ids

    def setup(self) -> None:
        """See that the data are those for which the tests were listed."""
        report = self._target.report(self._on)
        if report is None:
            pytest.fail(f"{self._on} was there when the tests were listed", pytrace=False)
        new = {result.check.id for result in report.results}.difference(self._ids)
        if new:
            pytest.fail(
                f"the contract has changed since the tests were listed: {', '.join(sorted(new))}",
                pytrace=False,
            )
        self._report = report

    def runtest(self) -> None:
        """Fail, warn or pass as the check did."""
        results = [result for result in self._report.results if result.check.id == self.name]
        if not results:
            self._not_run()
        for result in results:
            self.user_properties += _properties(result)
        failed = [result for result in results if result.outcome == "fail"]
        if failed:
            pytest.fail("\n\n".join(map(finding_words, failed)), pytrace=False)
        for result in results:
            if result.outcome == "warn":
                _warn(result)

    def reportinfo(self) -> tuple[Path, None, str]:
        """No line of a file, for data are no code; and the head of a failure."""
        names = (self._target.name, self._on, self.name)
        return self.path, None, ": ".join(filter(None, names))

    def _not_run(self) -> None:
        """Skip what was not run, unless no other test tells what stopped it."""
        stopped_by = [finding for finding in self._report.findings if finding.outcome == "fail"]
        if not stopped_by:
            pytest.skip("the data are not of the kind that it is for")
        told = [finding for finding in stopped_by if self._is_selected(finding.check.id)]
        if told:
            pytest.skip(f"not run: {told[0].check.words} does not hold")
        words = "\n\n".join(map(finding_words, stopped_by))
        pytest.fail(f"{self.name} was not run\n\n{words}", pytrace=False)

    def _is_selected(self, id_: str) -> bool:
        parent = self.nodeid.removesuffix(self.name)
        return f"{parent}{id_}" in self._target.selected


def _warn(finding: CheckResult) -> None:
    """Warn at the line of the contract."""
    words = finding_words(finding)
    file, _, line = finding.check.at.rpartition(":")
    place = (file, int(line)) if line.isdecimal() else (finding.check.at, 1)
    try:
        warnings.warn_explicit(DataWarning(words), None, *place)
    except DataWarning:
        # Warnings are errors in this run.
        pytest.fail(words, pytrace=False)


def _checks(
    parent: pytest.Collector, target: Target, on: str, ids: list[str]
) -> Iterable[DataCheck]:
    for id_ in ids:
        yield DataCheck.from_parent(parent, name=id_, target=target, on=on, ids=ids)


def _properties(result: CheckResult) -> list[tuple[str, object]]:
    """What a JUnit report says beside the outcome."""
    check = result.check
    return [
        ("words", check.words),
        ("expected", check.expected),
        ("at", agreed_at(check)),
        ("failed", result.failed),
        ("total", result.total),
        ("counts", check.counts),
    ]
