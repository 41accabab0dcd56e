"""Learners with more names than columns: shared columns, and the diagonal that holds them.

Owns: which column a name shares, what a shared column holds, and the diagonal block's arithmetic.
Never: what every learner promises (test_learner_conformance).
Source: numpy's linear algebra as the judge.
"""

import numpy as np
import pytest

from models.bayesian_linear import BayesianLinearRegression
from models.bayesian_logistic import BayesianLogisticRegression
from models.dense_learner import HASHED_VARIANCE, DenseLearner
from models.hashed_columns import HashedColumns, hash_of_name
from models.kernels_learner import Floats
from models.learner import CHALLENGERS
from tests.taught_learners import make, named, rows_of, state_bytes

WIDE = [kind for kind in CHALLENGERS if make(kind, columns_max=0, hashed_max=8).index("any") == 0]


def wide(
    kind: str = "bayesian_logistic", dense: int = 4
) -> BayesianLogisticRegression | BayesianLinearRegression:
    """Return a learner with `dense` columns of their own, and up to 64 shared ones."""
    learner = make(kind, columns_max=dense, hashed_max=64)
    assert isinstance(learner, BayesianLogisticRegression | BayesianLinearRegression)
    return learner


def variances(learner: DenseLearner) -> Floats:
    """Return the variances of the shared columns."""
    return learner.to_state().arrays["variances"]


def test_names_share_the_same_columns_everywhere() -> None:
    """The hash of a name is a constant of this project, whatever the text."""
    assert [int(hash_of_name(name)) for name in ("", "a", "hello", "münchen")] == [
        0,
        0x85555565F6597889,
        0xCBD8A7B341BD9B02,
        0x9F411E16AD056420,
    ]
    assert hash_of_name("a", seed=1) != hash_of_name("a")
    assert hash_of_name("\ud800") != hash_of_name("\ud801")


def test_shared_columns_come_after_the_own_ones_and_are_bounded() -> None:
    """With 3 own and 8 shared columns a thousand names make 11, none is refused, none moves."""
    columns = HashedColumns(columns_max=3, hashed_max=8)
    places = [columns.admit(f"name {number}") for number in range(1000)]
    assert places[:3] == [0, 1, 2]
    assert columns.names[:3] == ["name 0", "name 1", "name 2"]
    assert sorted(columns.names[3:]) == [f"#{number}" for number in range(8)]
    assert columns.refused == 0
    assert [columns.find(f"name {number}") for number in range(1000)] == places
    assert columns.readmitted(columns.names).places == columns.places


def test_nothing_is_shared_before_the_own_columns_are_full() -> None:
    """A name that is not known is not found by its hash while names still get their own column."""
    columns = HashedColumns(columns_max=2, hashed_max=1)
    columns.admit("#0")
    assert columns.find("other") == -1


@pytest.mark.parametrize("kind", WIDE)
def test_a_shared_column_holds_the_sum(kind: str) -> None:
    """Two features in one column add up, and one that is no number does not spoil the other."""
    learner = make(kind, columns_max=1, hashed_max=1)
    learner.learn_one({"own": 1.0, "a": 2.0, "b": 3.0}, 1.0)
    assert learner.columns == ["own", "#0"]
    assert learner.gather({"own": 1.0, "a": 2.0, "b": 3.0}).tolist() == [1.0, 1.0, 5.0]
    for poison in (np.nan, np.inf, None, "x"):
        assert learner.gather({"a": poison, "b": 3.0}).tolist() == [1.0, 0.0, 3.0]
        assert learner.gather({"b": 3.0, "a": poison}).tolist() == [1.0, 0.0, 3.0]


@pytest.mark.parametrize("kind", ["bayesian_logistic", "bayesian_linear"])
def test_own_columns_learn_as_if_nothing_could_be_shared(kind: str) -> None:
    """While names fit, a learner that could share columns is the one that cannot, to the bit."""
    values, labels = rows_of(kind, 200, 12)
    narrow, broad = make(kind, columns_max=12), make(kind, columns_max=12, hashed_max=64)
    for row, label in zip(values, labels, strict=True):
        for learner in (narrow, broad):
            learner.learn_one(named(row), label)
    narrow.advance(9)
    broad.advance(9)
    assert state_bytes(narrow) == state_bytes(broad)


