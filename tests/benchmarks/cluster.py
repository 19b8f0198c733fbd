"""The same feed by one process, by local processes, and by a Dask cluster of which a worker dies.

The cluster is a scheduler and two workers, processes that talk over TCP. What counts is that the
data objects of each feed, and the accepted files of each lake, are those of one process.
"""

import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Final

from powerstage.contract.layout import DATA
from tests.benchmarks.measure import Measured, passing
from tests.benchmarks.moving import BUCKET, store_of
from tests.benchmarks.report import Judged, Table
from tests.benchmarks.s3_server import s3_server
from tests.benchmarks.synthesis import INTERVAL_SECONDS, contract_text
from tests.benchmarks.whole import FLEET, SMOKE
from tests.clusters import Cluster

# Of 24 deliveries, when a worker is killed.
KILLED_AT: Final = 6
_LOOK_EVERY_SECONDS: Final = 0.05


def tables(smoke: bool) -> Iterator[Table]:
    """One table: by whom, how long, and whether it came to the same."""
    fleet = SMOKE if smoke else FLEET
    with tempfile.TemporaryDirectory(prefix="powerstage-cluster-") as name, s3_server("moto"):
        folder = Path(name)
        contract = folder / "contract.odcs.yaml"
        contract.write_text(contract_text(), "utf-8")
        store_of("")
        synth = ("--contract", contract, "--devices", fleet.devices, "--days", fleet.days)
        alone = _Run(folder=folder, feed="alone", synth=synth).run(())
        rows = [_row("one process", alone, alone)]
        by_two = _Run(folder=folder, feed="processes", synth=synth).run(("--workers", "2"))
        rows.append(_row("`--workers 2`", by_two, alone))
        for words, feed, is_killed in (
            ("`--scheduler`, two workers", "cluster", False),
            ("the same, one of them killed midway, twice", "killed", True),
        ):
            run = _Run(folder=folder, feed=feed, synth=synth)
            rows.append(_row(words, _by_cluster(run, is_killed=is_killed), alone))
        yield Table(
            name="by others",
            words=(
                f"{fleet}, readings of {INTERVAL_SECONDS} s: {fleet.readings / 1e6:.3g} million,"
                " on moto; one run each. The CPU of Dask's workers is not in it."
            ),
            columns=(
                "by",
                "synth: wall s",
                "CPU s",
                "consume: wall s",
                "CPU s of it",
                "share of data objects alike",
                "share of accepted files alike",
            ),
            rows=tuple(rows),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came of a run: what the commands took, the data objects, the files of the lake."""

    synth: Measured
    consume: Measured
    objects: frozenset[str]
    files: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A feed of its own, and the lake that it is consumed into."""

    folder: Path
    feed: str
    synth: Sequence[object]

    def run(self, way: Sequence[str], dying: Iterator[Popen[bytes]] | None = None) -> Came:
        """Publish and consume; kill a process in the midst of either."""
        url = f"s3://{BUCKET}/{self.feed}"
        with self._killing(dying, "commits/telemetry/"):
            synth = _powerstage("synth", url, *self.synth, *way)
        with self._killing(dying, "receipts/consumer/telemetry/"):
            consume = _powerstage("consume", url, "--into", self.folder / self.feed, *way)
        files = (self.folder / self.feed / "data").iterdir()
        return Came(
            synth=synth,
            consume=consume,
            objects=frozenset(info.key for info in store_of(self.feed).list(DATA)),
            files=frozenset(path.name for path in files),
        )

    @contextmanager
    def _killing(self, dying: Iterator[Popen[bytes]] | None, records: str) -> Iterator[None]:
        """Within, the next of some processes dies when so many records stand there."""
        if dying is None:
            yield
            return
        store, ended = store_of(self.feed), threading.Event()

        def kill() -> bool:
            while len(list(store.list(records))) < KILLED_AT:
                if ended.wait(_LOOK_EVERY_SECONDS):
                    return False
            next(dying).kill()
            return True

        with ThreadPoolExecutor(1) as pool:
            killed = pool.submit(kill)
            yield
            ended.set()
        if not killed.result():
            raise RuntimeError(f"all was over before {KILLED_AT} stood under {records}")


def _by_cluster(run: _Run, *, is_killed: bool) -> Came:
    with ExitStack() as stack:
        # Its workers find the S3 that this process does.
        cluster = stack.enter_context(Cluster(run.folder / "dask", {}))
        workers = stack.enter_context(cluster.workers(3 if is_killed else 2))
        dying = iter(workers) if is_killed else None
        return run.run(("--scheduler", cluster.address), dying)


def _powerstage(*words: object) -> Measured:
    return passing([sys.executable, "-m", "powerstage", *map(str, words)])


def _row(words: str, came: Came, alone: Came) -> tuple[str | float | Judged, ...]:
    return (
        words,
        came.synth.wall_seconds,
        came.synth.cpu_seconds,
        came.consume.wall_seconds,
        came.consume.cpu_seconds,
        Judged(measured=_alike(came.objects, alone.objects), goal=1, is_floor=True),
        Judged(measured=_alike(came.files, alone.files), goal=1, is_floor=True),
    )


def _alike(found: frozenset[str], wanted: frozenset[str]) -> float:
    return len(found & wanted) / len(found | wanted)
