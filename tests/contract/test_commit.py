"""The commit: what it promises, and what is refused before it is believed."""

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerstage.contract import Commit, ContractPin, DataFile, InventoryPin, Slot
from powerstage.contract.layout import data_key
from powerstage.errors import RecordError

PERIOD = datetime(2026, 11, 1, 5, tzinfo=UTC)
TELEMETRY = Slot(dataset="telemetry", period=PERIOD)
INVENTORY = Slot(dataset="inventory", period=PERIOD)


def data_file(digit: str, slot: Slot = TELEMETRY) -> DataFile:
    """A file whose digest is one digit, 64 times."""
    return DataFile(key=str(data_key(slot, digit * 64)), bytes=100, sha256=digit * 64, rows=7)


COMMIT = Commit(
    feed="s3://bucket/feed",
    slot=TELEMETRY,
    supersedes=None,
    contract=ContractPin(name="power-telemetry", version="1.0.0", sha256="c" * 64),
    inventory=InventoryPin(slot=INVENTORY, identity="1" * 64),
    files=(data_file("b"), data_file("a")),
    producer="powerstage",
    created_at="2026-11-24T12:00:00Z",
)


def edited(**changes: object) -> bytes:
    """The commit's JSON with some fields changed, the identity kept."""
    record = json.loads(COMMIT.to_json())
    return json.dumps(record | changes).encode()


texts = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=30)


@given(
    feed=texts,
    revision=st.integers(1, 999_999),
    digits=st.lists(st.sampled_from("0123456789abcdef"), min_size=1, unique=True),
    reason=texts,
)
def test_a_commit_survives_json(feed: str, revision: int, digits: list[str], reason: str) -> None:
    """What is written is what is read."""
    commit = replace(
        COMMIT,
        feed=feed,
        slot=replace(TELEMETRY, revision=revision),
        supersedes="2" * 64,
        files=tuple(map(data_file, digits)),
        reason=reason,
    )
    assert Commit.from_json(commit.to_json()) == commit


