"""Whether a challenger is better than the champion, looked at so seldom that chance rarely wins.

Owns: the sums of one comparison on the same rows, when it is looked at, and what is then decided.
Never: learns, or changes who is served; a decision is a function of the rows alone.
Source: models/kernels_contest.py for the variance with customers as blocks; Bonferroni for the
    looks: of the level, the j-th look spends the share 1 / (j (j + 1)), which sum to one for ever.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models import kernels_contest as kernels
from models import kernels_quality as quality

FIRST_LOOK_POSITIVES = 500
LEVEL = 0.05
GAIN_MIN = 1e-3
CALIBRATION_GROUPS = 15
_FORMAT = 1.0

Outcome = Literal["better", "undecided"]


class ContestStateError(ValueError):
    """A state of a contest that this program cannot continue from."""


@dataclass(frozen=True)
class Look:
    """What one look at a contest found.

    `gain` is the share of the champion's log-loss that the challenger saves, `error` its standard
    error with customers as blocks, `deviations` the number of standard errors that a gain had to
    exceed at this look.
    """

    number: int
    rows: int
    positives: int
    gain: float
    error: float
    deviations: float
    champion_calibration_error: float
    challenger_calibration_error: float
    outcome: Outcome


class _Histogram:
    """What one of the two said, by bins, for its calibration error."""

    def __init__(self) -> None:
        self.cells = np.zeros((quality.BINS, 3))

    def add(self, probability: float, weight: float, *, converted: bool) -> None:
        cell = self.cells[quality.bin_of(probability)]
        cell[quality.POSITIVES if converted else quality.NEGATIVES] += weight
        cell[quality.PREDICTIONS] += weight * probability

    def calibration_error(self) -> float:
        groups = np.zeros((CALIBRATION_GROUPS, 3))
        quality.fill_groups(self.cells, groups)
        return float(quality.calibration_error(groups))


class Contest:
    """Compares one challenger with the champion on the rows that both have judged.

    It is looked at when the positives have reached 500, 1,000, 2,000 and so on: each look spends
    a part of the level, so one that is no better wins at most 5 % of contests, however long they
    are; those that challenge when it begins share the 5 %. A new champion begins a new contest,
    with a level of its own.

    Parameters
    ----------
    horizon_ms: no look before the event time since the first row has exceeded it.
    challengers: how many challenge this champion at once; the level is shared among them.

    Examples
    --------
    >>> contest = Contest(horizon_ms=0, challengers=1)
    >>> for row in range(1_000):
    ...     converted = row % 2 == 0
    ...     look = contest.add(row, row, converted=converted, weight=1.0, champion=0.5,
    ...                        challenger=0.98 if converted else 0.02)
    ...     if look:
    ...         print(look.positives, look.outcome)
    500 better
    """

    def __init__(self, horizon_ms: int, challengers: int) -> None:
        assert horizon_ms >= 0
        assert challengers >= 1
        self._horizon_ms = horizon_ms
        self._challengers = challengers
        self.rows = 0
        self.positives = 0
        self._looks = 0
        self._first_ms = -1
        self._weight = 0.0
        self._actual = 0.0
        self._difference = 0.0
        self._champion_loss = 0.0
        self._differences = np.zeros(kernels.SIGNS)
        self._weights = np.zeros(kernels.SIGNS)
        self._champion = _Histogram()
        self._challenger = _Histogram()

    def add(
        self,
        closed_at_ms: int,
        customer_hash: int,
        *,
        converted: bool,
        weight: float,
        champion: float,
        challenger: float,
    ) -> Look | None:
        """Count a settled row that both have predicted; gives what a look found, if it is time."""
        if self._first_ms < 0:
            self._first_ms = closed_at_ms
        champion, challenger = quality.bounded(champion), quality.bounded(challenger)
        loss = quality.log_loss(champion, converted)
        difference = loss - quality.log_loss(challenger, converted)
        self.rows += 1
        self.positives += converted
        self._weight += weight
        self._actual += weight * converted
        self._difference += weight * difference
        self._champion_loss += weight * loss
        kernels.add_signed(
            self._differences, self._weights, np.uint64(customer_hash), difference, weight
        )
        self._champion.add(champion, weight, converted=converted)
        self._challenger.add(challenger, weight, converted=converted)
        return self._look() if self._is_time(closed_at_ms) else None

    def _is_time(self, closed_at_ms: int) -> bool:
        enough = self.positives >= FIRST_LOOK_POSITIVES * 2**self._looks
        return enough and closed_at_ms - self._first_ms >= self._horizon_ms

    def _look(self) -> Look:
        while self.positives >= FIRST_LOOK_POSITIVES * 2**self._looks:
            self._looks += 1
        mean = self._difference / self._weight
        centred = self._differences - mean * self._weights
        # The order of a sum changes its bits; this one is fixed.
        error = math.sqrt(math.fsum((centred * centred).tolist()) / kernels.SIGNS)
        share = LEVEL / self._challengers / (self._looks * (self._looks + 1))
        deviations = NormalDist().inv_cdf(1.0 - share)
        champion_error = self._champion.calibration_error()
        challenger_error = self._challenger.calibration_error()
        gain = self._difference / self._champion_loss
        better = (
            self._difference > deviations * error
            and gain >= GAIN_MIN
            and challenger_error <= champion_error + self._chance()
        )
        return Look(
            number=self._looks,
            rows=self.rows,
            positives=self.positives,
            gain=gain,
            error=error / self._champion_loss,
            deviations=deviations,
            champion_calibration_error=champion_error,
            challenger_calibration_error=challenger_error,
            outcome="better" if better else "undecided",
        )

    def _chance(self) -> float:
        """The mean absolute gap of a group of a perfectly calibrated learner: no worse than it."""
        rate = self._actual / self._weight
        return math.sqrt(2.0 / math.pi * rate * (1.0 - rate) / (self.rows / CALIBRATION_GROUPS))

    def to_state(self) -> tuple[dict[str, float], dict[str, NDArray[Any]]]:
        """Return everything needed to go on bit for bit; the arrays are copies."""
        numbers = {
            "format": _FORMAT,
            "rows": float(self.rows),
            "positives": float(self.positives),
            "looks": float(self._looks),
            "first_ms": float(self._first_ms),
            "weight": self._weight,
            "actual": self._actual,
            "difference": self._difference,
            "champion_loss": self._champion_loss,
        }
        return numbers, {
            "differences": self._differences.copy(),
            "weights": self._weights.copy(),
            "champion": self._champion.cells.copy(),
            "challenger": self._challenger.cells.copy(),
        }

    def from_state(self, numbers: Mapping[str, float], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `to_state` described; raises ContestStateError if that is impossible."""
        if numbers.get("format") != _FORMAT:
            raise ContestStateError(
                f"contest state of format {numbers.get('format')!r}, expected {_FORMAT}"
            )
        shapes = {name: array.shape for name, array in arrays.items()}
        signs, cells = (kernels.SIGNS,), (quality.BINS, 3)
        wanted = {"differences": signs, "weights": signs, "champion": cells, "challenger": cells}
        if shapes != wanted:
            raise ContestStateError(f"contest state of shapes {shapes}, expected {wanted}")
        self.rows, self.positives = int(numbers["rows"]), int(numbers["positives"])
        self._looks, self._first_ms = int(numbers["looks"]), int(numbers["first_ms"])
        self._weight, self._actual = numbers["weight"], numbers["actual"]
        self._difference, self._champion_loss = numbers["difference"], numbers["champion_loss"]
        self._differences, self._weights = arrays["differences"].copy(), arrays["weights"].copy()
        self._champion.cells = arrays["champion"].copy()
        self._challenger.cells = arrays["challenger"].copy()
