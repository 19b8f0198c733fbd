"""The truth about the faults of a feed: one document, which stands beside the feed, not in it."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from powerstage.contract import period_text
from powerstage.faults.plan import PlannedFault

TRUTH: Final = "powerstage.truth/1"


def truth_of(planned: PlannedFault) -> dict[str, Any]:
    """One planned fault as JSON types."""
    fault = planned.fault
    return {
        "fault": fault.name,
        "level": fault.level,
        "words": fault.words,
        "magnitude": fault.magnitude,
        "window": planned.window,
        "evidence": fault.evidence,
        "source": fault.source or None,
        "dataset": fault.dataset,
        "check": fault.check or None,
        "has_check": fault.has_check,
        "verdict": fault.verdict,
        "period_first": period_text(planned.periods[0]),
        "period_last": period_text(planned.periods[-1]),
        "start_first": _moment_text(planned.first_start),
        "start_last": _moment_text(planned.last_start),
        "devices": list(planned.devices),
        "sites": list(planned.sites),
        "measures": list(planned.measures),
        "puts": list(planned.puts),
        "readings": asdict(planned.readings),
        "inventory": asdict(planned.listed),
    }


def truth_document(plan: Sequence[PlannedFault], *, seed: int, feed: str) -> dict[str, Any]:
    """The whole plan.

    Args:
        plan: what was put in.
        seed: what decided about it.
        feed: the URL of the feed that it was put into.
    """
    return {
        "schema": TRUTH,
        "seed": seed,
        "feed": feed,
        "faults": [truth_of(planned) for planned in plan],
    }


def write_truth(path: Path, plan: Sequence[PlannedFault], *, seed: int, feed: str) -> None:
    """Write the document into a file."""
    document = truth_document(plan, seed=seed, feed=feed)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _moment_text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
