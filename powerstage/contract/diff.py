"""What changed between two contracts, and whom it breaks: the producer, the consumer, or nobody.

It compares facts, not texts: an edit that agrees on the same is no change.
"""

from collections.abc import Iterator
from dataclasses import replace

from powerstage.contract.change import Change, change, severity
from powerstage.contract.diff_datasets import dataset_changes, measure_changes
from powerstage.contract.model import Contract, Curves, Rule, Service


def diff(old: Contract, new: Contract) -> tuple[Change, ...]:
    """Every change from one contract to another, in the order of the file; none if they agree."""
    changes = (
        *_terms(old, new),
        *(
            found
            for name in (old.inventory.name, old.telemetry.name)
            for found in dataset_changes(old.dataset(name), new.dataset(name))
        ),
        *measure_changes(old, new),
        *_readings(old, new),
        *_optional_rules(old, new),
        *_lengths(old, new),
        *_sites(old, new),
    )
    return (*_version(old, new, changes), *changes)


def _version(old: Contract, new: Contract, changes: tuple[Change, ...]) -> Iterator[Change]:
    lines = old.line("version"), new.line("version")
    words = f"{old.version} → {new.version}"
    if changes and old.version == new.version:
        yield change("version.unchanged", "version", old.version, *lines)
    elif any(found.breaks for found in changes) and _major(old.version) == _major(new.version):
        yield change("version.too_small", "version", words, *lines)


def _major(version: str) -> str:
    return version.removeprefix("v").partition(".")[0]


def _terms(old: Contract, new: Contract) -> Iterator[Change]:
    """What is one text on each side."""
    stamp_lines = (
        old.telemetry.column(old.roles.stamp).rule.line,
        new.telemetry.column(new.roles.stamp).rule.line,
    )
    for kind, before, after, lines in (
        ("name.changed", old.name, new.name, _lines(old, new, "name")),
        ("tenant.changed", old.tenant, new.tenant, _lines(old, new, "tenant")),
        ("purpose.changed", old.purpose, new.purpose, _lines(old, new, "description")),
        ("key_layout.changed", old.key_layout, new.key_layout, _lines(old, new, "keyLayout")),
        ("timezone.changed", old.timezone, new.timezone, stamp_lines),
        ("site.column", old.inventory_site, new.inventory_site, _lines(old, new, "sites")),
        (
            "export.changed",
            old.export.devices,
            new.export.devices,
            _lines(old, new, "server export-inventory"),
        ),
        (
            "export.changed",
            old.export.data,
            new.export.data,
            _lines(old, new, "server export-telemetry"),
        ),
    ):
        if before != after:
            yield change(kind, kind.partition(".")[0], f"{before} → {after}", *lines)


def _readings(old: Contract, new: Contract) -> Iterator[Change]:
    """Which columns a reading is in, how long it lasts, and how many have to come."""
    before, after = old.roles, new.roles
    lines = before.rule.line, after.rule.line
    if (before.start is None) != (after.start is None):
        words = f"{before.start or 'none'} → {after.start or 'none'}"
        yield change("start.changed", "readings", words, *lines)
    for role in ("device", "measure", "start", "end", "unit", "value"):
        names = getattr(before, role), getattr(after, role)
        if None not in names and names[0] != names[1]:
            yield change("role.changed", "readings", f"{role} {names[0]} → {names[1]}", *lines)
    if old.inventory_device != new.inventory_device:
        words = f"{old.inventory_device} → {new.inventory_device}"
        yield change("reference.changed", "readings", words, old.reference.line, new.reference.line)
    if old.completeness != new.completeness:
        rises = new.completeness > old.completeness
        kind = "completeness.raised" if rises else "completeness.lowered"
        words = f"{old.completeness * 100:g} % → {new.completeness * 100:g} %"
        rules = old.completeness_rule.line, new.completeness_rule.line
        yield change(kind, "complete", words, *rules)
    for name, one, other in (
        ("readings", before.rule, after.rule),
        ("period", old.period_rule, new.period_rule),
        ("complete", old.completeness_rule, new.completeness_rule),
    ):
        yield from severity(name, one, other)


def _optional_rules(old: Contract, new: Contract) -> Iterator[Change]:
    """Rules of ours that a contract may do without."""
    for name, before, after in (
        ("sites", old.sites_rule, new.sites_rule),
        ("service", _rule(old.service), _rule(new.service)),
        ("curves", _rule(old.curves), _rule(new.curves)),
    ):
        if before is None and after is not None:
            yield change("quality.added", name, f"the rule {name!r}", None, after.line)
        elif before is not None and after is None:
            yield change("quality.removed", name, f"the rule {name!r}", before.line, None)
        elif before is not None and after is not None:
            yield from severity(name, before, after)
    for name, was, is_ in (
        ("service", old.service, new.service),
        ("curves", old.curves, new.curves),
    ):
        if was and is_ and replace(was, rule=is_.rule) != is_:
            words = f"the rule {name!r} says something else"
            yield change("quality.changed", name, words, was.rule.line, is_.rule.line)


def _rule(of: Service | Curves | None) -> Rule | None:
    return None if of is None else of.rule


def _lengths(old: Contract, new: Contract) -> Iterator[Change]:
    """What lasts, and how long."""
    roles = old.roles.rule.line, new.roles.rule.line
    for shorter, longer, subject, before, after, lines in (
        (
            "reading_interval.changed",
            "reading_interval.changed",
            "reading interval",
            old.roles.reading_interval,
            new.roles.reading_interval,
            roles,
        ),
        ("jitter.lowered", "jitter.raised", "jitter", old.roles.jitter, new.roles.jitter, roles),
        (
            "delivery_interval.changed",
            "delivery_interval.changed",
            "delivery interval",
            old.delivery_interval,
            new.delivery_interval,
            _lines(old, new, "property frequency"),
        ),
        (
            "latency.shortened",
            "latency.lengthened",
            "latency",
            old.lateness,
            new.lateness,
            _lines(old, new, "property latency"),
        ),
        (
            "retention.shortened",
            "retention.lengthened",
            "retention",
            old.retention,
            new.retention,
            _lines(old, new, "property retention"),
        ),
    ):
        if before != after:
            kind = longer if after > before else shorter
            yield change(kind, subject, f"{before} → {after}", *lines)


def _sites(old: Contract, new: Contract) -> Iterator[Change]:
    before = {site.code: site.timezone for site in old.sites}
    after = {site.code: site.timezone for site in new.sites}
    for code in dict.fromkeys((*before, *after)):
        lines = _lines(old, new, f"code {code}")
        if code not in after:
            yield change("site.removed", code, before[code], *lines)
        elif code not in before:
            yield change("site.added", code, after[code], *lines)
        elif before[code] != after[code]:
            yield change("site.zone", code, f"{before[code]} → {after[code]}", *lines)


def _lines(old: Contract, new: Contract, term: str) -> tuple[int | None, int | None]:
    return old.line(term), new.line(term)
