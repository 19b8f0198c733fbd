"""The commit: the write-once record that makes a delivery exist.

Parsing is strict: an unknown, missing, doubled or mistyped field is a ``RecordError``, and
limits are checked before anything else, because a commit comes from outside.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from powerstage.contract.layout import (
    REVISION_MAX,
    Slot,
    check_name,
    data_key,
    parse_period,
    parse_slot,
    period_text,
)
from powerstage.contract.strict_json import Fields, dump, is_digest, load
from powerstage.errors import RecordError

COMMIT_SPEC: Final = "powerstage-delivery/1"
FILES_MAX: Final = 1_000
EMPTY_REASONS: Final = ("no-data", "retraction")
FILE_BYTES_MAX: Final = 512 * 1024 * 1024
FILE_ROWS_MAX: Final = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractPin:
    """The contract that a delivery claims to follow, by name, version and digest."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryPin:
    """The inventory delivery that telemetry refers to, by slot and identity."""

    slot: Slot
    identity: str

    def __str__(self) -> str:
        """As in a commit: ``inventory/2026-11-01T0000/r000000@{identity}``."""
        return f"{self.slot}@{self.identity}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One data object of a delivery: its size, digest and number of rows are promises."""

    key: str
    bytes: int
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The record that makes a delivery exist.

    ``supersedes`` is the identity of the revision before, None for revision 0.
    ``inventory`` is None for an inventory delivery, and only there. ``reason``, ``producer``
    and ``created_at`` inform people; they are no part of the identity and order nothing.
    """

    feed: str
    slot: Slot
    supersedes: str | None
    contract: ContractPin
    inventory: InventoryPin | None
    files: tuple[DataFile, ...]
    reason: str = ""
    producer: str = ""
    created_at: str = ""

    @property
    def identity(self) -> str:
        """The sha256 that names the content: of lines that ``printf | sha256sum`` can make.

        In order: spec, feed, dataset, period, revision, supersedes or ``-``,
        ``name@version`` of the contract, inventory or ``-``, then one line
        ``sha256 bytes rows key`` per file, sorted by key; joined by newlines, none at the end.
        """
        lines = [
            COMMIT_SPEC,
            self.feed,
            self.slot.dataset,
            period_text(self.slot.period),
            str(self.slot.revision),
            self.supersedes or "-",
            f"{self.contract.name}@{self.contract.version}",
            str(self.inventory or "-"),
        ]
        lines += [
            f"{file.sha256} {file.bytes} {file.rows} {file.key}"
            for file in sorted(self.files, key=lambda file: file.key)
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def rows(self) -> int:
        """Rows in all files, as promised."""
        return sum(file.rows for file in self.files)

    def to_json(self) -> bytes:
        """The record as it is written: UTF-8, indented for people, newline at the end."""
        return dump(
            {
                "spec": COMMIT_SPEC,
                "feed": self.feed,
                "dataset": self.slot.dataset,
                "period": period_text(self.slot.period),
                "revision": self.slot.revision,
                "supersedes": self.supersedes,
                "contract": {
                    "name": self.contract.name,
                    "version": self.contract.version,
                    "sha256": self.contract.sha256,
                },
                "inventory": None if self.inventory is None else str(self.inventory),
                "files": [
                    {
                        "key": file.key,
                        "bytes": file.bytes,
                        "sha256": file.sha256,
                        "rows": file.rows,
                    }
                    for file in self.files
                ],
                "reason": self.reason,
                "producer": self.producer,
                "created_at": self.created_at,
                "identity": self.identity,
            }
        )

    @staticmethod
    def from_json(body: bytes) -> "Commit":
        """The commit in these bytes; ``RecordError`` says what is wrong with them.

        The identity in the record must be the one that its content has: a damaged record
        is told from a wrong one by that.
        """
        fields = load(body, "commit")
        fields.only(
            required=(
                "spec feed dataset period revision supersedes contract inventory files identity"
            ),
            optional="reason producer created_at",
        )
        fields.equal("spec", COMMIT_SPEC)
        slot = Slot(
            dataset=fields.dataset("dataset"),
            period=parse_period(fields.text("period")),
            revision=fields.integer("revision", REVISION_MAX),
        )
        commit = Commit(
            feed=fields.text("feed"),
            slot=slot,
            supersedes=fields.optional("supersedes", fields.digest),
            contract=_contract_pin(fields.fields("contract")),
            inventory=fields.optional("inventory", lambda name: _inventory_pin(fields.text(name))),
            files=tuple(_data_file(entry, slot) for entry in fields.list("files", FILES_MAX)),
            reason=fields.text("reason", default=""),
            producer=fields.text("producer", default=""),
            created_at=fields.text("created_at", default=""),
        )
        _agree(commit, fields.digest("identity"))
        return commit


def _contract_pin(fields: Fields) -> ContractPin:
    fields.only(required="name version sha256")
    return ContractPin(
        name=check_name(fields.text("name"), "contract"),
        version=check_name(fields.text("version"), "contract version"),
        sha256=fields.digest("sha256"),
    )


def _inventory_pin(text: str) -> InventoryPin:
    slot, _, identity = text.partition("@")
    if not is_digest(identity):
        raise RecordError(f"not a delivery with its identity: {text!r}")
    return InventoryPin(slot=parse_slot(slot), identity=identity)


def _data_file(fields: Fields, slot: Slot) -> DataFile:
    fields.only(required="key bytes sha256 rows")
    file = DataFile(
        key=fields.text("key"),
        bytes=fields.integer("bytes", FILE_BYTES_MAX),
        sha256=fields.digest("sha256"),
        rows=fields.integer("rows", FILE_ROWS_MAX),
    )
    # Rebuilt, never parsed: a key that climbs or globs cannot be equal.
    if file.key != str(data_key(slot, file.sha256)):
        raise RecordError(f"a file of {slot} cannot have the key {file.key!r}")
    return file


def _agree(commit: Commit, identity: str) -> None:
    """What the fields of a commit promise of one another."""
    if commit.identity != identity:
        raise RecordError(
            f"the content of {commit.slot} has the identity {commit.identity}, not {identity}",
            cause="the record was damaged or edited after it was written",
        )
    if (commit.inventory is None) != (commit.slot.dataset == "inventory"):
        raise RecordError(f"{commit.slot}: telemetry, and only telemetry, pins an inventory")
    if commit.inventory is not None and commit.inventory.slot.dataset != "inventory":
        raise RecordError(f"{commit.slot} pins {commit.inventory.slot} as its inventory")
    if (commit.supersedes is None) != (commit.slot.revision == 0):
        raise RecordError(f"{commit.slot}: a revision, and only a revision, supersedes another")
    if not commit.files and commit.reason not in EMPTY_REASONS:
        raise RecordError(f"{commit.slot} has no files and gives none of the reasons for that")
    keys = [file.key for file in commit.files]
    if len(set(keys)) != len(keys):
        raise RecordError(f"{commit.slot} names a file twice")
