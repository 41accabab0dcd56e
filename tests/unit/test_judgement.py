"""Judgement: silence, drift, stability and the calibrator, on streams whose truth is known.

Owns: what each alarm means, when it comes, and that it does not come without a cause.
Never: judges a learner; the two ways of learning a row are held equal in tests/property.
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
from models.judgement import GAIN_MIN, Judgement, JudgementStateError, Settled
from models.kernel_adwin import COUNT, DELTA, TOTAL, new_adwin, take_number
from models.kernel_stability import cell_of
from models.kernels_learner import Floats
from models.quality import DAY_MS

START_MS = 20_000 * DAY_MS
NO_PLACES, NO_VALUES = np.zeros(0, np.int32), np.zeros(0)


def judged(horizon_ms: int = DAY_MS, predict: str = "conversion") -> Judgement:
    """Return a judgement that has seen nothing."""
    return Judgement(predict, horizon_ms)


def settled(customer: int, label: float, served: float | None, at_ms: int = START_MS) -> Settled:
    """Return a row without features."""
    return Settled(at_ms, label, served, 1.0, customer, NO_PLACES, NO_VALUES)


def silent(judgement: Judgement) -> bool:
    """Return whether answers are silent by now."""
    return judgement.is_silent


def test_silence_is_the_product_of_what_was_predicted() -> None:
    """P(no conversion) is Π (1 - p) over the rows since the last one, and pauses below 1e-4."""
    judgement = judged()
    judgement.add(settled(0, 1.0, 0.5))
    predictions = [0.3, 0.5, 0.9, 0.2, 0.9, 0.6, 0.4]
    for customer, served in enumerate(predictions, 1):
        assert not silent(judgement)
        judgement.add(settled(customer, 0.0, served))
        chance = math.log10(math.prod(1 - p for p in predictions[:customer]))
        assert judgement.silence_log10 == pytest.approx(chance)
    judgement.add(settled(8, 0.0, 0.9))
    assert silent(judgement)
    assert judgement.rows_silent == 1
    assert judgement.summary()["pauses"] == 1
    judgement.add(settled(9, 1.0, None))  # An answer is one, whatever was served to it.
    assert not silent(judgement)
    assert judgement.silence_log10 == 0.0


def test_a_customer_is_one_witness_in_a_horizon() -> None:
    """A hundred rows of one customer say no more than one; in the next horizon it is heard again.

    A customer who is scored at every event has a hundred rows with one and the same answer: taken
    for independent they would pause every such campaign.
    """
    judgement = judged(7 * DAY_MS)
    for hour in range(100):
        judgement.add(settled(1, 0.0, 0.5, START_MS + hour * 3_600_000))
    assert judgement.silence_log10 == pytest.approx(math.log10(0.5))
    judgement.add(settled(1, 0.0, 0.5, START_MS + 7 * DAY_MS))
    assert judgement.silence_log10 == pytest.approx(2 * math.log10(0.5))


def test_a_value_is_never_silent() -> None:
    """Of an expected value nobody can say how likely nothing is."""
    judgement = judged(predict="value")
    for customer in range(5000):
        judgement.add(settled(customer, 0.0, 5.0))
    assert not silent(judgement)
    assert judgement.summary()["silence_log10"] is None


def test_a_rate_that_falls_is_learned_in_spite_of_pauses() -> None:
    """After a fall to a tenth a model comes down nearly as one that was never paused.

    What is learned of a gap ends where it is too long for the old rate; the lower the prediction,
    the longer the gaps that are believed.
    """
    random = np.random.default_rng(5)
    judgement, model = judged(), BayesianLogisticRegression(rate=0.05)
    other = BayesianLogisticRegression(rate=0.05)
    row = np.ones(1)
    for number in range(60_000):
        served = model.predict_row(row)
        label = float(random.random() < (0.05 if number < 10_000 else 0.005))
        judgement.add(settled(number, label, served, START_MS + number * 60_000))
        other.learn_row(row, label)
        if not silent(judgement):
            model.learn_row(row, label)
    assert judgement.rows_silent > 0
    ratio = model.predict_row(row) / other.predict_row(row)
    assert 1.0 < ratio < 1.25


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


def alarm_days(rows: Iterator[Settled]) -> list[int]:
    """The days of the alarms of residuals."""
    judgement, found, seen = judged(), [], 0
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
    numbers = random.random(5000)
    adwin = new_adwin()
    for number in numbers.tolist():
        take_number(adwin, number)
    size = int(adwin.whole[COUNT])
    assert adwin.whole[TOTAL] == pytest.approx(numbers[-size:].sum())
    assert adwin.whole[2] == pytest.approx(((numbers[-size:] - numbers[-size:].mean()) ** 2).sum())


def with_inputs(
    judgement: Judgement, first: int, stop: int, shift: float, *, ready: bool = True
) -> None:
    """Add rows of 200 a day whose first input is shifted; another is often zero."""
    random = np.random.default_rng(first)
    places = np.array([0, 3, -1], np.int32)
    for number in range(first, stop):
        values = np.array([1.5 + shift + random.normal(), random.random() < 0.2, 7.0])
        served = 1.0 / (1.0 + math.exp(3.0 - shift - random.normal()))
        label = float(random.random() < served)
        at_ms = START_MS + number * DAY_MS // 200
        judgement.add(Settled(at_ms, label, served, 1.0, number, places, values, ready=ready))


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


@pytest.mark.parametrize(("slope", "helps"), [(1.0, False), (0.5, True), (2.0, True)])
def test_a_calibrator_is_reported_where_it_would_help(slope: float, helps: bool) -> None:
    """Log-odds that are too wide or too narrow would gain, right ones would not."""
    random = np.random.default_rng(9)
    judgement = judged()
    for number in range(20_000):
        logit = 1.5 * random.normal() - 1.0
        label = float(random.random() < 1.0 / (1.0 + math.exp(-slope * logit)))
        served = 1.0 / (1.0 + math.exp(-logit))
        judgement.add(settled(number, label, served, START_MS + number * 60_000))
    assert judgement.gain is not None
    assert (judgement.gain > GAIN_MIN) == helps
    assert judgement.gain > -0.001


def bits(judgement: Judgement) -> list[bytes]:
    """Return a judgement's state, and that of its quality, as bytes."""
    held = [judgement.to_state(), judgement.quality.to_state()]
    return [
        part
        for numbers, arrays in held
        for part in (repr(numbers).encode(), *(array.tobytes() for array in arrays.values()))
    ]


