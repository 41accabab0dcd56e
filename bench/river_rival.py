"""River out of the box, as one would put it behind a consumer without this project.

Owns: a scaler and a regression with River's defaults, and the order in which it learns.
Never: lets it see an answer before it came, or the lack of one before the deadline.
Source: River's own example of a pipeline, `StandardScaler() | LogisticRegression()`.

Conversions are learned when they come and all else at the deadline, which is the obvious order and
a wrong one: the model knows the customers who convert before those who do not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from river import linear_model, preprocessing

from bench.verdicts import Floats

PREDICT, LEARN = 0, 1


def as_it_comes(
    rows: pd.DataFrame, features: pd.DataFrame, answered_ms: Floats, *, predicts_value: bool
) -> Floats:
    """Return River's prediction of every row, made when it was scored.

    `answered_ms` says when a row's goal was reached, NaN where it was not. A value is known at the
    deadline only. What happens in the same millisecond is predicted first.
    """
    regression = (
        linear_model.LinearRegression if predicts_value else linear_model.LogisticRegression
    )
    model: Any = preprocessing.StandardScaler() | regression()
    closed_ms = rows["closed_at_ms"].to_numpy(np.float64)
    known_ms = (
        closed_ms if predicts_value else np.where(np.isnan(answered_ms), closed_ms, answered_ms)
    )
    names = list(features.columns)
    values = features.to_numpy(np.float64)
    label = rows["label"].to_numpy(np.float64)
    predicted = np.full(len(rows), np.nan)
    for row, step in _in_order(rows["as_of_ms"].to_numpy(np.float64), known_ms):
        x = dict(zip(names, values[row].tolist(), strict=True))
        if step == PREDICT and predicts_value:
            predicted[row] = model.predict_one(x)
        elif step == PREDICT:
            predicted[row] = model.predict_proba_one(x).get(True, 0.5)
        else:
            model.learn_one(x, float(label[row]) if predicts_value else bool(label[row]))
    return predicted


def _in_order(as_of_ms: Floats, known_ms: Floats) -> list[tuple[int, int]]:
    """Return (row, step) in the order of time; at equal times predictions come first."""
    count = len(as_of_ms)
    at_ms = np.concatenate([as_of_ms, known_ms])
    step: NDArray[np.int64] = np.repeat([PREDICT, LEARN], count)
    order = np.lexsort((step, at_ms))
    return list(zip((order % count).tolist(), step[order].tolist(), strict=True))
