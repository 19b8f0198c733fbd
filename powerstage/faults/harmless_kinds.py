"""No faults: what looks like one, and every check must leave alone."""

from datetime import timedelta
from typing import Final

from powerstage.faults.delivery_kinds import LOWER_BY_A_HUNDREDTH
from powerstage.faults.fault import Change, Effect, Fault, Level, Restate, Target, Whole
from powerstage.faults.parts import (
    needs_column,
    needs_load,
    needs_model,
    needs_power,
    utilisation,
    within,
)

_HOURS: Final = timedelta(hours=3)
_NUMBER: Final = Change(does="replace", columns=(("value", "planned.number"),))
_NEW: Final = Change(does="repeat", columns=(("device", "planned.text"),))


def _file(name: str, level: Level, words: str, magnitude: str, effect: Effect) -> Fault:
    return Fault(
        name=name,
        level=level,
        words=words,
        magnitude=magnitude,
        verdict="accepted",
        evidence="harmless",
        effects=(effect,),
    )


HARMLESS_KINDS: Final = (
    Fault(
        name="comatose_server",
        level="value",
        words="a server that does nothing",
        magnitude="0.5 % and the power of idle, for a period",
        verdict="accepted",
        evidence="harmless",
        source="a quarter of servers: Koomey and Anthesis 2017",
        target=Target(devices="one", measures="each", detail="idle"),
        effects=(_NUMBER,),
        unless=(needs_power, needs_load, needs_model, within(0.5, utilisation)),
    ),
    Fault(
        name="full_load_hour",
        level="value",
        words="a server that does all it can",
        magnitude="100 % and the power of full load, for a period",
        verdict="accepted",
        evidence="harmless",
        target=Target(devices="one", measures="each", detail="full load"),
        effects=(_NUMBER,),
        unless=(needs_power, needs_load, needs_model, within(100, utilisation)),
    ),
    Fault(
        name="device_joins",
        level="fleet",
        words="a device that comes, with its row in the inventory, and goes again",
        magnitude="one device, for 3 h in whole periods",
        verdict="accepted",
        evidence="harmless",
        target=Target(devices="one", lasts=_HOURS, detail="free device"),
        effects=(_NEW,),
        inventory=_NEW,
    ),
    Fault(
        name="device_leaves",
        level="fleet",
        words="a device that goes, with its row in the inventory, and comes again",
        magnitude="one device, for 3 h in whole periods",
        verdict="accepted",
        evidence="harmless",
        target=Target(devices="one", lasts=_HOURS),
        effects=(Change(does="drop"),),
        inventory=Change(does="drop"),
    ),
    Fault(
        name="restated_site",
        level="commit",
        words="a second revision that corrects the values of a site",
        magnitude="all values of a site, a hundredth lower",
        verdict="accepted",
        evidence="harmless",
        target=Target(devices="site"),
        effects=(Restate(change=LOWER_BY_A_HUNDREDTH),),
        unless=(needs_column("site", "column for a site"),),
    ),
    Fault(
        name="dst_hour",
        level="timing",
        words="a period in which the clocks of a site change",
        magnitude="nothing is changed",
        verdict="accepted",
        evidence="harmless",
        target=Target(at_clock_change=True),
    ),
    _file(
        "reordered_columns",
        "column",
        "a file with its columns in another order",
        "$value first",
        Whole(columns="$value, * EXCLUDE ($value)"),
    ),
    _file(
        "unsorted_rows",
        "row",
        "a file with its rows in another order",
        "the last row first",
        Whole(rows="ORDER BY row_number() OVER () DESC"),
    ),
)
