"""Discover, fetch, judge, record, send receipts: killed anywhere, it ends the same when rerun."""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

from powerstage.checks import (
    FEED_FRESH,
    PERIOD_LATE,
    PERIOD_MISSING,
    Check,
    Checker,
    FailingRows,
    FeedFinding,
    find_timeliness,
)
from powerstage.consumer.ahead import judge_ahead, workers_for
from powerstage.consumer.discover import Discovered, discover
from powerstage.consumer.findings import find_values, value_checks
from powerstage.consumer.judge import Inventory, Judge, Judgement
from powerstage.consumer.lake import Lake
from powerstage.consumer.ledger import Entry, NewEntry
from powerstage.consumer.outbox import Outbox
from powerstage.consumer.receipts import receipt_of, rules_of
from powerstage.contract import (
    CommitKey,
    Contract,
    ContractKey,
    Slot,
    loads,
)
from powerstage.contract.calendar import Gap, find_gaps
from powerstage.contract.layout import check_name, data_folder
from powerstage.contract.strict_json import RECORD_BYTES_MAX
from powerstage.errors import (
    ContractError,
    RecordError,
    UsageError,
)
from powerstage.process import start_early
from powerstage.store import Store, read

# Enough at once to hide the latency of a request.
FETCHERS: Final = 8
DEFAULT_CONSUMER: Final = "consumer"
# Checks of a feed as a whole: no delivery is blamed for what they find.
COMMIT_KEY: Final = Check(
    id="commit.key",
    words="nothing but commits stands under commits/",
    expected="keys of the agreed layout",
    severity="error",
    at="the feed",
    counts="keys",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumed:
    """What one run of the consumer did.

    ``judgements`` are those of this run; ``known`` counts deliveries that were judged before,
    ``known_refused`` those of them that were not accepted.
    ``expired`` deliveries were not judged: their data are gone, as the contract's retention allows.
    ``gaps`` are periods missing between the first and the last that were delivered, and
    ``strays`` keys under ``commits/`` that are none of the layout: findings about the feed,
    no part of any verdict. So are ``feed_findings``: what the clock and several periods show;
    None where only some deliveries were to be judged.
    """

    contract: Contract
    judgements: tuple[Judgement, ...]
    known: int
    known_refused: int
    gaps: tuple[Gap, ...]
    strays: tuple[str, ...]
    feed_findings: tuple[FeedFinding, ...] | None
    expired: int = 0


def feed_checks(contract: Contract) -> tuple[Check, ...]:
    """The checks of a feed as a whole."""
    return (PERIOD_MISSING, COMMIT_KEY, PERIOD_LATE, FEED_FRESH, *value_checks(contract))


def consume(
    store: Store,
    lake: Lake,
    *,
    clock: Callable[[], datetime],
    name: str = DEFAULT_CONSUMER,
    contract: Contract | None = None,
    only: Collection[Slot] | None = None,
    found: Discovered | None = None,
    rejudge: bool = False,
    stop: Callable[[], bool] = lambda: False,
    fetchers: int = 1,
    workers: int | None = None,
    executor: Executor | None = None,
    send_receipts: bool = True,
    failing_rows: FailingRows | None = None,
    on_discovered: Callable[[int], None] = lambda _: None,
    on_judgement: Callable[[Judgement], None] = lambda _: None,
) -> Consumed:
    """Judge what a feed holds and the lake's ledger does not.

    What was refused by other rules than today's, of another contract or powerstage, is judged
    again.

    Args:
        store: where the feed is.
        lake: where accepted data and the ledger are.
        clock: the time, for ``judged_at``; it orders nothing.
        name: what receipts call this consumer.
        contract: the contract to hold deliveries against from now on; None for the one that
            the lake has pinned, or at first use the feed's own.
        only: judge no other deliveries than these (and the inventory that they refer to).
        found: what stands in the feed, or the part of it that is to be looked at; None to list it.
        rejudge: judge again all that was refused.
        stop: asked whenever verdicts were recorded whether to leave the rest to the next run.
        fetchers: how many deliveries are fetched at once, as many as are judged at least; and how
            many receipts are sent at once.
        workers: how many judge on this machine at most; None for one per processor.
        executor: judges telemetry in their place: processes that reach the store by themselves.
        send_receipts: False leaves them in the ledger.
        failing_rows: where to keep the rows that fail; None for nowhere.
        on_discovered: called once, with how many deliveries are to be judged at most.
        on_judgement: called after each verdict is recorded.

    Raises:
        NothingToJudgeError: there is nothing in the feed.
        StoreUnavailableError, StoreRefusedError, WorkerError: no verdict on what is left; what
            was judged is recorded, and the next run goes on from there.
    """
    try:
        check_name(name, "consumer")
    except RecordError as error:
        raise UsageError(error.message, fix=f"--as: {error.fix}") from error
    is_whole = found is None and only is None
    found = found or discover(store)
    with (
        lake.at_work() as incoming,
        Checker(failing_rows) as checker,
        Outbox(store, lake.ledger, fetchers) as outbox,
    ):
        _claim(lake, store, name)
        agreed = _agree(store, lake, contract)
        run = _Run(
            store=store,
            lake=lake,
            contract=agreed,
            checker=checker,
            name=name,
            clock=clock,
            incoming=incoming,
            failing_rows=failing_rows,
            fetchers=fetchers,
            workers=workers,
            executor=executor,
            outbox=outbox if send_receipts else None,
        )
        lake.ledger.note_arrivals(found.arrivals)
        delivered = set(found.slots)
        before = [entry for entry in lake.ledger.entries() if entry.slot in delivered]
        again = set(lake.ledger.refused(None if rejudge else rules_of(agreed))) & delivered
        before = [entry for entry in before if entry.slot not in again]
        known = {entry.slot for entry in before}
        if send_receipts:
            outbox.send(lake.ledger.unsent_receipts())
            outbox.empty()
        judgements = []
        wanted = [slot for slot in found.slots if only is None or slot in only]
        new = [slot for slot in wanted if slot not in known]
        on_discovered(len(new))
        with closing(run.judge(new)) as judged:
            for recorded in judged:
                for judgement in recorded:
                    judgements.append(judgement)
                    on_judgement(judgement)
                if stop():
                    break
        outbox.empty()
        if not lake.has_views:
            lake.write_views(checker)
        findings = run.feed_findings(found) if is_whole else None
        periods = {
            slot.period
            for slot in (*found.slots, *(entry.slot for entry in lake.ledger.entries()))
            if slot.dataset == "telemetry"
        }
    return Consumed(
        contract=agreed,
        judgements=tuple(judgements),
        known=len(known),
        known_refused=sum(entry.verdict != "accepted" for entry in before),
        gaps=find_gaps(periods, agreed.delivery_interval),
        strays=found.strays,
        feed_findings=findings,
        expired=len(run.expired),
    )


def feed_contract(store: Store) -> Contract:
    """The contract that a feed carries; it comes from outside, so pin it before you trust it.

    Raises:
        ContractError: it is not within the profile, or not what its key says.
        UsageError: the feed carries none, or several.
    """
    keys = [info.key for info in store.list("contract/")]
    if len(keys) != 1:
        many = f"{len(keys)} contracts: {', '.join(keys[:5])}" if keys else "no contract"
        raise UsageError(
            f"{store.url} carries {many}",
            fix="name the one that was agreed with --contract FILE",
        )
    body = read(store, keys[0], RECORD_BYTES_MAX)
    try:
        contract = loads(body.decode("utf-8"), keys[0])
    except UnicodeDecodeError as error:
        raise ContractError(f"{keys[0]} is not UTF-8", problems=(str(error),)) from error
    if keys[0] != str(ContractKey(name=contract.name, version=contract.version)):
        raise ContractError(f"{keys[0]} holds {contract.name} {contract.version}")
    return contract


@dataclass(kw_only=True)
class _Run:
    """One run of the consumer: what its steps share."""

    store: Store
    lake: Lake
    contract: Contract
    checker: Checker
    name: str
    clock: Callable[[], datetime]
    incoming: Path
    failing_rows: FailingRows | None
    fetchers: int
    workers: int | None
    executor: Executor | None
    outbox: Outbox | None

    def __post_init__(self) -> None:
        self._early: list[Judgement] = []
        # Threads look here: the ledger is this one's alone.
        self._inventories = {
            entry.slot: self.lake.inventory_of(entry.slot)
            for entry in self.lake.ledger.entries()
            if entry.slot.dataset == "inventory"
        }
        self._judged: set[Slot] = set()
        self.expired: set[Slot] = set()
        self._agreed = self.lake.agreed
        self._one = Judge(self.store, self.contract, self.checker, self._inventory_of, self._agreed)

    def judge(self, slots: Sequence[Slot]) -> Generator[Sequence[Judgement]]:
        """Judge deliveries and record them; yields those that were recorded.

        Inventories come first: what pins them waits for their verdicts. What need not be kept any
        more, and is not there, is no part of it.
        """
        self.expired = self._gone(slots)
        slots = [slot for slot in slots if slot not in self.expired]
        inventories = [slot for slot in slots if slot.dataset == "inventory"]
        telemetry = [slot for slot in slots if slot.dataset == "telemetry"]
        if self.executor is None and inventories:
            # They start while inventories are judged.
            start_early(workers_for(len(telemetry), self.workers))
        for slot in inventories:
            yield self._judge(slot)
        ahead = judge_ahead(
            telemetry,
            self.incoming,
            store=self.store,
            contract=self.contract,
            checker=self.checker,
            rollups=self.lake.rollups(self.contract),
            inventory_of=self._inventories.get,
            agreed=self._agreed,
            failing_rows=self.failing_rows,
            fetchers=self.fetchers,
            workers=self.workers,
            executor=self.executor,
        )
        with closing(ahead) as judged:
            for ready in judged:
                if known := [judgement for _, judgement in ready if judgement is not None]:
                    yield self._recorded(known)
                else:
                    yield self._judge(ready[0][0])

    def _is_past(self, slot: Slot) -> bool:
        """Whether a period was kept long enough."""
        return slot.dataset == "telemetry" and self.contract.is_past(slot.period, self.clock())

    def _gone(self, slots: Sequence[Slot]) -> set[Slot]:
        """Those that are past their retention, and of whose day no data are left.

        Of a period that was judged before, a retraction may be among them.
        """
        known = {entry.slot.period for entry in self.lake.ledger.entries()}
        days: dict[date, set[Slot]] = defaultdict(set)
        for slot in slots:
            if self._is_past(slot) and slot.period not in known:
                days[slot.period.date()].add(slot)
        gone = (day for day in days if not self.store.page(data_folder("telemetry", day), ""))
        return set().union(*(days[day] for day in gone))

    def feed_findings(self, found: Discovered) -> tuple[FeedFinding, ...]:
        """What the clock, and what was accepted so far, show of the feed as a whole."""
        values = find_values(self.lake, self.checker, self.contract)
        return (*find_timeliness(self.contract, found.arrivals, self.clock()), *values)

    def _inventory_of(self, slot: Slot) -> Inventory | None:
        """A pinned inventory may have been committed after the listing passed its place."""
        if slot not in self._inventories and self.store.head(str(CommitKey(slot=slot))) is not None:
            self._early += self._judge_one(slot)
        return self._inventories.get(slot)

    def _judge(self, slot: Slot) -> list[Judgement]:
        """Judge and record a delivery; first the inventory that it pins, if that is due."""
        if slot in self._judged:
            return []
        self._early = []
        judgements = self._judge_one(slot)
        return [*self._early, *judgements]

    def _judge_one(self, slot: Slot) -> list[Judgement]:
        with tempfile.TemporaryDirectory(dir=self.incoming) as folder:
            return self._recorded([self._one.judge(slot, Path(folder))])

    def _recorded(self, judgements: Sequence[Judgement]) -> list[Judgement]:
        """The judgements, once they are recorded, without those whose data are gone as they may."""
        kept = []
        for judgement in judgements:
            if judgement.lacks_data and self._is_past(judgement.slot):
                self.expired.add(judgement.slot)
            else:
                kept.append(judgement)
        if kept:
            self._record(kept)
        return kept

    def _record(self, judgements: Sequence[Judgement]) -> None:
        """Expose what was accepted: the data first, then all entries of the ledger at once."""
        for judgement in judgements:
            if judgement.verdict == "accepted":
                for file, path in judgement.files:
                    self.lake.keep(file.sha256, path)
        entries = [self._entry(judgement) for judgement in judgements]
        receipts = self.lake.ledger.record(entries, rules=rules_of(self.contract))
        if self.outbox:
            self.outbox.send(receipts)
        for judgement in judgements:
            self._judged.add(judgement.slot)
            if judgement.slot.dataset == "inventory":
                self._inventories[judgement.slot] = self.lake.inventory_of(judgement.slot)

    def _entry(self, judgement: Judgement) -> NewEntry:
        commit, is_accepted = judgement.commit, judgement.verdict == "accepted"
        return NewEntry(
            entry=Entry(
                slot=judgement.slot,
                identity=judgement.identity,
                verdict=judgement.verdict,
                rows=judgement.report.rows,
                inventory=commit.inventory.slot if commit and commit.inventory else None,
                reason=commit.reason if commit else "",
            ),
            files=[file for file, _ in judgement.files] if is_accepted else [],
            findings=judgement.report.findings,
            receipt=receipt_of(
                judgement, consumer=self.name, contract=self.contract, judged_at=self.clock()
            ),
        )


def _agree(store: Store, lake: Lake, contract: Contract | None) -> Contract:
    pinned = lake.contract
    if contract is not None and (pinned is None or pinned.sha256 != contract.sha256):
        lake.pin(contract)
        return contract
    if pinned is None:
        pinned = feed_contract(store)
        lake.pin(pinned)
    return pinned


def _claim(lake: Lake, store: Store, name: str) -> None:
    """A lake belongs to one feed and one consumer: slots of two feeds would be taken for one.

    Before anything is pinned: a call that is refused changes nothing.
    """
    for fact, value in (("feed", store.url), ("consumer", name)):
        known = lake.ledger.fact(fact)
        if known is None:
            lake.ledger.set_fact(fact, value)
        elif known != value:
            raise UsageError(
                f"the lake {lake.folder} has {fact} {known}, not {value}",
                fix=f"use {known}, or another folder with --into",
            )
