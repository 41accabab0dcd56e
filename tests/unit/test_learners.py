"""The Bayesian learners' arithmetic: ridge regression, Laplace's approximation, forgetting.

Owns: what the Bayesian learners compute, on chosen data.
Never: what every learner promises (test_learner_conformance).
Source: numpy's linear algebra as the judge.
"""

import numpy as np
import pytest

from models.bayesian_linear import BayesianLinearRegression
from models.bayesian_logistic import BayesianLogisticRegression
from models.dense_learner import DenseLearner
from models.kernels_learner import Floats
from tests.taught_learners import fresh, rows_of, taught


def dense(kind: str, columns: int) -> DenseLearner:
    """Return a learner of a kind with a covariance that knows the columns c0, c1 and so on."""
    learner = fresh(kind, columns)
    assert isinstance(learner, DenseLearner)
    return learner


def dense_taught(
    kind: str, count: int = 300, columns: int = 20
) -> tuple[DenseLearner, Floats, Floats]:
    """Return a learner with a covariance after some rows, with the rows and labels."""
    learner, values, labels = taught(kind, count, columns)
    assert isinstance(learner, DenseLearner)
    return learner, values, labels


def test_linear_equals_ridge_regression() -> None:
    """One pass of the Gaussian learner gives the weights of ridge regression, to rounding."""
    learner, values, labels = dense_taught("bayesian_linear", 2000)
    penalty = np.full(values.shape[1], 1 / 0.03)
    penalty[0] = 1 / 4.0
    best = np.linalg.solve(values.T @ values + np.diag(penalty), values.T @ labels)
    own = np.concatenate([[learner.bias], learner.weights])
    assert np.allclose(own, best, rtol=1e-8, atol=1e-10)
    assert isinstance(learner, BayesianLinearRegression)
    assert learner.noise_variance == pytest.approx(1.0, rel=0.1)


def test_linear_does_not_depend_on_the_unit() -> None:
    """Targets in cents instead of euros give a hundred times the weights."""
    values, labels = rows_of("bayesian_linear", 200, 10)
    euros, cents = dense("bayesian_linear", 10), dense("bayesian_linear", 10)
    for row, label in zip(values, labels, strict=True):
        euros.learn_row(row, label)
        cents.learn_row(row, 100.0 * label)
    assert np.allclose(cents.weights, 100.0 * euros.weights, rtol=1e-9)


def test_weight_two_is_close_to_twice_the_row() -> None:
    """For the Gaussian a weight of two equals the row learned twice."""
    values, labels = rows_of("bayesian_linear", 50, 5)
    twice, heavy = dense("bayesian_linear", 5), dense("bayesian_linear", 5)
    for row, label in zip(values, labels, strict=True):
        twice.learn_row(row, label)
        twice.learn_row(row, label)
        heavy.learn_row(row, label, 2.0)
    assert np.allclose(twice.weights, heavy.weights, atol=1e-12)


@pytest.mark.parametrize("weight", [0.3, 1.0, 20.0])
@pytest.mark.parametrize("rows", [0, 40])
def test_logistic_update_is_the_laplace_approximation(rows: int, weight: float) -> None:
    """One row moves to the posterior mode and adds its information there, judged with numpy."""
    learner, _, _ = dense_taught("bayesian_logistic", rows, 6)
    row = rows_of("bayesian_logistic", 1, 6, seed=9)[0][0]
    before = np.concatenate([[learner.bias], learner.weights])
    precision = np.linalg.inv(learner.covariances[0])
    learner.learn_row(row, 1.0, weight)
    after = np.concatenate([[learner.bias], learner.weights])
    probability = 1 / (1 + np.exp(-row @ after))
    gradient = precision @ (after - before) - weight * (1 - probability) * row
    assert np.abs(gradient).max() < 1e-8
    information = weight * probability * (1 - probability) * np.outer(row, row)
    assert np.allclose(learner.covariances[0], np.linalg.inv(precision + information), atol=1e-12)


def test_first_heavy_positive_does_not_overshoot() -> None:
    """A first positive of weight 10 on large features raises the row's probability, not to 1."""
    learner = dense("bayesian_logistic", 30)
    row = np.full(31, 5.0)
    learner.learn_row(row, 1.0, 10.0)
    assert 0.5 < learner.predict_row(row) < 0.99


@pytest.mark.parametrize("days", [1, 30, 365, 1000, 365 * 40])
def test_forgetting_mixes_the_precision_with_the_prior(days: int) -> None:
    """`advance` equals f P⁻¹ + (1 - f) P₀⁻¹ inverted by numpy, plus the drift of the bias."""
    learner, _, _ = dense_taught("bayesian_logistic", 500, 15)
    prior = np.diag([4.0] + [0.03] * 15)
    keep = 2.0 ** (-days / 365)
    mixed = keep * np.linalg.inv(learner.covariances[0]) + (1 - keep) * np.linalg.inv(prior)
    expected = np.linalg.inv(mixed)
    expected[0, 0] = min(expected[0, 0] + 1e-4 * days, 4.0)
    learner.advance(days)
    assert np.allclose(learner.covariances[0], expected, rtol=1e-10, atol=1e-14)


def test_forgetting_nothing_learned_changes_nothing() -> None:
    """Columns that never left their prior stay on it to the bit, and the bias under its cap."""
    learner = dense("bayesian_logistic", 4)
    before = learner.to_state().arrays
    for _ in range(10):
        learner.advance(17)
    after = learner.to_state().arrays
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)


def test_prior_variances_go_by_name_then_family() -> None:
    """A column's prior variance is found by its name, then by the prefix up to `=`."""
    learner = BayesianLogisticRegression(
        prior_variances={"hits": 0.5, "channel=": 0.002, "channel=app": 0.004}
    )
    for name in ("hits", "channel=web", "channel=app", "tenure"):
        learner.index(name)
    assert learner.covariances[0].diagonal().tolist() == [4.0, 0.5, 0.002, 0.004, 0.03]