def test_a_shell_computes_the_identity() -> None:
    """Printf and sha256sum are all that a third party needs."""
    lines = [
        "powerstage-delivery/1",
        "s3://bucket/feed",
        "telemetry",
        "2026-11-01T0500",
        "0",
        "-",
        "power-telemetry@1.0.0",
        f"inventory/2026-11-01T0500/r000000@{'1' * 64}",
        f"{'a' * 64} 100 7 data/telemetry/date=2026-11-01/{'a' * 64}.parquet",
        f"{'b' * 64} 100 7 data/telemetry/date=2026-11-01/{'b' * 64}.parquet",
    ]
    shell = subprocess.run(
        ["/bin/sh", "-c", 'printf "%s" "$1" | sha256sum', "sh", "\n".join(lines)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shell.stdout.split()[0] == COMMIT.identity


def test_what_informs_is_no_part_of_the_identity() -> None:
    """A retry at another time by another version commits the same content."""
    later = replace(COMMIT, created_at="2027-01-01T00:00:00Z", producer="x", reason="y")
    assert later.identity == COMMIT.identity


@pytest.mark.parametrize(
    "change",
    [
        {"feed": "s3://bucket/other"},
        {"contract": replace(COMMIT.contract, version="1.0.1")},
        {"inventory": InventoryPin(slot=INVENTORY, identity="3" * 64)},
        {"files": (data_file("a"),)},
        {"files": (data_file("b"), replace(data_file("a"), rows=8))},
    ],
)
def test_what_counts_is_part_of_the_identity(change: dict[str, Any]) -> None:
    """Any other content has another name."""
    assert replace(COMMIT, **change).identity != COMMIT.identity


FILE = json.loads(COMMIT.to_json())["files"][0]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"spec": 1, "spec": 2}', "stands twice"),
        (b'{"spec": NaN}', "NaN is not JSON"),
        (b'{"spec": -Infinity}', "Infinity is not JSON"),
        (b"[" * 100_000, "nested deeper"),
        (b'{"a":' * 9 + b"1" + b"}" * 9, "nested deeper"),
        (b" " * (1024 * 1024 + 1), "larger than"),
        ("\ufeff{}".encode(), "not JSON"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (b'{"spec": ' + b"9" * 10_000 + b"}", "not JSON"),
        (edited(spec="powerstage-delivery/2"), "spec"),
        (edited(surprise=1), "unknown fields: surprise"),
        (edited(dataset="readings"), "inventory or telemetry"),
        (edited(period="2026-11-01T05:00"), "not a period"),
        (edited(revision=-1), "revision"),
        (edited(revision=True), "revision"),
        (edited(revision=0.0), "revision"),
        (edited(revision="0"), "revision"),
        (edited(revision=1_000_000), "revision"),
        (edited(supersedes="x"), "supersedes"),
        (edited(feed="a\nb"), "feed"),
        (edited(feed="a\ud800"), "feed"),
        (edited(feed="x" * 5000), "feed"),
        (edited(contract=None), "contract"),
        (edited(contract={"name": "../x", "version": "1", "sha256": "c" * 64}), "contract"),
        (edited(inventory="inventory/2026-11-01T0500/r000000"), "identity"),
        (edited(inventory=f"telemetry/2026-11-01T0500/r000000@{'1' * 64}"), "identity"),
        (edited(files={}), "files"),
        (edited(files=[1]), "not a JSON object"),
        (edited(files=[FILE] * 1001), "files"),
        (edited(files=[FILE | {"rows": 1e308}]), "rows"),
        (edited(files=[FILE | {"rows": 2**63}]), "rows"),
        (edited(files=[FILE | {"rows": "12"}]), "rows"),
        (edited(files=[FILE | {"bytes": 2**30}]), "bytes"),
        (edited(files=[FILE | {"sha256": "A" * 64}]), "sha256"),
        (edited(files=[FILE | {"key": "../" + FILE["key"]}]), "key"),
        (edited(files=[FILE | {"key": "/" + FILE["key"]}]), "key"),
        (edited(files=[FILE | {"key": "data/telemetry/*.parquet"}]), "key"),
        (edited(files=[FILE | {"key": FILE["key"].replace("11-01", "11-02")}]), "key"),
        (edited(files=[FILE | {"key": FILE["key"].replace("telemetry", "inventory")}]), "key"),
        (edited(identity="0" * 64), "identity"),
        (edited(reason="late"), None),
    ],
)
def test_a_hostile_commit_is_refused_in_words(body: bytes, words: str | None) -> None:
    """Whatever is wrong is a RecordError that says so; what informs may change."""
    if words is None:
        assert Commit.from_json(body).reason == "late"
        return
    with pytest.raises(RecordError, match=words):
        Commit.from_json(body)


@pytest.mark.parametrize(
    "commit",
    [
        replace(COMMIT, inventory=None),
        replace(COMMIT, files=()),
        replace(COMMIT, supersedes="2" * 64),
        replace(COMMIT, slot=replace(TELEMETRY, revision=1)),
        replace(COMMIT, files=(data_file("a"), data_file("a"))),
        replace(COMMIT, inventory=InventoryPin(slot=TELEMETRY, identity="1" * 64)),
        replace(COMMIT, slot=INVENTORY, files=(data_file("a", INVENTORY),)),
    ],
)
def test_a_commit_that_contradicts_itself_is_refused(commit: Commit) -> None:
    """Its identity is right, and it is wrong all the same."""
    with pytest.raises(RecordError):
        Commit.from_json(commit.to_json())


@given(st.data())
def test_a_mutated_commit_is_the_same_or_refused(data: st.DataObject) -> None:
    """Bytes changed at random: a RecordError, or a commit that its identity vouches for."""
    body = bytearray(COMMIT.to_json())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        commit = Commit.from_json(bytes(body))
    except RecordError:
        return
    assert commit.identity == COMMIT.identity
