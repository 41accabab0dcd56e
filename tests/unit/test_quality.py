"""Quality: measures against scikit-learn's, windows, status, percentiles, state.

Owns: what quality means on chosen data.
Never: measures a learner.
Source: scikit-learn's metrics as the judge.
"""

import math

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    log_loss,
    mean_absolute_error,
    roc_auc_score,
)

from models.distinct_counts import DistinctCounts
from models.kernels_learner import Floats
from models.quality import (
    DAY_MS,
    ConversionQuality,
    Quality,
    QualityStateError,
    ValueQuality,
    Window,
    make_quality,
    status,
)
from models.recent_predictions import RecentPredictions

START_MS = 20_000 * DAY_MS


def served(
    count: int, rate_logit: float, spread: float, seed: int = 5, slope: float = 1.0
) -> tuple[Floats, Floats]:
    """Return labels and probabilities; the truth has `slope` times the spread of the logits."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=count) * spread
    labels = random.random(count) < 1 / (1 + np.exp(-(rate_logit + slope * logits)))
    return labels.astype(float), 1 / (1 + np.exp(-(rate_logit + logits)))


def counted(labels: Floats, probabilities: Floats) -> ConversionQuality:
    """Return quality after the rows, spread evenly over 28 days."""
    quality = ConversionQuality()
    for number, (label, probability) in enumerate(zip(labels, probabilities, strict=True)):
        quality.add(START_MS + number * 28 * DAY_MS // len(labels), label, probability)
    return quality


@pytest.mark.parametrize("spread", [0.15, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("slope", [0.3, 1.0, 4.0])
def test_auc_is_right_to_two_thousandths_at_one_percent(spread: float, slope: float) -> None:
    """At about 1 % positives the binned AUC is within 0.002 of the exact one."""
    labels, probabilities = served(60_000, -5.0, spread, slope=slope)
    auc = counted(labels, probabilities).window(28).measures["auc"]
    assert auc == pytest.approx(roc_auc_score(labels, probabilities), abs=0.002)


def test_auc_of_one_prediction_for_all_is_one_half() -> None:
    """Ties count one half, so the base rate served to everyone ranks nothing."""
    labels, probabilities = served(1000, -2.0, 1.0)
    quality = counted(labels, np.full_like(probabilities, 0.02))
    assert quality.window(28).measures["auc"] == 0.5


def test_log_loss_and_entropy_equal_the_definitions() -> None:
    """Log-loss is scikit-learn's, normalised by the entropy of the rate in the window."""
    labels, probabilities = served(5000, -2.0, 1.0)
    window = counted(labels, probabilities).window(28)
    base = log_loss(labels, np.full(len(labels), labels.mean()))
    assert window.measures["log_loss"] == pytest.approx(log_loss(labels, probabilities))
    assert window.measures["base_log_loss"] == pytest.approx(base)
    assert window.skill == pytest.approx(log_loss(labels, probabilities) / base)
    assert window.predicted_to_actual == pytest.approx(probabilities.sum() / labels.sum())
    assert window.rows == 5000


def test_calibration_error_is_that_of_equal_mass_groups() -> None:
    """ECE from the bins is within 0.002 of that from sorted rows in 15 equal groups."""
    labels, probabilities = served(30_000, -2.0, 1.0, slope=0.5)
    order = np.argsort(probabilities, kind="stable")
    groups = np.array_split(order, 15)
    exact = sum(abs((probabilities[group] - labels[group]).sum()) for group in groups)
    found = counted(labels, probabilities).window(28).measures["calibration_error"]
    assert found == pytest.approx(exact / len(labels), abs=0.002)


@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
def test_average_precision_is_right_at_one_percent(spread: float) -> None:
    """At about 1 % positives the binned average precision is near the exact one."""
    labels, probabilities = served(60_000, -5.0, spread)
    found = counted(labels, probabilities).window(28).measures["average_precision"]
    exact = average_precision_score(labels, probabilities)
    assert found == pytest.approx(exact, abs=0.002, rel=0.02)


