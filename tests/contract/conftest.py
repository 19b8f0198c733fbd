"""Contracts that many tests edit out of the default one."""

from powerstage.contract import Contract, loads
from powerstage.contract.load import default_text

_START_COLUMN = """\
      - name: start_time
        description: Start of the interval that the reading covers, inclusive.
        logicalType: timestamp
        physicalType: TIMESTAMP_TZ
        required: true
        primaryKey: true
        primaryKeyPosition: 2
        logicalTypeOptions:
          timezone: true
          defaultTimezone: UTC
"""
_END_COLUMN = """\
        description: End of the interval, exclusive.
        logicalType: timestamp
        physicalType: TIMESTAMP_TZ
        required: true
"""
_END_KEY = "        primaryKey: true\n        primaryKeyPosition: 2\n"
INTERVAL = "intervalSeconds: 3600\n"


def replaced(text: str, *changes: tuple[str, str]) -> str:
    """A text with some parts, each of which it must hold, replaced by others."""
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return text


def end_stamped_text() -> str:
    """The default contract without a start: a reading is stamped by its end alone."""
    return replaced(
        default_text(),
        (_START_COLUMN, ""),
        (_END_COLUMN, _END_COLUMN + _END_KEY),
        ("          start: start_time\n", ""),
        ("telemetry.start_time", "telemetry.end_time"),
    )


def jitter_of(seconds: object) -> tuple[str, str]:
    """The change that lets readings start so many seconds late."""
    return INTERVAL, f"{INTERVAL}          jitterSeconds: {seconds}\n"


def without_curves(contract: Contract) -> Contract:
    """A contract that does not say which power goes with which load: for values of no model."""
    before, rule, after = contract.text.partition("      - name: power goes with")
    assert rule
    return loads(before + after[after.index("slaDefaultElement") :], contract.path)


def end_stamped(*changes: tuple[str, str]) -> Contract:
    """The contract without a start, with some parts replaced."""
    return loads(replaced(end_stamped_text(), *changes), "end-stamped")


def jittered(seconds: int, *changes: tuple[str, str]) -> Contract:
    """The default contract, but that readings start up to so many seconds late."""
    return loads(replaced(default_text(), jitter_of(seconds), *changes), "jittered")
