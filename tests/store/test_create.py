"""Write-once records, when replies are lost and others are faster."""

import pytest

from powerstage.errors import RecordError, StoreUnavailableError
from powerstage.store import MemoryStore, create, read, require_write_once


class Unreliable(MemoryStore):
    """Acts as told at each create: "act", "act and lose", "lose"."""

    def __init__(self, *plan: str) -> None:
        super().__init__()
        self._plan = list(plan)

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Act, lose the reply, or both."""
        step = self._plan.pop(0) if self._plan else "act"
        created = super().put_if_absent(key, body) if step.startswith("act") else False
        if step.endswith("lose"):
            raise StoreUnavailableError("no answer")
        return created


def test_a_lost_reply_is_settled_by_reading_back() -> None:
    """The record was created although nobody said so."""
    store = Unreliable("act and lose")
    assert create(store, "commits/x", b"mine") == b"mine"


def test_what_another_wrote_is_returned() -> None:
    """The caller sees what stands there, and can tell that it is not its own."""
    store = MemoryStore()
    store.put("commits/x", b"theirs")
    assert create(store, "commits/x", b"mine") == b"theirs"


def test_a_lost_request_is_sent_again() -> None:
    """An unknown outcome with nothing there means: not yet."""
    store = Unreliable("lose", "lose")
    assert create(store, "commits/x", b"mine") == b"mine"
    assert b"".join(store.get("commits/x")) == b"mine"


def test_it_gives_up_in_the_end() -> None:
    """A store that never answers is an error, and the record may be created later."""
    store = Unreliable(*["lose"] * 5)
    with pytest.raises(StoreUnavailableError):
        create(store, "commits/x", b"mine")
    assert create(store, "commits/x", b"mine") == b"mine"


def test_a_lost_refusal_is_asked_for_again() -> None:
    """Whether a store writes over a record is settled by an answer, not by silence."""
    store = Unreliable("act", "lose", "act and lose")
    store.put_if_absent("contract/x", b"mine")
    require_write_once(store, "contract/x", b"mine")


def test_a_store_that_never_answers_is_not_called_safe() -> None:
    """After five attempts nothing is known."""
    with pytest.raises(StoreUnavailableError):
        require_write_once(Unreliable(*["lose"] * 5), "contract/x", b"mine")


def test_a_record_that_is_too_large_is_not_read() -> None:
    """What stands there may be hostile: a gigabyte under the key of a record."""
    store = MemoryStore()
    store.put("commits/x", b"x" * 11)
    assert read(store, "commits/x", 11) == b"x" * 11
    with pytest.raises(RecordError, match="larger than 10 bytes"):
        read(store, "commits/x", 10)
