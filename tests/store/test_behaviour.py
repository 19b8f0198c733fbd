"""What every store promises, and which of its promises a server is known not to keep."""

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerstage.errors import EnvironmentFailedError, ObjectNotFoundError, UsageError
from powerstage.store import FolderStore, Store
from tests.store.differences import CREATE, NESTED, RACE, expected


def body(store: Store, key: str) -> bytes:
    """A whole object."""
    return b"".join(store.get(key))


def keys(store: Store, prefix: str = "") -> list[str]:
    """The keys of a listing."""
    return [info.key for info in store.list(prefix)]


def test_what_is_put_is_got(store: Store) -> None:
    """An object comes back as it was written."""
    store.put("a/b.json", b"\x00bytes\xff")
    assert body(store, "a/b.json") == b"\x00bytes\xff"


def test_a_file_is_put_by_its_path_and_got_in_chunks(store: Store, tmp_path: Path) -> None:
    """A file of 5 MiB arrives whole, in chunks of at most 1 MiB."""
    content = bytes(range(256)) * 4096 * 5
    (tmp_path / "big").write_bytes(content)
    store.put("data/big", tmp_path / "big")
    chunks = list(store.get("data/big"))
    assert b"".join(chunks) == content
    assert max(map(len, chunks)) <= 1024 * 1024


def test_an_empty_object_is_an_object(store: Store) -> None:
    """Nothing but a key is something."""
    store.put("empty", b"")
    assert body(store, "empty") == b""
    assert keys(store) == ["empty"]


def test_put_replaces(store: Store) -> None:
    """The last put is what stands."""
    store.put("a", b"first")
    store.put("a", b"2nd")
    assert body(store, "a") == b"2nd"


@pytest.mark.parametrize("again", [b"other", b"first"], ids=["other bytes", "the same"])
def test_an_object_is_created_once(name: str, store: Store, again: bytes) -> None:
    """A second create is refused and changes nothing, even with equal bytes."""
    assert store.put_if_absent("commits/x", b"first")
    created = store.put_if_absent("commits/x", again)
    outcomes = {(False, b"first"): "refused", (True, again): "replaces it"}
    assert outcomes.get((created, body(store, "commits/x"))) == expected(name, CREATE)


def test_of_racing_creators_one_wins(name: str, store: Store) -> None:
    """Eight threads create one key: one is told that it did, and its bytes stand whole."""
    bodies = [bytes([65 + number]) * 1000 for number in range(8)]
    start, won = threading.Barrier(8), []

    def race(mine: bytes) -> None:
        start.wait()
        if store.put_if_absent("race", mine):
            won.append(mine)

    threads = [threading.Thread(target=race, args=(mine,)) for mine in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome = {1: "one wins", 8: "all win"}.get(len(won))
    assert outcome == expected(name, RACE)
    # Where all win, bytes may stand with the checksum of others.
    if outcome == "one wins":
        assert [body(store, "race")] == won


def test_a_key_may_begin_like_another(name: str, store: Store) -> None:
    """No part of a key is a folder: an object may stand where another's folder would be."""
    store.put("a/b", b"1")
    try:
        store.put("a", b"2")
    except EnvironmentFailedError:
        refused = True
    else:
        refused = False
    outcomes = {
        (False, "a a/b"): "both stand",
        (True, "a/b"): "the second is refused",
        (True, "a"): "the second is refused, and hides the first",
    }
    assert outcomes.get((refused, " ".join(keys(store)))) == expected(name, NESTED)


def test_a_listing_is_in_the_order_of_bytes(store: Store) -> None:
    """Neither folders nor numbers nor letters change the order."""
    names = ["a-b", "a/b", "a=b", "a0", "aB", "r000009", "r000010", "r10", "r9", "Z"]
    for name in names:
        store.put(name, b"")
    assert keys(store) == sorted(names, key=str.encode)


def test_a_prefix_may_end_inside_a_name(store: Store) -> None:
    """A listing filters by the beginning of the key, not by folders."""
    for name in ("commits/telemetry/x", "commits/tele", "commits2/x", "commit"):
        store.put(name, b"")
    assert keys(store, "commits/tel") == ["commits/tele", "commits/telemetry/x"]
    assert keys(store, "commits/") == ["commits/tele", "commits/telemetry/x"]


def test_a_listing_knows_sizes(store: Store) -> None:
    """Size and moment are those of the object, listed or asked for."""
    store.put("a/b", b"12345")
    (info,) = store.list("")
    assert (info.size_bytes, info.modified_at.utcoffset()) == (5, info.modified_at.utcoffset())
    assert info.modified_at.tzinfo is not None
    head = store.head("a/b")
    assert head is not None
    assert head.size_bytes == 5


def test_what_is_not_there_is_not_there(store: Store) -> None:
    """Absence is told at once, by name, and an empty store lists nothing."""
    assert keys(store) == []
    assert store.head("a/b") is None
    with pytest.raises(ObjectNotFoundError, match="a/b"):
        store.get("a/b")


STRANGE_KEYS = ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.hidden"]
STRANGE_KEYS += ["a b", "a\x00", "a*", "ä", "x" * 513]


def test_a_strange_key_is_refused_before_anything_is_touched(store: Store) -> None:
    """No verb takes a key that some store might read otherwise."""
    for key in STRANGE_KEYS:
        for call in (
            lambda key: store.put(key, b""),
            lambda key: store.put_if_absent(key, b""),
            store.get,
            store.head,
        ):
            with pytest.raises(UsageError):
                call(key)
    assert keys(store) == []


@given(st.text(min_size=1, max_size=40))
def test_no_key_leaves_the_folder(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    """Whatever the key, nothing is written outside the root."""
    outside = tmp_path_factory.mktemp("outside")
    try:
        FolderStore(outside / "root").put(key, b"x")
    except UsageError:
        return
    assert [path.name for path in outside.iterdir()] == ["root"]


def test_a_folder_hides_what_is_being_written(tmp_path: Path) -> None:
    """A draft that a killed writer left behind is no object."""
    store = FolderStore(tmp_path)
    store.put("a/b", b"x")
    (tmp_path / "a" / ".b.draft").write_bytes(b"half")
    assert keys(store) == ["a/b"]
