"""The interface every learner has, and the registry that makes one by its name.

Owns: which kinds of learner a campaign can name.
Never: learns; knows how a learner works inside.
Source: River's conventions for estimators; the array path is this project's.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from models.bayesian_linear import BayesianLinearRegression
from models.bayesian_logistic import BayesianLogisticRegression
from models.columns import COLUMNS_MAX
from models.kernels_learner import Floats
from models.linear_learner import StateError, StateParts

__all__ = ["KINDS", "Learner", "StateError", "StateParts", "make_learner"]

KINDS = ("bayesian_logistic", "bayesian_linear", "river_logistic")


class Learner(Protocol):
    """A linear model of one campaign that learns row by row and whose weights are an array.

    Arrays of values are float64 with the bias first: column i of `columns` stands at place i + 1,
    place 0 always counts as 1, and values missing at the end are zeros.
    """

    kind: ClassVar[str]

    @property
    def columns(self) -> list[str]:
        """The admitted feature names, in order of admission; not to be changed."""

    @property
    def columns_refused(self) -> int:
        """How often a name found no room."""

    @property
    def weights(self) -> Floats:
        """The weights, aligned with `columns`; copy them to keep them."""

    @property
    def bias(self) -> float:
        """The constant term."""

    @property
    def means(self) -> Floats:
        """The running weighted mean of each column, aligned with `columns`; copy to keep."""

    @property
    def rows_learned(self) -> int:
        """How many rows were learned."""

    @property
    def counts(self) -> dict[str, float]:
        """What was learned, ignored, clipped and refused so far, by name."""

    def index(self, name: str) -> int:
        """Return the place of a name in `columns`, admitting it; -1 if there is no room."""

    def gather(self, x: Mapping[Any, Any], *, admit: bool = False) -> Floats:
        """Return a dictionary of features as an array, bias first; a zero admits no column."""

    def learn_one(self, x: dict[Any, Any], y: Any, w: float = 1.0) -> None:
        """Learn one row given as a dictionary."""

    def learn_row(self, values: Floats, y: float, weight: float = 1.0) -> None:
        """Learn one row given as an array."""

    def predict_row(self, values: Floats) -> float:
        """Return the probability (or the expected value) of a row given as an array."""

    def advance(self, days: float) -> None:
        """Forget what `days` of event time make old."""

    def to_state(self) -> StateParts:
        """Return everything needed to go on bit for bit."""

    def from_state(
        self, columns: list[str], numbers: Mapping[str, float], arrays: Mapping[str, Floats]
    ) -> None:
        """Become the learner that `to_state` described; raises StateError if that is impossible."""


def make_learner(
    kind: str,
    rate: float,
    prior_variances: Mapping[str, float] | None = None,
    columns_max: int = COLUMNS_MAX,
) -> Learner:
    """Return a fresh learner of a kind; `rate` is the expected share of positives.

    Examples
    --------
    >>> make_learner("bayesian_logistic", rate=0.5).bias
    0.0
    """
    if kind == "bayesian_logistic":
        return BayesianLogisticRegression(
            rate=rate, prior_variances=prior_variances, columns_max=columns_max
        )
    if kind == "bayesian_linear":
        return BayesianLinearRegression(prior_variances=prior_variances, columns_max=columns_max)
    if kind == "river_logistic":
        # River's linear models come with scipy: 66 MiB that only those who ask for them pay.
        from models.river_logistic import RiverLogistic  # noqa: PLC0415 - loaded only when it is asked for

        return RiverLogistic(rate=rate, columns_max=columns_max)
    raise ValueError(f"no learner {kind!r}; there are {', '.join(KINDS)}")
