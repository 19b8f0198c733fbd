"""One file of a delivery: made and sent by itself, by any thread, process or machine."""

import hashlib
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Final

from powerstage.contract import DataFile, Slot
from powerstage.contract.commit import FILE_BYTES_MAX, FILE_ROWS_MAX
from powerstage.contract.layout import data_key
from powerstage.errors import UsageError
from powerstage.producer.source import Source
from powerstage.store import Put

_CHUNK_BYTES: Final = 1024 * 1024


def send_part(part: Source, period: datetime, store: Put | None) -> DataFile:
    """Write the readings of a period and put them under the name of their content.

    Done again, it writes the same bytes. Nobody looks at them before a commit names them.

    Args:
        part: of a source, or all of it.
        period: its start.
        store: the feed; None to learn only what would be sent.
    """
    with tempfile.TemporaryDirectory(prefix="powerstage-part-") as folder:
        path = Path(folder, "part.parquet")
        slot = Slot(dataset="telemetry", period=period)
        file = data_file(slot, path, part.write_telemetry(period, path))
        if store is not None:
            store.put(file.key, path, sha256=file.sha256)
    return file


def data_file(slot: Slot, path: Path, rows: int) -> DataFile:
    """A file as it would be delivered.

    Raises:
        UsageError: it is larger than a delivered file may be.
    """
    digest = hashlib.sha256()
    with path.open("rb") as parquet:
        while chunk := parquet.read(_CHUNK_BYTES):
            digest.update(chunk)
    sha256, size = digest.hexdigest(), path.stat().st_size
    if rows > FILE_ROWS_MAX or size > FILE_BYTES_MAX:
        raise UsageError(
            f"{slot} has {rows} rows in {size} bytes: more than a file may hold",
            cause=f"at most {FILE_ROWS_MAX} rows and {FILE_BYTES_MAX} bytes",
            fix="agree on a shorter delivery interval (slaProperties: frequency)",
        )
    return DataFile(key=str(data_key(slot, sha256)), bytes=size, sha256=sha256, rows=rows)
