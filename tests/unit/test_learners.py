"""Learners: River's conventions, the penalised optimum, and the two paths into a learner.

Owns: what holds for each kind of learner on chosen data.
Never: measures speed.
Source: River's own checks; scipy's minimiser as the judge.
"""

import inspect
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from river import base, checks
from scipy.optimize import minimize

from models.bayesian_linear import BayesianLinearRegression
from models.bayesian_logistic import BayesianLogisticRegression
from models.kernels_learner import Floats
from models.learner import KINDS, Learner, make_learner
from models.linear_learner import StateError
from models.river_logistic import RiverLogistic

ESTIMATORS: tuple[base.Estimator, ...] = (
    BayesianLogisticRegression(),
    BayesianLinearRegression(),
    RiverLogistic(),
)


def river_checks() -> Iterator[object]:
    """Yield every check that River has for each of our estimators."""
    for estimator in ESTIMATORS:
        for number, check in enumerate(checks.yield_checks(estimator)):
            name = f"{type(estimator).__name__}-{check.__name__}-{number}"
            yield pytest.param(estimator, check, id=name)


@pytest.mark.parametrize(("estimator", "check"), list(river_checks()))
def test_river_checks(estimator: base.Estimator, check: Callable[[base.Estimator], None]) -> None:
    """River's own checks pass on each estimator, none skipped."""
    assert check.__name__ not in estimator._unit_test_skips()
    check(estimator.clone())


def rows_of(kind: str, count: int, columns: int, seed: int = 3) -> tuple[Floats, Floats]:
    """Return seeded rows (bias first, a third of the entries zero) and their labels."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(count, columns + 1))
    values[random.random(values.shape) < 1 / 3] = 0.0
    values[:, 0] = 1.0
    truth = random.normal(size=columns + 1) * 0.4
    truth[0] = -1.5
    linear = np.array([sum(row * truth) for row in values])
    if kind == "bayesian_linear":
        return values, linear + random.normal(size=count)
    return values, (random.random(count) < 1 / (1 + np.exp(-linear))).astype(float)


def fresh(kind: str, columns: int) -> Learner:
    """Return a learner of a kind that knows the columns c0, c1 and so on."""
    learner = make_learner(kind, rate=0.2)
    for place in range(columns):
        learner.index(f"c{place}")
    return learner


def taught(kind: str, count: int = 300, columns: int = 20) -> tuple[Learner, Floats, Floats]:
    """Return a learner after some rows, with the rows and labels."""
    values, labels = rows_of(kind, count, columns)
    learner = fresh(kind, columns)
    for row, label in zip(values, labels, strict=True):
        learner.learn_row(row, label)
    return learner, values, labels


def logistic_optimum(values: Floats, labels: Floats, start: float) -> Floats:
    """Return the penalised optimum with prior variances 4 (bias) and 0.03, by scipy."""
    precision = np.full(values.shape[1], 1 / 0.03)
    precision[0] = 1 / 4.0
    centre = np.zeros(values.shape[1])
    centre[0] = start

    def loss(weights: Floats) -> float:
        logits = values @ weights
        fit = np.logaddexp(0, logits) - labels * logits
        return float(fit.sum() + 0.5 * (precision * (weights - centre) ** 2).sum())

    found: Floats = minimize(loss, centre, method="L-BFGS-B", options={"maxiter": 5000}).x
    return found


def log_loss(values: Floats, labels: Floats, weights: Floats) -> float:
    """Return the mean log-loss of a logistic model."""
    logits = values @ weights
    return float((np.logaddexp(0, logits) - labels * logits).mean())


def test_logistic_is_within_one_percent_of_the_penalised_optimum() -> None:
    """After one pass over 2,000 rows, log-loss on other rows is within 1 % of the optimum's."""
    values, labels = rows_of("bayesian_logistic", 6000, 20)
    learner = fresh("bayesian_logistic", 20)
    start = learner.bias
    for row, label in zip(values[:2000], labels[:2000], strict=True):
        learner.learn_row(row, label)
    own = np.concatenate([[learner.bias], learner.weights])
    best = logistic_optimum(values[:2000], labels[:2000], start)
    judged = log_loss(values[2000:], labels[2000:], own)
    optimal = log_loss(values[2000:], labels[2000:], best)
    assert judged <= optimal * 1.01
    assert np.abs(own - best).max() < 0.15