def tenths(labels: Floats, predicted: Floats) -> list[float]:
    """Return the sum of the labels in each tenth, the highest predictions first."""
    order = np.argsort(-predicted, kind="stable")
    return [float(labels[part].sum()) for part in np.array_split(order, 10)]


@pytest.mark.parametrize("slope", [0.0, 1.0, 4.0])
def test_lift_and_deciles_are_those_of_sorted_rows(slope: float) -> None:
    """Conversions of each tenth, and the lift of the first, are nearly those of sorted rows."""
    labels, probabilities = served(60_000, -4.0, 1.0, slope=slope)
    quality = counted(labels, probabilities)
    exact = tenths(labels, probabilities)
    deciles = quality.deciles(28)
    assert deciles[:, 0] == pytest.approx([6000.0] * 10)
    assert deciles[:, 1] == pytest.approx(exact, abs=0.002 * labels.sum() + 5)
    assert deciles[:, 1].sum() == pytest.approx(labels.sum())
    assert deciles[:, 2].sum() == pytest.approx(probabilities.sum(), rel=1e-5)
    lift = quality.window(28).measures["lift_10"]
    assert lift == pytest.approx(10 * exact[0] / labels.sum(), abs=0.02)


def test_ties_are_split_evenly_among_deciles() -> None:
    """One prediction for all has conversions in all tenths alike: a lift of 1."""
    quality = counted(np.arange(1000) % 4 == 0, np.full(1000, 0.3))
    assert quality.deciles(28)[:, 1] == pytest.approx([25.0] * 10)
    assert quality.window(28).measures["lift_10"] == pytest.approx(1.0)
    assert quality.window(28).measures["average_precision"] == pytest.approx(0.25)


def test_the_reliability_curve_is_that_of_equal_mass_groups() -> None:
    """Mean predicted, rate and count of 15 groups are nearly those of sorted rows."""
    labels, probabilities = served(30_000, -2.0, 1.0, slope=0.5)
    order = np.argsort(probabilities, kind="stable")
    groups = counted(labels, probabilities).groups(28)
    for group, rows in zip(groups, np.array_split(order, 15), strict=True):
        assert group[0] == pytest.approx(len(rows), rel=0.1)
        assert group[2] / group[0] == pytest.approx(probabilities[rows].mean(), abs=0.01)
        assert group[1] / group[0] == pytest.approx(labels[rows].mean(), abs=0.015)
    assert groups[:, 0].sum() == 30_000


def test_delays_are_those_of_positives() -> None:
    """Median and p90 are within 8 %, of positives only; what is not known does not count."""
    quality = ConversionQuality()
    delays = np.random.default_rng(1).lognormal(16.0, 1.5, 5000)
    for delay in delays.tolist():
        quality.add(START_MS, 1.0, 0.5, 1.0, delay)
        quality.add(START_MS, 0.0, 0.5, 1.0, 1e9)
        quality.add(START_MS, 1.0, 0.5)
    measures = quality.window(7).measures
    assert measures["delay_median"] == pytest.approx(np.quantile(delays, 0.5) / 1000, rel=0.08)
    assert measures["delay_p90"] == pytest.approx(np.quantile(delays, 0.9) / 1000, rel=0.08)


def test_values_have_a_lift() -> None:
    """The highest tenth of expected values brings what sorted rows say."""
    random = np.random.default_rng(7)
    predicted = random.lognormal(3.0, 1.0, 20_000)
    labels = predicted * random.gamma(0.5, 2.0, 20_000)
    quality = ValueQuality()
    for label, value in zip(labels.tolist(), predicted.tolist(), strict=True):
        quality.add(START_MS, label, value)
    quality.add(START_MS, 0.0, -5.0)  # Below all others.
    exact = tenths(labels, predicted)
    assert quality.deciles(1)[:, 1] == pytest.approx(exact, rel=0.05)
    assert quality.window(1).measures["lift_10"] == pytest.approx(
        10 * exact[0] / labels.sum(), abs=0.05
    )


