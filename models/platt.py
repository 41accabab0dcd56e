"""A probability from a margin, kept calibrated row by row.

Owns: the two numbers of Platt's sigmoid, learned on margins as they were predicted.
Never: sees a margin that was computed after its row was learned.
Source: Platt (1999) "Probabilistic outputs for support vector machines"; the update is that of
    models.kernel_posteriors.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from models import kernels_learner as kernels
from models.kernel_posteriors import Posteriors, learn_at_once
from models.kernels_learner import Floats

CALIBRATOR_NUMBERS = 5
_BOTH = 2


class PlattCalibrator:
    """P(positive) = σ(offset + slope·margin), a Bayesian logistic regression of one column.

    Parameters
    ----------
    offset
        Where the offset starts: 0 for a margin that is a logit already.
    offset_variance, slope_variance
        Prior variances; the slope starts at 1. Margins count within ±20.

    Examples
    --------
    >>> calibrator = PlattCalibrator(offset=0.0)
    >>> calibrator.probability(0.0)
    0.5
    >>> for _ in range(200):
    ...     calibrator.learn(1.0, 1.0)
    ...     calibrator.learn(-1.0, 1.0)
    >>> calibrator.probability(-1.0) > 0.9
    True
    """

    def __init__(
        self, offset: float, offset_variance: float = 4.0, slope_variance: float = 1.0
    ) -> None:
        prior = np.array([offset_variance, slope_variance])
        self._posterior = Posteriors(
            covariance=np.diag(prior)[np.newaxis],
            variances=np.zeros((1, 0)),  # No column lies beyond the covariance.
            pending=np.zeros((1, kernels.PENDING, _BOTH)),
            weights=np.array([[offset, 1.0]]),
            shares=np.ones(1),
            rest=np.ones(1),
            said=np.zeros(1),
            prior=prior,
            means=np.zeros(_BOTH),
            gain=np.zeros(_BOTH),
            x=np.zeros(_BOTH),
            tallies=np.zeros(kernels.TALLIES),
        )
        # Handed over in half the time of one with names.
        self._plain = cast("Posteriors", tuple(self._posterior))
        self._values = np.ones(_BOTH)

    @property
    def arrays(self) -> tuple[Posteriors, Floats]:
        """What a compiled loop learns with, as `learn_at_once` takes it, and a row (no copies)."""
        return self._posterior, self._values

    def probability(self, margin: float) -> float:
        """Return the probability of a positive."""
        self._values[1] = margin
        return kernels.sigmoid(kernels.linear_sum(self._posterior.weights[0], self._values))

    def learn(self, margin: float, label: float, weight: float = 1.0) -> None:
        """Learn the label (0 or 1) of a margin as it was predicted; the weight is above 0."""
        self._values[1] = margin
        learn_at_once(self._plain, self._values, label, min(weight, kernels.WEIGHT_MAX), _BOTH)

    def to_array(self) -> Floats:
        """Return offset, slope and the three entries of their covariance."""
        lower = np.tril_indices(_BOTH)
        return np.concatenate([self._posterior.weights[0], self._posterior.covariance[0][lower]])

    def from_array(self, held: Floats) -> None:
        """Go on from what `to_array` returned."""
        self._posterior.weights[0] = held[:_BOTH]
        lower, upper = np.tril_indices(_BOTH)
        covariance = self._posterior.covariance[0]
        covariance[lower, upper] = covariance[upper, lower] = held[_BOTH:]
