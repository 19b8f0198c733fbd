"""Ours, moving prepared files: publishing them, and consuming them without judging."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Final
from unittest.mock import patch

from powerstage.checks import Checker, Report
from powerstage.consumer import Lake, consume
from powerstage.consumer.consume import FETCHERS
from powerstage.consumer.discover import discover
from powerstage.consumer.judge import Judge
from powerstage.contract import Contract, default, period_text
from powerstage.producer import publish
from powerstage.producer.publish import SENDERS
from tests.benchmarks.moving import START, run, store_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedFiles:
    """Files that lie ready, one a period, as a ``Source``."""

    folder: Path
    contract: Contract

    def parts(self) -> Sequence["PreparedFiles"]:
        """All in one."""
        return [self]

    def periods(self) -> Sequence[datetime]:
        """One hour for each file."""
        return [START + timedelta(hours=n) for n in range(len(list(self.folder.iterdir())))]

    def snapshots(self) -> Sequence[datetime]:
        """One inventory for all."""
        return [START]

    def write_inventory(self, period: datetime, path: Path) -> int:
        """Some bytes."""
        path.write_bytes(period_text(period).encode())
        return 1

    def write_telemetry(self, period: datetime, path: Path) -> int:
        """The file of the period, by a link."""
        path.hardlink_to(self.folder / period_text(period))
        return 1


def ours_publish(files: Path, _: Path) -> Callable[[], None]:
    """Publish each file as the telemetry of a period."""
    store, source = store_of("feed"), PreparedFiles(folder=files, contract=default())

    def run() -> None:
        publish(source, store, clock=lambda: START, senders=SENDERS)

    return run


def _touch(_: Checker, queries: Mapping[Path, str], __: Sequence[Path]) -> None:
    """In place of roll-ups: random bytes have none."""
    for path in queries:
        path.touch()


def ours_consume(_: Path, scratch: Path) -> Callable[[], None]:
    """Consume the feed; all is accepted, unseen."""
    store = store_of("feed")

    def run() -> None:
        with (
            patch.object(Judge, "_contents", lambda *_: Report(results=(), rows=1)),
            patch.object(Checker, "write_database", lambda _, draft, *__: draft.touch()),
            patch.object(Checker, "write_parquet", _touch),
            patch.object(import_module("powerstage.consumer.consume"), "start_early"),
            Lake(scratch / "lake", make=True) as lake,
        ):
            # Given what was found, it looks for no findings about the feed as a whole.
            found = discover(store)
            consumed = consume(store, lake, clock=lambda: START, found=found, fetchers=FETCHERS)
        assert {judgement.verdict for judgement in consumed.judgements} == {"accepted"}

    return run


CONTESTANTS: Final = {"publish": ours_publish, "consume": ours_consume}

if __name__ == "__main__":
    run(CONTESTANTS)