def test_windows_slide_by_event_day() -> None:
    """A window holds the days up to the newest; a late row still finds its own day.

    day       0    …   27   28
    rows      a        b    c        1 d: c    7 d: b c    28 d: b c, then late d on day 1
    """
    quality = ConversionQuality()
    for day in (0, 27, 28):
        quality.add(START_MS + day * DAY_MS, 1.0, 0.5)
    assert [quality.window(days).rows for days in (1, 7, 28)] == [1, 2, 2]
    quality.add(START_MS + 1 * DAY_MS, 0.0, 0.5)
    assert [quality.window(days).rows for days in (1, 7, 28)] == [1, 2, 3]
    quality.add(START_MS, 0.0, 0.5)
    assert (quality.window(28).rows, quality.rows_too_old) == (3, 1)
    quality.add(START_MS + 400 * DAY_MS, 0.0, 0.5)
    assert quality.window(28).rows == 1


def test_weights_count_as_copies() -> None:
    """A row of weight three is three rows in every measure but `rows`."""
    labels, probabilities = served(300, -1.0, 1.0)
    heavy, copies = ConversionQuality(), ConversionQuality()
    for label, probability in zip(labels, probabilities, strict=True):
        heavy.add(START_MS, label, probability, 3.0)
        for _ in range(3):
            copies.add(START_MS, label, probability)
    one, three = heavy.window(1), copies.window(1)
    assert 3 * one.rows == three.rows
    for name, measure in three.measures.items():
        assert one.measures[name] == pytest.approx(measure, abs=1e-6)


@pytest.mark.parametrize("predict", ["conversion", "value"])
def test_nothing_seen_is_none_not_zero(predict: str) -> None:
    """Without rows no measure is defined, and no outcome of one class divides by zero."""
    quality = make_quality(predict)
    assert quality.window(28).skill is None
    assert quality.summary()["predicted_to_actual_7d"] is None
    quality.add(START_MS, 0.0, 0.1)
    assert quality.window(28).predicted_to_actual is None
    assert quality.window(28).skill is None


@pytest.mark.parametrize("predict", ["conversion", "value"])
def test_unusable_rows_are_counted_and_left_out(predict: str) -> None:
    """NaN, infinities, and weights that are not positive change no measure."""
    quality = make_quality(predict)
    for label, predicted, weight in (
        (1.0, math.nan, 1.0),
        (math.inf, 0.1, 1.0),
        (1.0, 0.1, 0.0),
        (1.0, 0.1, math.nan),
    ):
        quality.add(START_MS, label, predicted, weight)
    assert (quality.rows_ignored, quality.window(28).rows) == (4, 0)


def test_certain_predictions_that_fail_stay_finite() -> None:
    """A probability of 0 or 1 that turns out wrong costs much, not infinitely much."""
    quality = ConversionQuality()
    quality.add(START_MS, 1.0, 0.0)
    quality.add(START_MS, 0.0, 1.0)
    log_loss_found = quality.window(1).measures["log_loss"]
    assert log_loss_found == pytest.approx(-math.log(1e-12), rel=1e-4)


def test_values_have_errors_and_a_ratio() -> None:
    """MAE, RMSE and the normalised error are the definitions."""
    random = np.random.default_rng(2)
    labels = random.gamma(2.0, 20.0, 500)
    predicted = labels + random.normal(size=500) * 5.0
    quality = ValueQuality()
    for label, prediction in zip(labels, predicted, strict=True):
        quality.add(START_MS, label, prediction)
    window = quality.window(7)
    squared = float(((labels - predicted) ** 2).mean())
    assert window.measures["mean_absolute_error"] == pytest.approx(
        mean_absolute_error(labels, predicted)
    )
    assert window.measures["root_mean_squared_error"] == pytest.approx(math.sqrt(squared))
    assert window.skill == pytest.approx(squared / labels.var())
    assert window.predicted_to_actual == pytest.approx(predicted.sum() / labels.sum())


def bits(quality: Quality) -> list[bytes]:
    """Return a quality's state as bytes."""
    numbers, arrays = quality.to_state()
    return [repr(numbers).encode(), *(array.tobytes() for array in arrays.values())]


