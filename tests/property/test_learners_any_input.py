"""Learners for every input: finite, positive, exactly restorable.

Owns: what must never happen to a weight, whatever arrives.
Never: judges how well something is learned.
Source: the laws of the project: everything finite, restore is exact.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bayesian_logistic import BayesianLogisticRegression
from models.dense_learner import DenseLearner
from models.kernels_learner import Floats
from models.learner import CHALLENGERS, Challenger, make_learner
from tests.taught_learners import make, state_bytes

ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True, width=64)
MODERATE = st.floats(-25, 25)
NAMES = st.sampled_from([f"c{place}" for place in range(8)])
ANY_VALUE = st.one_of(
    ANY_FLOAT, MODERATE, st.none(), st.text(max_size=3), st.booleans(), st.integers()
)
ROWS = st.lists(
    st.tuples(
        st.dictionaries(NAMES, ANY_VALUE, max_size=8),
        st.sampled_from([0.0, 1.0]),
        st.one_of(st.just(1.0), ANY_FLOAT, st.floats(0.5, 20)),
        st.sampled_from([0.0, 0.0, 1.0, 40.0, 1e9]),
    ),
    max_size=30,
)


def finite(learner: Challenger) -> bool:
    """Tell whether every number in a learner's state is finite."""
    _, numbers, arrays = learner.to_state()
    return all(math.isfinite(number) for number in numbers.values()) and all(
        bool(np.isfinite(array).all()) for array in arrays.values()
    )


@pytest.mark.parametrize("kind", CHALLENGERS)
@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_no_input_makes_a_learner_non_finite(kind: str, rows: list[tuple]) -> None:  # type: ignore[type-arg]
    """Whatever the features, weights and gaps in time, the state and predictions stay finite."""
    learner = make(kind)
    for features, label, weight, days in rows:
        learner.learn_one(features, label, weight)
        learner.advance(days)
        assert math.isfinite(learner.predict_row(learner.gather(features)))
    assert finite(learner)
    assert learner.rows_learned + learner.counts["rows_ignored"] == len(rows)


@settings(max_examples=60, deadline=None)
@given(targets=st.lists(ANY_FLOAT, max_size=30), value=MODERATE)
def test_no_target_makes_the_linear_learner_non_finite(targets: list[float], value: float) -> None:
    """Whatever the targets, the Gaussian learner stays finite."""
    learner = make_learner("bayesian_linear", rate=0.1)
    for target in targets:
        learner.learn_one({"a": value, "b": 1.0}, target)
    assert finite(learner)


@pytest.mark.parametrize("kind", CHALLENGERS)
@settings(max_examples=40, deadline=None)
@given(poison=st.sampled_from([math.nan, math.inf, -math.inf, None, "x"]), value=MODERATE)
def test_a_feature_that_is_no_number_counts_as_absent(
    kind: str, poison: float | str | None, value: float
) -> None:
    """A poisoned feature leaves the learner as if the feature had not been sent."""
    poisoned, clean = make(kind), make(kind)
    for learner in (poisoned, clean):
        learner.index("c0")
        learner.index("c1")
    for label in (1.0, 0.0, 1.0):
        poisoned.learn_one({"c0": value, "c1": poison}, label)
        clean.learn_one({"c0": value}, label)
    assert poisoned.counts["values_ignored"] == 3
    assert poisoned.predict_row(np.array([1.0, 1.0])) == clean.predict_row(np.array([1.0, 1.0]))
    arrays, others = poisoned.to_state().arrays, clean.to_state().arrays
    assert all(arrays[name].tobytes() == others[name].tobytes() for name in arrays)


@pytest.mark.parametrize("kind", ["hedged_logistic", "bayesian_linear"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([0.1, 1.0, 20.0]))
def test_covariance_stays_symmetric_and_positive(kind: str, seed: int, scale: float) -> None:
    """After thousands of rows with copied columns the covariance is symmetric and positive."""
    random = np.random.default_rng(seed)
    learner = make(kind)
    for place in range(24):
        learner.index(f"c{place}")
    assert isinstance(learner, DenseLearner)
    values = random.normal(size=(2500, 25)) * scale
    values[:, 13:25] = values[:, 1:13]  # Collinear, as half-lives are.
    for step, row in enumerate(values):
        learner.learn_row(row, float(random.random() < 0.1), 10.0)
        if step % 500 == 499:
            learner.advance(1)
    for covariance in learner.covariances:
        assert np.array_equal(covariance, covariance.T)
        assert np.linalg.eigvalsh(covariance).min() > 0.0
    assert learner.counts["covariance_repairs"] == 0


@pytest.mark.parametrize("kind", CHALLENGERS)
@settings(max_examples=40, deadline=None)
@given(rows=ROWS, cut=st.integers(0, 30))
def test_restoring_anywhere_changes_no_bit(kind: str, rows: list[tuple], cut: int) -> None:  # type: ignore[type-arg]
    """A learner restored after any row ends with the state of the one that never stopped."""
    steady, restored = make(kind), make(kind)
    for step, (features, label, weight, days) in enumerate(rows):
        if step == cut:
            state = restored.to_state()
            restored = make(kind)
            restored.from_state(*state)
        for learner in (steady, restored):
            learner.learn_one(features, label, weight)
            learner.advance(days)
    assert state_bytes(steady) == state_bytes(restored)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000))
def test_growing_changes_no_bit(seed: int) -> None:
    """Columns admitted one by one, across every growth of the arrays, learn as if known before."""
    random = np.random.default_rng(seed)
    early, late = BayesianLogisticRegression(), BayesianLogisticRegression()
    for place in range(40):
        early.index(f"c{place}")
    for place in range(40):
        late.index(f"c{place}")
        row: Floats = random.normal(size=place + 2)
        early.learn_row(row, 1.0)
        late.learn_row(row, 1.0)
    assert state_bytes(early) == state_bytes(late)
