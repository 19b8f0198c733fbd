"""What both sides signed: the contract, the key layout, the commit and receipt records.

No I/O but the reading of a contract file, and no engine.
"""

from powerstage.contract.change import Change
from powerstage.contract.commit import Commit, ContractPin, DataFile, InventoryPin
from powerstage.contract.diff import diff
from powerstage.contract.layout import (
    CommitKey,
    ContractKey,
    DataKey,
    ReceiptKey,
    Slot,
    find_key,
    parse_key,
    parse_period,
    parse_slot,
    period_text,
)
from powerstage.contract.load import default, lint, load, loads
from powerstage.contract.model import Column, Contract, Dataset, Measure, Roles, Rule, Site
from powerstage.contract.receipt import Receipt, ReceiptCheck, Verdict

__all__ = [
    "Change",
    "Column",
    "Commit",
    "CommitKey",
    "Contract",
    "ContractKey",
    "ContractPin",
    "DataFile",
    "DataKey",
    "Dataset",
    "InventoryPin",
    "Measure",
    "Receipt",
    "ReceiptCheck",
    "ReceiptKey",
    "Roles",
    "Rule",
    "Site",
    "Slot",
    "Verdict",
    "default",
    "diff",
    "find_key",
    "lint",
    "load",
    "loads",
    "parse_key",
    "parse_period",
    "parse_slot",
    "period_text",
]
