"""Who takes part in a history."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from powerstage.contract import Slot
from tests.fuzzing.dice import Dice
from tests.transfer.consumers import Consumer, Follower
from tests.transfer.people import Forger, Janitor, Person, Producer, Retractor
from tests.transfer.stage import PERIODS, TextSource, source, spoilt
from tests.transfer.wire import Wire

SAME_NAME_ONE_IN: Final = 4
MISTAKEN_ONE_IN: Final = 3


def cast(wire: Wire, dice: Dice, folder: Path) -> Sequence[Person]:
    """Who takes part: an honest producer first; a janitor, and two consumers last."""
    corrected = source("corrected")
    others: Sequence[Person] = (
        Producer(name="twin", wire=wire, texts=source()),
        Producer(name="liar", wire=wire, texts=source("other", PERIODS[1:])),
        Producer(name="corrector", wire=wire, texts=corrected, revise="late data"),
        Producer(name="spoiler", wire=wire, texts=spoilt(corrected), revise="a correction"),
        Producer(
            name="mover",
            wire=wire,
            texts=TextSource(texts=source().texts, inventory=b"more devices\n"),
            revise="devices were missing",
        ),
        Producer(
            name="mover of one",
            wire=wire,
            texts=TextSource(
                texts=source("honest", PERIODS[:1]).texts, inventory=b"more devices\n"
            ),
            revise="a device was missing",
        ),
        Retractor(name="retractor", wire=wire, period=PERIODS[1]),
        Forger(
            name="forger", wire=wire, slot=Slot(dataset="telemetry", period=PERIODS[0], revision=1)
        ),
    )
    first = dice.pick(others)
    second = dice.pick([one for one in others if one is not first])
    names = ("east", "west")
    called = ("east", "east") if dice.below(SAME_NAME_ONE_IN) == 0 else names
    kinds = (Consumer, Follower if dice.below(2) else Consumer)
    return (
        Producer(name="honest", wire=wire, texts=source()),
        first,
        *([second] if dice.below(2) else []),
        Janitor(name="janitor", wire=wire),
        *(
            kind(
                name=name,
                called=receipts,
                lake=folder / name,
                wire=wire,
                is_mistaken=kind is Consumer and dice.below(MISTAKEN_ONE_IN) == 0,
            )
            for kind, name, receipts in zip(kinds, names, called, strict=True)
        ),
    )
