"""What works and what does not: this machine, its credentials, and the place of a feed.

Nothing is deleted, and nothing is written but the feed's own contract, where it stands, with its
own bytes, on the condition that it is not there: a store that keeps the condition refuses.
"""

import os
import platform
from collections.abc import Callable
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Final

import powerstage
from powerstage.checks import Checker
from powerstage.contract import Commit, CommitKey, find_key
from powerstage.contract.layout import COMMITS, RECEIPTS, Key
from powerstage.contract.strict_json import RECORD_BYTES_MAX
from powerstage.errors import (
    EnvironmentFailedError,
    ObjectNotFoundError,
    PowerstageError,
    RecordError,
    StoreRefusedError,
)
from powerstage.store import Observation, Store, open_bucket, open_store, policy_path, read
from powerstage.store.account import observe_credentials

# The oldest that pyproject.toml admits.
OLDEST: Final = {"duckdb": (1, 5, 3), "boto3": (1, 36)}
_CONTRACTS: Final = "contract/"
_VALIDATE: Final = "powerstage validate says more of what was delivered"


def diagnose(feed: str | None, *, clock: Callable[[], datetime]) -> tuple[Observation, ...]:
    """Look at this machine, and where a feed is named, at that.

    Args:
        feed: ``s3://bucket/prefix`` or a folder, which need hold nothing yet; or None.
        clock: the time, held against that of S3.

    Raises:
        UsageError: the feed's URL names nothing.
    """
    observed = [*_versions(), _worker(), observe_credentials()]
    if feed is None:
        return tuple(observed)
    try:
        bucket = open_bucket(feed) if feed.startswith("s3://") else None
    except StoreRefusedError as error:
        return (*observed, _problem("endpoint", error))
    around = bucket.observe_access(clock) if bucket else (_folder(Path(feed)),)
    observed += around
    if around[0].state == "problem":
        return tuple(observed)
    observed += _objects(bucket.store if bucket else open_store(feed))
    try:
        observed += bucket.observe_settings() if bucket else ()
    except EnvironmentFailedError as error:
        observed.append(_problem("settings", error))
    return tuple(observed)


def _versions() -> list[Observation]:
    found = [("powerstage", powerstage.__version__), ("Python", platform.python_version())]
    observed = [_ok("version", f"{name} {version}") for name, version in found]
    for name, oldest in OLDEST.items():
        version = metadata.version(name)
        if _numbers(version) >= oldest:
            observed.append(_ok("version", f"{name} {version}"))
            continue
        needed = ".".join(map(str, oldest))
        observed.append(
            Observation(
                subject="version",
                state="problem",
                words=f"{name} {version} is older than {needed}",
                fix=f"pip install '{name}>={needed}'",
            )
        )
    return observed


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _worker() -> Observation:
    try:
        with Checker() as checker:
            ((version,),) = checker.ask_rows(["SELECT version()"], [])
    except EnvironmentFailedError as error:
        return _problem("worker", error)
    return _ok("worker", f"it starts, and has DuckDB {version} answer")


def _folder(folder: Path) -> Observation:
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if place.is_dir() and os.access(place, os.R_OK | os.W_OK | os.X_OK):
        if place != folder:
            return _ok("folder", f"{folder} is not there yet; it can be made")
        return _ok("folder", f"{folder} can be read and written")
    return Observation(
        subject="folder",
        state="problem",
        words=f"{place} cannot be written, or is no folder",
        fix="check its permissions, or name another folder",
    )


