"""What `quality.json` says of a campaign's scores: figures, curves, drift, columns, suggestions.

Owns: the report of one learner, in plain numbers and sentences.
Never: measures anything that the judgement or the learner does not hold.
Source: Dickey (1971), the density ratio of nested hypotheses: how much likelier the rows are with
    a weight than without it; Kass & Raftery (1995) "Bayes factors": 20 to 1 is strong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.campaign_learner import CampaignLearner
from models.dense_learner import DenseLearner
from models.hurdle import HurdleRegression
from models.judgement import GAIN_MIN, Judgement
from models.kernel_stability import INDEX_MAX
from models.layout import Layout
from models.quality import WINDOWS_DAYS, ConversionQuality
from models.uplift import ACTING, Uplift
from schemas.times import format_time

Report = dict[str, Any]

ROWS_MIN: Final = 1_000
NAMES_MAX: Final = 10
"""As many names as a sentence bears, and changed inputs as the report lists."""


def report_of(learner: CampaignLearner, layout: Layout) -> Report:
    """Return the report of a learner, to be written as JSON: with all rows, as of now."""
    judgement = learner.judgement
    selection = _selection(learner, layout)
    report: Report = {
        **judgement.summary(),
        "windows": {f"{days}d": curves_of(judgement, days) for days in WINDOWS_DAYS},
        "drift": _drift(judgement, learner.names),
        "calibrator": _calibrator(judgement),
        "selection": selection,
    }
    if learner.uplift is not None:
        report["uplift"] = uplift_of(learner.uplift)
    report["suggestions"] = _suggestions(learner, report)
    return report


def curves_of(judgement: Judgement, days: int) -> Report:
    """Return what each tenth of the scores has brought, and how often came what was promised."""
    quality = judgement.quality
    curves: Report = {
        "deciles": [
            {"rows": rows, "actual": actual, "predicted": predicted}
            for rows, actual, predicted in quality.deciles(days).tolist()
            if rows > 0.0
        ]
    }
    if isinstance(quality, ConversionQuality):
        curves["reliability"] = [
            {"rows": rows, "predicted": predicted / rows, "rate": actual / rows}
            for rows, actual, predicted in quality.groups(days).tolist()
            if rows > 0.0
        ]
    return curves


def _drift(judgement: Judgement, names: list[str]) -> Report:
    at_ms, stability = judgement.drift_at_ms, judgement.stability
    changed: dict[str, float] = {}
    if stability is not None:
        found = dict(zip(names, stability[1].tolist(), strict=False))
        worst = sorted(found, key=lambda name: (-found[name], name))[:NAMES_MAX]
        changed = {name: found[name] for name in worst if found[name] > INDEX_MAX}
    return {
        **judgement.alarms._asdict(),
        "last_alarm_of_residuals": None if at_ms < 0 else format_time(at_ms),
        "changed_inputs": changed,
    }


def _calibrator(judgement: Judgement) -> Report:
    weight, served, calibrated = judgement.quality.calibration()
    gain = judgement.gain
    known = gain is not None
    return {
        "weight": weight,
        "log_loss_served": served if known else None,
        "log_loss_calibrated": calibrated if known else None,
        "gain": gain,
        "would_help": known and gain is not None and gain >= GAIN_MIN,
        "is_served": False,
    }


def uplift_of(uplift: Uplift) -> Report:
    """Return what became of the customers of both arms, and what that says."""
    found = uplift.found
    return {
        **{name: {**arm._asdict(), "rate": arm.rate} for name, arm in uplift.arms.items()},
        "difference": None if found is None else found.estimate,
        "low": None if found is None else found.low,
        "high": None if found is None else found.high,
        "is_decisive": found is not None and found.is_decisive,
        "customers_needed": uplift.needed,
        "words": uplift.words,
    }


def evidence_of(learner: CampaignLearner) -> dict[str, float] | None:
    """Return, by column, the logarithm of how much likelier the rows are with its weight.

    That is w²/(2v) - ½ ln(v₀/v) of the posterior N(w, v) and the prior N(0, v₀); of a mixture, in
    its first expert. None for a learner that holds no covariance.
    """
    if not isinstance(learner.learner, DenseLearner | HurdleRegression):
        return None
    columns, numbers, arrays = learner.learner.to_state()
    size = len(columns) + 1
    variance = learner.learner.covariances[0].diagonal()
    noise = 1.0
    if learner.campaign.predict == "value" and numbers["noise_weight"] > 0.0:
        noise = max(numbers["noise_sum"] / numbers["noise_weight"], 1e-300)
    weights, prior = arrays["weights"][:size], arrays["prior"]
    return {
        name: _log_odds(weight, held, before, noise)
        for name, weight, held, before in zip(
            columns, _rest(weights), _rest(variance), _rest(prior), strict=True
        )
    }


def _rest(array: NDArray[np.float64]) -> list[float]:
    rest: list[float] = array[1:].tolist()
    return rest


def _log_odds(weight: float, variance: float, prior: float, noise: float) -> float:
    return weight * weight / (2.0 * variance * noise) - 0.5 * math.log(prior / variance)


def _selection(learner: CampaignLearner, layout: Layout) -> Report:
    evidence = evidence_of(learner)
    sources: dict[str, dict[str, float]] = {}
    for name, found in (evidence or {}).items():
        sources.setdefault(source_of(name, layout), {})[name] = found
    ranked = sorted(sources.items(), key=lambda item: (-max(item[1].values()), item[0]))
    return {
        "rows": learner.learner.rows_learned,
        "sources": {
            source: {"evidence": max(columns.values()), "columns": columns}
            for source, columns in ranked
        },
        "never_helped": [
            source
            for source, columns in ranked
            if max(columns.values()) <= 0.0 and source != ACTING  # Nobody can leave that out.
        ],
        "names_refused": learner.names_refused,
        "refused": learner.learner.columns_refused,
    }


def source_of(name: str, layout: Layout) -> str:
    """Return the source of a learner's column: the event type or the property that reasons name.

    A hinge `cart_add 1d >2` is of its column, a value `channel=app` of its family.
    """
    known = {column.name: column.source for column in layout.columns}
    family = name.partition("=")[0]
    return known.get(name) or known.get(name.rpartition(" >")[0]) or known.get(family, family)


def _suggestions(learner: CampaignLearner, report: Mapping[str, Report]) -> list[str]:
    found: list[str] = []
    judgement, drift, selection = learner.judgement, report["drift"], report["selection"]
    if judgement.is_silent:
        found.append(
            "No event of the goal has come for so long that the predictions leave it hardly a "
            "chance: look whether they still arrive."
        )
    if report["calibrator"]["would_help"]:
        share = 100.0 * report["calibrator"]["gain"]
        found.append(
            f"A calibrator would have lowered the log-loss of the last 28 days by {share:.1f} %: "
            "what reads the scores as probabilities may fit one to the reliability curve."
        )
    if drift["changed_inputs"]:
        found.append(
            f"Distributed otherwise than at first: {_listed(drift['changed_inputs'])}. "
            "Look whether what sends them has changed."
        )
    if selection["never_helped"] and selection["rows"] >= ROWS_MIN:
        found.append(
            f"Without weight in {selection['rows']:,} rows: {_listed(selection['never_helped'])}. "
            "A campaign without them learns as well, and faster."
        )
    if selection["refused"]:
        found.append(
            f"There was no column left for {_listed(selection['names_refused'])}: "
            "leave out what never helped, or categories with many values."
        )
    return found


def _listed(names: Any) -> str:
    listed = [f"`{name}`" for name in names]
    more = len(listed) - NAMES_MAX
    return ", ".join(listed[:NAMES_MAX]) + (f" and {more:,} more" if more > 0 else "")
