"""What every learner promises, asked of each kind in the registry.

Owns: the promises of the interface, whatever a learner does inside.
Never: names a kind: one that is added to the registry is covered; measures speed but by ratios.
Source: models.learner; River's own checks for estimators; scipy's minimiser as the judge.
"""

import inspect
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from river import base, checks
from scipy.optimize import minimize

from models.hurdle import HurdleRegression
from models.kernels_learner import Floats
from models.learner import (
    CHALLENGERS,
    KINDS,
    REGISTRY,
    Challenger,
    Learner,
    Penalty,
    StateError,
    make_learner,
)
from tests.taught_learners import fresh, make, named, rows_of, state_bytes, taught

WITH_OPTIMUM = [kind for kind in CHALLENGERS if isinstance(REGISTRY[kind].optimum, Penalty)]
WITH_COVARIANCE = [kind for kind in CHALLENGERS if hasattr(make(kind), "covariances")]
COST_GROWTH_MAX = 2.0


def estimator(learner: Challenger) -> base.Estimator:
    """Return the learner as the River estimator that it has to be."""
    assert isinstance(learner, base.Classifier | base.Regressor)
    return learner


def predict_one(learner: Challenger, features: dict[Any, float]) -> float:
    """Return what River's methods predict."""
    if isinstance(learner, base.Regressor):
        return float(learner.predict_one(features))
    assert isinstance(learner, base.Classifier)
    found = learner.predict_proba_one(features)
    assert found[False] + found[True] == pytest.approx(1.0, abs=1e-12)
    return float(found[True])


def river_checks() -> Iterator[object]:
    """Yield every check that River has for each kind."""
    for kind in CHALLENGERS:
        for number, check in enumerate(checks.yield_checks(estimator(make(kind)))):
            yield pytest.param(kind, check, id=f"{kind}-{check.__name__}-{number}")