def test_linear_equals_ridge_regression() -> None:
    """One pass of the Gaussian learner gives the weights of ridge regression, to rounding."""
    learner, values, labels = taught("bayesian_linear", 2000)
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
    euros, cents = fresh("bayesian_linear", 10), fresh("bayesian_linear", 10)
    for row, label in zip(values, labels, strict=True):
        euros.learn_row(row, label)
        cents.learn_row(row, 100.0 * label)
    assert np.allclose(cents.weights, 100.0 * euros.weights, rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_learn_one_equals_learn_row(kind: str) -> None:
    """A dictionary and an array of the same row lead to the same bits."""
    values, labels = rows_of(kind, 100, 12)
    by_row, by_name = fresh(kind, 12), fresh(kind, 12)
    for row, label in zip(values, labels, strict=True):
        by_row.learn_row(row, label, 2.0)
        features = {f"c{place}": float(value) for place, value in enumerate(row[1:])}
        by_name.learn_one(features, label, 2.0)
    assert by_row.weights.tobytes() == by_name.weights.tobytes()
    assert by_row.bias == by_name.bias


@pytest.mark.parametrize("kind", KINDS)
def test_prediction_equals_the_sum_over_the_array(kind: str) -> None:
    """What River's methods predict is the bias plus the weighted sum, to 1e-9."""
    learner, values, _ = taught(kind)
    for row in values[:50]:
        features = {f"c{place}": float(value) for place, value in enumerate(row[1:])}
        linear = learner.bias + float(sum(learner.weights * row[1:]))
        if isinstance(learner, BayesianLinearRegression):
            assert learner.predict_one(features) == pytest.approx(linear, abs=1e-9)
        else:
            assert isinstance(learner, BayesianLogisticRegression | RiverLogistic)
            proba = learner.predict_proba_one(features)
            assert proba[True] == pytest.approx(1 / (1 + np.exp(-linear)), abs=1e-9)
            assert proba[False] + proba[True] == pytest.approx(1.0, abs=1e-12)
            assert learner.predict_row(row) == proba[True]


@pytest.mark.parametrize("kind", KINDS)
def test_late_column_equals_a_column_of_zeros(kind: str) -> None:
    """A column first seen after 200 rows learns as if it had always been there, to the bit.

    rows     0 ........ 200 ...... 300
    early    c0 … c11 (c11 zero)   c11 varies
    late     c0 … c10              c11 admitted, varies
    """
    values, labels = rows_of(kind, 300, 12)
    values[:200, 12] = 0.0
    early, late = fresh(kind, 12), fresh(kind, 11)
    for number, (row, label) in enumerate(zip(values, labels, strict=True)):
        if number in (100, 250):
            early.advance(30)
            late.advance(30)
        if number == 200:
            assert late.index("c11") == 11
        early.learn_row(row, label)
        late.learn_row(row if number >= 200 else row[:12].copy(), label)
    for mine, other in zip(
        early.to_state().arrays.values(), late.to_state().arrays.values(), strict=True
    ):
        assert mine.tobytes() == other.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_state_goes_on_bit_for_bit(kind: str) -> None:
    """A restored learner has the same state and stays the same, new columns and days included."""
    learner, values, labels = taught(kind)
    learner.advance(1)
    other = make_learner(kind, rate=0.2)
    other.from_state(*learner.to_state())
    for step, (row, label) in enumerate(zip(values[:100], labels[:100], strict=True)):
        if step % 20 == 10:
            assert learner.index(f"new {step}") == other.index(f"new {step}")
            learner.advance(1)
            other.advance(1)
        learner.learn_one({f"new {step - 3}": 1.0}, label)
        other.learn_one({f"new {step - 3}": 1.0}, label)
        learner.learn_row(row, label, 3.0)
        other.learn_row(row, label, 3.0)
    mine, others = learner.to_state(), other.to_state()
    assert mine.columns == others.columns
    assert mine.numbers == others.numbers
    assert all(mine.arrays[name].tobytes() == others.arrays[name].tobytes() for name in mine.arrays)


@pytest.mark.parametrize("kind", KINDS)
def test_state_of_another_shape_is_refused(kind: str) -> None:
    """A state that does not fit is refused before anything of the learner changes."""
    learner, _, _ = taught(kind, 50)
    columns, numbers, arrays = learner.to_state()
    other = make_learner(kind, rate=0.2)
    for wrong in (
        (columns[:-1], numbers, arrays),
        (columns, {**numbers, "format": 99.0}, arrays),
        (columns, {"format": 1.0}, arrays),
        (columns, numbers, {**arrays, "means": arrays["means"][1:]}),
        ([columns[0], *columns[:-1]], numbers, arrays),
    ):
        with pytest.raises(StateError):
            other.from_state(*wrong)
    assert other.columns == []


@pytest.mark.parametrize("kind", KINDS)
def test_columns_beyond_the_bound_are_refused_and_counted(kind: str) -> None:
    """Names beyond `columns_max` get no place, and learning goes on."""
    learner = make_learner(kind, rate=0.2, columns_max=3)
    learner.learn_one({f"c{place}": 1.0 for place in range(5)}, 1.0)
    assert learner.columns == ["c0", "c1", "c2"]
    assert learner.columns_refused == 2
    assert learner.index("c4") == -1
    assert learner.rows_learned == 1


@pytest.mark.parametrize("kind", KINDS)
def test_means_are_weighted_and_zero_counts(kind: str) -> None:
    """The mean of a column is over all weighted rows, those without it included."""
    learner = make_learner(kind, rate=0.2)
    learner.learn_one({"a": 2.0}, 0.0, 1.0)
    learner.learn_one({"a": 4.0, "b": 6.0}, 1.0, 2.0)
    learner.learn_one({}, 0.0, 1.0)
    assert learner.means == pytest.approx([(2 + 8) / 4, 12 / 4])


def test_weight_two_is_close_to_twice_the_row() -> None:
    """For the Gaussian a weight of two equals the row learned twice."""
    values, labels = rows_of("bayesian_linear", 50, 5)
    twice, heavy = fresh("bayesian_linear", 5), fresh("bayesian_linear", 5)
    for row, label in zip(values, labels, strict=True):
        twice.learn_row(row, label)
        twice.learn_row(row, label)
        heavy.learn_row(row, label, 2.0)
    assert np.allclose(twice.weights, heavy.weights, atol=1e-12)


@pytest.mark.parametrize("weight", [0.3, 1.0, 20.0])
@pytest.mark.parametrize("rows", [0, 40])
def test_logistic_update_is_the_laplace_approximation(rows: int, weight: float) -> None:
    """One row moves to the posterior mode and adds its information there, judged with numpy."""
    learner, _, _ = taught("bayesian_logistic", rows, 6)
    assert isinstance(learner, BayesianLogisticRegression)
    row = rows_of("bayesian_logistic", 1, 6, seed=9)[0][0]
    before = np.concatenate([[learner.bias], learner.weights])
    precision = np.linalg.inv(learner.covariance)
    learner.learn_row(row, 1.0, weight)
    after = np.concatenate([[learner.bias], learner.weights])
    probability = 1 / (1 + np.exp(-row @ after))
    gradient = precision @ (after - before) - weight * (1 - probability) * row
    assert np.abs(gradient).max() < 1e-8
    information = weight * probability * (1 - probability) * np.outer(row, row)
    assert np.allclose(learner.covariance, np.linalg.inv(precision + information), atol=1e-12)


def test_first_heavy_positive_does_not_overshoot() -> None:
    """A first positive of weight 10 on large features raises the row's probability, not to 1."""
    learner = fresh("bayesian_logistic", 30)
    row = np.full(31, 5.0)
    learner.learn_row(row, 1.0, 10.0)
    assert 0.5 < learner.predict_row(row) < 0.99


@pytest.mark.parametrize("days", [1, 30, 365, 1000, 365 * 40])
def test_forgetting_mixes_the_precision_with_the_prior(days: int) -> None:
    """`advance` equals f P⁻¹ + (1 - f) P₀⁻¹ inverted by numpy, plus the drift of the bias."""
    learner, _, _ = taught("bayesian_logistic", 500, 15)
    assert isinstance(learner, BayesianLogisticRegression)
    prior = np.diag([4.0] + [0.03] * 15)
    keep = 2.0 ** (-days / 365)
    mixed = keep * np.linalg.inv(learner.covariance) + (1 - keep) * np.linalg.inv(prior)
    expected = np.linalg.inv(mixed)
    expected[0, 0] = min(expected[0, 0] + 1e-4 * days, 4.0)
    learner.advance(days)
    assert np.allclose(learner.covariance, expected, rtol=1e-10, atol=1e-14)


def test_forgetting_nothing_learned_changes_nothing() -> None:
    """Columns that never left their prior stay on it to the bit, and the bias under its cap."""
    learner = fresh("bayesian_logistic", 4)
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
    assert learner.covariance.diagonal().tolist() == [4.0, 0.5, 0.002, 0.004, 0.03]


def test_registry_names_its_kinds() -> None:
    """Each kind makes a learner that says so; another name is refused with the list."""
    assert [make_learner(kind, rate=0.1).kind for kind in KINDS] == list(KINDS)
    with pytest.raises(ValueError, match="bayesian_logistic, bayesian_linear, river_logistic"):
        make_learner("bayesian_logistics", rate=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_a_wrong_shape_are_ours_to_fix(kind: str) -> None:
    """More values than columns, or no bias, is a mistake of the caller and raises."""
    learner = fresh(kind, 3)
    for wrong in (np.zeros(0), np.zeros(5), np.zeros((1, 4))):
        with pytest.raises(ValueError, match="bias first"):
            learner.learn_row(wrong, 1.0)
        with pytest.raises(ValueError, match="bias first"):
            learner.predict_row(wrong)


def test_learners_satisfy_the_protocol() -> None:
    """Each estimator has every member of the protocol."""
    members = [name for name, _ in inspect.getmembers(Learner) if not name.startswith("_")]
    for estimator in ESTIMATORS:
        assert not [name for name in members if not hasattr(estimator, name)]
