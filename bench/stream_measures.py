"""What is measured on a stream whose truth is known: against an oracle, a refit and the truth.

Owns: the measures of late answers, of the days after a drift, and of calibration by the week.
Never: a label where the probability behind it is known, but for what is to be seen beside it.
Source: the expected log-loss of q under the truth p is -(p ln q + (1 - p) ln(1 - q)).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from bench.delayed_stream import LATE_DAYS, ORACLE, START_MS, Stream
from bench.replays import feature_names, read_examples
from bench.verdicts import Floats
from schemas.times import DAY_MS

WINDOW_DAYS: Final = 7
POSITIVES_MIN: Final = 500
FIRST_DAY: Final = max(LATE_DAYS.values()) + WINDOW_DAYS + 1  # All have learned for a week.
WATCHED_DAYS: Final = 21  # So long is it watched whether a drift has been caught up with.
WITHIN: Final = 0.01
REFITTED_ON_DAYS: Final = 28  # What matured in four weeks: on all rows, it would learn no drift.


@dataclass(frozen=True)
class Late:
    """How a campaign with late answers fared on one seed; each array has a number per week.

    `worse_when_known` leaves out the days after the drift on which no late label could tell of it,
    and `drift_cost` is what it cost on those, above the truth itself. `unavoidable` is by how much
    one who knows the truth but on those days is above one who always does. `rate_alone` is what
    one predicts, per expected, who knows all effects, and the rate from all matured labels.
    """

    worse: float
    worse_before_drift: float
    worse_when_known: float
    drift_cost: float
    unavoidable: float
    days_behind: int
    worst_day: float
    before_drift_per_expected: Floats
    predicted_per_expected: Floats
    predicted_per_actual: Floats
    truth_per_actual: Floats
    rate_alone: Floats


def read_answers(out: Path, stream: Stream) -> dict[str, pd.DataFrame]:
    """Return each campaign's rows, in the order of visits, with the columns `day` and `truth`."""
    answers = {}
    for name in (ORACLE, *LATE_DAYS):
        rows = read_examples(out, name)
        visit = rows["event_id"].astype(int)
        rows = rows.assign(
            day=(rows["as_of_ms"] - START_MS) // DAY_MS, truth=stream.truth[visit.to_numpy()]
        )
        rows = rows.set_index(visit).sort_index()
        assert np.array_equal(rows["label"] > 0.0, stream.converts[rows.index])
        answers[name] = rows
    return answers


def expected_loss(truth: Floats, probability: Floats) -> Floats:
    """Return the log-loss to be expected of each probability, where the truth is known."""
    loss: Floats = -truth * np.log(probability) - (1.0 - truth) * np.log1p(-probability)
    return loss


def late_verdict(stream: Stream, answers: dict[str, pd.DataFrame], name: str) -> Late:
    """Judge a campaign of the stream on the rows that matured in all campaigns."""
    rows = answers[name]
    both = rows.index.intersection(answers[ORACLE].index)
    ours, oracle = rows.loc[both], answers[ORACLE].loc[both]
    asked = (ours["day"] >= FIRST_DAY).to_numpy()
    calm = asked & (ours["day"] < stream.drift_day).to_numpy()
    due = stream.drift_day + LATE_DAYS[name]
    unknown = ours["day"].between(stream.drift_day, due - 1).to_numpy()
    above = above_by_day(stream, rows, LATE_DAYS[name])
    ideal = ours.assign(probability=ours["truth"])
    unaware = ideal.assign(probability=ours["truth"].where(~unknown, ours["probability"]))
    return Late(
        worse=_worse(ours[asked], oracle[asked]),
        worse_before_drift=_worse(ours[calm], oracle[calm]),
        worse_when_known=_worse(ours[asked & ~unknown], oracle[asked & ~unknown]),
        drift_cost=_worse(ours[unknown], ideal[unknown]),
        unavoidable=_worse(unaware[asked], ideal[asked]),
        days_behind=days_behind(above),
        worst_day=float(above.max()),
        before_drift_per_expected=weekly(ours[calm])["predicted_per_expected"],
        rate_alone=rate_alone(rows),
        **weekly(ours[asked]),
    )


def _worse(ours: pd.DataFrame, oracle: pd.DataFrame) -> float:
    """Return by which share the expected log-loss of one is above the other's, on equal rows."""
    loss, best = (
        expected_loss(rows["truth"].to_numpy(), rows["probability"].to_numpy()).mean()
        for rows in (ours, oracle)
    )
    return float(loss / best - 1.0)


def rate_alone(rows: pd.DataFrame) -> Floats:
    """Return the labels per expected label of all rows matured by each midnight that is asked."""
    closed = (rows["closed_at_ms"] - START_MS) // DAY_MS
    sums = rows.groupby(closed)[["label", "truth"]].sum().cumsum()
    sums = sums[sums.index >= FIRST_DAY - 1]
    ratio: Floats = (sums["label"] / sums["truth"]).to_numpy(np.float64)
    return ratio


def above_by_day(stream: Stream, rows: pd.DataFrame, late_days: int) -> Floats:
    """Return by which share our log-loss is above a daily refit's, for each day of late labels.

    Day 0 begins when the first label of a visit after the drift is due.
    """
    due = stream.drift_day + late_days
    days = range(due, min(due + WATCHED_DAYS, int(rows["day"].max()) + 1))
    features = rows[feature_names(rows.drop(columns=["day", "truth"]))].to_numpy(np.float64)
    features = features[:, features.min(axis=0) < features.max(axis=0)]
    above = []
    for day in days:
        asked = (rows["day"] == day).to_numpy()
        truth, ours = (rows[name].to_numpy()[asked] for name in ("truth", "probability"))
        theirs = refit(rows, features, day, REFITTED_ON_DAYS)(features[asked])
        above.append(expected_loss(truth, ours).mean() / expected_loss(truth, theirs).mean() - 1.0)
    return np.array(above)


def refit(rows: pd.DataFrame, features: Floats, day: int, span_days: int) -> Any:
    """Return what predicts after learning the rows that matured in the days before `day`."""
    midnight_ms = START_MS + day * DAY_MS
    ago_ms = midnight_ms - rows["closed_at_ms"].to_numpy()
    known = (ago_ms >= 0) & (ago_ms < span_days * DAY_MS)
    model = LogisticRegression(solver="newton-cholesky", max_iter=200)
    model.fit(features[known], rows["label"].to_numpy()[known])
    return lambda asked: np.asarray(model.predict_proba(asked)[:, 1], np.float64)


def days_behind(above: Floats) -> int:
    """Return after how many days the share stays within 1 %.

    >>> days_behind(np.array([0.0, 0.05, 0.02, 0.009, 0.0]))
    3
    >>> days_behind(np.array([0.0, 0.01]))
    0
    """
    beyond = np.flatnonzero(above > WITHIN)
    return int(beyond[-1]) + 1 if len(beyond) else 0


def weekly(rows: pd.DataFrame) -> dict[str, Floats]:
    """Return predicted over expected and over actual of any seven days with enough positives."""
    by_day = rows.groupby("day")[["probability", "truth", "label"]].sum()
    weeks = by_day.rolling(WINDOW_DAYS).sum().dropna()
    weeks = weeks[weeks["label"] >= POSITIVES_MIN]
    said, truth, label = (weeks[name].to_numpy() for name in ("probability", "truth", "label"))
    return {
        "predicted_per_expected": said / truth,
        "predicted_per_actual": said / label,
        "truth_per_actual": truth / label,
    }