def _objects(store: Store) -> list[Observation]:
    """What may be done with the objects of a feed, by doing what harms none."""
    try:
        commits = _keys(store, COMMITS)
        contracts = _keys(store, _CONTRACTS)
    except EnvironmentFailedError as error:
        return [_problem("list", error, fix=f"{error.fix}; {_policies()}")]
    counts = f"{_counted(contracts, 'contract')} and {_counted(commits, 'commit')}"
    observed = [_ok("list", f"{counts} found")]
    try:
        bodies = {key: read(store, str(key), RECORD_BYTES_MAX) for key in contracts[:1]}
        commit = _first_commit(store, commits)
    except EnvironmentFailedError as error:
        return [*observed, _problem("read", error, fix=f"{error.fix}; {_policies()}")]
    except (ObjectNotFoundError, RecordError) as error:
        return [*observed, _problem("read", error, fix=_VALIDATE)]
    if commit is None:
        observed.append(_cannot_tell("read", "nothing has been delivered yet"))
    else:
        observed += [_ok("read", "contract and commits can be read"), _data(store, commit)]
    observed += [_receipts(store), _conditional_writes(store, bodies)]
    return observed


def _keys(store: Store, prefix: str) -> list[Key]:
    listed = [find_key(info.key) for info in store.list(prefix)]
    return [key for key in listed if key is not None]


def _first_commit(store: Store, keys: list[Key]) -> Commit | None:
    found = next((key for key in keys if isinstance(key, CommitKey)), None)
    return None if found is None else Commit.from_json(read(store, str(found), RECORD_BYTES_MAX))


def _data(store: Store, commit: Commit) -> Observation:
    if not commit.files:
        return _cannot_tell("data", f"{commit.slot} has none")
    try:
        # No more than the first piece: the file may be long.
        next(store.get(commit.files[0].key), b"")
    except StoreRefusedError:
        return _one_side_alone("data", "data may not be read", "a consumer")
    except PowerstageError as error:
        return _problem("data", error, fix=error.fix or _VALIDATE)
    return _ok("data", "data can be read")


def _receipts(store: Store) -> Observation:
    try:
        receipts = _keys(store, RECEIPTS)
    except StoreRefusedError:
        return _one_side_alone("receipts", "receipts may not be listed", "a producer")
    except EnvironmentFailedError as error:
        return _problem("receipts", error)
    return _ok("receipts", f"{_counted(receipts, 'receipt')} found")


def _conditional_writes(store: Store, contracts: dict[Key, bytes]) -> Observation:
    """Create again what stands there: a store to rely on says that it does."""
    subject = "conditional writes"
    if not contracts:
        return _cannot_tell(subject, "no contract stands there yet")
    ((key, body),) = contracts.items()
    try:
        is_new = store.put_if_absent(str(key), body)
    except StoreRefusedError:
        return _one_side_alone(subject, "contracts may not be written", "a producer")
    except EnvironmentFailedError as error:
        return _problem(subject, error)
    if is_new:
        return Observation(
            subject=subject,
            state="problem",
            words=f"the store writes {key} although it stands there, and commits rest on that",
            fix="use an S3 that keeps If-None-Match",
        )
    return _ok(subject, f"{key} stands there, and is not written again")


def _counted(keys: list[Key], name: str) -> str:
    return f"{len(keys)} {name}{'' if len(keys) == 1 else 's'}"


def _ok(subject: str, words: str) -> Observation:
    return Observation(subject=subject, state="ok", words=words)


def _problem(subject: str, error: PowerstageError, *, fix: str = "") -> Observation:
    words = f"{error.message}: {error.cause}" if error.cause else error.message
    return Observation(subject=subject, state="problem", words=words, fix=fix or error.fix)


def _cannot_tell(subject: str, why: str) -> Observation:
    return Observation(
        subject=subject,
        state="warning",
        words=f"cannot tell: {why}",
        fix="publish something (powerstage synth), then ask again",
    )


def _one_side_alone(subject: str, words: str, who: str) -> Observation:
    return Observation(
        subject=subject,
        state="warning",
        words=f"{words}, which {who} alone needs",
        fix=f"if you are {who}: {_policies()}",
    )


def _policies() -> str:
    return f"the policies to ask for are in {policy_path('producer').parent}"
