"""A YAML file as a tree that remembers its lines, and a reader that collects complaints.

Anchors, tags and doubled keys are refused: a contract is read by people and must say
what it seems to say.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, NoReturn, TypeAlias

import yaml

from powerstage.errors import ContractError

TEXT_BYTES_MAX: Final = 1024 * 1024
# The YAML scanner takes time with the square of their number.
_BRACKETS_MAX: Final = 2_000
_NUMBER_MAX: Final = 1e300
_CONTROL: Final = re.compile(r"[^\t\n\r -~\x80-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A single value; ``start`` and ``end`` are its place in the text, in characters."""

    line: int
    value: str | float | bool | None
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list."""

    line: int
    values: "tuple[Tree, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Keys and values, in the order of the file."""

    line: int
    values: "dict[str, Tree]"


Tree: TypeAlias = Scalar | Items | Mapping


class _PlainLoader(yaml.SafeLoader):
    """Stops at the first anchor, alias or tag: before anything is made of it."""

    def _refuse(self) -> NoReturn:
        raise yaml.MarkedYAMLError(
            problem="anchors, aliases and tags are not part of the profile",
            problem_mark=self.get_mark(),
        )

    fetch_anchor = fetch_alias = fetch_tag = _refuse


class Reader:
    """Reads a tree and keeps every complaint, so that one look finds all that is wrong."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._problems: list[tuple[int, str]] = []
        self._constructor = yaml.constructor.SafeConstructor()

    def complain(self, line: int, words: str) -> None:
        """Note what is wrong at a line."""
        self._problems.append((line, words))

    @property
    def problems(self) -> tuple[str, ...]:
        """``file:line: words``, in the order of the file."""
        return tuple(f"{self.path}:{line}: {words}" for line, words in sorted(self._problems))

    def parse(self, text: str) -> Tree | None:
        """The tree of the one document in a text, or None after a complaint."""
        if len(text.encode("utf-8", "replace")) > TEXT_BYTES_MAX:
            self.complain(1, f"the file is larger than {TEXT_BYTES_MAX} bytes")
            return None
        if text.count("[") + text.count("{") > _BRACKETS_MAX:
            self.complain(1, f"the file has more than {_BRACKETS_MAX} brackets")
            return None
        try:
            node = yaml.compose(text, Loader=_PlainLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self.complain(mark.line + 1 if mark else 1, error.problem or "not YAML")
            return None
        except (yaml.YAMLError, RecursionError) as error:
            self.complain(1, f"not YAML: {str(error).splitlines()[0]}")
            return None
        if node is None:
            self.complain(1, "the file is empty")
            return None
        return self._tree(node)

    def mapping(
        self, tree: Tree | None, what: str, *, required: str = "", optional: str = ""
    ) -> Mapping:
        """A mapping with these keys and no others (names separated by spaces)."""
        if not isinstance(tree, Mapping):
            if tree is not None:
                self.complain(tree.line, f"{what} is a mapping of keys to values")
            return Mapping(line=tree.line if tree else 1, values={})
        known = [*required.split(), *optional.split()]
        for key, value in tree.values.items():
            if key not in known:
                self.complain(value.line, f"unknown key {key!r} in {what}{_near(key, known)}")
        for key in required.split():
            if key not in tree.values:
                self.complain(tree.line, f"{what} lacks {key!r}")
        return tree

    def items(self, tree: Tree | None, what: str) -> tuple[Tree, ...]:
        """A list; an absent one is empty."""
        if tree is None:
            return ()
        if not isinstance(tree, Items):
            self.complain(tree.line, f"{what} is a list")
            return ()
        return tree.values

    def text(self, tree: Tree | None, what: str, default: str = "") -> str:
        """A text; the default where it is absent or wrong."""
        if tree is None:
            return default
        if not isinstance(tree, Scalar) or not isinstance(tree.value, str) or not tree.value:
            self.complain(tree.line, f"{what} is a text{_quoting_hint(tree)}")
            return default
        if _CONTROL.search(tree.value):
            self.complain(tree.line, f"{what} has control characters in it")
            return default
        return tree.value

    def choice(self, tree: Tree | None, what: str, known: Sequence[str]) -> str:
        """A text out of a few; the first of them where it is absent or wrong."""
        value = self.text(tree, what, known[0])
        if value not in known and tree is not None:
            wanted = ", ".join(known)
            self.complain(tree.line, f"{what} is {value!r}, not one of: {wanted}")
            return known[0]
        return value

    def number(self, tree: Tree | None, what: str, default: float | None = None) -> float | None:
        """A finite number."""
        if tree is None:
            return default
        value = tree.value if isinstance(tree, Scalar) else None
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not -_NUMBER_MAX <= value <= _NUMBER_MAX
        ):
            self.complain(tree.line, f"{what} is a finite number")
            return default
        return value

    def flag(self, tree: Tree | None, what: str) -> bool:
        """True or false; false where it is absent."""
        if tree is None:
            return False
        if isinstance(tree, Scalar) and isinstance(tree.value, bool):
            return tree.value
        self.complain(tree.line, f"{what} is true or false")
        return False

    def _tree(self, node: yaml.Node) -> Tree:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return Mapping(line=line, values=self._entries(node))
        if isinstance(node, yaml.SequenceNode):
            return Items(line=line, values=tuple(self._tree(child) for child in node.value))
        return Scalar(
            line=line,
            value=self._scalar(node),
            start=node.start_mark.index,
            end=node.end_mark.index,
        )

    def _entries(self, node: yaml.MappingNode) -> dict[str, Tree]:
        entries: dict[str, Tree] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            line = key_node.start_mark.line + 1
            if key is None:
                self.complain(line, "a key is a single word")
            elif key in entries:
                self.complain(line, f"the key {key!r} stands twice")
            else:
                entries[key] = self._tree(value_node)
        return entries

    def _scalar(self, node: yaml.Node) -> str | float | bool | None:
        try:
            value = self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError):
            self.complain(node.start_mark.line + 1, f"cannot read {node.value!r}")
            return None
        # What YAML takes for a date is a text to us: 2026-11-01 as a version, say.
        return value if isinstance(value, str | int | float | bool | None) else str(node.value)


def read(text: str, path: str) -> Tree:
    """The tree of a text; ``ContractError`` with the line where it has none."""
    reader = Reader(path)
    tree = reader.parse(text)
    if tree is None or reader.problems:
        raise ContractError(f"{path} cannot be read", problems=reader.problems)
    return tree


def _near(word: str, known: Sequence[str]) -> str:
    matches = get_close_matches(word, known, n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def _quoting_hint(tree: Tree) -> str:
    if isinstance(tree, Scalar) and tree.value not in {None, ""}:
        return f"; put it in quotes: '{tree.value}'"
    return ""
