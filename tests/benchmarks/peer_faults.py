"""What other tools say of faults of ours, each put alone into a day of hourly files.

Every tool gets the same files; ours gets them with their commits, as a feed. Nobody tells the
peers how many readings to expect, since that depends on the devices of the day: they are told
the number that the commits promise.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from powerstage.checks import PERIOD_MISSING
from powerstage.contract import Commit, default, period_text
from powerstage.faults import Fault, Injector, catalogue, plan_faults
from powerstage.producer import publish, synthesise
from powerstage.store import FolderStore
from powerstage.validate import validate
from tests.benchmarks.measure import measure
from tests.benchmarks.report import Table
from tests.benchmarks.validation import PEERS, Data, called
from tests.environments import CACHE, python_with

START = datetime(2026, 11, 2, tzinfo=UTC)
DEVICES = 20
FAULTS = (
    "retyped_file",
    "float_values",
    "naive_timestamps",
    "extra_column",
    "missing_column",
    "missing_hour",
    "wrong_hour",
    "half_file",
    "truncated_file",
    "null_value",
    "nan_value",
    "sentinel_65535",
    "utilisation_over_100",
    "wrong_unit",
    "duplicate_reading",
    "dropped_reading",
    "silent_device",
    "ghost_device",
    "late_reading",
    "local_time_as_utc",
    "reversed_interval",
    "wrong_interval_length",
)


def tables(smoke: bool) -> Iterator[Table]:
    """One table: a row for each fault, a column for each tool."""
    kinds = {kind.name: kind for kind in catalogue(default())}
    names = FAULTS[:2] if smoke else FAULTS
    pythons = {name: python_with(CACHE, peer.package) for name, peer in PEERS.items()}
    clean = _judged(None, pythons)
    said = {name: _judged(kinds[name], pythons) for name in names}
    passed = {tool: sum(words[tool] == "**passes**" for words in said.values()) for tool in clean}
    yield Table(
        name="faults",
        words="Each fault alone in a day of 24 hourly files.",
        columns=("fault", "what it does", *clean),
        rows=(
            ("none", "clean data", *clean.values()),
            *((f"`{name}`", kinds[name].words, *words.values()) for name, words in said.items()),
            ("passed", "", *(f"{count} of {len(names)}" for count in passed.values())),
        ),
    )


def _judged(fault: Fault | None, pythons: Mapping[str, Path]) -> dict[str, str]:
    """What each tool says of a day with a fault in it."""
    with tempfile.TemporaryDirectory(prefix="powerstage-faults-") as temporary:
        feed, export = Path(temporary, "feed"), Path(temporary, "export")
        _publish(fault, feed)
        data = _as_export(feed, export)
        return {"powerstage": _ours(fault, feed)} | {
            name: _said(called(pythons[name], PEERS[name], data), is_clean=fault is None)
            for name in PEERS
        }


def _publish(fault: Fault | None, feed: Path) -> None:
    contract = default()
    source = synthesise(contract, devices=DEVICES, start=START, days=1)
    plan = plan_faults(source, [fault.name] if fault else [], seed=7)
    injector = Injector(plan, contract)
    publish(injector.source(source), injector.store(FolderStore(feed)), clock=lambda: START)


def _as_export(feed: Path, export: Path) -> Data:
    """The feed's files under names that say their period, as any tool reads them."""
    export.mkdir()
    (export / "contract.odcs.yaml").write_text(default().text, "utf-8")
    readings = 0
    for path in feed.glob("commits/*/*/*.json"):
        commit = Commit.from_json(path.read_bytes())
        (file,) = commit.files
        is_telemetry = commit.slot.dataset == "telemetry"
        name = f"telemetry-{period_text(commit.slot.period)}" if is_telemetry else "inventory"
        shutil.copyfile(feed / file.key, export / f"{name}.parquet")
        readings += file.rows if is_telemetry else 0
    return Data(folder=export, readings=readings)


def _ours(fault: Fault | None, feed: Path) -> str:
    judged = validate(str(feed), clock=lambda: START)
    found = {finding.check.id for _, report in judged.reports for finding in report.findings}
    if judged.consumed and judged.consumed.gaps:
        found.add(PERIOD_MISSING.id)
    if judged.ok:
        return "passes" if fault is None else "**passes**"
    if fault is not None and fault.check in found:
        return f"`{fault.check}`"
    return f"fails: {', '.join(sorted(found))}"


def _said(command: Sequence[str | Path], *, is_clean: bool) -> str:
    measured = measure(command)
    if measured.code == 0:
        return "passes" if is_clean else "**passes**"
    return "breaks off" if "Traceback" in measured.output else "fails"
