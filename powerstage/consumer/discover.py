"""What stands in a feed: by a whole listing, or by looks that take few requests.

No look is a watermark: what comes late in the order of keys is found too, by the sweep.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, unquote

from powerstage.checks import first_arrivals
from powerstage.consumer.ledger import Ledger
from powerstage.contract import CommitKey, Slot, find_key, period_text
from powerstage.contract.layout import COMMITS
from powerstage.contract.safe_text import shown
from powerstage.errors import no_delivery
from powerstage.store import ObjectInfo, Store

# Periods that start later than this before now are looked at each time.
HOT: Final = timedelta(days=2)
_SWEEP: Final = "sweep"
_KEY_MAX: Final = 1_000
_NO_TEXT: Final = "surrogateescape"


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """What stands in a feed: the slots that have a commit, inventory first, and stray keys.

    ``arrivals`` are the times at which the periods of telemetry were written.
    """

    slots: tuple[Slot, ...]
    strays: tuple[str, ...]
    arrivals: Mapping[datetime, datetime]


def discover(store: Store) -> Discovered:
    """Every delivery of a feed, by its commit: a whole listing.

    Raises:
        NothingToJudgeError: nothing stands under ``commits/``.
    """
    found = _discovered(store.list(COMMITS))
    if not found.slots and not found.strays:
        raise no_delivery(store.url)
    return found


class Watch:
    """Looks at a feed again and again: at its recent periods, and at a page of all the others.

    The pages come round: whatever stands in a feed is seen, however late it came, after as many
    looks as it has pages of 1,000 commits. Where it is, the ledger knows.

    Args:
        store: the feed.
        ledger: of the consumer.
    """

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store, self._ledger = store, ledger

    def look(self, now: datetime, hints: Collection[str] = ()) -> Discovered:
        """Some of what stands there; among it what hints name, if it does.

        Args:
            now: the time.
            hints: keys of objects, from whoever; what is no commit's is passed over.
        """
        since = period_text((now - HOT).replace(second=0, microsecond=0))
        found: dict[str, ObjectInfo] = {}
        for dataset in ("inventory", "telemetry"):
            prefix = f"{COMMITS}{dataset}/"
            after = f"{prefix}{since}"
            while page := self._store.page(prefix, after):
                found |= {info.key: info for info in page}
                after = page[-1].key
        # Quoted: a folder's keys may be no text.
        after = unquote(self._ledger.fact(_SWEEP) or "", errors=_NO_TEXT)
        swept = self._store.page(COMMITS, after)
        # After the last page comes the first.
        self._ledger.set_fact(_SWEEP, quote(swept[-1].key, errors=_NO_TEXT) if swept else "")
        found |= {info.key: info for info in swept}
        for key in hints:
            if (
                key not in found
                and isinstance(find_key(key), CommitKey)
                and (info := self._store.head(key))
            ):
                found[key] = info
        return _discovered(found.values())


def _discovered(infos: Iterable[ObjectInfo]) -> Discovered:
    written, strays = [], []
    for info in infos:
        key = find_key(info.key)
        if key is None:
            strays.append(shown(info.key, _KEY_MAX))
        elif isinstance(key, CommitKey):
            written.append((key.slot, info.modified_at))
    return Discovered(
        slots=tuple(sorted(slot for slot, _ in written)),
        strays=tuple(sorted(strays)),
        arrivals=first_arrivals(written),
    )
