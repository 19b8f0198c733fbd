"""Rules between readings and their inventory, and between that and the contract.

A table ``device`` says once what the inventory says of each device: nothing where its rows differ.
"""

from collections.abc import Callable
from typing import Final

from powerstage.checks.rules import GRID_DEVICE, GRID_START, LISTED_PREFIX, RowRule
from powerstage.contract.model import Column, Contract, Service
from powerstage.engine import sql_file, sql_name, sql_text

_DAY_US: Final = 86_400_000_000


def site_rules(contract: Contract) -> list[RowRule]:
    """That devices of the inventory stand at agreed sites, if that is agreed."""
    if contract.sites_rule is None:
        return []
    site = contract.inventory_site
    codes = ", ".join(sql_text(known.code) for known in contract.sites)
    return [
        RowRule(
            id=f"{site}.agreed",
            words=f"{site} is an agreed site",
            expected=", ".join(known.code for known in contract.sites),
            rule=contract.sites_rule,
            predicate=f"{sql_name(site)} NOT IN ({codes})",
            values=(site,),
        )
    ]


def reference_rules(contract: Contract) -> list[RowRule]:
    """What the inventory says of a device: that it is there, what it is, when it serves."""
    device = contract.roles.device
    in_inventory = RowRule(
        id=f"{device}.in_inventory",
        words=f"{device} is a device of the inventory",
        expected="a device of the inventory that the delivery refers to",
        rule=contract.reference,
        predicate=f"{sql_name(device)} IS NOT NULL AND {GRID_DEVICE} IS NULL",
        predicate_on_grid="",
        values=(device,),
    )
    service = [] if contract.service is None else [_in_service(contract, contract.service)]
    return [in_inventory, *map(_as_inventory(contract), _shared(contract)), *service]


def device_table(contract: Contract) -> str:
    """SQL for the devices of the view ``inventory``: names, numbers from 0, what is said of each.

    ``grid:curve`` is where the curve of its model begins in the list of all curves' points.
    """
    names = [column.name for column in _shared(contract)]
    if contract.service is not None:
        names += [contract.service.commissioned, contract.service.retired]
    if contract.curves is not None:
        names.append(contract.curves.column)
    listed = [_listed(contract.inventory.column(name)) for name in dict.fromkeys(names)]
    return sql_file(
        "powerstage.checks",
        "devices.sql",
        device=sql_name(contract.inventory_device),
        listed="".join(f", {column}" for column in listed),
        curve=_curve(contract),
    )


def _shared(contract: Contract) -> list[Column]:
    """The columns of telemetry that the inventory has too, but for the device."""
    known = {(column.name, column.type) for column in contract.inventory.columns}
    ours = {contract.roles.device, contract.inventory_device}
    return [
        column
        for column in contract.telemetry.columns
        if (column.name, column.type) in known and column.name not in ours
    ]


def _as_inventory(contract: Contract) -> Callable[[Column], RowRule]:
    def rule(column: Column) -> RowRule:
        listed = LISTED_PREFIX + column.name
        return RowRule(
            id=f"{column.name}.as_inventory",
            words=f"{column.name} is what the inventory says of the device",
            expected="what the inventory that the delivery refers to says",
            rule=contract.reference,
            predicate=f"{sql_name(column.name)} <> {sql_name(listed)}",
            values=(column.name, listed),
        )

    return rule


def _in_service(contract: Contract, service: Service) -> RowRule:
    roles = contract.roles
    first, last = (sql_name(LISTED_PREFIX + n) for n in (service.commissioned, service.retired))
    # The day of its retirement is its last.
    is_day = contract.inventory.column(service.retired).type == "DATE"
    end = f"epoch_us({last}) + {_DAY_US}" if is_day else f"epoch_us({last})"
    return RowRule(
        id=f"{roles.device}.in_service",
        words=f"{roles.device} is read from when it is commissioned until it is retired",
        expected=f"a start from {service.commissioned} until {service.retired} of the inventory",
        rule=service.rule,
        predicate=f"(isfinite({first}) AND {GRID_START} < epoch_us({first}))"
        f" OR (isfinite({last}) AND {GRID_START} >= {end})",
        values=(LISTED_PREFIX + service.commissioned, LISTED_PREFIX + service.retired),
    )


def _listed(column: Column) -> str:
    name = sql_name(column.name)
    one = f"CASE WHEN min({name}) = max({name}) THEN min({name}) END"
    # The inventory may be a CSV, all texts.
    return f"TRY_CAST({one} AS {column.type}) AS {sql_name(LISTED_PREFIX + column.name)}"


def _curve(contract: Contract) -> str:
    if contract.curves is None:
        return "NULL"
    cases, first = [], 1
    for curve in contract.curves.curves:
        cases += [f"WHEN {sql_text(model)} THEN {first}" for model in curve.models]
        first += len(curve.watts)
    return f"CASE {sql_name(LISTED_PREFIX + contract.curves.column)} {' '.join(cases)} END"
