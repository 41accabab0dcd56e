"""The hurdle: how likely any value is and how great it is then, in one learner and in one score.

Owns: what the two parts make of a row, of a label below 0 and of a state; what is served of them.
Never: how well it predicts beside others; bench/README.md has that.
Source: models.hurdle; docs/learners.md, "A value behind a hurdle".
"""

from __future__ import annotations

import json
import math

import msgspec
import numpy as np
import pytest

from models.bayesian_linear import BayesianLinearRegression
from models.column_learner import StateError
from models.hedged_logistic import HedgedLogisticRegression
from models.hurdle import HurdleRegression
from models.learner import make_learner
from models.plan import compile_plan
from models.scorer import Scorer
from models.trainer import Trainer
from schemas.campaign import EXPERTS, Campaign, CampaignFile
from schemas.clauses import Clause, Goal
from schemas.model_record import ValueWeights
from schemas.times import DAY_MS
from tests.event_logs import START_MS, LoggedEvent, fold_records, records_of, rows_of
from tests.random_models import random_model
from tests.unit.test_trainer import plan_of, random_rows

NAMES = [f"c{place}" for place in range(4)]


def taught(rows: int = 4_000, seed: int = 5) -> tuple[HurdleRegression, np.ndarray, np.ndarray]:
    """A hurdle after rows whose values are log-normal, the rows and their labels."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, 5))
    values[:, 0] = 1.0
    likely = 1.0 / (1.0 + np.exp(1.0 - values[:, 1]))
    amounts = np.expm1(3.0 + 0.5 * values[:, 2] + 0.8 * random.normal(size=rows))
    labels = np.where(random.random(rows) < likely, np.maximum(amounts, 0.01), 0.0)
    learner = HurdleRegression(rate=0.3)
    for name in NAMES:
        learner.index(name)
    for row, label in zip(values, labels.tolist(), strict=True):
        learner.learn_row(row, label)
    return learner, values, labels


@pytest.mark.parametrize("unit", [1.0, 100.0, 1_000.0])
def test_what_a_new_one_expects_is_right_in_any_currency(unit: float) -> None:
    """After 150 rows with a value it is about what came, in euros, cents or yen.

    A model that knows nothing takes 0 for the logarithm, so that its first residuals are values.
    """
    random = np.random.default_rng(11)
    learner, came = HurdleRegression(rate=0.3), []
    for _ in range(500):
        label = unit * random.lognormal(4.6, 0.5) if random.random() < 0.3 else 0.0
        learner.learn_one({"c0": 1.0}, label)
        came.append(label)
    assert 0.7 < learner.predict_one({"c0": 1.0}) / np.mean(came) < 1.4


def test_its_parts_are_what_they_say() -> None:
    """P(any) learns every row and the value those above 0, each as its kind of learner would."""
    learner, values, labels = taught(600)
    likely, amount = HedgedLogisticRegression(rate=0.3), BayesianLinearRegression()
    for name in NAMES:
        likely.index(name)
        amount.index(name)
    for row, label in zip(values, labels.tolist(), strict=True):
        likely.learn_row(row, float(label > 0.0))
        if label > 0.0:
            amount.learn_row(row, math.log1p(label))
    assert learner.weights.tobytes() == likely.weights.tobytes()
    assert learner.value_weights[1:].tobytes() == amount.weights.tobytes()
    assert learner.rows_learned == 600
    assert learner.counts["values_learned"] == float((labels > 0.0).sum())


def test_what_it_expects_is_what_comes() -> None:
    """On rows to come, the sum of what is expected is that of what comes, also by tenth."""
    learner, _, _ = taught(20_000)
    _, values, labels = taught(20_000, seed=6)
    expected = np.array([learner.predict_row(row) for row in values])
    assert expected.sum() == pytest.approx(labels.sum(), rel=0.05)
    for tenth in np.array_split(np.argsort(expected), 10)[3:]:
        assert expected[tenth].sum() == pytest.approx(labels[tenth].sum(), rel=0.2)


def test_a_value_below_zero_counts_as_none() -> None:
    """Refunds that exceed what was bought teach the same as nothing bought."""
    one, other = HurdleRegression(), HurdleRegression()
    for learner, refunded in ((one, 0.0), (other, -50.0)):
        for label in (12.0, refunded, 30.0, refunded):
            learner.learn_one({"tenure": 1.5}, label)
    assert one.predict_one({"tenure": 1.5}) == other.predict_one({"tenure": 1.5}) > 0.0


def test_a_net_below_zero_leaves_the_scorer_as_zero() -> None:
    """A row whose goals sum up to less than nothing has the label 0; others keep their sum.

    ann   view   buy 20   buy -50        sum -30: 0
    bob   view   buy 20   buy -5         sum  15
    """
    campaign = Campaign("spend", Goal((Clause("buy"),)), DAY_MS, (Clause("view"),), 0,
                        predict="value", learner="hurdle")  # fmt: skip
    plan = compile_plan(CampaignFile(1, {"spend": campaign}))
    events = [
        LoggedEvent(who, kind, START_MS + number * 60_000, f"e{who}{number}", value)
        for who, refund in (("ann", -50.0), ("bob", -5.0))
        for number, (kind, value) in enumerate([("view", None), ("buy", 20.0), ("buy", refund)])
    ]
    events.append(LoggedEvent("zoe", "x", START_MS + 3 * DAY_MS, "end"))
    assert [row.label for row in rows_of(plan, events)] == [0.0, 15.0]


def test_a_score_has_the_probability_and_the_value() -> None:
    """What is served is P(any), the expected value, and reasons that sum up to the logit."""
    plan = plan_of("hurdle")
    model = msgspec.structs.replace(random_model(plan, "buy", 3), status="ready")
    assert isinstance(model.value, ValueWeights)
    events = [LoggedEvent("ann", "view", START_MS, "e0", 3.0, {"channel": "app"})]
    _, out = fold_records(plan, records_of(events), (), {0: [model]})
    entries = {e["campaign"]: e for e in json.loads(out.scores[0].partition(b" ")[2])["scores"]}
    entry = entries["buy"]
    served = entry["probability"]
    told = entry["baseline"] + entry["other_reasons"]
    told += math.fsum(reason["contribution"] for reason in entry["reasons"])
    assert told == pytest.approx(math.log(served / (1.0 - served)), abs=1e-9)
    assert entry["expected_value"] >= 0.0
    below = sum(each < entry["expected_value"] for each in model.quantiles)
    assert entry["percentile"] == pytest.approx(100.0 * below / 101, abs=1.0)
    assert tuple(entry["experts"]) == EXPERTS
    warming = entries["cart"]  # Of which no model has come.
    assert (warming["probability"], warming["expected_value"]) == (0.02, 0.0)
    assert warming["baseline"] == pytest.approx(math.log(0.02 / 0.98), abs=1e-9)


def test_a_record_has_two_weight_vectors() -> None:
    """The record of a hurdle has the weights of both parts, any other only its own."""
    for kind in ("hurdle", "bayesian_linear"):
        plan = plan_of(kind)
        trainer = Trainer(plan)
        trainer.fold(range(200), random_rows(plan, 200))
        record, learner = trainer.records()[0], trainer.learners["buy"].learner
        assert record.weights == learner.weights.tolist()
        if isinstance(learner, HurdleRegression):
            assert isinstance(record.value, ValueWeights)
            assert [record.value.bias, *record.value.weights] == learner.value_weights.tolist()
            assert record.value.factor == learner.smearing > 0.0
            assert tuple(record.experts) == EXPERTS
        else:
            assert record.value is msgspec.UNSET


def test_a_record_of_one_part_is_not_served() -> None:
    """A model that says how likely a value is, and not how great, leaves the campaign as it was."""
    plan = plan_of("hurdle")
    model, scorer = random_model(plan, "buy", 3), Scorer(plan)
    assert not scorer.install(msgspec.structs.replace(model, value=msgspec.UNSET))
    assert scorer.install(model)


def test_a_state_of_one_part_is_refused() -> None:
    """A state that says how likely a value is, and not how great, is refused in words."""
    likely = make_learner("hedged_logistic", rate=0.3)
    likely.learn_one({"tenure": 1.0}, 1.0)
    with pytest.raises(StateError, match="how likely a value is, and not how great"):
        HurdleRegression().from_state(*likely.to_state())
    learner, _, _ = taught(50)
    columns, numbers, arrays = learner.to_state()
    for name in ("value.weights", "value.covariance"):
        with pytest.raises(StateError):
            HurdleRegression().from_state(columns, numbers, {**arrays, name: arrays[name][1:]})


def test_a_long_rest_leaves_it_sane() -> None:
    """After a thousand years it has forgotten its rows, and still expects a finite number."""
    learner, values, _ = taught(200)
    learner.advance(365_000)
    assert 0.0 <= learner.predict_row(values[0]) < 1e6
    learner.learn_row(values[0], 20.0)
    assert math.isfinite(learner.predict_row(values[0]))
