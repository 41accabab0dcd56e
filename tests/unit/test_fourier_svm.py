"""The kernel machine: interactions that no linear model sees, drawn negatives, calibration.

Owns: what the kernel machine can do, and the draws it rests on.
Never: what every learner promises (test_learner_conformance).
Source: Rahimi & Recht (2007); River's RBFSampler as the rival; numpy as the judge.
"""

from typing import Any

import numpy as np
import pytest
from river import feature_extraction, linear_model

from models import kernel_fourier as fourier
from models.fourier_svm import FourierSVM
from models.hashed_columns import hash_of_name
from models.kernels_learner import Floats
from models.platt import PlattCalibrator

DRAWN = ["-0x1.cc51bbf458b46p-1", "0x1.044d8aac724a4p+0", "0x1.4bcca4e5cea4ep+1"]


def opposites(count: int, seed: int = 3) -> tuple[Floats, Floats]:
    """Return points, shape (count, 2), of which those with unlike signs are positive."""
    points = np.random.default_rng(seed).uniform(-3, 3, size=(count, 2))
    return points, (points[:, 0] * points[:, 1] < 0.0).astype(float)


def test_it_sees_what_no_column_alone_shows() -> None:
    """On XOR it is right in 95 % of rows; River's sampler, which goes feature by feature, in half.

    Test-then-train; the last half of 8,000 rows is judged.
    """
    points, labels = opposites(8_000)
    ours = FourierSVM(rate=0.5)
    sampler = feature_extraction.RBFSampler(n_components=100, seed=7)
    rival: Any = sampler | linear_model.LogisticRegression()
    right = np.zeros((len(labels), 2))
    for number, ((a, b), label) in enumerate(zip(points.tolist(), labels, strict=True)):
        features = {"a": a, "b": b}
        for place, model in enumerate((ours, rival)):
            right[number, place] = bool(model.predict_one(features)) == bool(label)
            model.learn_one(features, bool(label))
    own, rivals = right[4_000:].mean(axis=0)
    assert own >= 0.95
    assert rivals < 0.6


def test_its_probabilities_are_rates() -> None:
    """At 3 % positives, and 5 % of the negatives learned, the mean prediction is the rate."""
    random = np.random.default_rng(2)
    values = random.normal(size=(30_000, 5))
    chance = 1 / (1 + np.exp(4.0 - values[:, 0] * values[:, 1]))
    labels = random.random(30_000) < chance
    model = FourierSVM(rate=0.03)
    said = []
    for row, label in zip(np.hstack([np.ones((30_000, 1)), values]), labels, strict=True):
        for place in range(5 - len(model.columns)):
            model.index(f"c{place}")
        said.append(model.predict_row(row))
        model.learn_row(row, float(label))
    judged, happened = np.array(said[10_000:]), labels[10_000:]
    assert 0.85 < judged.mean() / happened.mean() < 1.15
    top = np.argsort(judged)[-len(judged) // 10 :]
    assert happened[top].mean() > 2.5 * happened.mean()
    loss = -np.log(np.where(happened, judged, 1 - judged)).mean()
    base = happened.mean()
    assert loss < 0.97 * -(base * np.log(base) + (1 - base) * np.log(1 - base))


def test_negatives_are_drawn_by_their_number() -> None:
    """At a rate of 2 % about 5 % of equal negatives change the machine; all rows are counted."""
    model = FourierSVM(rate=0.02)
    model.index("a")
    changed = 0
    for _ in range(4_000):
        before = model.to_state().arrays["calibrator"].tobytes()
        model.learn_row(np.array([1.0, 1.0]), 0.0)
        changed += model.to_state().arrays["calibrator"].tobytes() != before
    assert 0.04 < changed / 4_000 < 0.06
    assert model.rows_learned == 4_000


def test_the_features_are_those_of_the_kernel() -> None:
    """Products of Fourier features are close to exp(-γ‖x - y‖²), as their number allows."""
    count, gamma = 4_096, 0.5
    frequencies = np.zeros((4, count))
    fourier.draw_phases(frequencies[0], hash_of_name("#phases", 7))
    for place in range(1, 4):
        deviation = float(np.sqrt(2 * gamma) / (2 * np.pi))
        fourier.draw_frequencies(frequencies[place], hash_of_name(f"c{place}", 7), deviation)
    random = np.random.default_rng(4)
    for _ in range(20):
        x, y = random.normal(size=(2, 3))
        both = []
        for point in (x, y):
            z = np.zeros(count + 1)
            fourier.fourier_features(frequencies, np.concatenate([[1.0], point]), z, 4)
            assert z[count] == 1.0
            both.append(z[:count])
        kernel = np.exp(-gamma * ((x - y) ** 2).sum())
        assert both[0] @ both[1] == pytest.approx(kernel, abs=5 / np.sqrt(count))


def test_the_draws_are_a_constant_of_the_project() -> None:
    """A seed and a name give these numbers, on every machine and in every release."""
    row = np.zeros(20_000)
    fourier.draw_frequencies(row, hash_of_name("c0", 7), 1.0)
    assert [float(value).hex() for value in row[:3]] == DRAWN
    assert row.mean() == pytest.approx(0.0, abs=0.03)
    assert row.std() == pytest.approx(1.0, abs=0.03)
    assert (np.abs(row) < 1.96).mean() == pytest.approx(0.95, abs=0.01)


def test_a_state_of_other_features_is_refused() -> None:
    """A state names the seed and the kernel that its weights belong to."""
    model = FourierSVM(seed=7)
    model.learn_one({"a": 1.0}, True)
    for other in (FourierSVM(seed=8), FourierSVM(gamma=0.5), FourierSVM(features=64)):
        with pytest.raises(ValueError, match="learner state"):
            other.from_state(*model.to_state())


def test_the_calibrator_finds_offset_and_slope() -> None:
    """Margins that are half the logit, and off by two, end as probabilities."""
    random = np.random.default_rng(9)
    calibrator = PlattCalibrator(offset=0.0)
    for _ in range(5_000):
        logit = float(random.normal())
        label = float(random.random() < 1 / (1 + np.exp(-logit)))
        calibrator.learn(0.5 * logit + 2.0, label)
    offset, slope, *_ = calibrator.to_array()
    assert slope == pytest.approx(2.0, abs=0.2)
    assert offset == pytest.approx(-4.0, abs=0.4)


def test_a_weight_whose_square_is_zero_teaches_nothing() -> None:
    """AdaGrad divides by the root of the squares: of none there is no root to divide by."""
    model = FourierSVM(rate=0.2)
    before = model.to_state().arrays["weights"]
    model.learn_one({"a": 1.0}, True, 4e-224)
    after = model.to_state().arrays["weights"]
    assert after.tolist() == before.tolist()
