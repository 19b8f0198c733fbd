"""The whole story once: synthesise, inject faults, publish, consume, compare with the truth."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias

from powerstage.checks import PERIOD_MISSING, Checker, FeedFinding
from powerstage.consumer import Consumed, Judgement, Lake, consume
from powerstage.consumer.look_over import look_over
from powerstage.consumer.overview import Overview
from powerstage.contract import Contract, Slot
from powerstage.display.page import PutIn, render
from powerstage.display.terminal import counted, deliveries
from powerstage.errors import NothingToJudgeError, UsageError
from powerstage.faults import (
    TRUTH,
    Injector,
    PlannedFault,
    catalogue,
    plan_faults,
    write_truth,
)
from powerstage.producer import Published, publish, synthesise
from powerstage.sim.embedded import EmbeddedS3, blind_to_aws
from powerstage.store import FolderStore, Store, open_store

BUCKET: Final = "powerstage-demo"
# One of each level at least; the kinds that other tools let pass are among them.
DEFAULT_FAULTS: Final = (
    "missing_hour",
    "wrong_hour",
    "silent_device",
    "retyped_file",
    "sentinel_65535",
    "nan_value",
    "wrong_unit",
    "duplicate_reading",
    "ghost_device",
    "truncated_file",
    "lying_commit",
    "flipped_byte",
    "lost_object",
)
START: Final = datetime(2026, 11, 2, tzinfo=UTC)
PAGE: Final = "report.html"
_OURS: Final = {"feed", "lake", "truth.json", PAGE}
# caught: as promised. let pass: harmless, and nobody was blamed. missed: neither. The others
# say nothing about the consumer: no check can see the fault, none does yet, or the few periods
# of a demo do not show what only history can.
Outcome: TypeAlias = Literal[
    "caught", "let pass", "missed", "no check yet", "undetectable", "not shown"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the demo plays: how many devices and days, which seed, which faults."""

    contract: Contract
    devices: int
    days: int
    seed: int
    faults: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultOutcome:
    """A fault that was put in, and what the consumer saw of it: checks and verdicts, in words."""

    planned: PlannedFault
    outcome: Outcome
    caught_by: str
    came_of_it: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What went in and what was caught.

    ``blamed`` are findings on clean deliveries, in words: there should be none.
    """

    outcomes: tuple[FaultOutcome, ...]
    blamed: tuple[str, ...]
    clean_deliveries: int
    published: tuple[Published, ...]
    consumed: Consumed

    @property
    def ok(self) -> bool:
        """Whether no fault was missed and nothing clean was blamed."""
        return not self.blamed and not self.count("missed")

    def count(self, outcome: Outcome) -> int:
        """How many faults came to this."""
        return sum(fault.outcome == outcome for fault in self.outcomes)


def default_faults(contract: Contract) -> tuple[str, ...]:
    """The faults that are put in where none are named: those of ours that break the contract."""
    known = {fault.name for fault in catalogue(contract)}
    return tuple(name for name in DEFAULT_FAULTS if name in known)


@contextmanager
def demo_store(
    endpoint_url: str | None,
    require_allowed: Callable[[Store], None],
    *,
    clock: Callable[[], datetime],
) -> Iterator[tuple[Store, str]]:
    """The feed of the demo, and what to call its server.

    Without an endpoint it is on an embedded S3, blind to the user's own AWS settings; with
    one, boto3's own chain finds credentials, and the bucket is made if it is not there, after
    ``require_allowed`` has had the chance to raise. The feed is a new one each time: what a
    demo commits on purpose cannot be taken back.
    """
    if endpoint_url is None:
        url = f"s3://{BUCKET}/feed"
        with EmbeddedS3() as server, blind_to_aws(server.environment()):
            server.create_bucket(BUCKET)
            yield open_store(url), f"embedded S3 (moto) on {server.url}"
    else:
        url = f"s3://{BUCKET}/feed-{clock():%Y%m%dT%H%M%SZ}"
        require_allowed(open_store(url, endpoint_url=endpoint_url))
        store = open_store(url, endpoint_url=endpoint_url, create_bucket=True)
        yield store, f"S3 on {endpoint_url}"


def run_demo(
    options: DemoOptions,
    store: Store,
    *,
    clock: Callable[[], datetime],
    on_stage: Callable[[str, str], None],
) -> DemoResult:
    """Play the demo in a store.

    Args:
        options: what to play.
        store: the feed; the consumer gets nothing else.
        clock: the time.
        on_stage: called after each stage with its name and what came of it.
    """
    source = synthesise(
        options.contract,
        devices=options.devices,
        start=START,
        days=options.days,
        seed=options.seed,
    )
    plan = plan_faults(source, options.faults, seed=options.seed)
    prepare_folder(options.folder)
    write_truth(options.folder / "truth.json", plan, seed=options.seed, feed=store.url)
    on_stage(
        "synthesise",
        f"{counted(options.devices, 'device')}, {counted(len(source.periods()), 'period')},"
        f" {counted(len(plan), 'fault')} planned",
    )
    injector = Injector(plan, options.contract)
    published = publish(injector.source(source), injector.store(store), clock=clock)
    size_bytes = sum(item.size_bytes for item in published)
    rows = sum(item.rows for item in published if item.slot.dataset == "telemetry")
    on_stage(
        "publish", f"{deliveries(len(published))}, {counted(rows, 'reading')}, {size_bytes:,} bytes"
    )
    with Lake(options.folder / "lake", make=True) as lake, Checker() as checker:
        consumed = consume(store, lake, clock=clock)
        overview = _overview(lake, checker, options.folder / "feed", clock)
    verdicts = [judgement.verdict for judgement in consumed.judgements]
    on_stage(
        "consume",
        ", ".join(
            f"{verdicts.count(verdict)} {verdict}"
            for verdict in ("accepted", "rejected", "unreadable")
        ),
    )
    copied = copy_feed(store, FolderStore(options.folder / "feed"))
    on_stage("keep a copy", f"{counted(copied, 'object')} in {options.folder / 'feed'}")
    result = _compare(plan, tuple(published), consumed)
    if overview is not None:
        page = options.folder / PAGE
        page.write_text(
            render(
                overview,
                options.folder / "lake",
                put_in=[_put_in(outcome) for outcome in result.outcomes],
                seed=options.seed,
            ),
            encoding="utf-8",
        )
        on_stage("report", f"{page}, {page.stat().st_size:,} bytes")
    return result


def _overview(
    lake: Lake, checker: Checker, feed: Path, clock: Callable[[], datetime]
) -> Overview | None:
    """What the page shows; it names the copy of the feed, which stays. None without telemetry."""
    try:
        return replace(look_over(lake, checker, now=clock()), feed=str(feed))
    except NothingToJudgeError:
        return None


def _put_in(outcome: FaultOutcome) -> PutIn:
    fault = outcome.planned.fault
    return PutIn(
        name=fault.name,
        place=f"{fault.dataset} {outcome.planned.period:%Y-%m-%d %H:%M}",
        caught_by=outcome.caught_by,
        outcome=outcome.outcome,
        came_of_it=outcome.came_of_it,
    )


def prepare_folder(folder: Path) -> None:
    """Empty the folder of an earlier demo, which its truth file tells; refuse any other.

    Raises:
        UsageError: it is no folder, or there is something in it that no demo wrote.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder", fix="name another with --into")
    folder.mkdir(parents=True, exist_ok=True)
    names = {path.name for path in folder.iterdir()}
    strange = names - _OURS if _is_of_a_demo(folder) else names
    if strange:
        raise UsageError(
            f"{folder} holds what no demo wrote: {', '.join(sorted(strange)[:3])}",
            fix="name another folder with --into",
        )
    # The truth goes last: without it, what is left would be a stranger's.
    for name in sorted(names):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _is_of_a_demo(folder: Path) -> bool:
    try:
        truth = json.loads((folder / "truth.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(truth, dict) and truth.get("schema") == TRUTH


def _compare(
    plan: Sequence[PlannedFault], published: tuple[Published, ...], consumed: Consumed
) -> DemoResult:
    def is_spoilt(slot: Slot) -> bool:
        return any(planned.spoils(slot) for planned in plan)

    clean = [judgement for judgement in consumed.judgements if not is_spoilt(judgement.slot)]
    blamed = [
        f"{judgement.slot}: {finding.check.id}"
        for judgement in clean
        for finding in judgement.report.findings
    ]
    spoilt = {period for planned in plan for period in planned.periods}
    blamed += [
        f"{gap.first:%Y-%m-%dT%H:%MZ} was called missing"
        for gap in consumed.gaps
        if gap.periods > 1 or gap.first not in spoilt
    ]
    blamed += [f"{key} was called a stray" for key in consumed.strays]
    blamed += [
        f"{finding.device}, {finding.start:%Y-%m-%dT%H:%MZ}: {finding.check.id}"
        for finding in consumed.feed_findings or ()
        if finding.device is not None
        and not any(_is_about(finding, planned, consumed.contract) for planned in plan)
    ]
    judged = {judgement.slot for judgement in clean}
    blamed += [
        f"{item.slot} was never judged"
        for item in published
        if item.slot not in judged and not is_spoilt(item.slot)
    ]
    return DemoResult(
        outcomes=tuple(_outcome(planned, consumed) for planned in plan),
        blamed=tuple(blamed),
        clean_deliveries=len(clean),
        published=published,
        consumed=consumed,
    )


def _outcome(planned: PlannedFault, consumed: Consumed) -> FaultOutcome:
    fault = planned.fault
    judgements = [found for found in consumed.judgements if planned.spoils(found.slot)]
    words = {
        finding.check.id: finding.check.words
        for judgement in judgements
        for finding in judgement.report.findings
    }
    verdicts = ", ".join(dict.fromkeys(judgement.verdict for judgement in judgements))
    came_of_it = verdicts or "not judged"
    seen = {
        finding.check.id: finding.check.words
        for finding in consumed.feed_findings or ()
        if _is_about(finding, planned, consumed.contract)
    }
    outcome: Outcome = "missed"
    if fault.evidence == "harmless":
        outcome = "let pass" if verdicts == "accepted" and not words | seen else "missed"
    elif fault.evidence == "undetectable":
        outcome = "undetectable"
    elif not fault.has_check:
        outcome = "no check yet"
    elif fault.evidence == "needs history":
        outcome = "caught" if fault.check in seen else "not shown"
        came_of_it = "reported" if seen else came_of_it
        words |= seen
    elif fault.check == PERIOD_MISSING.id:
        is_seen = any(gap.first <= planned.period <= gap.last for gap in consumed.gaps)
        words = {fault.check: PERIOD_MISSING.words} if is_seen else {}
        came_of_it = "reported missing" if is_seen else "not noticed"
        outcome = "caught" if is_seen and not judgements else "missed"
    else:
        catching = _catching(planned, judgements)
        came_of_it = catching.verdict if catching else came_of_it
        outcome = "caught" if catching else "missed"
    return FaultOutcome(
        planned=planned,
        outcome=outcome,
        caught_by=words.get(fault.check, ", ".join(words)),
        came_of_it=came_of_it,
    )


def _is_about(finding: FeedFinding, planned: PlannedFault, contract: Contract) -> bool:
    """Whether a finding is about readings that a fault was put into."""
    end = planned.periods[-1] + contract.delivery_interval
    is_then = finding.start < end and finding.end > planned.period
    is_of_all = not planned.devices and planned.fault.evidence != "harmless"
    return is_then and (is_of_all or finding.device in planned.devices)


def _catching(planned: PlannedFault, judgements: Sequence[Judgement]) -> Judgement | None:
    """The judgement that says of a fault what was promised."""
    fault = planned.fault
    for judgement in judgements:
        found = {finding.check.id for finding in judgement.report.findings}
        is_promised = (judgement.slot.dataset, judgement.verdict) == (fault.dataset, fault.verdict)
        if is_promised and fault.check in found:
            return judgement
    return None


def copy_feed(store: Store, folder: Store) -> int:
    """Copy a feed as it stands: spoilt objects too."""
    count = 0
    with tempfile.TemporaryDirectory() as temporary:
        for info in store.list(""):
            path = Path(temporary, "object")
            with path.open("wb") as out:
                out.writelines(store.get(info.key))
            folder.put(info.key, path)
            count += 1
    return count
