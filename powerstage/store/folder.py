"""A store in a folder, so that both sides can work with no S3 at all."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from powerstage.errors import ObjectNotFoundError, StoreRefusedError, StoreUnavailableError
from powerstage.store.keys import check_key
from powerstage.store.protocol import PAGE, ObjectInfo, VersionInfo

CHUNK_BYTES: Final = 1024 * 1024
_DRAFT: Final = ".draft"
_REFUSED: Final = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR}


class FolderStore:
    """Objects are files under a root; keys are their paths.

    An object is written to a hidden file beside its place and then moved there (``put``), or
    linked there (``put_if_absent``: a link fails where a file stands), so that a reader sees
    all of it or nothing.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(root).absolute()

    @property
    def url(self) -> str:
        """The absolute path of the root."""
        return self._root.as_posix()

    def get(self, key: str, *, sha256: str = "") -> Iterator[bytes]:
        """The object's bytes in chunks."""
        del sha256
        with self._translated(key):
            try:
                file = self._open(self._path(key))
            except (FileNotFoundError, NotADirectoryError):
                raise ObjectNotFoundError(f"there is no {key} in {self.url}") from None
        return self._chunks(file, key)

    def put(self, key: str, body: bytes | Path, *, sha256: str = "") -> None:
        """Write an object, in place of any that stands there."""
        del sha256
        path = self._path(key)
        with self._translated(key), self._draft(path, body) as draft:
            draft.replace(path)

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write an object where none stands."""
        path = self._path(key)
        with self._translated(key), self._draft(path, body) as draft:
            try:
                os.link(draft, path)
            except FileExistsError:
                return False
            _sync_folder(path.parent)
            return True

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every object whose key starts with the prefix, in byte order."""
        with self._translated(prefix):
            keys = sorted(self._keys(prefix), key=os.fsencode)
        for key in keys:
            if info := self._info(key):
                yield info

    def page(self, prefix: str, after: str) -> Sequence[ObjectInfo]:
        """Up to 1,000 objects after a key."""
        return list(islice((info for info in self.list(prefix) if info.key > after), PAGE))

    def head(self, key: str) -> ObjectInfo | None:
        """The object's facts, or None."""
        self._path(key)
        return self._info(key)

    def versions(self, prefix: str) -> Iterator[VersionInfo]:
        """Every object and draft; the version is when it was written, to the nanosecond."""
        with self._translated(prefix):
            keys = dict.fromkeys(self._keys(prefix), True)
            keys |= dict.fromkeys(self._keys(prefix, drafts=True), False)
        for key in sorted(keys, key=os.fsencode):
            if info := self._info(key):
                yield VersionInfo(
                    key=key,
                    version=_written(self._root / key),
                    size_bytes=info.size_bytes,
                    modified_at=info.modified_at,
                    is_whole=keys[key],
                )

    def delete_version(self, version: VersionInfo) -> None:
        """Delete an object or a draft, unless it was written again."""
        path = self._root / version.key
        if _written(path) == version.version and not self._leads_out(path):
            with self._translated(version.key):
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _leads_out(self, path: Path) -> bool:
        """A feed may come from outside: what is behind a link to elsewhere is none of its own."""
        return not path.parent.resolve().is_relative_to(self._root.resolve())

    def _open(self, path: Path) -> BinaryIO:
        """A regular file, and no link: reading anything else may have no end."""
        if self._leads_out(path):
            raise FileNotFoundError(path)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise FileNotFoundError(path) from error
            raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileNotFoundError(path)
        return os.fdopen(descriptor, "rb")

    def _info(self, key: str) -> ObjectInfo | None:
        path = self._root / key
        with self._translated(key):
            try:
                found = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        if not path.is_file():
            return None
        return ObjectInfo(
            key=key,
            size_bytes=found.st_size,
            modified_at=datetime.fromtimestamp(found.st_mtime, UTC),
        )

    def _keys(self, prefix: str, *, drafts: bool = False) -> Iterator[str]:
        ending = _DRAFT if drafts else ""
        folder = self._root / prefix.rpartition("/")[0]
        for here, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                key = Path(here, name).relative_to(self._root).as_posix()
                is_hidden = name.startswith(".")
                if key.startswith(prefix) and is_hidden == drafts and name.endswith(ending):
                    yield key

    @contextmanager
    def _draft(self, path: Path, body: bytes | Path) -> Iterator[Path]:
        """A hidden file with the content, on disk, in the folder of its place."""
        if self._leads_out(path):
            raise StoreRefusedError(
                f"{path.parent} leads out of {self.url}", fix="replace the link by a folder"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=".", suffix=_DRAFT, delete=False
        ) as draft:
            try:
                if isinstance(body, bytes):
                    draft.write(body)
                else:
                    with body.open("rb") as source:
                        shutil.copyfileobj(source, draft, CHUNK_BYTES)
                draft.flush()
                os.fsync(draft.fileno())
                Path(draft.name).chmod(0o644)
                yield Path(draft.name)
            finally:
                Path(draft.name).unlink(missing_ok=True)

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = f"{self.url} failed at {key}: {error.strerror or error}"
            if error.errno in _REFUSED:
                raise StoreRefusedError(
                    message, fix=f"check the folder {self.url} and its permissions"
                ) from error
            raise StoreUnavailableError(
                message, fix="check the disk, then run it again: nothing is lost"
            ) from error

    def _chunks(self, file: BinaryIO, key: str) -> Iterator[bytes]:
        with self._translated(key), file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


def _written(path: Path) -> str:
    try:
        return str(path.stat().st_mtime_ns)
    except FileNotFoundError:
        return ""


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
