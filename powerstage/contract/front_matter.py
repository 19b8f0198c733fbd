"""The old form of the agreement: front matter at the head of an export's README.

    ---
    glcp_customer_id: 2e62...
    devices: inventory.csv
    data: data-*-*-*.csv
    update: 1 hr
    ---

It converts both ways: the customer is the contract's ``tenant``, the file names are the paths
of its two ``export-`` servers, the update interval is its ``frequency``, and the text below is
its ``purpose``. All else comes from the contract that it is written into; but of the default
contract the rules about sites and curves are left out, of which front matter knows nothing.
"""

import json
import re
from dataclasses import dataclass
from typing import Final

from powerstage.contract.load import DEFAULT_NAME, default_text, loads
from powerstage.contract.model import Contract
from powerstage.contract.yaml_tree import Items, Mapping, Reader, Scalar, Tree, read
from powerstage.errors import ContractError

_FENCE: Final = "---"
_UNITS: Final = {"sec": "s", "min": "m", "hr": "h", "day": "d"}
_SECONDS: Final = {"day": 86_400, "hr": 3_600, "min": 60, "sec": 1}
_UPDATE: Final = re.compile(
    r"(?P<count>[1-9][0-9]{0,4}) ?(?:(?P<sec>s|secs?)|(?P<min>m|mins?)|(?P<hr>h|hrs?|hours?)"
    r"|(?P<day>d|days?))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontMatter:
    """What the head of an export's README says; ``update_unit`` is sec, min, hr or day."""

    path: str
    customer_id: str
    devices: str
    data: str
    update_count: int
    update_unit: str
    body: str


def parse(text: str, path: str) -> FrontMatter:
    """The front matter of a README; ``ContractError`` with file and line where it is wrong."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != _FENCE or _FENCE not in lines[1:]:
        raise ContractError(
            f"{path} has no front matter",
            problems=(f"{path}:1: a line --- opens the front matter, another closes it",),
        )
    end = lines.index(_FENCE, 1)
    reader = Reader(path)
    # The fence is line 1 of the file and of the tree, so that lines agree.
    tree = reader.parse("\n".join(["", *lines[1:end], ""]))
    entry = reader.mapping(
        tree, "the front matter", required="glcp_customer_id devices data update"
    ).values
    update = entry.get("update")
    match = _UPDATE.fullmatch(reader.text(update, "update"))
    if update is not None and match is None:
        reader.complain(update.line, "update is a number and a unit: 15 min, 1 hr, 1 day")
    front = FrontMatter(
        path=path,
        customer_id=_word(reader, entry.get("glcp_customer_id"), "glcp_customer_id"),
        devices=reader.text(entry.get("devices"), "devices"),
        data=reader.text(entry.get("data"), "data"),
        update_count=int(match["count"]) if match else 1,
        update_unit=next((unit for unit in _UNITS if match and match[unit]), "hr"),
        body="\n".join(lines[end + 1 :]).strip("\n"),
    )
    if reader.problems:
        raise ContractError(f"the front matter of {path} is wrong", problems=reader.problems)
    return front


def to_contract(front: FrontMatter, base: str | None = None) -> str:
    """The text of a contract that says what the front matter says, and else what the base says.

    Args:
        front: the front matter.
        base: the text of a contract; the default contract where None.

    Raises:
        ContractError: the front matter and the base do not go together.
    """
    text = _without_rules(default_text(), {"sites", "curves"}) if base is None else base
    tree = read(text, DEFAULT_NAME)
    places = {
        _find(tree, "tenant"): json.dumps(front.customer_id),
        _find(tree, "servers", "export-inventory", "path"): json.dumps(front.devices),
        _find(tree, "servers", "export-telemetry", "path"): json.dumps(front.data),
        _find(tree, "slaProperties", "frequency", "value"): str(front.update_count),
        _find(tree, "slaProperties", "frequency", "unit"): _UNITS[front.update_unit],
    }
    if front.body:
        places[_find(tree, "description", "purpose")] = _block(front.body)
    for place in sorted(places, key=lambda place: place.start, reverse=True):
        text = text[: place.start] + places[place] + text[place.end :]
    try:
        loads(text, DEFAULT_NAME)
    except ContractError as error:
        # The base is sound and its lines are not the reader's: what is wrong came from the README.
        words = (problem.partition(": ")[2] for problem in error.problems)
        raise ContractError(
            f"the front matter of {front.path} does not go with the contract",
            problems=tuple(f"{front.path}:1: {text}" for text in words),
        ) from error
    return text


def write(contract: Contract, *, devices: str | None = None, data: str | None = None) -> str:
    """A README in the old form; file names of another export may stand in for the contract's."""
    seconds = int(contract.delivery_interval.total_seconds())
    # A day is written as 24 hr, as the old generator did.
    unit = next(unit for unit in ("hr", "min", "sec") if seconds % _SECONDS[unit] == 0)
    fields = {
        "glcp_customer_id": contract.tenant,
        "devices": devices or contract.export.devices,
        "data": data or contract.export.data,
        "update": f"{seconds // _SECONDS[unit]} {unit}",
    }
    lines = [_FENCE, *(f"{name}: {_plain(value)}" for name, value in fields.items()), _FENCE]
    return "\n".join(lines) + "\n\n" + contract.purpose + "\n"


def _without_rules(text: str, names: set[str]) -> str:
    """A contract's text without some rules of quality, and without a list that they leave empty."""
    tree = Reader(DEFAULT_NAME).parse(text)
    lines = text.splitlines(keepends=True)
    gone: set[int] = set()
    for dataset in _items(tree, "schema"):
        rules = _items(dataset, "quality")
        dropped = [rule.line for rule in rules if _rule_name(rule) in names]
        for line in dropped:
            gone |= _block_lines(lines, line)
        if len(dropped) == len(rules) > 0:
            gone.add(dropped[0] - 1)
    return "".join(line for number, line in enumerate(lines, start=1) if number not in gone)


def _items(tree: Tree | None, name: str) -> tuple[Tree, ...]:
    items = tree.values.get(name) if isinstance(tree, Mapping) else None
    return items.values if isinstance(items, Items) else ()


def _rule_name(rule: Tree) -> object:
    implementation = rule.values.get("implementation") if isinstance(rule, Mapping) else None
    name = implementation.values.get("rule") if isinstance(implementation, Mapping) else None
    return name.value if isinstance(name, Scalar) else None


def _block_lines(lines: list[str], first: int) -> set[int]:
    """The numbers of an entry's lines: its first, and those that are indented further."""

    def indent(number: int) -> int:
        return len(lines[number - 1]) - len(lines[number - 1].lstrip(" "))

    last = first
    while last < len(lines) and indent(last + 1) > indent(first):
        last += 1
    return set(range(first, last + 1))


def _find(tree: Tree, *path: str) -> Scalar:
    """The scalar under these names; in a list, the entry that is called so."""
    here: Tree | None = tree
    for name in path:
        if isinstance(here, Items):
            here = next((item for item in here.values if name in _names(item)), None)
        else:
            here = here.values.get(name) if isinstance(here, Mapping) else None
    if not isinstance(here, Scalar):
        raise ContractError(f"the contract has no {'.'.join(path)}")
    return here


def _names(tree: Tree) -> list[object]:
    values = tree.values if isinstance(tree, Mapping) else {}
    entries = [values.get("server"), values.get("property")]
    return [entry.value for entry in entries if isinstance(entry, Scalar)]


def _word(reader: Reader, tree: Tree | None, what: str) -> str:
    """A text that YAML may take for a number: an id of digits."""
    if (
        isinstance(tree, Scalar)
        and isinstance(tree.value, int)
        and not isinstance(tree.value, bool)
    ):
        return str(tree.value)
    return reader.text(tree, what)


def _block(body: str) -> str:
    """A text as YAML that people can read, two levels deep."""
    indented = "\n".join(f"    {line}" if line else "" for line in body.split("\n"))
    block = f"|2-\n{indented}\n"
    tree = Reader("").parse(f"description:\n  purpose: {block}")
    if isinstance(tree, Mapping) and _find(tree, "description", "purpose").value == body:
        return block
    return json.dumps(body)


def _plain(value: str) -> str:
    """A value as people write it, quoted where YAML would read something else."""
    tree = Reader("").parse(f"x: {value}")
    plain = isinstance(tree, Mapping) and tree.values.get("x")
    return value if isinstance(plain, Scalar) and plain.value == value else json.dumps(value)
