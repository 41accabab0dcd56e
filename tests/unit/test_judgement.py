"""Judgement: silence, the calibrator, and going on from a state.

Owns: when learning pauses, and that a judgement is restored to the bit.
Never: judges a learner; the two ways of learning a row are held equal in tests/property.
Source: Bernoulli streams with a fixed seed; tests/unit/test_drift.py has the alarms.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.bayesian_logistic import BayesianLogisticRegression
from models.judgement import GAIN_MIN, Judgement, JudgementStateError, Settled
from models.quality import DAY_MS
from tests.settled_rows import START_MS, judged, settled, silent, with_inputs


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


def test_of_an_absence_those_who_come_back_are_heard() -> None:
    """P(nobody comes back) is Π p: lapses without end are a dead stream, and no lapse is none.

    1 says that nobody came. Were lapses listened to, a stream of purchases that has died would be
    heard as one lapse after the other, and learned: everybody would be about to leave.
    """
    lapses, returns = judged(absence=True), judged(absence=True)
    for customer in range(13):
        assert not silent(lapses)
        assert lapses.silence_log10 == pytest.approx(customer * math.log10(0.5))
        lapses.add(settled(customer, 1.0, 0.5))
        returns.add(settled(customer, 0.0, 0.5))
    lapses.add(settled(13, 1.0, 0.5))
    assert silent(lapses)
    assert lapses.rows_silent == 1
    assert returns.silence_log10 == 0.0
    lapses.add(settled(14, 1.0, None))
    assert silent(lapses)
    lapses.add(settled(15, 0.0, None))
    assert not silent(lapses)


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


def test_a_silent_row_teaches_nothing_about_answers() -> None:
    """A dead stream counts for quality; it neither moves the calibrator nor looks like drift."""
    judgement = judged()
    for customer in range(3000):
        judgement.add(settled(customer, float(customer % 2), 0.5))
    weight, *losses = judgement.quality.calibration()
    for customer in range(3000, 6000):
        judgement.add(settled(customer, 0.0, 0.5))
    heard = 6000 - judgement.rows_silent
    assert heard < 3020
    assert judgement.quality.window(1).rows == 6000
    assert judgement.quality.calibration()[0] == heard >= weight == 3000.0
    assert judgement.quality.calibration()[1:] == pytest.approx(losses, abs=0.01)
    assert judgement.alarms.residuals == 0


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
