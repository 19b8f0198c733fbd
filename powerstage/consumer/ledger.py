"""The consumer's own record of every delivery it has judged: SQLite, one writer, many readers.

To expose a period is to write its row here. Receipts are the ledger's outbox: they are written
in the same transaction, and sent afterwards, as often as it takes.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from powerstage.checks import CheckResult, FeedFinding
from powerstage.contract import DataFile, Receipt, Slot, Verdict, parse_period, period_text
from powerstage.contract.model import DatasetName
from powerstage.errors import EnvironmentFailedError

FORMAT: Final = 3
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS judgement (
    dataset TEXT NOT NULL,
    period TEXT NOT NULL,
    revision INTEGER NOT NULL,
    identity TEXT NOT NULL,
    verdict TEXT NOT NULL,
    rows INTEGER NOT NULL,
    inventory_period TEXT,
    inventory_revision INTEGER,
    reason TEXT NOT NULL,
    rules TEXT NOT NULL,
    receipt BLOB NOT NULL,
    receipt_is_sent INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (dataset, period, revision)
) STRICT;
CREATE TABLE IF NOT EXISTS file (
    dataset TEXT NOT NULL,
    period TEXT NOT NULL,
    revision INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    PRIMARY KEY (dataset, period, revision, sha256)
) STRICT;
CREATE TABLE IF NOT EXISTS finding (
    dataset TEXT NOT NULL,
    period TEXT NOT NULL,
    revision INTEGER NOT NULL,
    number INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (dataset, period, revision, number)
) STRICT;
CREATE TABLE IF NOT EXISTS value_finding (body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS arrival (period TEXT PRIMARY KEY, arrived_at TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS unsent ON judgement (dataset, period, revision)
WHERE receipt_is_sent = 0;
CREATE VIEW IF NOT EXISTS exposed AS
SELECT dataset, period, max(revision) AS revision
FROM judgement WHERE verdict = 'accepted' GROUP BY dataset, period;
"""


