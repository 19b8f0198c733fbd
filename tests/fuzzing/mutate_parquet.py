"""Parquet files that are nearly right: each a function of a seed and a number."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Final

from tests.fuzzing import mutate_bytes
from tests.fuzzing.dice import Dice
from tests.fuzzing.parquet import MAGIC, ParquetFile
from tests.fuzzing.thrift import BINARY, FALSE, INTEGERS, STRUCT, TRUE, Field, List, Struct, Value

# What a length, a count, an offset or an enum may be taken for.
NUMBERS: Final = (
    *(0, 1, 2, 3, 5, 7, 8, 127, 128, 255, 256, 4095, 65_535),
    *(2**15, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**62, 2**63 - 1),
    *(-1, -2, -128, -(2**31), -(2**63)),
    200_000_000,
)
TEXTS: Final = (b"", b"sn", b"SN", b"value", b"\xff\xfe", b"\0", b"x" * 70_000, b"\x1b[2J", b"a.b")


def mutated(bases: Sequence[bytes], seed: int, number: int) -> tuple[str, bytes]:
    """One of many files, and the name of what was done to it."""
    dice = Dice(seed, f"file {number}")
    name = dice.pick(list(MUTATIONS))
    data = dice.pick(bases)
    for _ in range(dice.pick([1, 1, 1, 2, 4])):
        try:
            data = MUTATIONS[name](data, dice)
        except (LookupError, ValueError, AssertionError, StopIteration):
            # What was done to it before has left nothing to take apart.
            data = mutate_bytes.flip(data or MAGIC, dice)
    return name, data


def _footer_number(data: bytes, dice: Dice) -> bytes:
    file = ParquetFile.parse(data)
    _change_number(file.footer, dice)
    return file.to_bytes()


def _footer_text(data: bytes, dice: Dice) -> bytes:
    file = ParquetFile.parse(data)
    field = dice.pick([field for field in _fields(file.footer) if field.kind == BINARY])
    field.value = dice.pick(TEXTS)
    return file.to_bytes()


def _footer_shape(data: bytes, dice: Dice) -> bytes:
    """A field or an entry is missing, stands twice, elsewhere, or is of another type."""
    file = ParquetFile.parse(data)
    if dice.below(2):
        entries = dice.pick([value for value in _values(file.footer) if isinstance(value, List)])
        _reshape(entries.values, dice)
    else:
        struct = dice.pick([value for value in _values(file.footer) if isinstance(value, Struct)])
        _reshape(struct.fields, dice)
        dice.pick(struct.fields).number += dice.pick([0, 0, 1, -1, 20])
    return file.to_bytes()


def _footer_type(data: bytes, dice: Dice) -> bytes:
    """A field says that it is of another type than what follows."""
    file = ParquetFile.parse(data)
    field = dice.pick([field for field in _fields(file.footer) if isinstance(field.value, int)])
    field.kind = dice.pick([*INTEGERS, TRUE, FALSE])
    return file.to_bytes()


def _footer_length(data: bytes, dice: Dice) -> bytes:
    length = int.from_bytes(data[-8:-4], "little")
    other = dice.pick([length + 1, length - 1, length * 2, len(data), len(data) - 8, *NUMBERS])
    return data[:-8] + (other % 2**32).to_bytes(4, "little") + dice.pick([MAGIC, MAGIC, b"PARE"])


def _page_number(data: bytes, dice: Dice) -> bytes:
    """A size, a count or an encoding in a page's header."""
    file = ParquetFile.parse(data)
    chunk = dice.pick(file.chunks())
    pages = file.pages(chunk)
    _change_number(dice.pick(pages)[0], dice)
    file.replace_pages(chunk, pages)
    return file.to_bytes()


def _page_payload(data: bytes, dice: Dice) -> bytes:
    """Levels, lengths of runs, dictionary indices, values, or their compression."""
    file = ParquetFile.parse(data)
    chunk = dice.pick(file.chunks())
    pages = file.pages(chunk)
    index = dice.below(len(pages))
    header, payload = pages[index]
    spoil = dice.pick(
        [mutate_bytes.flip, mutate_bytes.overwrite, mutate_bytes.splice, mutate_bytes.cut]
    )
    payload = spoil(payload, dice)
    if dice.below(2):
        header.field(3).value = len(payload)
    pages[index] = header, payload
    file.replace_pages(chunk, pages)
    return file.to_bytes()


def _page_order(data: bytes, dice: Dice) -> bytes:
    """A page is missing, stands twice, or after its neighbour."""
    file = ParquetFile.parse(data)
    chunk = dice.pick(file.chunks())
    pages = file.pages(chunk)
    _reshape(pages, dice)
    file.replace_pages(chunk, pages)
    return file.to_bytes()


def _page_swap(data: bytes, dice: Dice) -> bytes:
    """One column has the pages of another."""
    file = ParquetFile.parse(data)
    one, other = dice.pick(file.chunks()), dice.pick(file.chunks())
    file.replace_pages(one, file.pages(other))
    return file.to_bytes()


MUTATIONS: Final[Mapping[str, Callable[[bytes, Dice], bytes]]] = {
    "flip": mutate_bytes.flip,
    "cut": mutate_bytes.cut,
    "splice": mutate_bytes.splice,
    "overwrite": mutate_bytes.overwrite,
    "footer number": _footer_number,
    "footer text": _footer_text,
    "footer shape": _footer_shape,
    "footer type": _footer_type,
    "footer length": _footer_length,
    "page number": _page_number,
    "page payload": _page_payload,
    "page order": _page_order,
    "page swap": _page_swap,
}


def _change_number(struct: Struct, dice: Dice) -> None:
    field = dice.pick([field for field in _fields(struct) if field.kind in INTEGERS])
    assert isinstance(field.value, int)
    near = [field.value + 1, field.value - 1, field.value * 2, -field.value]
    field.value = dice.pick([*near, *NUMBERS])


def _reshape(things: list[Field] | list[Value] | list[tuple[Struct, bytes]], dice: Dice) -> None:
    """One of them is missing, stands twice, or elsewhere."""
    index = dice.below(len(things))
    thing = things.pop(index)
    for _ in range(dice.below(3)):
        things.insert(dice.below(len(things) + 1), deepcopy(thing))  # type: ignore[arg-type]


def _values(value: Value) -> Iterator[Value]:
    yield value
    if isinstance(value, Struct):
        for field in value.fields:
            yield from _values(field.value)
    if isinstance(value, List) and value.kind == STRUCT:
        for entry in value.values:
            yield from _values(entry)


def _fields(struct: Struct) -> list[Field]:
    return [
        field for value in _values(struct) if isinstance(value, Struct) for field in value.fields
    ]