@pytest.mark.parametrize(("kind", "check"), list(river_checks()))
def test_river_checks(
    kind: str, check: Callable[[base.Estimator], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """River's own checks pass on each estimator, none skipped."""
    learner = estimator(make(kind))
    assert check.__name__ not in learner._unit_test_skips()
    # Where a check makes an estimator of its own, it needs what this one was made with.
    parameters = classmethod(lambda _: iter([learner._get_params()]))
    monkeypatch.setattr(type(learner), "_unit_test_params", parameters)
    check(learner.clone())


@pytest.mark.parametrize("kind", CHALLENGERS)
def test_it_has_every_member_of_its_protocol(kind: str) -> None:
    """A learner has all that `Challenger` names; a linear one all that `Learner` names."""
    protocol = Learner if REGISTRY[kind].is_linear else Challenger
    members = [name for name, _ in inspect.getmembers(protocol) if not name.startswith("_")]
    assert [name for name in members if not hasattr(make(kind), name)] == []
    assert make(kind).kind == kind


@pytest.mark.parametrize("kind", CHALLENGERS)
def test_same_rows_give_same_bits(kind: str) -> None:
    """Two learners of the same rows are the same to the bit, and say the same."""
    one, values, _ = taught(kind)
    other, _, _ = taught(kind)
    assert state_bytes(one) == state_bytes(other)
    assert [one.predict_row(row) for row in values] == [other.predict_row(row) for row in values]


@pytest.mark.parametrize("kind", CHALLENGERS)
def test_learn_one_equals_learn_row(kind: str) -> None:
    """A dictionary and an array of the same row lead to the same bits."""
    values, labels = rows_of(kind, 100, 12)
    by_row, by_name = fresh(kind, 12), fresh(kind, 12)
    for row, label in zip(values, labels, strict=True):
        by_row.learn_row(row, label, 2.0)
        by_name.learn_one(named(row), label, 2.0)
    assert state_bytes(by_row) == state_bytes(by_name)


@pytest.mark.parametrize("kind", CHALLENGERS)
def test_river_predicts_what_the_array_predicts(kind: str) -> None:
    """River's methods and `predict_row` give the same number."""
    learner, values, _ = taught(kind)
    for row in values[:50]:
        assert predict_one(learner, named(row)) == learner.predict_row(row)


@pytest.mark.parametrize("kind", KINDS)
def test_a_linear_learner_predicts_the_sum_of_its_weights(kind: str) -> None:
    """What is predicted is the bias plus the weighted sum, to 1e-9, as scorers compute it."""
    learner = make_learner(kind, rate=0.2)
    for row, label in zip(*rows_of(kind, 300, 20), strict=True):
        learner.learn_one(named(row), label)
    for row in rows_of(kind, 50, 20, seed=8)[0]:
        features = named(row)
        in_order = np.array([features[name] for name in learner.columns])
        linear = learner.bias + float(sum(learner.weights * in_order))
        wanted = linear
        if REGISTRY[kind].predicts == "conversion" or isinstance(learner, HurdleRegression):
            wanted = 1 / (1 + math.exp(-linear))
        if isinstance(learner, HurdleRegression):
            bias, *weights = learner.value_weights.tolist()
            logarithm = bias + sum(np.array(weights) * in_order)
            wanted *= max(0.0, math.exp(logarithm) * learner.smearing - 1.0)
        assert predict_one(learner, features) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("kind", CHALLENGERS)
def test_predicting_changes_nothing(kind: str) -> None:
    """No prediction, of whatever features, leaves a trace in the state or in the next one."""
    learner, values, _ = taught(kind)
    before, said = state_bytes(learner), learner.predict_row(values[0])
    for features in (
        *map(named, values[:20]),
        {"unseen": 1.0, "c1": math.nan, "c2": math.inf, "c3": 1e300},
        {},
    ):
        predict_one(learner, features)
    learner.predict_row(np.full(21, math.nan))
    learner.gather({"unseen": 1.0})
    assert state_bytes(learner) == before
    assert learner.predict_row(values[0]) == said


@pytest.mark.parametrize("kind", CHALLENGERS)
def test_unseen_and_missing_features_count_as_zero(kind: str) -> None:
    """A feature nobody knows changes no prediction, and one that is missing is a zero."""
    learner, values, _ = taught(kind)
    for row in values[:20]:
        sent = {name: value for name, value in named(row).items() if value != 0.0}
        wanted = learner.predict_row(row)
        assert predict_one(learner, named(row)) == wanted
        assert predict_one(learner, sent) == wanted
        assert predict_one(learner, {**sent, "never seen": 3.0}) == wanted
    assert predict_one(learner, {}) == learner.predict_row(np.array([1.0]))


@pytest.mark.parametrize("kind", CHALLENGERS)
def test_late_column_equals_a_column_of_zeros(kind: str) -> None:
    """A column first seen after 200 rows learns as if it had always been there, to the bit.

    rows     0 ........ 200 ...... 300
    early    c0 … c17 (c17 zero)   c17 varies
    late     c0 … c16              c17 admitted, varies
    """
    values, labels = rows_of(kind, 300, 18)
    values[:200, 18] = 0.0
    early, late = fresh(kind, 18), fresh(kind, 17)
    for number, (row, label) in enumerate(zip(values, labels, strict=True)):
        if number in (100, 250):
            early.advance(30)
            late.advance(30)
        if number == 200:
            assert late.index("c17") == 17
        early.learn_row(row, label)
        late.learn_row(row if number >= 200 else row[:18].copy(), label)
    assert state_bytes(early) == state_bytes(late)


@pytest.mark.parametrize("more", [0, 3])
@pytest.mark.parametrize("kind", CHALLENGERS)
def test_state_goes_on_bit_for_bit(kind: str, more: int) -> None:
    """A restored learner has the same state and stays the same, new columns and days included."""
    learner, values, labels = taught(kind)
    learner.advance(1)
    for row, label in zip(values[:more], labels[:more], strict=True):
        learner.learn_row(row, label)  # Of which some may be kept apart from a covariance.
    other = make(kind)
    other.from_state(*learner.to_state())
    assert state_bytes(learner) == state_bytes(other)
    for step, (row, label) in enumerate(zip(values[:100], labels[:100], strict=True)):
        if step % 20 == 10:
            assert learner.index(f"new {step}") == other.index(f"new {step}")
            learner.advance(1)
            other.advance(1)
        for each in (learner, other):
            each.learn_one({f"new {step - 3}": 1.0}, label)
            each.learn_row(row, label, 3.0)
        assert learner.predict_row(row) == other.predict_row(row)
    assert state_bytes(learner) == state_bytes(other)


@pytest.mark.parametrize("kind", CHALLENGERS)
def test_state_is_names_numbers_and_arrays(kind: str) -> None:
    """A state holds nothing but texts, floats and one-dimensional arrays of float64."""
    columns, numbers, arrays = taught(kind)[0].to_state()
    assert {type(name) for name in columns} == {str}
    assert {type(number) for number in numbers.values()} == {float}
    assert {(array.dtype.str, array.ndim) for array in arrays.values()} == {("<f8", 1)}


@pytest.mark.parametrize("kind", CHALLENGERS)
def test_state_of_another_shape_is_refused(kind: str) -> None:
    """A state that does not fit is refused before anything of the learner changes."""
    learner, _, _ = taught(kind, 50)
    columns, numbers, arrays = learner.to_state()
    other = make(kind)
    before = state_bytes(other)
    for wrong in (
        (columns[:-1], numbers, arrays),
        (columns, {**numbers, "format": 99.0}, arrays),
        (columns, {"format": 1.0}, arrays),
        (columns, numbers, {**arrays, "means": arrays["means"][1:]}),
        ([columns[0], *columns[:-1]], numbers, arrays),
    ):
        with pytest.raises(StateError):
            other.from_state(*wrong)
    assert state_bytes(other) == before


@pytest.mark.parametrize("kind", CHALLENGERS)
def test_means_are_weighted_and_zero_counts(kind: str) -> None:
    """The mean of a column is over all weighted rows, those without it included."""
    learner = make(kind)
    learner.learn_one({"c0": 2.0}, 0.0, 1.0)
    learner.learn_one({"c0": 4.0, "c1": 6.0}, 1.0, 2.0)
    learner.learn_one({}, 0.0, 1.0)
    assert learner.means[:2] == pytest.approx([(2 + 8) / 4, 12 / 4])


@pytest.mark.parametrize("kind", CHALLENGERS)
def test_arrays_of_a_wrong_shape_are_ours_to_fix(kind: str) -> None:
    """More values than columns, or no bias, is a mistake of the caller and raises."""
    learner = fresh(kind, 3)
    too_many = len(learner.columns) + 2
    for wrong in (np.zeros(0), np.zeros(too_many), np.zeros((1, 4))):
        with pytest.raises(ValueError, match="bias first"):
            learner.learn_row(wrong, 1.0)
        with pytest.raises(ValueError, match="bias first"):
            learner.predict_row(wrong)


def state_floats(learner: Challenger) -> int:
    """Return how many numbers a state holds."""
    return sum(len(array) for array in learner.to_state().arrays.values())


def learn_junk(learner: Challenger, first: int, count: int) -> float:
    """Learn and predict rows that name what no row did before; return the CPU time it took."""
    begun_s = time.process_time()
    for number in range(first, first + count):
        features = {f"junk {number}": 1.0, f"junk {number % 7}": 2.0, "c1": 0.5}
        learner.learn_one(features, float(number % 5 == 0))
        learner.predict_row(learner.gather(features))
    return time.process_time() - begun_s


@pytest.mark.parametrize("hashed_max", [0, 64])
@pytest.mark.parametrize("kind", CHALLENGERS)
def test_junk_makes_nothing_grow(kind: str, hashed_max: int) -> None:
    """With ever new names the state ends at a bound, refusals are counted, and rows cost the same.

    A learner of 8,000 rows is timed against one of 300, in turns, so that a busy machine hits both.
    """
    young, old = (make(kind, columns_max=16, hashed_max=hashed_max) for _ in range(2))
    columns_max = max(16 + hashed_max, len(old.columns))
    for learner in (young, old):
        learn_junk(learner, 0, 300)
    filled, refused = state_floats(old), old.columns_refused
    learn_junk(old, 300, 7_700)
    turns = [
        (learn_junk(young, 300 + 200 * turn, 200), learn_junk(old, 8_000 + 200 * turn, 200))
        for turn in range(9)
    ]
    assert len(old.columns) <= columns_max
    assert state_floats(old) == filled
    assert old.columns_refused > refused or len(old.columns) == 16 + hashed_max
    young_s, old_s = (min(times) for times in zip(*turns, strict=True))
    assert old_s < COST_GROWTH_MAX * young_s


def optimum(kind: str, penalty: Penalty, values: Floats, labels: Floats, start: float) -> Floats:
    """Return the weights (bias first) of the penalised optimum of a kind, by scipy."""
    precision = np.full(values.shape[1], penalty.weights)
    precision[0] = penalty.bias
    centre = np.zeros(values.shape[1])
    centre[0] = start

    def cost(weights: Floats) -> float:
        fit = loss(kind, values, labels, weights) * len(values)
        return fit + float(0.5 * (precision * (weights - centre) ** 2).sum())

    found: Floats = minimize(cost, centre, method="L-BFGS-B", options={"maxfun": 100_000}).x
    return found


def loss(kind: str, values: Floats, labels: Floats, weights: Floats) -> float:
    """Return the mean log-loss, or half the mean squared error for a value."""
    linear = values @ weights
    if REGISTRY[kind].predicts == "value":
        return float(0.5 * ((labels - linear) ** 2).mean())
    return float((np.logaddexp(0, linear) - labels * linear).mean())


@pytest.mark.parametrize("kind", WITH_OPTIMUM)
def test_one_pass_is_within_one_percent_of_the_penalised_optimum(kind: str) -> None:
    """After one pass over 2,000 rows, the loss on other rows is within 1 % of the optimum's."""
    values, labels = rows_of(kind, 6000, 20)
    learner = make_learner(kind, rate=0.2)
    start = learner.bias
    for place in range(20):
        learner.index(f"c{place}")
    for row, label in zip(values[:2000], labels[:2000], strict=True):
        learner.learn_row(row, label)
    own = np.concatenate([[learner.bias], learner.weights])
    penalty = REGISTRY[kind].optimum
    assert isinstance(penalty, Penalty)
    best = optimum(kind, penalty, values[:2000], labels[:2000], start)
    judged = loss(kind, values[2000:], labels[2000:], own)
    assert judged <= 1.01 * loss(kind, values[2000:], labels[2000:], best)


def test_a_kind_without_an_optimum_says_why() -> None:
    """The registry has a reason, in words, for each kind that is held to no optimum."""
    reasons = [kind.optimum for kind in REGISTRY.values() if not isinstance(kind.optimum, Penalty)]
    assert all(len(reason.split()) > 5 for reason in reasons)
    assert len(reasons) + len(WITH_OPTIMUM) == len(REGISTRY)


@pytest.mark.slow
@pytest.mark.parametrize("kind", WITH_COVARIANCE)
def test_covariance_lives_through_a_million_rows(kind: str) -> None:
    """After 10⁶ rows with copied columns and daily forgetting, it is symmetric and positive."""
    values, labels = rows_of(kind, 2_000, 12)
    values[:, 7:13] = values[:, 1:7]  # Collinear, as half-lives are.
    learner = fresh(kind, 12)
    for turn in range(500):
        for row, label in zip(values, labels.tolist(), strict=True):
            learner.learn_row(row, label, 3.0)
        if turn % 5 == 0:
            learner.advance(1)
    assert learner.rows_learned == 1_000_000
    covariances: Floats = getattr(learner, "covariances")  # noqa: B009 - only some kinds have them
    assert covariances.shape[1:] == (13, 13)
    for covariance in covariances:
        assert np.array_equal(covariance, covariance.T)
        assert np.linalg.eigvalsh(covariance).min() > 0.0
    assert learner.counts["covariance_repairs"] == 0


def test_registry_makes_what_it_names() -> None:
    """An unknown kind, or one that cannot be served, is refused with the list."""
    assert [make(kind).kind for kind in CHALLENGERS] == list(CHALLENGERS)
    with pytest.raises(ValueError, match=", ".join(CHALLENGERS)):
        make("bayesian_logistics")
    for kind in sorted({"bayesian_logistics", *CHALLENGERS} - set(KINDS)):
        with pytest.raises(ValueError, match="bayesian_logistic, hurdle, bayesian_linear, river"):
            make_learner(kind, rate=0.1)