@pytest.mark.parametrize("kind", ["bayesian_logistic", "bayesian_linear"])
def test_the_diagonal_learns_as_a_block_of_the_covariance(kind: str) -> None:
    """One row moves weights and covariance as numpy does with P = dense block + diagonal."""
    learner = wide(kind)
    values, labels = rows_of(kind, 60, 12)
    for row, label in zip(values[:-1], labels[:-1], strict=True):
        learner.learn_one(named(row), label)
    row = learner.gather(named(values[-1]), admit=True)
    size = len(row)
    assert size > 5
    full = np.zeros((size, size))
    full[:5, :5] = learner.covariances[0]
    full[range(5, size), range(5, size)] = variances(learner)
    before = np.concatenate([[learner.bias], learner.weights])
    learner.learn_row(row, labels[-1], 2.0)
    after = np.concatenate([[learner.bias], learner.weights])
    if isinstance(learner, BayesianLinearRegression):
        information = 2.0
        step = 2.0 * (labels[-1] - row @ after)
    else:
        probability = 1 / (1 + np.exp(-row @ after))  # At the new mode.
        information = 2.0 * probability * (1 - probability)
        step = 2.0 * (labels[-1] - probability)
    expected = np.linalg.inv(np.linalg.inv(full) + information * np.outer(row, row))
    assert np.allclose(after, before + full @ row * step, atol=1e-10)
    assert np.allclose(learner.covariances[0], expected[:5, :5], atol=1e-12)
    assert np.allclose(variances(learner), expected.diagonal()[5:], atol=1e-12)


@pytest.mark.parametrize("days", [1, 30, 365, 365 * 100])
def test_the_diagonal_forgets_towards_its_prior(days: int) -> None:
    """Each variance mixes its precision with the prior's, and ends there."""
    learner = wide()
    for row, label in zip(*rows_of("bayesian_logistic", 300, 12), strict=True):
        learner.learn_one(named(row), label)
    before = variances(learner)
    assert (before < HASHED_VARIANCE).all()
    keep = 2.0 ** (-days / 365)
    learner.advance(days)
    expected = 1 / (keep / before + (1 - keep) / HASHED_VARIANCE)
    assert np.allclose(variances(learner), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", WIDE)
def test_a_wide_state_goes_on_bit_for_bit(kind: str) -> None:
    """Restored at any number of columns, a learner with shared ones stays the same."""
    for rows in (2, 40, 300):
        learner = make(kind, columns_max=3, hashed_max=64)
        for number in range(rows):
            learner.learn_one({f"sku={number % 90}": 1.0, "c1": 2.0}, float(number % 3 == 0))
        learner.advance(3)
        other = make(kind, columns_max=3, hashed_max=64)
        other.from_state(*learner.to_state())
        for number in range(100):
            for each in (learner, other):
                each.learn_one({f"sku={number}": 1.0, "c1": 2.0}, float(number % 3 == 0))
        assert state_bytes(learner) == state_bytes(other)


def test_hashing_learns_what_columns_of_their_own_would() -> None:
    """With 300 categories of different rates and no room, sharing is far better than refusing."""
    random = np.random.default_rng(5)
    rates = random.choice([0.05, 0.6], size=300)
    losses = []
    for hashed_max in (0, 4096):
        learner = BayesianLogisticRegression(rate=0.3, columns_max=2, hashed_max=hashed_max)
        draws = np.random.default_rng(6)
        lost = []
        for _ in range(15_000):
            which = int(draws.integers(300))
            label = float(draws.random() < rates[which])
            features = {"c0": 1.0, "c1": 1.0, f"sku={which}": 1.0}
            said = learner.predict_proba_one(features)[label == 1.0]
            lost.append(-np.log(said))
            learner.learn_one(features, label)
        losses.append(float(np.mean(lost[5_000:])))
    assert losses[1] < 0.95 * losses[0]
