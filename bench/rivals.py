"""Batch models beside which the scores as served are judged, and the rate that they must beat.

Owns: monthly refits on all rows matured by then.
Never: lets a rival see a label before it matured.
Source: logistic and linear regression of scikit-learn.

How strongly the logistic regression is penalised was chosen on the rows before the split.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss

from bench.tasks import Task, in_split
from bench.verdicts import Floats
from schemas.times import DAY_MS

REFIT_INTERVAL_MS: Final = 30 * DAY_MS
PENALTIES: Final = (0.01, 0.1, 1.0)  # Inverse strengths, as scikit-learn takes them.

Fit = Callable[[Floats, Floats], Callable[[Floats], Floats]]


def refitted(rows: pd.DataFrame, task: Task, fit: Fit, features: Floats) -> Floats:
    """Return a rival's predictions of the test rows.

    At each refit it learns every row that was closed by then, and answers until the next.
    """
    test = in_split(rows, task)
    predicted = np.full(len(rows), np.nan)
    as_of, closed_at = rows["as_of_ms"].to_numpy(), rows["closed_at_ms"].to_numpy()
    label = rows["label"].to_numpy(np.float64)
    for refit_ms in range(task.start_ms, int(as_of[test].max()) + 1, REFIT_INTERVAL_MS):
        asked = test & (as_of >= refit_ms) & (as_of < refit_ms + REFIT_INTERVAL_MS)
        if asked.any():
            known = closed_at <= refit_ms
            predicted[asked] = fit(features[known], label[known])(features[asked])
    return predicted[test]


def base_rate(rows: pd.DataFrame, task: Task) -> Floats:
    """Return the mean label known at the last refit before each test row."""
    return refitted(rows, task, _mean, np.zeros((len(rows), 1)))


def logistic_regression(rows: pd.DataFrame, task: Task, features: Floats) -> Floats:
    """Return the probabilities of a logistic regression, penalised as served it best before."""
    return refitted(rows, task, _logistic(chosen_penalty(rows, task, features)), features)


def linear_regression(rows: pd.DataFrame, task: Task, features: Floats) -> Floats:
    """Return the values expected by a linear regression."""
    return refitted(rows, task, _linear, features)


def chosen_penalty(rows: pd.DataFrame, task: Task, features: Floats) -> float:
    """Return the penalty that did best before the test split, on the last quarter of its rows."""
    closed_at, label = rows["closed_at_ms"].to_numpy(), rows["label"].to_numpy(np.float64)
    known = np.flatnonzero(closed_at <= task.start_ms)
    known = known[np.argsort(closed_at[known], kind="stable")]
    fitted, asked = np.split(known, [len(known) * 3 // 4])
    losses = [
        log_loss(
            label[asked],
            _logistic(penalty)(features[fitted], label[fitted])(features[asked]),
            labels=[0, 1],
        )
        for penalty in PENALTIES
    ]
    return PENALTIES[int(np.argmin(losses))]


def _mean(_features: Floats, label: Floats) -> Callable[[Floats], Floats]:
    mean = float(label.mean())
    return lambda features: np.full(len(features), mean)


def _logistic(penalty: float) -> Fit:
    """Return the rival; its features are logarithms and flags, so it needs no scaler."""

    def fit(features: Floats, label: Floats) -> Callable[[Floats], Floats]:
        model: Any = LogisticRegression(C=penalty, solver="newton-cholesky", max_iter=200)
        model.fit(features, label)
        return lambda asked: np.asarray(model.predict_proba(asked)[:, 1], np.float64)

    return fit


def _linear(features: Floats, label: Floats) -> Callable[[Floats], Floats]:
    model: Any = LinearRegression().fit(features, label)
    return lambda asked: np.asarray(model.predict(asked), np.float64)
