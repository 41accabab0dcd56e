"""Learners of every kind, fresh or taught, for tests that hold for all of them.

Owns: making a learner of any kind of the registry, seeded rows, and a learner's state as bytes.
Never: judges a learner.
Source: models.learner, whose registry names the kinds.
"""

import numpy as np

from models.kernels_learner import Floats
from models.learner import REGISTRY, Challenger, make_challenger
from tests.trained_elsewhere import model_file


def make(kind: str, *, columns_max: int = 256, hashed_max: int = 0) -> Challenger:
    """Return a fresh learner of any kind, with whatever that kind needs."""
    return make_challenger(
        kind,
        rate=0.2,
        columns_max=columns_max,
        hashed_max=hashed_max,
        model_file=model_file() if kind == "onnx" else None,
    )


def fresh(kind: str, columns: int) -> Challenger:
    """Return a learner of a kind that knows the columns c0, c1 and so on."""
    learner = make(kind)
    for place in range(columns):
        learner.index(f"c{place}")
    return learner


def rows_of(kind: str, count: int, columns: int, seed: int = 3) -> tuple[Floats, Floats]:
    """Return seeded rows (bias first, a third of the entries zero) and their labels."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(count, columns + 1))
    values[random.random(values.shape) < 1 / 3] = 0.0
    values[:, 0] = 1.0
    truth = random.normal(size=columns + 1) * 0.4
    truth[0] = -1.5
    linear = np.array([sum(row * truth) for row in values])
    if REGISTRY[kind].predicts == "value":
        return values, linear + random.normal(size=count)
    return values, (random.random(count) < 1 / (1 + np.exp(-linear))).astype(float)


def taught(kind: str, count: int = 300, columns: int = 20) -> tuple[Challenger, Floats, Floats]:
    """Return a learner after some rows, with the rows and labels."""
    values, labels = rows_of(kind, count, columns)
    learner = fresh(kind, columns)
    for row, label in zip(values, labels, strict=True):
        learner.learn_row(row, label)
    return learner, values, labels


def named(row: Floats) -> dict[str, float]:
    """Return a row as a dictionary of features c0, c1 and so on."""
    return {f"c{place}": float(value) for place, value in enumerate(row[1:])}


def state_bytes(learner: Challenger) -> list[bytes]:
    """Return a learner's state as bytes, for comparison to the bit."""
    columns, numbers, arrays = learner.to_state()
    held = [array.tobytes() for array in arrays.values()]
    return [repr(columns).encode(), repr(numbers).encode(), repr(list(arrays)).encode(), *held]
