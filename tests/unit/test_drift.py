"""Drift: alarms of residuals, scores and inputs, on streams whose truth is known.

Owns: what each alarm means, when it comes, and that it does not come without a cause.
Never: judges a learner, or does anything about an alarm.
Source: River's drift.ADWIN as the judge of ours; Bernoulli streams with a fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from river import drift

from models.bayesian_logistic import BayesianLogisticRegression
from models.judgement import Settled
from models.kernel_adwin import COUNT, DELTA, TOTAL, new_adwin, take_number
from models.kernel_stability import cell_of
from models.kernels_learner import Floats
from models.quality import DAY_MS
from tests.settled_rows import START_MS, judged, settled, with_inputs


def stream(
    days: int, rows_per_day: int, seed: int, *, drift_day: int = 10**6, fall: float = 0.5
) -> Iterator[Settled]:
    """Rows of a calibrated model whose conversions fall to a share from a day on."""
    random = np.random.default_rng(seed)
    for number in range(days * rows_per_day):
        day = number // rows_per_day
        served = 1.0 / (1.0 + math.exp(3.2 - random.normal()))
        label = float(random.random() < served * (fall if day >= drift_day else 1.0))
        at_ms = START_MS + number * DAY_MS // rows_per_day
        yield settled(int(random.integers(2**63)), label, served, at_ms)


def learned_stream(days: int, seed: int, *, drift_day: int = 10**6) -> Iterator[Settled]:
    """Rows of a learner that learns each day's at its end, from customers who come again.

    What sets a customer apart is nothing that the learner sees: the answers of one are alike. At
    the drift half of the conversions cease.
    """
    random = np.random.default_rng(seed)
    model = BayesianLogisticRegression(rate=0.05)
    for place in range(3):
        model.index(f"c{place}")
    apart = random.normal(size=3000)
    for day in range(days):
        seen = []
        for number in range(1000):
            customer = int(random.integers(3000))
            row = np.concatenate([[1.0], random.normal(size=3)])
            logit = -3.2 + row[1] - 0.5 * row[2] + apart[customer]
            keep = 0.5 if day >= drift_day else 1.0
            label = float(random.random() < keep / (1.0 + math.exp(-logit)))
            at_ms = START_MS + day * DAY_MS + number * DAY_MS // 1000
            yield settled(customer, label, model.predict_row(row), at_ms)
            seen.append((row, label))
        for row, label in seen:
            model.learn_row(row, label)
        model.advance(1.0)


def alarm_days(rows: Iterator[Settled], horizon_ms: int = DAY_MS) -> list[int]:
    """The days of the alarms of residuals."""
    judgement, found, seen = judged(horizon_ms), [], 0
    for row in rows:
        judgement.add(row)
        if judgement.alarms.residuals > seen:
            seen = judgement.alarms.residuals
            found.append((row.closed_at_ms - START_MS) // DAY_MS)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_no_drift_gives_no_alarm_in_a_month(seed: int) -> None:
    """In 30 days without drift there is at most one false alarm."""
    assert len(alarm_days(stream(30, 1000, seed))) <= 1


@pytest.mark.parametrize("seed", range(4))
def test_a_drift_alarms_within_days(seed: int) -> None:
    """When conversions fall to a half, matured labels of four days are enough for an alarm."""
    days = alarm_days(stream(24, 1000, seed, drift_day=15))
    assert min(day for day in days if day >= 15) <= 18
    assert sum(day < 15 for day in days) <= 1


@pytest.mark.parametrize("seed", range(3))
def test_a_learner_that_learns_drifts_only_when_the_world_does(seed: int) -> None:
    """Also of a learner, and of customers whose answers are alike, few alarms come without cause.

    A customer counts once in three days; the learner's first, wrong days may be one alarm.
    """
    horizon_ms = 3 * DAY_MS
    assert len(alarm_days(learned_stream(30, seed), horizon_ms)) <= 1
    days = alarm_days(learned_stream(21, seed, drift_day=14), horizon_ms)
    assert min(day for day in days if day >= 14) <= 18


def test_an_alarm_of_values_comes_from_their_relative_residual() -> None:
    """Whatever the scale of the values, a change of half of them alarms, and none does not."""
    random = np.random.default_rng(3)
    judgement = judged(predict="value")
    for number in range(20_000):
        value = 1e6 * random.gamma(2.0) * (0.5 if number >= 15_000 else 1.0)
        judgement.add(settled(number, value, 2e6, START_MS + number * 60_000))
        if number == 14_999:
            assert judgement.alarms.residuals == 0
    assert judgement.alarms.residuals > 0
    assert judgement.drift_at_ms >= START_MS + 15_000 * 60_000


def window_of(numbers: Floats) -> tuple[int, float, float]:
    """Alarms, size and mean of our window after some numbers."""
    adwin, alarms = new_adwin(), 0
    for number in numbers.tolist():
        alarms += take_number(adwin, number)
    return alarms, adwin.whole[COUNT], adwin.whole[TOTAL] / adwin.whole[COUNT]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("step", [0.0, 0.1, 0.4])
def test_the_window_is_that_of_rivers_adwin(seed: int, step: float) -> None:
    """Our compiled window alarms where River's does, and keeps the same rows but for a bucket.

    River's bound takes a few rows off either side, so it may drop a bucket (of 1,024) more.
    """
    random = np.random.default_rng(seed)
    chances = np.where(np.arange(12_000) < 6_000, 0.3, 0.3 + step)
    numbers = (random.random(12_000) < chances).astype(np.float64)
    make: Any = drift.ADWIN
    other, changes = make(delta=DELTA), 0
    for number in numbers.tolist():
        other.update(number)
        changes += other.drift_detected
    alarms, size, mean = window_of(numbers)
    assert (alarms > 0) == (changes > 0) == (step > 0)
    assert mean == pytest.approx(other.estimation, abs=0.02)
    assert abs(size - other.width) <= 2048
    assert abs(size - (6_000 if step else 12_000)) <= 1024


def test_the_window_holds_what_it_says() -> None:
    """Sum and spread of the window are those of the newest numbers, exactly as many as it has."""
    random = np.random.default_rng(2)
    numbers = random.random(5000) * np.where(np.arange(5000) < 2000, 1.0, 0.5)
    adwin = new_adwin()
    for number in numbers.tolist():
        take_number(adwin, number)
    size = int(adwin.whole[COUNT])
    assert 2500 < size < 3500  # What is older than the change was dropped.
    assert adwin.whole[TOTAL] == pytest.approx(numbers[-size:].sum())
    assert adwin.whole[2] == pytest.approx(((numbers[-size:] - numbers[-size:].mean()) ** 2).sum())


def test_what_is_distributed_as_at_first_does_not_alarm() -> None:
    """Scores and inputs of ten weeks without a change stay far below the alarm."""
    judgement = judged()
    with_inputs(judgement, 0, 14_000, 0.0)
    assert judgement.stability is not None
    scores, inputs = judgement.stability
    assert 0.0 < scores < 0.05
    assert 0.0 < inputs.max() < 0.05
    assert (judgement.alarms.scores, judgement.alarms.inputs) == (0, 0)


def test_a_shift_of_scores_and_inputs_alarms_once() -> None:
    """A lasting shift alarms once for the scores and once for the inputs, and says which input."""
    judgement = judged()
    with_inputs(judgement, 0, 3000, 0.0)
    with_inputs(judgement, 3000, 9000, 1.0)
    assert judgement.stability is not None
    scores, inputs = judgement.stability
    assert scores > 0.25
    assert inputs[0] > 0.25 > inputs[3]
    assert (judgement.alarms.scores, judgement.alarms.inputs) == (1, 1)


def test_what_only_grows_alarms_nobody() -> None:
    """The tenure of customers, and what is counted of their whole life, changes by its nature."""
    judgement = judged()
    judgement.know(0, "cart_add all")
    judgement.know(3, "cart_add 7d")
    with_inputs(judgement, 0, 3000, 0.0)
    with_inputs(judgement, 3000, 9000, 1.0)
    assert judgement.alarms.inputs == 0
    assert judgement.stability is not None
    assert judgement.stability[1][0] == 0.0 < judgement.stability[1][3] < 0.05


def test_the_reference_waits_until_a_model_is_ready() -> None:
    """Rows that were served by an unreliable model are no reference."""
    judgement = judged()
    with_inputs(judgement, 0, 3000, 1.0, ready=False)
    assert judgement.summary()["stability_scores"] is None
    with_inputs(judgement, 3000, 9000, 0.0)
    assert judgement.stability is not None
    assert judgement.stability[1].max() < 0.05


def test_the_index_is_the_definition() -> None:
    """An input of two values has the index of two bins."""
    judgement = judged()
    random = np.random.default_rng(4)
    shares = []
    for first, share in ((0, 0.2), (1500, 0.5)):
        ones = random.random(1500) < share
        shares.append(ones.mean())
        for number, one in enumerate(ones.tolist(), first):
            at_ms = START_MS + min(
                number % 1500 * DAY_MS // 200, 7 * DAY_MS * (number % 1500 > 1498)
            )
            row = Settled(at_ms + first // 1500 * 8 * DAY_MS, 1.0, 0.5, 1.0, number,
                          np.zeros(1, np.int32), np.array([float(one)]))  # fmt: skip
            judgement.add(row)
    before, now = shares
    expected = (now - before) * math.log(now / before)
    expected += (before - now) * math.log((1 - now) / (1 - before))
    assert judgement.stability is not None
    assert judgement.stability[1][0] == pytest.approx(expected)


def test_cells_ascend_with_the_value() -> None:
    """Whatever the value, it has a cell; a greater one has none before it, and 0 has its own."""
    values = np.concatenate([np.linspace(-30, 30, 7001), [1e-9, -1e-9, 1e300, -1e300]])
    values.sort()
    cells = [cell_of(value) for value in values.tolist()]
    assert cells == sorted(cells)
    assert (min(cells), max(cells)) == (0, 61)
    assert {cell_of(value) for value in (-1e-9, 0.0, 1e-9)} == {11, 12, 13}
