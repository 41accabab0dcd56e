"""The rivals of the backtest play fair: none of them sees a label before it was known.

Owns: what a rival may know and when, the measures, and the table of verdicts.
Never: needs a data set or a replay.
Source: bench/README.md, "Quality".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from river import linear_model, preprocessing

from bench import rivals
from bench.river_rival import as_it_comes
from bench.tasks import TASKS, Task, in_split
from bench.verdicts import Floats, calibration_error, judge, judge_value, table
from schemas.times import DAY_MS, HOUR_MS, parse_time

START_MS = parse_time("2026-01-01T00:00:00Z")
DAYS = 100
Rival = Callable[[pd.DataFrame, Task, Floats], Floats]


def rows_and_task() -> tuple[pd.DataFrame, Floats, Task]:
    """Return a row a day that closes two days later; those of days 70 to 98 are asked."""
    as_of = START_MS + np.arange(DAYS) * DAY_MS
    x = np.sin(np.arange(DAYS)).reshape(-1, 1)
    rows = pd.DataFrame(
        {"as_of_ms": as_of, "closed_at_ms": as_of + 2 * DAY_MS, "label": (x[:, 0] > 0) * 1.0}
    )
    return rows, x, Task("s", "c", "asked", int(as_of[70]), int(as_of[99]))


@pytest.mark.parametrize("rival", [rivals.logistic_regression, rivals.linear_regression])
def test_a_batch_model_learns_only_what_has_matured(rival: Rival) -> None:
    """Labels that close after the refit turn around without changing what was predicted.

    day    0 … 68 closed ─ 70 refit ─ 71 … labels turn around
    """
    rows, x, task = rows_and_task()
    first = rival(rows, task, x)
    turned = rows.assign(label=rows["label"].where(rows["closed_at_ms"] <= task.start_ms, 0.0))
    assert np.array_equal(first, rival(turned, task, x))
    assert len(first) == in_split(rows, task).sum() == 29
    known = rows.assign(label=rows["label"].where(rows["closed_at_ms"] > task.start_ms, 0.0))
    known.loc[:9, "label"] = 1.0
    assert not np.array_equal(first, rival(known, task, x))


def test_the_base_rate_is_that_of_the_last_refit() -> None:
    """A second refit knows the rows that matured after the first."""
    rows, _, _ = rows_and_task()
    longer = Task("s", "c", "asked", int(rows["as_of_ms"][60]), int(rows["as_of_ms"][99]))
    found = rivals.base_rate(rows, longer)
    assert found[0] == found[29] == rows["label"][:59].mean()
    assert found[30] == rows["label"][:89].mean()


def test_the_penalty_is_chosen_on_rows_before_the_split() -> None:
    """Turning around every label that closes later changes no choice."""
    draw = np.random.default_rng(1)
    rows, _, task = rows_and_task()
    noise = draw.normal(size=(DAYS, 30))
    chosen = rivals.chosen_penalty(rows, task, noise)
    turned = rows.assign(label=rows["label"].where(rows["closed_at_ms"] <= task.start_ms, 0.0))
    assert rivals.chosen_penalty(turned, task, noise) == chosen == min(rivals.PENALTIES)


def timeline() -> tuple[pd.DataFrame, pd.DataFrame, Floats]:
    """Return three rows, an hour apart, that close a day later.

    hour   0      1      2      3              24        25        26
           ask    ask    ask    yes of the 2nd no of 1st           no of 3rd
    """
    as_of = START_MS + np.arange(3) * HOUR_MS
    rows = pd.DataFrame(
        {"as_of_ms": as_of, "closed_at_ms": as_of + DAY_MS, "label": [0.0, 1.0, 0.0]}
    )
    answered = np.array([np.nan, START_MS + 3.0 * HOUR_MS, np.nan])
    return rows, pd.DataFrame({"x": [1.0, 2.0, 3.0]}), answered


def later(hour: float, rows: pd.DataFrame, x: pd.DataFrame, answered: Floats) -> float:
    """Return what River says of a fourth row, asked at `hour`."""
    at_ms = START_MS + int(hour * HOUR_MS)
    fourth = pd.DataFrame({"as_of_ms": [at_ms], "closed_at_ms": [at_ms + DAY_MS], "label": [0.0]})
    said = as_it_comes(
        pd.concat([rows, fourth], ignore_index=True),
        pd.concat([x, pd.DataFrame({"x": [2.5]})], ignore_index=True),
        np.append(answered, np.nan),
        predicts_value=False,
    )
    return float(said[3])


def test_river_learns_conversions_when_they_come_and_all_else_at_the_deadline() -> None:
    """It is River's own pipeline in that order, and predicts before what comes at the same time."""
    rows, x, answered = timeline()
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression()

    def says() -> float:
        return float(model.predict_proba_one({"x": 2.5})[True])

    assert later(3.0, rows, x, answered) == says() == 0.5
    model.learn_one({"x": 2.0}, True)
    assert later(3.1, rows, x, answered) == later(24.0, rows, x, answered) == says()
    model.learn_one({"x": 1.0}, False)
    assert later(24.5, rows, x, answered) == says()
    model.learn_one({"x": 3.0}, False)
    assert later(27.0, rows, x, answered) == says()


