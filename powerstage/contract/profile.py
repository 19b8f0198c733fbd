"""The powerstage profile of ODCS v3.2.0: which keys a contract may hold, and what they mean.

``docs/contract.md`` is the profile in words.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from powerstage.contract.layout import LAYOUT, check_name
from powerstage.contract.model import Contract, Dataset, ExportFiles, Site
from powerstage.contract.profile_curves import check_curves
from powerstage.contract.profile_rules import (
    InventoryRules,
    Rules,
    check_rules,
    read_inventory_rules,
    read_rules,
)
from powerstage.contract.profile_schema import read_dataset, read_reference
from powerstage.contract.quality import read_quality
from powerstage.contract.yaml_tree import Items, Mapping, Reader, Scalar, Tree
from powerstage.errors import RecordError

# Keys of ODCS that inform people and that no rule of ours depends on.
_INFORMATIONAL: Final = (
    "dataProduct domain tags support price team roles authoritativeDefinitions contractCreatedTs"
    " slaDefaultElement context"
)
_UNIT_SECONDS: Final = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3_600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
}
_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
_SECONDS_MAX: Final = 100 * 366 * 86_400


def read_contract(reader: Reader, tree: Tree, *, text: str, sha256: str) -> Contract | None:
    """The contract in a tree; None, or one not to be used, if the reader has complaints."""
    top = reader.mapping(
        tree,
        "the contract",
        required="apiVersion kind id name version status schema slaProperties customProperties"
        " servers",
        optional=f"tenant description {_INFORMATIONAL}",
    ).values
    reader.choice(top.get("apiVersion"), "apiVersion", ("v3.2.0",))
    reader.choice(top.get("kind"), "kind", ("DataContract",))
    reader.choice(
        top.get("status"), "status", ("active", "draft", "proposed", "deprecated", "retired")
    )
    reader.text(top.get("id"), "id")
    description = reader.mapping(
        top.get("description"), "description", optional="purpose usage limitations"
    ).values
    datasets, rules, inventory_rules = _schema(reader, top.get("schema"))
    custom = _custom(reader, top.get("customProperties"))
    terms = _terms(reader, top.get("slaProperties"))
    site_column, sites = _sites(reader, custom.get("sites"))
    inventory, telemetry = datasets.get("inventory"), datasets.get("telemetry")
    if inventory is None or telemetry is None or rules is None:
        return None
    reference, device = read_reference(reader, telemetry[1], inventory[0])
    zone = check_rules(reader, rules, telemetry[0], telemetry[1], terms.get("frequency"))
    if rules.curves is not None:
        check_curves(reader, rules.curves, rules.measures, inventory[0])
    _check_site_column(reader, custom.get("sites"), site_column, inventory[0])
    return Contract(
        name=_key_name(reader, top.get("name"), "name"),
        version=_key_name(reader, top.get("version"), "version"),
        tenant=reader.text(top.get("tenant"), "tenant", "unassigned"),
        purpose=reader.text(description.get("purpose"), "purpose"),
        inventory=inventory[0],
        telemetry=telemetry[0],
        roles=rules.roles,
        inventory_device=device,
        inventory_site=site_column,
        reference=reference,
        measures=rules.measures,
        period_rule=rules.period,
        completeness=rules.completeness,
        completeness_rule=rules.complete,
        curves=rules.curves,
        service=inventory_rules.service,
        sites=sites,
        sites_rule=inventory_rules.sites,
        timezone=zone,
        delivery_interval=terms.get("frequency", timedelta(hours=1)),
        lateness=terms.get("latency", timedelta()),
        # Where nothing is agreed, as long as anything can be agreed to be kept.
        retention=terms.get("retention", timedelta(seconds=_SECONDS_MAX)),
        export=_export(reader, top.get("servers")),
        key_layout=LAYOUT,
        places=_places(top, custom),
        path=reader.path,
        text=text,
        sha256=sha256,
    )


def _schema(
    reader: Reader, tree: Tree | None
) -> tuple[dict[str, tuple[Dataset, Mapping]], Rules | None, InventoryRules]:
    datasets: dict[str, tuple[Dataset, Mapping]] = {}
    rules, inventory_rules = None, InventoryRules()
    for item in reader.items(tree, "schema"):
        read = read_dataset(reader, item)
        if read is None:
            continue
        dataset, mapping = read
        if dataset.name in datasets:
            reader.complain(item.line, f"the dataset {dataset.name!r} stands twice")
        items = reader.items(mapping.values.get("quality"), "quality")
        quality = read_quality(reader, mapping, items, dataset)
        datasets[dataset.name] = replace(dataset, quality=quality), mapping
        if dataset.name == "telemetry":
            rules = read_rules(reader, items, mapping.line)
        else:
            inventory_rules = read_inventory_rules(reader, items, dataset)
    for name in ("inventory", "telemetry"):
        if name not in datasets and tree is not None:
            reader.complain(tree.line, f"schema lacks the dataset {name!r}")
    return datasets, rules, inventory_rules


def _custom(reader: Reader, tree: Tree | None) -> dict[str, Tree]:
    found: dict[str, Tree] = {}
    for item in reader.items(tree, "customProperties"):
        entry = reader.mapping(
            item, "a custom property", required="property value", optional="vendor description id"
        ).values
        name = reader.text(entry.get("property"), "property")
        vendor = reader.text(entry.get("vendor"), "vendor", "powerstage")
        if vendor != "powerstage":
            continue
        if name not in {"keyLayout", "sites"}:
            reader.complain(item.line, f"unknown custom property {name!r}")
        elif name in found:
            reader.complain(item.line, f"the custom property {name!r} stands twice")
        elif "value" in entry:
            found[name] = entry["value"]
    for name in ("keyLayout", "sites"):
        if name not in found and tree is not None:
            reader.complain(tree.line, f"customProperties lacks {name!r}")
    reader.choice(found.get("keyLayout"), "keyLayout", (LAYOUT,))
    return found


def _sites(reader: Reader, tree: Tree | None) -> tuple[str, tuple[Site, ...]]:
    entry = reader.mapping(tree, "sites", required="column sites").values
    sites: list[Site] = []
    for item in reader.items(entry.get("sites"), "sites"):
        site = reader.mapping(item, "a site", required="code timezone").values
        code = reader.text(site.get("code"), "code")
        zone = reader.text(site.get("timezone"), "timezone", "UTC")
        if not is_zone(zone):
            reader.complain(item.line, f"no time zone is called {zone!r}")
        if code in {known.code for known in sites}:
            reader.complain(item.line, f"the site {code!r} stands twice")
        sites.append(Site(code=code, timezone=zone))
    if tree is not None and not sites:
        reader.complain(tree.line, "there is no site")
    return reader.text(entry.get("column"), "column"), tuple(sites)


def _check_site_column(reader: Reader, tree: Tree | None, column: str, inventory: Dataset) -> None:
    names = {known.name for known in inventory.columns}
    if tree is not None and column and column not in names:
        reader.complain(tree.line, f"sites are in the column {column!r}, which inventory lacks")


def _terms(reader: Reader, tree: Tree | None) -> dict[str, timedelta]:
    terms: dict[str, timedelta] = {}
    for item in reader.items(tree, "slaProperties"):
        entry = reader.mapping(
            item, "a term", required="property value unit", optional="element description driver id"
        ).values
        name = reader.choice(
            entry.get("property"), "property", ("frequency", "latency", "retention")
        )
        unit = reader.choice(entry.get("unit"), "unit", tuple(_UNIT_SECONDS))
        seconds = (reader.number(entry.get("value"), "value", 1) or 0) * _UNIT_SECONDS[unit]
        if not 0 <= seconds <= _SECONDS_MAX or seconds != int(seconds):
            reader.complain(item.line, f"{name} is a whole number of seconds, at most a century")
            continue
        if name in terms:
            reader.complain(item.line, f"the term {name!r} stands twice")
        terms[name] = timedelta(seconds=seconds)
        if name == "frequency":
            _check_frequency(reader, item.line, terms[name])
    if tree is not None and "frequency" not in terms:
        reader.complain(tree.line, "slaProperties lacks 'frequency': what one delivery covers")
    return terms


def _check_frequency(reader: Reader, line: int, interval: timedelta) -> None:
    if not _MINUTE <= interval <= _DAY or interval % _MINUTE or _DAY % interval:
        reader.complain(line, "a delivery covers whole minutes that divide a day without rest")


def _export(reader: Reader, tree: Tree | None) -> ExportFiles:
    paths = {}
    for item in reader.items(tree, "servers"):
        entry = reader.mapping(
            item,
            "a server",
            required="server type",
            optional=(
                "path format description environment location endpointUrl delimiter roles"
                " customProperties id"
            ),
        ).values
        name = reader.text(entry.get("server"), "server")
        if name in {"export-inventory", "export-telemetry"}:
            paths[name] = reader.text(entry.get("path"), "path")
            if not is_export_path(paths[name]):
                reader.complain(item.line, "path is the name of files in one folder, without '/'")
    for name in ("export-inventory", "export-telemetry"):
        if name not in paths and tree is not None:
            reader.complain(tree.line, f"servers lacks {name!r}")
    return ExportFiles(
        devices=paths.get("export-inventory", ""), data=paths.get("export-telemetry", "")
    )


def _places(top: dict[str, Tree], custom: dict[str, Tree]) -> tuple[tuple[str, int], ...]:
    """The lines of what is one of many, by its name, and of what stands alone."""
    places = {name: tree.line for name, tree in (top | custom).items()}
    sites = custom.get("sites")
    for tree, key in (
        (top.get("slaProperties"), "property"),
        (top.get("servers"), "server"),
        (sites.values.get("sites") if isinstance(sites, Mapping) else None, "code"),
    ):
        for item in tree.values if isinstance(tree, Items) else ():
            name = item.values.get(key) if isinstance(item, Mapping) else None
            if isinstance(name, Scalar):
                places[f"{key} {name.value}"] = item.line
    return tuple(places.items())


def is_export_path(path: str) -> bool:
    """Whether a path names files inside one folder."""
    return bool(path) and not set(path) & set("/\\") and path not in {".", ".."}


def is_zone(name: str) -> bool:
    """Whether a time zone has this name."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _key_name(reader: Reader, tree: Tree | None, what: str) -> str:
    text = reader.text(tree, what, "unnamed")
    try:
        return check_name(text, what)
    except RecordError as error:
        reader.complain(tree.line if tree else 1, error.message)
        return text
