"""Every parameter of the mock fleet in one place, with its source.

Load is a share of a server's full capacity in per mille: 0 to 1000, as iLO reports utilisation
in steps of 0.1 %. Where no source is named, the number is our choice within what servers do.

Sources:
    Koomey and Taylor, "Zombie/comatose servers redux", 2017: a quarter of physical servers did
        no useful work in six months.
    Barroso, Clidaras and Hoelzle, "The datacenter as a computer", 2013: servers spend most of
        their time at 10 % to 50 % load, fleets average 20 % to 40 %; daily and weekly cycles.
    SPECpower_ssj2008, published results (``curves.csv``): watts at active idle and at 10 % to
        100 % load.
    HPE iLO 5: power in whole watts, utilisation in per cent, averages over an interval.
"""

import math
from dataclasses import dataclass
from typing import Final

# -- Load ---------------------------------------------------------------------------------------

_WORK_HOURS: Final = (
    0.18, 0.12, 0.08, 0.05, 0.04, 0.06, 0.12, 0.26, 0.48, 0.70, 0.86, 0.95,
    0.97, 0.94, 0.98, 1.00, 0.97, 0.90, 0.80, 0.70, 0.60, 0.48, 0.36, 0.26,
)  # fmt: skip
_NIGHT_HOURS: Final = (
    0.85, 0.95, 1.00, 0.96, 0.80, 0.55, 0.30, 0.15, 0.08, 0.05, 0.05, 0.06,
    0.08, 0.06, 0.05, 0.05, 0.06, 0.08, 0.10, 0.12, 0.18, 0.30, 0.50, 0.70,
)  # fmt: skip
_ROUND_THE_CLOCK: Final = (
    0.70, 0.62, 0.56, 0.52, 0.50, 0.52, 0.58, 0.66, 0.74, 0.82, 0.88, 0.92,
    0.94, 0.94, 0.94, 0.94, 0.94, 0.95, 0.98, 1.00, 1.00, 0.96, 0.88, 0.78,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a group of servers does through day and week, in its site's own time.

    Load is a device's base plus its amplitude times ``hours`` at that local hour (0 to 1,
    a straight line from each full hour to the next), times ``weekend`` on Saturday and Sunday.
    A device draws its base and amplitude (per mille) evenly from the ranges.
    """

    name: str
    share: float
    hours: tuple[float, ...]
    weekend: float
    base: tuple[int, int]
    amplitude: tuple[int, int]


# Shares of the fleet add up to 1; a quarter is comatose (Koomey and Taylor). The mean load of
# such a fleet is about 200 per mille (Barroso et al.).
PROFILES: Final = (
    Profile(name="idle", share=0.25, hours=(0.5,) * 24, weekend=1.0, base=(5, 20),
            amplitude=(2, 6)),
    Profile(name="office", share=0.45, hours=_WORK_HOURS, weekend=0.45, base=(40, 160),
            amplitude=(150, 500)),
    Profile(name="service", share=0.20, hours=_ROUND_THE_CLOCK, weekend=0.90, base=(100, 300),
            amplitude=(100, 250)),
    Profile(name="batch", share=0.10, hours=_NIGHT_HOURS, weekend=1.0, base=(40, 120),
            amplitude=(200, 500)),
)  # fmt: skip

# Days differ: the amplitude of a day is 1 + 0.15 x a weighted sum of seven normal draws, of that
# day and the six before it, each weighing 0.7 of the one after it: a day resembles the last.
DAY_DEVIATION: Final = 0.15
DAY_PERSISTENCE: Final = 0.7
DAY_TERMS: Final = 7
# So do hours, over four of them; what an hour adds is a share of the amplitude.
HOUR_DEVIATION: Final = 0.12
HOUR_PERSISTENCE: Final = 0.6
HOUR_TERMS: Final = 4

# No hour's mean is outside these; a single reading differs from it by up to a fifth.
LOAD_MIN: Final = 5
LOAD_MAX: Final = 833
# A reading is its hour's load x (1 + 0.0125 x (heads - 16)), of 32 fair coins: deviation 3.5 %.
READING_STEP: Final = 0.0125
COINS: Final = 32

# -- Power --------------------------------------------------------------------------------------

# SPECpower results have one small drive; a storage server has more. Half of the bays are taken.
BAYS_TAKEN: Final = 0.5
SMALL_DRIVE_WATTS: Final = 5.0
LARGE_DRIVE_WATTS: Final = 8.0
# Servers of one model differ: each is its model's curve times 1 + 0.04 x a draw within +-3.47.
DEVICE_DEVIATION: Final = 0.04
DRAW_MAX: Final = 3.4642
# The meter's noise, as a share of the watts between idle and full load of the model: deviation
# 1 % by 32 fair coins (whose deviation is the root of 8), so at most 5.66 %.
METER_DEVIATION: Final = 0.01

# -- Fleet --------------------------------------------------------------------------------------

# A server serves four years; in a fifth of the places the next comes up to a week later.
SERVICE_DAYS: Final = 1_461
VACANT_SHARE: Final = 0.2
VACANT_DAYS_MAX: Final = 7
# Serial numbers in the form of HPE's: plant, year, week, number; letters that look like digits
# are not used.
SERIAL_FORM: Final = "CZJ[0-9][0-4][0-9][0-9A-HJ-NP-Z]{4}"


def weights(persistence: float, terms: int) -> tuple[float, ...]:
    """Weights of draws now, one step back, two: each ``persistence`` of the last, variance 1.

    Worked out with products, quotients and a root alone: the same on every machine.
    """
    raw = [1.0]
    for _ in range(terms - 1):
        raw.append(raw[-1] * persistence)
    total = 0.0
    for weight in raw:
        total += weight * weight
    return tuple(weight / math.sqrt(total) for weight in raw)