def test_river_sees_no_label_before_it_is_known() -> None:
    """What is answered later, or closes later, has no part in a prediction."""
    rows, x, answered = timeline()
    other = rows.assign(label=[1.0, 1.0, 1.0])
    also = np.array([START_MS + 20.0 * HOUR_MS, answered[1], START_MS + 22.0 * HOUR_MS])
    assert later(19.0, rows, x, answered) == later(19.0, other, x, also)
    assert later(21.0, rows, x, answered) != later(21.0, other, x, also)


def test_river_learns_a_value_at_the_deadline() -> None:
    """A sum that is still growing is not known when its first part has come, after three hours."""
    rows, x, answered = timeline()
    worth = rows.assign(label=[0.0, 50.0, 0.0])
    asked = [worth.assign(as_of_ms=worth["as_of_ms"] + hours * HOUR_MS) for hours in (0, 10, 27)]
    said = as_it_comes(
        pd.concat(asked), pd.concat([x] * 3), np.concatenate([answered] * 3), predicts_value=True
    )
    assert said[:6].tolist() == [0.0] * 6
    assert all(said[6:] != 0.0)


def test_the_measures() -> None:
    """A calibrated guess has no calibration error; a sharp one has the greatest AUC."""
    label = np.tile([0.0, 0.0, 0.0, 1.0], 15)
    quarter = np.full(60, 0.25)
    assert calibration_error(label, quarter) == pytest.approx(0.0)
    even = judge("c", "batch, hand-made features", label, quarter)
    assert even.auc == 0.5
    assert even.loss == pytest.approx(-(0.25 * np.log(0.25) + 0.75 * np.log(0.75)))
    assert judge("c", "as served", label, np.where(label == 1, 0.9, 0.1)).auc == 1.0
    worth = judge_value("v", "as served", np.array([0.0, 6.0]), np.array([3.0, 3.0]))
    assert (worth.loss, worth.predicted_per_actual, worth.positives) == (3.0, 1.0, 1)


def test_the_table_compares_with_the_better_batch_model() -> None:
    """Each verdict is a line, and a task is named once."""
    label, half = np.array([0.0, 1.0] * 30), np.full(60, 0.5)
    good, better = (np.where(label == 1, p, 1 - p) for p in (0.8, 0.9))
    found = [
        judge("c", "base rate", label, half),
        judge("c", "batch, hand-made features", label, good),
        judge("c", "batch, same features", label, better),
    ]
    lines = table(found, {"c": "bought within 7 d"}).splitlines()
    assert lines[2] == (
        "| bought within 7 d, 60, 30 | base rate | 0.6931 | 6.579 | 0.500 | 0.000 | 1.000 |"
    )
    assert lines[4] == "|  | batch, same features | 0.1054 | 1.000 | 1.000 | 0.093 | 1.000 |"
    assert len(lines) == 5
    spent = judge_value("v", "batch", np.array([0.0, 60.0]), np.array([1e9, 1e9]))
    assert table([spent], {"v": "spent"}).endswith("| batch | 1.0e+09 | 1.000 | – | – | 3.3e+07 |")


def test_every_task_asks_once() -> None:
    """No campaign is judged twice."""
    assert len({task.campaign for task in TASKS}) == len(TASKS)
