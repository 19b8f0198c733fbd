"""Which checks a target will have, before a byte of its data is read.

The contract says it, and for a feed its listing. A list is made of JSON types: it travels to the
workers of xdist.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from powerstage.checks import FileFormat, compile_plan
from powerstage.consumer import DELIVERY_CHECKS, discover, feed_contract
from powerstage.consumer.consume import feed_checks
from powerstage.contract import Contract, default, load
from powerstage.contract.model import DatasetName
from powerstage.errors import EnvironmentFailedError, NothingToJudgeError, UsageError
from powerstage.pytest_plugin.text import error_words
from powerstage.store import open_store
from powerstage.validate import file_format, find_export, is_in_feed, split_delivery

# What is checked, "" for the target itself, and the ids of its checks.
_Groups: TypeAlias = list[tuple[str, list[str]]]


def list_targets(
    targets: Mapping[str, str], *, contract: str | None, inventory: str | None
) -> dict[str, Any]:
    """What will be tested.

    Args:
        targets: where each is, by its name.
        contract: the file of the contract, if one was named.
        inventory: the inventory that telemetry files refer to, if one was named.

    Raises:
        pytest.UsageError: there is no such target, or the contract is wrong. What a store that
            does not answer says is the ``error`` of its target.
    """
    listed = []
    try:
        agreed = None if contract is None else load(contract)
        _require_file(inventory)
        for name, place in targets.items():
            facts: dict[str, Any] = {"name": name, "place": place, "groups": [], "error": ""}
            try:
                facts["groups"] = _groups(place, agreed, has_inventory=inventory is not None)
            except EnvironmentFailedError as error:
                facts["error"] = error_words(error)
            listed.append(facts)
    except (UsageError, NothingToJudgeError) as error:
        raise pytest.UsageError(error_words(error)) from error
    return {"targets": listed, "contract": contract, "inventory": inventory}


def _require_file(inventory: str | None) -> None:
    if inventory is not None and not Path(inventory).is_file():
        raise UsageError(f"there is no file {inventory}", fix="name the file of an inventory")


def _groups(place: str, contract: Contract | None, *, has_inventory: bool) -> _Groups:
    if not place:
        raise UsageError("a target is empty", fix="name a file, a folder or a feed's URL")
    if is_in_feed(place):
        return _feed_groups(place, contract)
    path = Path(place)
    if path.is_file():
        # It may be either; its columns say which, and they are not read yet.
        format_, agreed = file_format(path), contract or default()
        telemetry = _ids(agreed, "telemetry", format_, with_inventory=has_inventory)
        return [("", _once(telemetry + _ids(agreed, "inventory", format_)))]
    export = find_export(path, contract)
    inventory = _ids(export.contract, "inventory", export.inventory_format)
    telemetry = _ids(export.contract, "telemetry", export.telemetry_format)
    return [("", _once(inventory + telemetry))]


def _feed_groups(place: str, contract: Contract | None) -> _Groups:
    feed, slot = split_delivery(place)
    store = open_store(feed)
    found = discover(store)
    if slot is not None and slot not in found.slots:
        raise NothingToJudgeError(
            f"{slot} was not delivered to {feed}", fix=f"powerstage status {feed}"
        )
    agreed = contract or feed_contract(store)
    before = [check.id for check in DELIVERY_CHECKS]
    ids: dict[DatasetName, list[str]] = {
        "inventory": [id_ for id_ in before if id_ != "inventory.accepted"]
        + _ids(agreed, "inventory", "parquet"),
        "telemetry": before + _ids(agreed, "telemetry", "parquet"),
    }
    if slot is not None:
        return [("", ids[slot.dataset])]
    deliveries = [(str(slot), ids[slot.dataset]) for slot in found.slots]
    return [("", [check.id for check in feed_checks(agreed)]), *deliveries]


def _ids(
    contract: Contract, dataset: DatasetName, format_: FileFormat, *, with_inventory: bool = True
) -> list[str]:
    plan = compile_plan(contract, dataset, format_, with_inventory=with_inventory)
    return [check.id for check in plan.checks]


def _once(ids: list[str]) -> list[str]:
    return list(dict.fromkeys(ids))
