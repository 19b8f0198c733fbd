"""Measure and print the parts that are named, or all, as Markdown; missed goals come last.

A full run of a part also renews the documents: what stands between its marks there.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from powerstage.cli.common import now
from tests.benchmarks import (
    cluster,
    findings,
    machine,
    page,
    peer_faults,
    plan,
    profile,
    start,
    synthesis,
    transfer,
    validation,
    whole,
)
from tests.benchmarks.report import Table
from tests.conftest import ROOT

PARTS: Final[Mapping[str, Callable[[bool], Iterator[Table]]]] = {
    "start": start.tables,
    "synthesis": synthesis.tables,
    "findings": findings.tables,
    "validation": validation.tables,
    "transfer": transfer.tables,
    "whole": whole.tables,
    "cluster": cluster.tables,
    "profile": profile.tables,
    "page": page.tables,
    "plan": plan.tables,
    "faults": peer_faults.tables,
}
END: Final = "<!-- the end of it -->\n"


def main() -> None:
    """Run the parts; exit code 1 if a goal was missed, unless it was a quick run."""
    options = _options()
    measured: dict[str, Any] = {
        "date": f"{now():%Y-%m-%d}",
        "command": shlex.join(["scripts/bench", *sys.argv[1:]]),
        "machine": machine.machine(),
        "versions": machine.versions(),
        "parts": {},
    }
    print("\n".join(machine.header(measured)))
    missed = []
    for name in options.parts or PARTS:
        print(f"\n## {name}", flush=True)
        tables = []
        for table in PARTS[name](options.smoke):
            print("", *table.markdown(), sep="\n", flush=True)
            tables.append(table)
        missed += [f"{name}: {words}" for table in tables for words in table.missed()]
        measured["parts"][name] = [table.document() for table in tables]
        if not options.smoke:
            _renew(
                name, [_where(measured), *(line for t in tables for line in ("", *t.markdown()))]
            )
    if options.json:
        options.json.write_text(json.dumps(measured, indent=1) + "\n", "utf-8")
    if missed and not options.smoke:
        sys.exit("\n".join(f"missed: {words}" for words in missed))


def begin(name: str) -> str:
    """The mark after which a document quotes a part, as far as ``END``."""
    return f"<!-- what scripts/bench {name} prints -->\n"


def renewed(text: str, name: str, lines: Sequence[str]) -> str:
    """A document with new lines where it quotes a part, if it does."""
    head, mark, rest = text.partition(begin(name))
    tail = rest.partition(END)[2]
    return "\n".join([head + mark, *lines, "", END + tail]) if mark else text


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--smoke", action="store_true", help="a quick run, which judges nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the same as JSON")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(unknown)}; choose from {', '.join(PARTS)}")
    return options


def _where(measured: Mapping[str, Any]) -> str:
    return f"On {measured['date']}, {measured['machine']}:"


def _renew(name: str, lines: Sequence[str]) -> None:
    for document in sorted((ROOT / "docs").glob("*.md")):
        text = document.read_text("utf-8")
        document.write_text(renewed(text, name, lines), "utf-8")


if __name__ == "__main__":
    main()
