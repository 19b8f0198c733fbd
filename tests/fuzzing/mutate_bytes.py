"""What can be done to any bytes."""

from tests.fuzzing.dice import Dice


def flip(data: bytes, dice: Dice) -> bytes:
    """Some bits are turned."""
    spoilt = bytearray(data)
    for _ in range(1 + dice.below(8)):
        spoilt[dice.below(len(spoilt))] ^= 1 << dice.below(8)
    return bytes(spoilt)


def cut(data: bytes, dice: Dice) -> bytes:
    """The end, or a piece from within, is missing."""
    start = dice.below(len(data))
    return data[:start] + (data[start + 1 + dice.below(64) :] if dice.below(2) else b"")


def splice(data: bytes, dice: Dice) -> bytes:
    """A piece stands in another place, too: over what was there, or between it."""
    source, target = dice.below(len(data)), dice.below(len(data))
    piece = data[source : source + 1 + dice.below(256)]
    return data[:target] + piece + data[target + (len(piece) if dice.below(2) else 0) :]


def overwrite(data: bytes, dice: Dice) -> bytes:
    """A piece is zeros, ones, or noise."""
    start, count = dice.below(len(data)), 1 + dice.below(16)
    piece = dice.pick([bytes(count), b"\xff" * count, dice.bytes(count)])
    return data[:start] + piece + data[start + count :]
