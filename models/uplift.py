"""What acting on customers is worth: conversion of those acted on, less that of those held out.

Owns: how many first triggers of each arm have matured and converted, and what that says.
Never: decides who is held out, or what converts; rows say so.
Source: Newcombe (1998) "Interval estimation for the difference between independent proportions",
    Statistics in Medicine 17: 873-890, method 10; Fleiss, Tytun & Ury (1980) "A simple
    approximation for calculating sample sizes for comparing independent proportions", Biometrics
    36: 343-346.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.example import Acted, TrainingExample

ARMS: Final[tuple[Acted, ...]] = ("acted", "held_out")
NORMAL_95: Final = 1.959963984540054
"""97.5 % of a normal distribution lie below it: two-sided 95 %."""
NORMAL_POWER: Final = 0.8416212335729143
"""80 % lie below it: the power that a number of customers is said for."""


ACTING: Final = "$acted"
"""The input of a learner that is 1 in rows of customers who were acted on; scores leave it 0."""
PRIOR_VARIANCE_OF_ACTING: Final = {ACTING: 1.0}
"""Wide: nobody knows beforehand what acting does, and it is no question of fine weights."""
_UNJUDGED: Final = {"warming", "catching_up"}


def features_of(row: TrainingExample) -> dict[str, float]:
    """The features of a row, and whether its customer was acted on."""
    return row.features | {ACTING: 1.0} if row.acted == "acted" else row.features


def is_unjudged(row: TrainingExample) -> bool:
    """Whether a row says nothing of a prediction.

    Either nobody was served the learner's own, or somebody acted, and it is of what comes if
    nobody does.
    """
    return row.status in _UNJUDGED or row.acted == "acted"


class Arm(NamedTuple):
    """Customers whose first trigger's horizon is over, and how many reached the goal in it."""

    customers: int = 0
    conversions: int = 0

    @property
    def rate(self) -> float | None:
        """The share that converted; None of nobody."""
        return self.conversions / self.customers if self.customers else None


