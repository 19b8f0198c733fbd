"""Thrift's compact protocol as a tree that can be changed and written again.

Only what Parquet uses: structs, lists, integers, booleans, doubles and byte strings. What is
written need not be what the format allows: that is the point.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

STOP: Final = 0
TRUE: Final = 1
FALSE: Final = 2
BYTE: Final = 3
INTEGERS: Final = (4, 5, 6)
DOUBLE: Final = 7
BINARY: Final = 8
LIST: Final = 9
STRUCT: Final = 12

Value: TypeAlias = "int | bytes | Struct | List"


@dataclass(slots=True, kw_only=True)
class Field:
    """One field of a struct: its number, its type and its value."""

    number: int
    kind: int
    value: Value


@dataclass(slots=True, kw_only=True)
class Struct:
    """Fields, in the order in which they stand."""

    fields: list[Field]

    def field(self, number: int) -> Field:
        """The field of this number, which must be there."""
        return next(field for field in self.fields if field.number == number)

    def struct(self, *numbers: int) -> "Struct":
        """The struct under these fields, one within the other."""
        found = self
        for number in numbers:
            value = found.field(number).value
            assert isinstance(value, Struct)
            found = value
        return found

    def structs(self, number: int) -> "list[Struct]":
        """The structs of a list."""
        return [value for value in self.list(number).values if isinstance(value, Struct)]

    def list(self, number: int) -> "List":
        """A list."""
        value = self.field(number).value
        assert isinstance(value, List)
        return value

    def integer(self, number: int) -> int:
        """A number."""
        value = self.field(number).value
        assert isinstance(value, int)
        return value


@dataclass(slots=True, kw_only=True)
class List:
    """Values of one type."""

    kind: int
    values: list[Value]


class Reader:
    """Reads one struct from bytes; ``position`` is where it ended."""

    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data = data
        self.position = position

    def struct(self) -> Struct:
        """A struct up to its stop."""
        fields: list[Field] = []
        number = 0
        while (head := self._byte()) != STOP:
            kind = head & 15
            number = number + (head >> 4) if head >> 4 else _unzigzag(self._varint())
            value = 0 if kind in {TRUE, FALSE} else self._value(kind)
            fields.append(Field(number=number, kind=kind, value=value))
        return Struct(fields=fields)

    def _value(self, kind: int) -> Value:
        if kind in {TRUE, FALSE, BYTE}:
            return self._byte()
        if kind in INTEGERS:
            return _unzigzag(self._varint())
        if kind == DOUBLE:
            return self._take(8)
        if kind == BINARY:
            return self._take(self._varint())
        if kind == LIST:
            head = self._byte()
            count = head >> 4 if head >> 4 < 15 else self._varint()
            return List(kind=head & 15, values=[self._value(head & 15) for _ in range(count)])
        assert kind == STRUCT, kind
        return self.struct()

    def _byte(self) -> int:
        return self._take(1)[0]

    def _take(self, count: int) -> bytes:
        self.position += count
        return self._data[self.position - count : self.position]

    def _varint(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7


def write(struct: Struct) -> bytes:
    """A struct as bytes."""
    out = bytearray()
    before = 0
    for field in struct.fields:
        step = field.number - before
        if 0 < step < 16:
            out.append(step << 4 | field.kind)
        else:
            out.append(field.kind)
            out += _varint(_zigzag(field.number))
        before = field.number
        if field.kind not in {TRUE, FALSE}:
            out += _value(field.kind, field.value)
    out.append(STOP)
    return bytes(out)


def _value(kind: int, value: Value) -> bytes:
    if isinstance(value, Struct):
        return write(value)
    if isinstance(value, List):
        count = len(value.values)
        head = bytes([min(count, 15) << 4 | value.kind])
        return b"".join(
            [
                head,
                _varint(count) if count >= 15 else b"",
                *(_value(value.kind, item) for item in value.values),
            ]
        )
    if isinstance(value, bytes):
        return (_varint(len(value)) if kind == BINARY else b"") + value
    return bytes([value & 255]) if kind in {TRUE, FALSE, BYTE} else _varint(_zigzag(value))


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _zigzag(number: int) -> int:
    return (number << 1 ^ number >> 63) & (1 << 64) - 1


def _unzigzag(number: int) -> int:
    return number >> 1 ^ -(number & 1)