@pytest.mark.parametrize("cut", [1, 700, 2500, 5999])
def test_a_judgement_goes_on_bit_for_bit(cut: int) -> None:
    """Restored anywhere, in a reference, a span or a silence, it ends with the same bits."""
    steady, first, second = judged(), judged(), judged()
    with_inputs(steady, 0, cut, 0.5)
    with_inputs(first, 0, cut, 0.5)
    for number in range(40):
        for judgement in (steady, first):
            judgement.add(settled(10**6 + number, 0.0, 0.3, START_MS + cut * DAY_MS // 200))
    assert silent(first)
    second.from_state(*first.to_state())
    second.quality.from_state(*first.quality.to_state())
    for judgement in (steady, second):
        with_inputs(judgement, cut, 7000, -0.5)
    assert bits(steady) == bits(second)
    assert steady.summary() == second.summary()


def test_an_older_state_begins_anew_and_a_foreign_one_is_refused() -> None:
    """A state from before there was a judgement holds none; another format or shape is refused."""
    judgement, fresh = judged(), judged()
    with_inputs(judgement, 0, 100, 0.0)
    numbers, arrays = judgement.to_state()
    for wrong in (
        ({**numbers, "format": 2.0}, arrays),
        (numbers, {**arrays, "heard": arrays["heard"][1:]}),
        (numbers, {**arrays, "stability_places": np.array([10**6])}),
    ):
        with pytest.raises(JudgementStateError):
            judged().from_state(*wrong)
    judgement.from_state({}, {})
    judgement.quality.from_state(*fresh.quality.to_state())
    assert bits(judgement) == bits(fresh)


def test_the_state_stays_small() -> None:
    """With 256 inputs of every value on every row, a judgement keeps under 256 KiB."""
    random = np.random.default_rng(1)
    judgement = judged()
    places = np.arange(256, dtype=np.int32)
    for number in range(4000):
        values = random.normal(size=256) * 4.0
        row = Settled(START_MS + number * DAY_MS // 200, float(number % 9 == 0), 0.1, 1.0, number,
                      places, values)  # fmt: skip
        judgement.add(row)
    assert sum(array.nbytes for array in judgement.to_state()[1].values()) < 256 * 1024