class Difference(NamedTuple):
    """Conversion of those acted on less that of those held out, with its 95 % interval."""

    estimate: float
    low: float
    high: float

    @property
    def is_decisive(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0.0 or self.high < 0.0


def wilson(arm: Arm) -> tuple[float, float]:
    """The 95 % score interval of a proportion (Wilson 1927).

    Examples
    --------
    >>> [round(bound, 4) for bound in wilson(Arm(263, 81))]
    [0.2553, 0.3662]
    """
    count, squared = arm.customers, NORMAL_95 * NORMAL_95
    share = arm.conversions / count
    centre = share + squared / (2.0 * count)
    reach = NORMAL_95 * math.sqrt((share * (1.0 - share) + squared / (4.0 * count)) / count)
    scale = 1.0 + squared / count
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


def difference(acted: Arm, held_out: Arm) -> Difference | None:
    """The difference with Newcombe's hybrid score interval; None while an arm has nobody.

    Examples
    --------
    The first row of Newcombe's table II:

    >>> [round(number, 4) for number in difference(Arm(70, 56), Arm(80, 48))]
    [0.2, 0.0524, 0.3339]
    """
    one, other = acted.rate, held_out.rate
    if one is None or other is None:
        return None
    (one_low, one_high), (other_low, other_high) = wilson(acted), wilson(held_out)
    gap = one - other
    return Difference(
        gap,
        gap - math.hypot(one - one_low, other_high - other),
        gap + math.hypot(one_high - one, other - other_low),
    )


def customers_needed(acted: Arm, held_out: Arm) -> int | None:
    """About how many customers more, of both arms in their present proportion, would decide.

    That many show the observed difference with 80 % power at two-sided 5 %, by Fleiss, Tytun and
    Ury without their correction for continuity. 0 where the interval is decisive already; None
    where no difference was observed, or an arm has nobody.

    Examples
    --------
    >>> customers_needed(Arm(900, 45), Arm(100, 4))
    37673
    """
    found = difference(acted, held_out)
    if found is None or (found.estimate == 0.0):
        return None
    if found.is_decisive:
        return 0
    one, other = acted.conversions / acted.customers, held_out.conversions / held_out.customers
    ratio = acted.customers / held_out.customers
    mean = (other + ratio * one) / (ratio + 1.0)
    by_chance = NORMAL_95 * math.sqrt((ratio + 1.0) * mean * (1.0 - mean))
    by_power = NORMAL_POWER * math.sqrt(ratio * other * (1.0 - other) + one * (1.0 - one))
    smaller = (by_chance + by_power) ** 2 / (ratio * found.estimate * found.estimate)
    have = acted.customers + held_out.customers
    return max(1, math.ceil(smaller * (1.0 + ratio)) - have)


class Uplift:
    """Counts the rows of first triggers by arm, each as it matures.

    Examples
    --------
    >>> uplift = Uplift()
    >>> for arm, label in (("acted", 1.0), ("acted", 0.0), ("held_out", 0.0)):
    ...     uplift.add(arm, label)
    >>> uplift.arms["acted"], uplift.arms["held_out"]
    (Arm(customers=2, conversions=1), Arm(customers=1, conversions=0))
    """

    def __init__(self) -> None:
        self.arms: dict[str, Arm] = dict.fromkeys(ARMS, Arm())
        self.closed_by: dict[int, tuple[int, int]] = {}

    @classmethod
    def of(cls, figures: Mapping[str, float | None]) -> Uplift | None:
        """What the figures of a model record say of arms; None where it has none."""
        if "acted_customers" not in figures:
            return None
        uplift = cls()
        uplift.from_state({name: each for name, each in figures.items() if each is not None}, {})
        return uplift

    def take(self, row: TrainingExample) -> bool:
        """Count a row of an arm; False where what closed it was counted already.

        Rows of arms are numbered apart from those that are learned, so they are known apart.
        """
        partition, closed_by = row.source.partition, (row.closed_by.offset, row.closed_by.index)
        if closed_by <= self.closed_by.get(partition, (-1, -1)):
            return False
        self.closed_by[partition] = closed_by
        self.add(row.acted, row.label)
        return True

    def add(self, acted: Acted, label: float) -> None:
        """Count a row; one of no arm does not count."""
        if acted in self.arms:
            customers, conversions = self.arms[acted]
            self.arms[acted] = Arm(customers + 1, conversions + (label > 0.0))

    @property
    def found(self) -> Difference | None:
        """The difference as it stands; None while an arm has nobody."""
        return difference(self.arms["acted"], self.arms["held_out"])

    @property
    def needed(self) -> int | None:
        """How many customers more would decide, as `customers_needed` has it."""
        return customers_needed(self.arms["acted"], self.arms["held_out"])

    @property
    def words(self) -> str:
        """The same in a sentence."""
        found, needed = self.found, self.needed
        if found is None:
            return "The first triggers of one arm at least have yet to mature."
        numbers = (100.0 * each for each in found)
        said = "Acting changes conversion by {:+.2f} points (95 %: {:+.2f} to {:+.2f})".format(
            *numbers
        )
        if found.is_decisive:
            return f"{said}."
        more = "" if needed is None else f": about {needed:,} more customers are needed"
        return f"{said}, which may be chance{more}."

    @property
    def _counts(self) -> dict[str, float]:
        return {
            f"{name}_{of}": float(number)
            for name, arm in self.arms.items()
            for of, number in arm._asdict().items()
        }

    def summary(self) -> dict[str, float | None]:
        """The figures by the names that records and metrics have."""
        found, needed = self.found, self.needed
        return {
            **self._counts,
            "uplift": None if found is None else found.estimate,
            "uplift_low": None if found is None else found.low,
            "uplift_high": None if found is None else found.high,
            "uplift_customers_needed": None if needed is None else float(needed),
        }

    def to_state(self) -> tuple[dict[str, float], dict[str, NDArray[Any]]]:
        """Return everything needed to go on exactly."""
        closed_by = [(partition, *last) for partition, last in self.closed_by.items()]
        return self._counts, {"closed_by": np.array(closed_by, np.int64).reshape(-1, 3)}

    def from_state(self, numbers: Mapping[str, float], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `to_state` described; of a state from before there were arms, empty."""
        self.arms = {
            name: Arm(*(int(numbers.get(f"{name}_{of}", 0.0)) for of in Arm._fields))
            for name in ARMS
        }
        closed_by = arrays["closed_by"].tolist() if "closed_by" in arrays else []
        self.closed_by = {partition: (offset, index) for partition, offset, index in closed_by}


def counted(uplift: Uplift | None, row: TrainingExample) -> str:
    """Count a row of an arm, if anybody does, and say what became of it as trainers count it."""
    return "triggered" if uplift is None or uplift.take(row) else "repeated"
