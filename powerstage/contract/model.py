"""The contract as facts: what the rest of powerstage reads instead of the file."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

# What units of power are in watts.
WATTS: Final = {"W": 1, "kW": 1_000}

Severity: TypeAlias = Literal["error", "warning"]
DatasetName: TypeAlias = Literal["inventory", "telemetry"]
Metric: TypeAlias = Literal[
    "nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount", "sql"
]
Comparator: TypeAlias = Literal[
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Where a rule stands in the contract file, and how much it weighs."""

    line: int
    severity: Severity = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a dataset.

    ``type`` is the DuckDB type that the Parquet column must have: ``VARCHAR``,
    ``DOUBLE``, ``BIGINT``, ``INTEGER``, ``BOOLEAN``, ``DATE`` or ``TIMESTAMPTZ``.
    """

    name: str
    type: str
    required: bool
    pattern: str | None
    allowed: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRule:
    """A rule of the user's own: a number of the data, and what it must be.

    ``metric`` is one of ODCS, or ``sql``: the number is what ``query`` gives. ``unit`` is
    ``rows`` or ``percent``; of a query it informs. ``column`` is None where the rule is one of
    the whole dataset. ``columns`` are those whose values may not stand twice, ``values`` the
    missing or the valid ones.
    """

    id: str
    words: str
    metric: Metric
    column: str | None
    columns: tuple[str, ...]
    values: tuple[str | float, ...]
    pattern: str | None
    query: str
    unit: str
    comparator: Comparator
    bounds: tuple[float, ...]
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One of the two datasets: its columns in order, the columns of its key, its own rules."""

    name: DatasetName
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    rule: Rule
    quality: tuple[QualityRule, ...] = ()

    def column(self, name: str) -> Column:
        """The column of this name; ``KeyError`` where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What is read: its unit, and the closed range of its values in that unit."""

    name: str
    unit: str
    minimum: float
    maximum: float
    rule: Rule

    @property
    def watts(self) -> int:
        """How many watts its unit is; 0 where it is no power."""
        return WATTS.get(self.unit, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Which telemetry column plays which part in a reading, and how long a reading lasts.

    Without a ``start``, a reading is stamped by its end alone, and its interval starts
    ``reading_interval`` before. It may start up to ``jitter`` after its place on the grid.
    """

    device: str
    measure: str
    start: str | None
    end: str
    unit: str
    value: str
    reading_interval: timedelta
    jitter: timedelta
    rule: Rule

    @property
    def stamp(self) -> str:
        """The time column of the key."""
        return self.end if self.start is None else self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place with servers: its code in the inventory and its IANA time zone."""

    code: str
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What some models draw: ``watts`` at 0, 10, ... 100 % load, and give or take how many."""

    models: tuple[str, ...]
    watts: tuple[float, ...]
    tolerance_watts: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """The rule that power goes with load: by the curve of a device's model, within tolerances.

    ``column`` is the inventory's, with the model; ``load`` and ``power`` are measures.
    """

    column: str
    load: str
    power: str
    tolerance_ratio: float
    curves: tuple[Curve, ...]
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The rule that devices are read while they serve: two columns of the inventory say when."""

    commissioned: str
    retired: str
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFiles:
    """Names of the files in a producer's export; ``data`` may hold ``*``."""

    devices: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The agreement, read from one ODCS file.

    ``text`` is the file to the byte and ``sha256`` its digest: the name by which a
    consumer pins it. ``path`` is what complaints call the file. ``timezone`` is the
    zone of time stamps that state none. ``places`` are the lines of terms that are no rules.
    A rule that nobody agreed on is None.
    """

    name: str
    version: str
    tenant: str
    purpose: str
    inventory: Dataset
    telemetry: Dataset
    roles: Roles
    inventory_device: str
    inventory_site: str
    reference: Rule
    measures: tuple[Measure, ...]
    period_rule: Rule
    completeness: float
    completeness_rule: Rule
    curves: Curves | None
    service: Service | None
    sites: tuple[Site, ...]
    sites_rule: Rule | None
    timezone: str
    delivery_interval: timedelta
    lateness: timedelta
    retention: timedelta
    export: ExportFiles
    key_layout: str
    places: tuple[tuple[str, int], ...]
    path: str
    text: str
    sha256: str

    def is_past(self, period: datetime, now: datetime) -> bool:
        """Whether a period, by its start, was kept as long as agreed."""
        # Counted backwards: a period may end after time does.
        return period < now - self.retention - self.delivery_interval

    def measure(self, name: str) -> Measure:
        """The measure of this name; ``KeyError`` where there is none."""
        for measure in self.measures:
            if measure.name == name:
                return measure
        raise KeyError(name)

    @property
    def power(self) -> Measure | None:
        """The measure that is power: the first in W or kW."""
        return next((known for known in self.measures if known.watts), None)

    @property
    def load(self) -> Measure | None:
        """The measure that is load: the first in %."""
        return next((known for known in self.measures if known.unit == "%"), None)

    def dataset(self, name: DatasetName) -> Dataset:
        """The dataset of this name."""
        return self.inventory if name == "inventory" else self.telemetry

    def at(self, rule: Rule) -> str:
        """The place of a rule, as ``file:line``."""
        return f"{self.path}:{rule.line}"

    def line(self, term: str) -> int | None:
        """The line of a term that is no rule; None where the file does not have it."""
        return dict(self.places).get(term)
