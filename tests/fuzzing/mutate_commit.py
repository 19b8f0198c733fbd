"""Commits that are nearly right: each a function of a seed and a number."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tests.fuzzing import mutate_bytes
from tests.fuzzing.dice import Dice

VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 1, -1, 0.0, 1.0, 1e308, float("nan"), float("inf"), -0.0),
    *(2**31, 2**53, 2**63, 2**64, 10**400, "", "0", "-", "null", [], {}, [[]], [{}], {"": None}),
    *("telemetry", "inventory", "powerstage-delivery/2", "0" * 64, "g" * 64, "A" * 64),
    *("no-data", "retraction", "../../../etc/passwd", "/etc/passwd", "data/*", "s3://other/x"),
    *("2026-11-02T0000", "0000-00-00T0000", "9999-12-31T2300", "0001-01-01T0000"),
    *("2026-11-02T0000\n", "٢٠٢٦-11-02T0000", "inventory/2026-11-02T0000/r000000@" + "0" * 64),
    *("\0", "\x1b[2J", "\u202eevil", "\ud800", "\ufeff", "é" * 5_000, "x" * 5_000, "\\", '"'),
)
_ENCODINGS: Final = ("utf-16", "utf-32", "utf-8-sig", "utf-7", "cp500")


def mutated(bases: Sequence[bytes], seed: int, number: int) -> tuple[str, bytes]:
    """One of many records, and the name of what was done to it."""
    dice = Dice(seed, f"commit {number}")
    name = dice.pick(list(MUTATIONS))
    data = dice.pick(bases)
    for _ in range(dice.pick([1, 1, 1, 2, 4])):
        try:
            data = MUTATIONS[name](data, dice)
        except (LookupError, ValueError):
            # What was done to it before has left nothing to take apart.
            data = mutate_bytes.flip(data or b"{}", dice)
    return name, data


def _value(data: bytes, dice: Dice) -> bytes:
    """A value is another one."""
    record = json.loads(data)
    container, key = dice.pick(_places(record))
    container[key] = dice.pick(VALUES)
    return _dumped(record, dice)


def _number(data: bytes, dice: Dice) -> bytes:
    """A number is near what it was, or far from it."""
    record = json.loads(data)
    numbers = [
        (container, key) for container, key in _places(record) if type(container[key]) is int
    ]
    container, key = dice.pick(numbers)
    number = container[key]
    container[key] = dice.pick([number + 1, number - 1, -number, number * 10**9, float(number)])
    return _dumped(record, dice)


def _text(data: bytes, dice: Dice) -> bytes:
    """A text is spoilt in one place."""
    record = json.loads(data)
    texts = [(container, key) for container, key in _places(record) if container[key]]
    container, key = dice.pick([place for place in texts if isinstance(place[0][place[1]], str)])
    text = container[key]
    at = dice.below(len(text))
    container[key] = (
        text[:at] + dice.pick(["", "\0", "/", "..", "\u202e", "\uff19", "@"]) + text[at + 1 :]
    )
    return _dumped(record, dice)


def _shape(data: bytes, dice: Dice) -> bytes:
    """A field or an entry is missing, new, elsewhere, or wrapped in another."""
    record = json.loads(data)
    container, key = dice.pick(_places(record))
    value = container[key]
    done = dice.below(4)
    if done == 0:
        del container[key]
    elif done == 1:
        container[key] = dice.pick([[value], {"value": value}, [value, value], {key: value}])
    elif done == 2 and isinstance(container, dict):
        container[dice.pick(["surprise", "", "x" * 5_000, "\x1b[2J", "Spec"])] = value
    else:
        other, other_key = dice.pick(_places(record))
        other[other_key] = json.loads(json.dumps(value))
    return _dumped(record, dice)


def _doubled(data: bytes, dice: Dice) -> bytes:
    """A field stands twice, the same or another."""
    lines = data.split(b"\n")
    index = 1 + dice.below(max(1, len(lines) - 2))
    return b"\n".join([*lines[:index], dice.pick(lines[1:-1]), *lines[index:]])


def _depth(data: bytes, dice: Dice) -> bytes:
    """Nested as deep as a parser's stack, or deeper, closed or not."""
    count = dice.pick([5, 7, 8, 9, 100, 1_000, 100_000])
    opened, closed = dice.pick([(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
    nest = opened * count + b"0" + (closed * count if dice.below(2) else b"")
    return dice.pick([nest, data.replace(b"null", nest, 1)])


def _encoding(data: bytes, dice: Dice) -> bytes:
    """Not the UTF-8 that was agreed."""
    return data.decode("utf-8").encode(dice.pick(_ENCODINGS))


def _size(data: bytes, dice: Dice) -> bytes:
    """Longer than any record, by what is nothing, or by what is much."""
    filler = dice.pick([b" ", b"\n", b"0", b'"', b"[", b"\0", b"9"])
    count = dice.pick([1, 1_000, 10_000, 1_048_576])
    at = dice.pick([0, len(data), dice.below(len(data))])
    return data[:at] + filler * count + data[at:]


MUTATIONS: Final[Mapping[str, Callable[[bytes, Dice], bytes]]] = {
    "flip": mutate_bytes.flip,
    "cut": mutate_bytes.cut,
    "splice": mutate_bytes.splice,
    "overwrite": mutate_bytes.overwrite,
    "value": _value,
    "number": _number,
    "text": _text,
    "shape": _shape,
    "doubled": _doubled,
    "depth": _depth,
    "encoding": _encoding,
    "size": _size,
}


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a record, with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    places = [(value, key) for key in keys]
    for key in keys:
        if isinstance(value[key], dict | list):
            places += _places(value[key])
    return places


def _dumped(record: Any, dice: Dice) -> bytes:
    """The record; mostly with the identity that its content has, so that it is read further."""
    if isinstance(record, dict) and "identity" in record and dice.below(4):
        record["identity"] = _identity(record)
    return json.dumps(record, indent=1, ensure_ascii=bool(dice.below(2))).encode(
        "utf-8", "surrogatepass"
    )


def _identity(record: dict[str, Any]) -> str:
    """Worked out a second time, from whatever stands there."""

    def at(value: Any, *names: str) -> str:
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return str(value)

    heads = [at(record, name) for name in ("spec", "feed", "dataset", "period", "revision")]
    files = record.get("files")
    entries = sorted(files if isinstance(files, list) else [], key=lambda file: at(file, "key"))
    lines = [
        *heads,
        at(record, "supersedes").replace("None", "-"),
        f"{at(record, 'contract', 'name')}@{at(record, 'contract', 'version')}",
        at(record, "inventory").replace("None", "-"),
        *(
            " ".join(at(file, name) for name in ("sha256", "bytes", "rows", "key"))
            for file in entries
        ),
    ]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
