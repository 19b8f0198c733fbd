"""What only a folder can do to a store: links, and names that are no text."""

import os
from pathlib import Path

import pytest

from powerstage.errors import ObjectNotFoundError, StoreRefusedError
from powerstage.store import FolderStore


def test_no_link_leads_out_of_a_folder(tmp_path: Path) -> None:
    """A feed may come from outside: neither a file nor a folder of another place is its own."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a").write_bytes(b"x")
    (tmp_path / "feed").mkdir()
    (tmp_path / "feed" / "file").symlink_to(tmp_path / "secret" / "a")
    (tmp_path / "feed" / "endless").symlink_to("/dev/zero")
    (tmp_path / "feed" / "folder").symlink_to(tmp_path / "secret")
    store = FolderStore(tmp_path / "feed")
    for key in ("file", "endless"):
        with pytest.raises(ObjectNotFoundError):
            store.get(key)
    with pytest.raises(ObjectNotFoundError):
        store.get("folder/a")
    with pytest.raises(StoreRefusedError, match="leads out of"):
        store.put("folder/b", b"x")
    assert [path.name for path in (tmp_path / "secret").iterdir()] == ["a"]


def test_a_name_that_is_no_text_is_listed_all_the_same(tmp_path: Path) -> None:
    """Somebody else's file system may hold any bytes."""
    os.close(os.open(os.fsencode(tmp_path) + b"/caf\xe9", os.O_CREAT))
    (tmp_path / "a").touch()
    assert [info.key for info in FolderStore(tmp_path).list("")] == ["a", "caf\udce9"]
