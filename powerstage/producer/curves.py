"""The server models of the mock fleet, and the watts that each draws at a load.

Models and product numbers are the old generator's (``models.csv``); the watts of each are a
published SPECpower_ssj2008 curve of its family (``curves.csv``; the DX380 is the DL380's
sibling) and those of its drives. Between the published points a curve is a straight line.
"""

import csv
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise

from powerstage.producer import parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A server model: ``watts`` at 0, 1, ... 1,000 per mille of full load."""

    name: str
    product_id: str
    watts: tuple[float, ...]

    @property
    def noise_watts(self) -> tuple[float, float]:
        """The meter's noise as watts without heads, and what each of the coins adds.

        Half a watt is in the first: with it, rounding down rounds to the nearest.
        """
        deviation = parameters.METER_DEVIATION * (self.watts[-1] - self.watts[0])
        step = deviation / math.sqrt(parameters.COINS / 4)
        return 0.5 - step * (parameters.COINS // 2), step

    @property
    def watts_range(self) -> tuple[float, float]:
        """What a meter may read, of any device of this model at any load."""
        least, step = self.noise_watts
        spread = parameters.DEVICE_DEVIATION * parameters.DRAW_MAX
        return (
            math.floor(self.watts[0] * (1 - spread) + least),
            math.floor(self.watts[-1] * (1 + spread) + least + step * parameters.COINS),
        )


@cache
def models() -> tuple[Model, ...]:
    """Every model of the catalogue, in the order of product numbers."""
    curves = {row.pop("curve"): row for row in _rows("curves.csv")}
    found = []
    for row in _rows("models.csv"):
        points = [float(curves[row["curve"]][name]) for name in _POINTS]
        drives = parameters.BAYS_TAKEN * (
            int(row["small_bays"]) * parameters.SMALL_DRIVE_WATTS
            + int(row["large_bays"]) * parameters.LARGE_DRIVE_WATTS
        )
        found.append(
            Model(
                name=row["model"],
                product_id=row["product_id"],
                watts=tuple(watts + drives for watts in _interpolate(points)),
            )
        )
    return tuple(sorted(found, key=lambda model: model.product_id))


_POINTS = ("idle_watts", *(f"load_{percent}_watts" for percent in range(10, 101, 10)))


def _interpolate(points: list[float]) -> list[float]:
    steps = 1000 // (len(points) - 1)
    watts = [
        low + (high - low) * step / steps for low, high in pairwise(points) for step in range(steps)
    ]
    return [*watts, points[-1]]


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files("powerstage.producer").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))
