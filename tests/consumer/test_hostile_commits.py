"""Commits made to do harm: each gets its verdict, and all that is sound around them is kept."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from powerstage.consumer.lake import LEDGER_FILE
from powerstage.contract import Commit, CommitKey, ContractPin, DataFile, Receipt, Slot
from powerstage.contract.safe_text import safe
from powerstage.contract.strict_json import RECORD_BYTES_MAX
from tests.conftest import Run
from tests.consumer.conftest import Feed, edited_json

CODE = "\x1b[2J\u202e\x9b31m"


def with_file(commit: Commit, **changes: object) -> bytes:
    """The commit, true to itself, of a file that is no file of ours."""
    file = replace(commit.files[0], **changes)  # type: ignore[arg-type]
    return replace(commit, files=(file,)).to_json()


def with_key(key: str) -> Callable[[Commit], bytes]:
    """The commit of an object under another key."""
    return lambda commit: with_file(commit, key=key)


def many_files(commit: Commit) -> bytes:
    """The commit of 1,001 files."""
    (file,) = commit.files
    folder = file.key.rpartition("/")[0]
    files = [
        DataFile(key=f"{folder}/{n:064x}.parquet", bytes=1, sha256=f"{n:064x}", rows=1)
        for n in range(1_001)
    ]
    return replace(commit, files=tuple(files)).to_json()


def edited(**changes: object) -> Callable[[Commit], bytes]:
    """The record with other fields, and an identity that no longer fits."""
    return lambda commit: edited_json(commit.to_json(), **changes)


def raw(old: bytes, new: bytes) -> Callable[[Commit], bytes]:
    """The record with other bytes."""
    return lambda commit: commit.to_json().replace(old, new, 1)


UNREADABLE: dict[str, Callable[[Commit], bytes]] = {
    "more than 1 MiB": lambda commit: commit.to_json() + b" " * RECORD_BYTES_MAX,
    "5 MB": lambda commit: commit.to_json().replace(b"{", b"{" + b"\n" * 5_000_000, 1),
    "1,001 files": many_files,
    "512 MiB and a byte": lambda commit: with_file(commit, bytes=2**29 + 1),
    "5 million rows and one": lambda commit: with_file(commit, rows=5_000_001),
    "NaN": raw(b'"revision": 0', b'"revision": NaN'),
    "infinity": raw(b'"revision": 0', b'"revision": 1e999'),
    "a field twice": raw(b'"revision": 0', b'"revision": 0, "revision": 0'),
    "1,000 deep": raw(b'"supersedes": null', b'"supersedes": ' + b"[" * 1_000 + b"]" * 1_000),
    "a million digits": raw(b'"revision": 0', b'"revision": 1' + b"0" * 900_000),
    "above 64 bits": lambda commit: with_file(commit, rows=2**64),
    "below zero": lambda commit: with_file(commit, rows=-1),
    "true for a number": edited(revision=True),
    "a key that climbs": with_key("data/telemetry/date=2026-11-02/../../../../etc/passwd"),
    "a key from the root": with_key("/etc/passwd"),
    "a key that globs": with_key("data/telemetry/date=2026-11-02/*.parquet"),
    "another bucket": with_key("s3://other/bucket"),
    "not UTF-8": lambda commit: commit.to_json().replace(b"telemetry", b"telemetr\xff", 1),
    "UTF-16": lambda commit: commit.to_json().decode().encode("utf-16"),
    "another version": edited(spec="powerstage-delivery/2"),
    "a list": lambda commit: b"[" + commit.to_json() + b"]",
    "code for a terminal": edited(**{CODE: CODE}),
    "a long name": edited(contract={"name": "x" * 4_000, "version": "1", "sha256": "0" * 64}),
}


@pytest.fixture
def few(hourly_feed: Feed) -> Feed:
    """A feed of one period and its inventory."""
    feed = hourly_feed
    kept = {str(CommitKey(slot=slot)) for slot in (feed.slot, feed.inventory)}
    feed.delete(*[key for key in feed.keys if key.startswith("commits/") and key not in kept])
    return feed


@pytest.fixture
def hostile(hourly_feed: Feed) -> tuple[Feed, dict[Slot, str]]:
    """A feed of a day, each period but the last with a hostile commit of another kind."""
    feed = hourly_feed
    slots = [Slot(dataset="telemetry", period=period) for period in feed.source.periods()]
    spoilt = dict(zip(slots, UNREADABLE, strict=False))
    assert len(spoilt) == len(UNREADABLE)
    for slot, name in spoilt.items():
        feed.store.put(str(CommitKey(slot=slot)), UNREADABLE[name](feed.commit(slot)))
    return feed, spoilt


def test_each_hostile_commit_is_unreadable_and_no_other(
    hostile: tuple[Feed, dict[Slot, str]],
) -> None:
    """All in one run; the inventory and the last period are accepted."""
    feed, spoilt = hostile
    judgements = feed.consume().judgements
    verdicts = {judgement.slot: judgement.verdict for judgement in judgements}
    wrong = {name for slot, name in spoilt.items() if verdicts[slot] != "unreadable"}
    assert not wrong
    assert [verdicts[slot] for slot in verdicts if slot not in spoilt] == ["accepted"] * 2
    for judgement in judgements:
        for finding in judgement.report.findings:
            assert finding.check.id == "commit.readable"
            assert safe(finding.detail) == finding.detail
            assert len(finding.detail) <= 1_000


def test_the_ledger_stays_sound(hostile: tuple[Feed, dict[Slot, str]]) -> None:
    """Every delivery stands in it once, a receipt went out for each, and a rerun finds no more."""
    feed, spoilt = hostile
    feed.consume()
    with sqlite3.connect(feed.folder / "lake" / LEDGER_FILE) as ledger:
        assert ledger.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        counts = "SELECT count(*), sum(receipt_is_sent) FROM judgement"
        assert ledger.execute(counts).fetchall() == [(len(spoilt) + 2,) * 2]
    ledger.close()
    again = feed.consume()
    assert (again.judgements, again.known) == ((), len(spoilt) + 2)
    for body in feed.receipts().values():
        Receipt.from_json(body)
        assert len(body) < RECORD_BYTES_MAX
        assert safe(body.decode().replace("\n", "")) == body.decode().replace("\n", "")


def test_the_command_says_so_and_ends_with_1(
    hostile: tuple[Feed, dict[Slot, str]], tmp_path: Path, powerstage: Run
) -> None:
    """Nothing that it prints is obeyed by a terminal, and none of it is a traceback."""
    feed, spoilt = hostile
    folder = tmp_path / "feed"
    for key in [*feed.keys, f"commits/telemetry/{CODE}.json", "commits/" + "x" * 200]:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(feed.read(key) if key in feed.keys else b"{}")
    lines = powerstage("consume", folder, "--into", tmp_path / "lake-a")
    document = powerstage("consume", folder, "--into", tmp_path / "lake-b", "--json")
    assert (lines.returncode, document.returncode) == (1, 1)
    assert "Traceback" not in lines.stderr + document.stderr
    assert not set(CODE) - set("[2J31m") & set(lines.stdout + document.stdout)
    assert max(map(len, lines.stdout.splitlines())) < 1_500
    told = json.loads(document.stdout)
    assert len(told["deliveries"]) == len(spoilt) + 2
    assert safe(str(told)) == str(told)
    assert len(told["strays"]) == 2


def test_a_commit_in_the_place_of_another_is_unreadable(few: Feed) -> None:
    """A sound record under the key of another slot: not that delivery, and not this one."""
    other = replace(few.slot, period=few.source.periods()[6])
    record = replace(few.commit(), slot=other, files=(), reason="no-data").to_json()
    few.store.put(str(CommitKey(slot=few.slot)), record)
    assert few.findings() == {str(few.slot): ("unreadable", {"commit.readable"})}


def test_a_cycle_of_revisions_ends(few: Feed) -> None:
    """Of two that supersede each other one cannot: identities are digests."""
    first = replace(few.slot, revision=1)
    second = replace(few.slot, revision=2)
    few.recommit(slot=second, supersedes="1" * 64)
    few.recommit(slot=first, supersedes=few.commit(second).identity)
    assert few.findings() == {
        str(first): ("rejected", {"commit.chain"}),
        str(second): ("rejected", {"commit.chain"}),
    }


@pytest.mark.parametrize("year", [1, 9999])
def test_a_period_at_an_end_of_time_is_no_harm(few: Feed, year: int) -> None:
    """Neither what lies between, nor what would come after it, is counted out one by one."""
    period = datetime(year, 12, 31, 23, tzinfo=UTC)
    slot = Slot(dataset="telemetry", period=period)
    few.recommit(slot=slot, files=(), reason="no-data")
    consumed = few.consume()
    verdicts = [judged.verdict for judged in consumed.judgements if judged.slot == slot]
    # What lies before all that is kept has expired.
    assert (verdicts, consumed.expired) == (([], 1) if year == 1 else (["rejected"], 0))


def test_a_contract_named_in_code_is_not_obeyed(few: Feed) -> None:
    """A name that cannot stand in a key is none."""
    pin = ContractPin(name=CODE, version="1", sha256="0" * 64)
    few.recommit(contract=pin)
    assert few.findings() == {str(few.slot): ("unreadable", {"commit.readable"})}
