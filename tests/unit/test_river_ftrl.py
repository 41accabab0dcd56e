"""FTRL-Proximal: ours beside a naive computation, and beside River's own.

Owns: the optimiser's step.
Never: what every learner promises (test_learner_conformance).
Source: McMahan et al. (2013), algorithm 1, written with numpy.
"""

from typing import Any

import numpy as np
import pytest
from river import linear_model, optim

from models.kernels_learner import Floats
from models.river_ftrl import FTRLProximal, RiverFTRL
from tests.taught_learners import rows_of

ALPHA, BETA = 0.1, 1.0


def naive_weights(values: Floats, labels: Floats, l1: float, l2: float) -> Floats:
    """Return the weights after each row, shape (rows, columns), by the book."""
    z, n, w = (np.zeros(values.shape[1]) for _ in range(3))
    history = []
    for row, label in zip(values, labels, strict=True):
        gradient = (1 / (1 + np.exp(-row @ w)) - label) * row
        z += gradient - (np.sqrt(n + gradient**2) - np.sqrt(n)) / ALPHA * w
        n += gradient**2
        w = -(z - np.sign(z) * l1) / ((BETA + np.sqrt(n)) / ALPHA + l2)
        w[np.abs(z) <= l1] = 0.0
        history.append(w)
    return np.array(history)


def river_weights(optimizer: optim.FTRLProximal, values: Floats, labels: Floats) -> Floats:
    """Return the weights of River's model after each row, shape (rows, columns)."""
    model = linear_model.LogisticRegression(optimizer, intercept_lr=0.0)
    history = []
    for row, label in zip(values, labels, strict=True):
        model.learn_one(dict(enumerate(row.tolist())), label == 1.0)
        history.append([model.weights[place] for place in range(len(row))])
    return np.array(history)


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.0, 1.0), (2.0, 1.0)])
def test_ours_is_the_algorithm(l1: float, l2: float) -> None:
    """After each row our weights are those of the naive computation."""
    values, labels = rows_of("river_ftrl", 200, 6)
    ours = river_weights(FTRLProximal(ALPHA, BETA, l1, l2), values, labels)
    assert np.allclose(ours, naive_weights(values, labels, l1, l2), rtol=1e-10, atol=1e-14)


def test_rivers_own_is_one_update_late() -> None:
    """River's own begins with weights of 0 after the first row; ours have moved by then.

    Fed the same gradient twice, River's weight after the second is what the first calls for.
    """
    once, twice = optim.FTRLProximal(ALPHA, BETA, 0.0, 0.0), FTRLProximal(ALPHA, BETA, 0.0, 0.0)
    rivers, ours = [], []
    w_river: dict[Any, float] = {0: 0.0}
    w_ours: dict[Any, float] = {0: 0.0}
    for _ in range(2):
        rivers.append(once.step(w_river, {0: 1.0})[0])
        ours.append(twice.step(w_ours, {0: 1.0})[0])
    assert rivers[0] == 0.0
    assert ours[0] == pytest.approx(-ALPHA / (BETA + 1.0))
    assert rivers[1] == pytest.approx(ours[0])


def test_l1_takes_a_weight_back_to_zero() -> None:
    """Evidence that turns out to be none leaves ours at exactly 0, and River's own where it was."""
    gradients = [1.0] * 5 + [-1.0] * 5
    w_river: dict[Any, float] = {0: 0.0}
    w_ours: dict[Any, float] = {0: 0.0}
    river, ours = optim.FTRLProximal(ALPHA, BETA, 3.0, 0.0), FTRLProximal(ALPHA, BETA, 3.0, 0.0)
    moved = 0.0
    for gradient in gradients:
        river.step(w_river, {0: gradient})
        ours.step(w_ours, {0: gradient})
        moved = max(moved, abs(w_ours[0]))
    assert moved > 0.0
    assert w_ours[0] == 0.0
    river.step(w_river, {0: 0.0})
    assert abs(river.z[0]) <= river.l1
    assert w_river[0] != 0.0


def test_rare_names_stay_at_zero_in_a_wide_model() -> None:
    """With L1, columns of names seen once weigh nothing, and the one that matters does."""
    model = RiverFTRL(rate=0.5, l1=2.0, columns_max=1)
    random = np.random.default_rng(1)
    for number in range(1500):
        label = bool(random.random() < 0.5)
        model.learn_one({"matters": 1.0 if label else -1.0, f"sku={number}": 1.0}, label)
    assert model.weights[0] > 1.0
    assert (model.weights[1:] == 0.0).mean() > 0.95
    assert 1_000 < len(model.columns) <= 1 + model.hashed_max
