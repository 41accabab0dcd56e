"""Models that were trained elsewhere, for tests of what asks them.

Owns: a scikit-learn model on seeded rows, and its form in ONNX.
Never: what the learners make of it.
Source: skl2onnx's documentation; docs/learners.md, "A model trained elsewhere".
"""

import json
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np
import onnx
from sklearn.linear_model import LogisticRegression

from models.kernels_learner import Floats
from schemas.model_file import ModelFile

COLUMNS = [f"c{place}" for place in range(20)]


def rows_elsewhere(count: int = 500, seed: int = 11) -> tuple[Floats, Floats]:
    """Return seeded rows without a bias, shape (count, 20), and labels of about 20 %."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(count, len(COLUMNS)))
    logits = values @ random.normal(size=len(COLUMNS)) * 0.5 - 1.5
    return values, (random.random(count) < 1 / (1 + np.exp(-logits))).astype(float)


@cache
def trained() -> Any:
    """Return a fitted LogisticRegression of scikit-learn."""
    return LogisticRegression().fit(*rows_elsewhere())


def in_onnx(model: Any, columns: list[str] | None, *, zipmap: bool | str | None = False) -> bytes:
    """Return a model as the bytes of an ONNX file, with the names of its columns if given.

    `zipmap` says in which form a classifier gives its probabilities; None is for other models.
    """
    from skl2onnx import to_onnx

    rows = rows_elsewhere()[0][:1].astype(np.float32)
    options = None if zipmap is None else {"zipmap": zipmap}
    converted = to_onnx(model, rows, options=options)
    if columns is not None:
        onnx.helper.set_model_props(converted, {"columns": json.dumps(columns)})
    return bytes(converted.SerializeToString())


def as_file(content: bytes) -> ModelFile:
    """Return bytes as a file that was read and is the one that was meant."""
    return ModelFile("model.onnx", sha256(content).hexdigest(), content)


@cache
def model_file() -> ModelFile:
    """Return the fitted model as a file in ONNX, with the columns c0 to c19."""
    return as_file(in_onnx(trained(), COLUMNS))