@pytest.mark.parametrize("predict", ["conversion", "value"])
def test_quality_goes_on_bit_for_bit(predict: str) -> None:
    """Restored in the middle, quality ends with the same bits."""
    labels, probabilities = served(4000, -2.0, 1.5)
    steady, restored = make_quality(predict), make_quality(predict)
    for number, (label, probability) in enumerate(zip(labels, probabilities, strict=True)):
        if number == 2000:
            state = restored.to_state()
            restored = make_quality(predict)
            restored.from_state(*state)
        closed_at_ms = START_MS + number * DAY_MS // 90
        for quality in (steady, restored):
            quality.add(closed_at_ms, label, probability, 0.7, 1e6 * probability)
    assert bits(steady) == bits(restored)
    assert steady.summary() == restored.summary()


def test_foreign_state_is_refused() -> None:
    """A state of another format or shape is refused."""
    numbers, arrays = ConversionQuality().to_state()
    with pytest.raises(QualityStateError):
        ConversionQuality().from_state({**numbers, "format": 2.0}, arrays)
    with pytest.raises(QualityStateError):
        ValueQuality().from_state(numbers, arrays)
    with pytest.raises(QualityStateError):
        ConversionQuality().from_state(numbers, {**arrays, "cell_places": np.array([65_000])})


def test_state_of_a_full_month_stays_small() -> None:
    """Even predictions of every kind on every day keep the state under 288 KiB."""
    labels, probabilities = served(50_000, -3.0, 3.0)
    _, arrays = counted(labels, probabilities).to_state()
    assert sum(array.nbytes for array in arrays.values()) < 288 * 1024


def window_of(skill: float | None, ratio: float | None) -> Window:
    """Return a window with the two numbers that decide a status."""
    return Window(1000, ratio, skill, {})


@pytest.mark.parametrize(
    ("skill", "ratio", "expected"),
    [
        (0.9, 1.0, "ready"),
        (0.999, 0.8, "ready"),
        (0.9, 1.25, "ready"),
        (1.0, 1.0, "unreliable"),
        (0.9, 0.79, "unreliable"),
        (0.9, 1.26, "unreliable"),
        (None, None, "ready"),
    ],
)
def test_status_follows_the_month(skill: float | None, ratio: float | None, expected: str) -> None:
    """Enough customers and a month better than the average, neither too high nor too low."""
    customers = DistinctCounts(customers_max=1)
    assert status(customers, window_of(skill, ratio)) == "warming"
    customers.add(1, converted=True)
    assert status(customers, window_of(skill, ratio)) == "warming"
    customers.add(2, converted=False)
    assert status(customers, window_of(skill, ratio)) == expected


def test_customers_are_counted_once_and_bounded() -> None:
    """The same customer twice is one; who converts leaves the others; 100 of each is enough."""
    counts = DistinctCounts()
    for _ in range(3):
        counts.add(1, converted=False)
    counts.add(1, converted=True)
    counts.add(1, converted=False)
    assert (counts.converting, counts.others, counts.enough) == (1, 0, False)
    for customer in range(2, 400):
        counts.add(-customer, converted=customer % 2 == 0)
    assert (counts.converting, counts.others, counts.enough) == (100, 100, True)
    other = DistinctCounts()
    other.from_state(*counts.to_state())
    assert other.enough
    assert [a.tobytes() for a in other.to_state()[1].values()] == [
        a.tobytes() for a in counts.to_state()[1].values()
    ]


def test_quantiles_equal_numpys_and_the_ring_goes_on() -> None:
    """After any number of predictions the quantiles are numpy's over the last 2,000."""
    random = np.random.default_rng(8)
    predictions = random.random(4500)
    recent, restored = RecentPredictions(), RecentPredictions()
    for number, prediction in enumerate(predictions.tolist()):
        if number in (700, 3100):
            state = restored.to_state()
            restored = RecentPredictions()
            restored.from_state(*state)
        recent.add(prediction)
        restored.add(prediction)
        if number in (0, 1, 99, 700, 4499):
            held = predictions[max(0, number - 1999) : number + 1]
            expected = np.quantile(held, np.arange(101) / 100)
            assert np.allclose(recent.quantiles(), expected, atol=1e-15)
            assert recent.quantiles().tobytes() == restored.quantiles().tobytes()
    assert recent.to_state()[1]["predictions"].tolist() == predictions[-2000:].tolist()