_SLOT: Final = "WHERE (dataset, period, revision) = (?, ?, ?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One judged delivery, with the inventory that its commit pins and the reason that it gives.

    ``judged_at`` informs.
    """

    slot: Slot
    identity: str
    verdict: Verdict
    rows: int
    inventory: Slot | None = None
    reason: str = ""
    judged_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """What is written of a judgement: its entry, the files if it was accepted, and its receipt.

    ``findings`` are kept with their rows: a receipt has no room for all that there is to say.
    """

    entry: Entry
    files: Sequence[DataFile]
    findings: Sequence[CheckResult]
    receipt: Receipt


class Ledger:
    """Opens, or makes, the ledger in a file. Close it afterwards."""

    def __init__(self, path: Path) -> None:
        with ExitStack() as undo:
            try:
                self._database = sqlite3.connect(path, isolation_level=None, timeout=30)
                undo.callback(self._database.close)
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("PRAGMA synchronous = FULL")
                self._database.executescript(_SCHEMA)
                self._require_format()
            except sqlite3.Error as error:
                raise EnvironmentFailedError(
                    f"cannot open the ledger {path}",
                    cause=str(error),
                    fix="name another folder with --into, or mend this one",
                ) from error
            undo.pop_all()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def fact(self, name: str) -> str | None:
        """A fact about the lake: its feed, its consumer, its contract."""
        rows = self._all("SELECT value FROM fact WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def names(self, kind: str) -> frozenset[str]:
        """The names of all facts of a kind: of those that are called ``kind name``."""
        rows = self._all("SELECT name FROM fact WHERE name GLOB ?", (f"{kind} *",))
        return frozenset(name.removeprefix(f"{kind} ") for (name,) in rows)

    def set_fact(self, name: str, value: str) -> None:
        """Write a fact about the lake."""
        with self._transaction():
            self._database.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def record(self, entries: Iterable[NewEntry], *, rules: str) -> list[Receipt]:
        """Write judgements, their files and receipts, all or nothing; the receipts to be sent.

        One replaces one by other rules that did not accept the delivery, with a receipt under the
        next judgement, unless it says the same. What was accepted stays so.
        """
        with self._transaction():
            # One wait for the disk, however many there are.
            receipts = [self._record(entry, rules) for entry in entries]
            self._count_record()
        return [receipt for receipt in receipts if receipt is not None]

    def _count_record(self) -> None:
        """Whoever shows the lake sees by this that there is something new."""
        self._database.execute(
            "INSERT INTO fact VALUES ('records', '1')"
            " ON CONFLICT DO UPDATE SET value = CAST(value + 1 AS TEXT)"
        )

    def _record(self, new: NewEntry, rules: str) -> Receipt | None:
        entry, receipt, is_sent = new.entry, new.receipt, False
        key = _key(entry.slot)
        before = self._all(f"SELECT receipt, receipt_is_sent FROM judgement {_SLOT}", key)
        for body, was_sent in before:
            known = Receipt.from_json(body)
            if known.verdict == "accepted":
                return None
            is_same = (known.says_the_same_as(receipt), known.checks) == (True, receipt.checks)
            is_sent = is_same and bool(was_sent)
            judgement = known.judgement + (0 if is_same or not was_sent else 1)
            receipt = known if is_same else replace(receipt, judgement=judgement)
        pinned = (None, None) if entry.inventory is None else _key(entry.inventory)[1:]
        row = (entry.identity, entry.verdict, entry.rows, *pinned, entry.reason, rules)
        self._database.execute(
            "INSERT OR REPLACE INTO judgement VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*key, *row, receipt.to_json(), is_sent),
        )
        self._database.execute(f"DELETE FROM finding {_SLOT}", key)
        self._database.executemany(
            "INSERT INTO finding VALUES (?, ?, ?, ?, ?)",
            [(*key, number, found.to_json()) for number, found in enumerate(new.findings)],
        )
        if entry.verdict == "accepted":
            self._database.executemany(
                "INSERT INTO file VALUES (?, ?, ?, ?, ?, ?)",
                [(*key, file.sha256, file.bytes, file.rows) for file in new.files],
            )
        return None if is_sent else receipt

    def entries(self) -> list[Entry]:
        """Every judged delivery, in the order of slots."""
        return self._entries("ORDER BY dataset, period, revision", ())

    def entry(self, slot: Slot) -> Entry | None:
        """The judgement on one slot."""
        return next(iter(self._entries(_SLOT, _key(slot))), None)

    def findings(self) -> dict[Slot, list[CheckResult]]:
        """What did not pass, of every delivery of which something did not."""
        rows = self._all(
            "SELECT dataset, period, revision, body FROM finding"
            " ORDER BY dataset, period, revision, number"
        )
        found: dict[Slot, list[CheckResult]] = {}
        for *slot, body in rows:
            found.setdefault(_slot(slot), []).append(CheckResult.from_json(body))
        return found

    def set_value_findings(self, findings: Iterable[FeedFinding]) -> None:
        """Keep what several periods show of the values, in place of what they showed before."""
        bodies = [(found.to_json(),) for found in findings]
        with self._transaction():
            if self._all("SELECT body FROM value_finding ORDER BY rowid") == bodies:
                return
            self._database.execute("DELETE FROM value_finding")
            self._database.executemany("INSERT INTO value_finding VALUES (?)", bodies)
            self._count_record()

    def value_findings(self) -> list[FeedFinding]:
        """What several periods showed of the values, when they were looked at last."""
        rows = self._all("SELECT body FROM value_finding ORDER BY rowid")
        return [FeedFinding.from_json(body) for (body,) in rows]

    def note_arrivals(self, arrivals: Mapping[datetime, datetime]) -> None:
        """Note when periods of telemetry arrived; the first time counts."""
        with self._transaction():
            self._database.executemany(
                "INSERT INTO arrival VALUES (?, ?) ON CONFLICT DO UPDATE"
                " SET arrived_at = min(arrived_at, excluded.arrived_at)",
                [
                    (period_text(period), moment.astimezone(UTC).isoformat())
                    for period, moment in arrivals.items()
                ],
            )

    def arrivals(self) -> dict[datetime, datetime]:
        """When each period of telemetry arrived first."""
        return {
            parse_period(period): datetime.fromisoformat(moment)
            for period, moment in self._all("SELECT period, arrived_at FROM arrival")
        }

    def files(self, slot: Slot) -> list[str]:
        """The digests of an accepted delivery's files."""
        rows = self._all(
            f"SELECT sha256 FROM file {_SLOT} ORDER BY sha256",
            _key(slot),
        )
        return [sha256 for (sha256,) in rows]

    def exposed(self, dataset: DatasetName) -> list[tuple[Slot, list[str]]]:
        """What is shown: per period the highest accepted revision, with its files' digests."""
        rows = self._all(
            "SELECT dataset, period, revision FROM exposed WHERE dataset = ? ORDER BY period",
            (dataset,),
        )
        return [(slot, self.files(slot)) for slot in map(_slot, rows)]

    def accepted_count(self) -> int:
        """How many deliveries were accepted; it never gets less."""
        ((count,),) = self._all("SELECT count(*) FROM judgement WHERE verdict = 'accepted'")
        return int(count)

    def refused(self, rules: str | None = None) -> list[Slot]:
        """What was not accepted, nor superseded by what was; if rules are given, not by those.

        Telemetry may refer to an inventory that was superseded.
        """
        rows = self._all(
            "SELECT dataset, period, judgement.revision FROM judgement LEFT JOIN exposed AS shown"
            " USING (dataset, period)"
            " WHERE verdict <> 'accepted' AND rules IS NOT ?"
            " AND (dataset = 'inventory' OR judgement.revision > coalesce(shown.revision, -1))"
            " ORDER BY dataset, period, judgement.revision",
            (rules,),
        )
        return [_slot(row) for row in rows]

    def unsent_receipts(self) -> list[Receipt]:
        """The outbox."""
        rows = self._all(
            "SELECT receipt FROM judgement WHERE receipt_is_sent = 0"
            " ORDER BY dataset, period, revision"
        )
        return [Receipt.from_json(body) for (body,) in rows]

    def mark_sent(self, receipts: Iterable[Receipt]) -> None:
        """Note that receipts stand in the feed, each under the judgement that it now has."""
        with self._transaction():
            self._database.executemany(
                f"UPDATE judgement SET receipt_is_sent = 1, receipt = ? {_SLOT}",
                [(receipt.to_json(), *_key(receipt.slot)) for receipt in receipts],
            )

    @contextmanager
    def at_a_moment(self) -> Iterator[None]:
        """Read again and again, and see the same, whatever a consumer writes meanwhile."""
        with _translated():
            self._database.execute("BEGIN")
            try:
                yield
            finally:
                self._database.execute("COMMIT")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _translated():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def _entries(self, condition: str, values: Sequence[object]) -> list[Entry]:
        rows = self._all(
            "SELECT dataset, period, revision, identity, verdict, rows, inventory_period,"
            " inventory_revision, reason, json_extract(CAST(receipt AS TEXT), '$.judged_at')"
            f" FROM judgement {condition}",
            values,
        )
        return [
            Entry(
                slot=_slot(row[:3]),
                identity=row[3],
                verdict=row[4],
                rows=row[5],
                inventory=None if row[6] is None else _slot(("inventory", *row[6:8])),
                reason=row[8],
                judged_at=row[9],
            )
            for row in rows
        ]

    def _all(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with _translated(), closing(self._database.execute(query, values)) as cursor:
            return cursor.fetchall()

    def _require_format(self) -> None:
        found = self.fact("format")
        if found is None:
            self.set_fact("format", str(FORMAT))
        elif found != str(FORMAT):
            raise EnvironmentFailedError(
                f"the ledger has format {found}; this powerstage reads {FORMAT}",
                fix="use the powerstage that made it, or consume into a new folder",
            )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise EnvironmentFailedError(
            "the ledger cannot be read or written",
            cause=str(error),
            fix="wait for who else has it open, check the disk, then run it again",
        ) from error


def _key(slot: Slot) -> tuple[str, str, int]:
    return slot.dataset, period_text(slot.period), slot.revision


def _slot(row: Sequence[object]) -> Slot:
    dataset, period, revision = row
    return Slot(
        dataset="inventory" if dataset == "inventory" else "telemetry",
        period=parse_period(str(period)),
        revision=int(str(revision)),
    )
