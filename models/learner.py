"""The interfaces that learners have, and the registry that makes one by its name.

Owns: which kinds of learner there are, what each needs, and what its optimum is.
Never: learns; knows how a learner works inside.
Source: River's conventions for estimators; the array path is this project's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, cast

from models.bayesian_linear import BayesianLinearRegression
from models.bayesian_logistic import BayesianLogisticRegression
from models.column_learner import StateError, StateParts
from models.columns import COLUMNS_MAX
from models.hedged_logistic import HedgedLogisticRegression
from models.hurdle import HurdleRegression
from models.kernels_learner import Floats
from schemas.model_file import ModelFile

__all__ = [
    "CHALLENGERS",
    "KINDS",
    "REGISTRY",
    "Challenger",
    "Kind",
    "Learner",
    "Penalty",
    "StateError",
    "StateParts",
    "make_challenger",
    "make_learner",
]


class Challenger(Protocol):
    """What learns a campaign row by row and predicts each; linear or not.

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


class Learner(Challenger, Protocol):
    """A linear model: its weights are an array, which scorers read, so it can be served."""

    @property
    def weights(self) -> Floats:
        """The weights, aligned with `columns`; copy them to keep them."""

    @property
    def bias(self) -> float:
        """The constant term."""


@dataclass(frozen=True, slots=True)
class _Start:
    """What a learner begins with; each kind takes what it knows."""

    rate: float
    prior_variances: Mapping[str, float] | None
    columns_max: int
    hashed_max: int
    model_file: ModelFile | None


class Penalty(NamedTuple):
    """The batch problem that a kind solves in one pass, closely: loss plus ½·Σ precision·(w - w₀)².

    The loss is the log-loss, or the squared error for a value; w₀ is 0, for the bias where it
    starts.
    """

    weights: float
    bias: float


class Kind(NamedTuple):
    """One kind of learner.

    `optimum` is its batch problem, or the reason why one pass is not held to any.
    """

    make: Callable[[_Start], Challenger]
    predicts: Literal["conversion", "value"]
    is_linear: bool
    optimum: Penalty | str


def _bayesian_logistic(start: _Start) -> Challenger:
    return BayesianLogisticRegression(
        rate=start.rate,
        prior_variances=start.prior_variances,
        columns_max=start.columns_max,
        hashed_max=start.hashed_max,
    )


def _hedged_logistic(start: _Start) -> Challenger:
    return HedgedLogisticRegression(
        rate=start.rate,
        prior_variances=start.prior_variances,
        columns_max=start.columns_max,
        hashed_max=start.hashed_max,
    )


def _hurdle(start: _Start) -> Challenger:
    return HurdleRegression(
        rate=start.rate,
        prior_variances=start.prior_variances,
        columns_max=start.columns_max,
        hashed_max=start.hashed_max,
    )


def _bayesian_linear(start: _Start) -> Challenger:
    return BayesianLinearRegression(
        prior_variances=start.prior_variances,
        columns_max=start.columns_max,
        hashed_max=start.hashed_max,
    )


def _river_logistic(start: _Start) -> Challenger:
    # River's linear models come with scipy: 66 MiB that only those who ask for them pay.
    from models.river_logistic import RiverLogistic  # noqa: PLC0415 - loaded only when it is asked for

    return RiverLogistic(rate=start.rate, columns_max=start.columns_max)


def _river_ftrl(start: _Start) -> Challenger:
    from models.river_ftrl import RiverFTRL  # noqa: PLC0415 - loaded only when it is asked for

    return RiverFTRL(rate=start.rate, columns_max=start.columns_max, hashed_max=start.hashed_max)


def _kernel_svm(start: _Start) -> Challenger:
    from models.fourier_svm import FourierSVM  # noqa: PLC0415 - loaded only when it is asked for

    return FourierSVM(rate=start.rate, columns_max=start.columns_max)


def _onnx(start: _Start) -> Challenger:
    from models.onnx_classifier import OnnxClassifier  # noqa: PLC0415 - loaded only when it is asked for

    if start.model_file is None:
        raise ValueError("a learner of the kind onnx needs a model file")
    return OnnxClassifier(start.model_file)


_BAYESIAN = Penalty(weights=1 / 0.03, bias=1 / 4.0)
REGISTRY: Mapping[str, Kind] = {
    "hedged_logistic": Kind(_hedged_logistic, "conversion", True, _BAYESIAN),
    "bayesian_logistic": Kind(_bayesian_logistic, "conversion", True, _BAYESIAN),
    "hurdle": Kind(
        _hurdle,
        "value",
        True,
        "its two parts are held to theirs, and no loss of the value has both as its optimum",
    ),
    "bayesian_linear": Kind(_bayesian_linear, "value", True, _BAYESIAN),
    "river_logistic": Kind(
        _river_logistic,
        "conversion",
        True,
        "AdaGrad has no penalty, and its learning rate decides how far one pass comes",
    ),
    "river_ftrl": Kind(_river_ftrl, "conversion", True, Penalty(weights=1.0, bias=1.0)),
    "kernel_svm": Kind(
        _kernel_svm,
        "conversion",
        False,
        "the hinge on drawn negatives is no likelihood of the rows",
    ),
    "onnx": Kind(_onnx, "conversion", False, "the model was trained elsewhere, on other rows"),
}
KINDS = tuple(name for name, kind in REGISTRY.items() if kind.is_linear)
"""The kinds that can be served."""
CHALLENGERS = tuple(REGISTRY)
"""All kinds."""


def make_challenger(
    kind: str,
    rate: float,
    prior_variances: Mapping[str, float] | None = None,
    columns_max: int = COLUMNS_MAX,
    hashed_max: int = 0,
    model_file: ModelFile | None = None,
) -> Challenger:
    """Return a fresh learner of any kind; `rate` is the expected share of positives.

    Parameters
    ----------
    kind
        One of `CHALLENGERS`.
    rate
        In (0, 1).
    prior_variances
        By column or family, for the Bayesian kinds.
    columns_max
        How many names have a column of their own.
    hashed_max
        How many columns the names beyond share, for the kinds that can.
    model_file
        The model, for `onnx`.

    Examples
    --------
    >>> make_challenger("kernel_svm", rate=0.5).kind
    'kernel_svm'
    """
    if kind not in REGISTRY:
        raise ValueError(f"no learner {kind!r}; there are {', '.join(REGISTRY)}")
    start = _Start(rate, prior_variances, columns_max, hashed_max, model_file)
    return REGISTRY[kind].make(start)


def make_learner(
    kind: str,
    rate: float,
    prior_variances: Mapping[str, float] | None = None,
    columns_max: int = COLUMNS_MAX,
    hashed_max: int = 0,
) -> Learner:
    """Return a fresh learner of a kind that can be served, one of `KINDS`.

    Examples
    --------
    >>> make_learner("bayesian_logistic", rate=0.5).bias
    0.0
    """
    if kind not in KINDS:
        raise ValueError(f"no learner {kind!r} that can be served; there are {', '.join(KINDS)}")
    made = make_challenger(kind, rate, prior_variances, columns_max, hashed_max)
    return cast("Learner", made)
