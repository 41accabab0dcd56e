"""How good predictions were, measured alike for whoever made them, and the table of it.

Owns: the measures and the table.
Never: knows who predicted, or when labels were known.
Source: test-then-train; log-loss and AUC of scikit-learn; calibration error over 15 bins of equal
    mass, Nixon et al. (2019) "Measuring calibration in deep learning" (adaptive).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score

ECE_BINS = 15
BATCH = "batch"  # Names of the rivals with which losses are compared begin so.

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """How good one set of predictions was on the test rows of a campaign.

    `loss` is the log-loss, or for values the root of the mean squared error; AUC and calibration
    error are those of probabilities.
    """

    campaign: str
    model: str
    rows: int
    positives: int
    loss: float
    auc: float | None
    calibration_error: float | None
    predicted_per_actual: float


def judge(campaign: str, model: str, label: Floats, probability: Floats) -> Verdict:
    """Measure `probability` against `label` (0 or 1), both float64 of one length."""
    bounded = np.clip(probability, 1e-9, 1 - 1e-9)
    one_sided = label.min() == label.max() or bounded.min() == bounded.max()
    return Verdict(
        campaign=campaign,
        model=model,
        rows=len(label),
        positives=int(label.sum()),
        loss=float(log_loss(label, bounded, labels=[0, 1])),
        auc=0.5 if one_sided else float(roc_auc_score(label, bounded)),
        calibration_error=calibration_error(label, bounded),
        predicted_per_actual=float(bounded.sum() / max(label.sum(), 1.0)),
    )


def judge_value(campaign: str, model: str, label: Floats, expected: Floats) -> Verdict:
    """Measure an expected value against the value that came, both float64 of one length."""
    return Verdict(
        campaign=campaign,
        model=model,
        rows=len(label),
        positives=int((label > 0.0).sum()),
        loss=float(np.sqrt(np.mean((label - expected) ** 2))),
        auc=None,
        calibration_error=None,
        predicted_per_actual=float(expected.sum() / label.sum()) if label.sum() > 0.0 else np.nan,
    )


def calibration_error(label: Floats, probability: Floats) -> float:
    """Return the mean gap between predicted and actual rate over 15 bins of equal mass."""
    order = np.argsort(probability, kind="stable")
    gaps = [
        abs(float(label[part].mean() - probability[part].mean())) * len(part)
        for part in np.array_split(order, ECE_BINS)
        if len(part)
    ]
    return sum(gaps) / len(label)


def table(found: Sequence[Verdict], asks: dict[str, str]) -> str:
    """Return the verdicts as Markdown; `ratio` compares the loss with the better batch model.

    `asks` says what each campaign asks, by its name.
    """
    lines = [
        "| task, rows, positives | model | loss | ratio | AUC | ECE | predicted/actual |",
        "|---|---|---|---|---|---|---|",
    ]
    best: dict[str, float] = {}
    for v in found:
        if v.model.startswith(BATCH):
            best[v.campaign] = min(v.loss, best.get(v.campaign, v.loss))
    named: set[str] = set()
    for v in found:
        task = f"{asks[v.campaign]}, {v.rows:,}, {v.positives:,}"
        cells = [
            "" if v.campaign in named else task,
            v.model,
            _number(v.loss, 3 if v.auc is None else 4),
            _number(v.loss / best[v.campaign]),
            _number(v.auc),
            _number(v.calibration_error),
            _number(v.predicted_per_actual),
        ]
        named.add(v.campaign)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value: float | None, decimals: int = 3) -> str:
    """Return a number for the table; what has diverged is not written out.

    >>> _number(0.5), _number(None), _number(8.937e9)
    ('0.500', '–', '8.9e+09')
    """
    if value is None:
        return "–"
    return f"{value:.{decimals}f}" if abs(value) < 1e4 else f"{value:.1e}"
