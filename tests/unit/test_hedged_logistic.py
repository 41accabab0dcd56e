"""The hedged learner: two posteriors of their own, and shares that follow what each had served.

Owns: what the mixture is, what moves its shares, and what does not.
Never: what every learner promises; tests/unit/test_learner_conformance.py asks that.
Source: models.hedged_logistic.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from models.bayesian_logistic import BayesianLogisticRegression
from models.hedged_logistic import HedgedLogisticRegression
from models.trainer import Trainer
from schemas.example import encode_example
from schemas.model_record import decode_model_record, encode_model_record
from schemas.score import ScoreStatus
from tests.taught_learners import named, rows_of
from tests.unit.test_trainer import plan_of, random_rows

SHARE = 1e-4


def hedged(columns: int = 6) -> HedgedLogisticRegression:
    """A learner that knows the columns c0, c1 and so on."""
    learner = HedgedLogisticRegression(rate=0.2)
    for place in range(columns):
        learner.index(f"c{place}")
    return learner


def moved(shares: list[float], said: list[float], label: float, weight: float) -> list[float]:
    """Shares after an outcome, by the formula."""
    likelihoods = [p if label else 1.0 - p for p in said]
    products = [w * p**weight for w, p in zip(shares, likelihoods, strict=True)]
    return [(1.0 - SHARE) * each / sum(products) + SHARE / len(shares) for each in products]


def test_each_expert_learns_as_if_it_were_alone() -> None:
    """Slow and fast are to the bit what single learners of their half-lives and drifts are."""
    both = HedgedLogisticRegression(rate=0.2, columns_max=4, hashed_max=16)
    alone = [
        BayesianLogisticRegression(
            rate=0.2, half_life_days=days, bias_drift=drift, columns_max=4, hashed_max=16
        )
        for days, drift in ((365.0, 1e-4), (60.0, 1e-3))
    ]
    for number, (row, label) in enumerate(zip(*rows_of("hedged_logistic", 400, 12), strict=True)):
        for learner in (both, *alone):
            if number % 20 == 10:
                learner.advance(number % 3 + 1)
            learner.learn_one(named(row), label, 1.0 + number % 4)
    for expert, single in enumerate(alone):
        own = both.weights_by_expert[expert]
        assert own[0] == single.bias
        assert own[1:].tobytes() == single.weights.tobytes()
        assert both.covariances[expert].tobytes() == single.covariances[0].tobytes()
        variances = np.split(both.to_state().arrays["variances"], 2)[expert]
        assert variances.tobytes() == single.to_state().arrays["variances"].tobytes()
    assert both.means.tobytes() == alone[0].means.tobytes()


def test_the_mixture_is_one_linear_model() -> None:
    """What is predicted has the logit of the shared weights, and lies between the experts'."""
    learner = hedged()
    values, labels = rows_of("hedged_logistic", 300, 6)
    for number, (row, label) in enumerate(zip(values, labels, strict=True)):
        if number % 10 == 0:
            learner.advance(7)
        learner.learn_row(row, label)
    assert learner.shares.sum() == pytest.approx(1.0, abs=1e-12)
    mixed = np.sum(learner.shares[:, np.newaxis] * learner.weights_by_expert, axis=0)
    assert np.allclose([learner.bias, *learner.weights], mixed, rtol=0, atol=1e-15)
    for row in values[:20]:
        low, high = sorted(learner.said_of(row))
        assert low <= learner.predict_row(row) <= high


@pytest.mark.parametrize("weight", [1.0, 0.5, 10.0])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_shares_follow_the_likelihood_of_what_was_said(label: float, weight: float) -> None:
    """A share is multiplied by the likelihood to the row's weight, and a fixed part is spread."""
    learner, said = hedged(), [0.1, 0.35]
    row = rows_of("hedged_logistic", 1, 6)[0][0]
    wanted = [0.5, 0.5]
    for _ in range(3):
        learner.learn_row(row, label, weight, np.array(said))
        wanted = moved(wanted, said, label, weight)
        assert learner.shares.tolist() == pytest.approx(wanted, abs=1e-12)


def test_what_is_unknown_moves_no_share() -> None:
    """Neither a row of which nobody knows what was said, nor one that is not learned."""
    learner = hedged()
    row = rows_of("hedged_logistic", 1, 6)[0][0]
    learner.learn_row(row, 1.0, 1.0, np.array([0.1, 0.9]))
    before = learner.shares.copy()
    learner.learn_row(row, 1.0, 1.0, np.array([math.nan, math.nan]))
    learner.learn_row(row, 1.0, 1.0, np.array([0.1, math.nan]))
    assert learner.rows_learned == 3
    learner.learn_row(row, 1.0, -1.0, np.array([0.1, 0.9]))
    learner.learn_row(row, 0.5, 1.0, np.array([0.1, 0.9]))
    assert learner.rows_learned == 3
    assert learner.shares.tolist() == before.tolist()


@pytest.mark.parametrize("said", [[0.0, 1.0], [1.0, 0.0], [-3.0, 1e300], [1.0, 1.0]])
def test_no_outcome_is_impossible(said: list[float]) -> None:
    """However sure an expert was, shares stay shares, and none is lost for good."""
    learner = hedged()
    row = rows_of("hedged_logistic", 1, 6)[0][0]
    for label in (0.0, 0.0, 1.0):
        learner.learn_row(row, label, 1e6, np.array(said))
        assert learner.shares.sum() == pytest.approx(1.0, abs=1e-12)
        assert learner.shares.min() >= SHARE / 2


def test_the_fast_expert_gains_by_a_drift() -> None:
    """The shares go to the slow expert while nothing changes, and to the fast one afterwards."""
    learner = hedged(12)
    values, labels = rows_of("hedged_logistic", 12_000, 12)
    for number, (row, label) in enumerate(zip(values, labels, strict=True)):
        if number % 20 == 0:
            learner.advance(1)
        if number == 9_000:
            steady = learner.shares.copy()
        learner.learn_row(row, label if number < 9_000 else 1.0 - label)
    assert steady[0] > 0.6
    assert learner.shares[1] > 0.9


@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize(
    ("status", "experts", "moves"),
    [
        ("ready", {"slow": 0.1, "fast": 0.4}, True),
        ("unreliable", {"slow": 0.1, "fast": 0.4}, True),
        ("warming", {"slow": 0.1, "fast": 0.4}, False),
        ("catching_up", {"slow": 0.1, "fast": 0.4}, False),
        ("ready", {}, False),
        ("ready", {"slow": 0.1}, False),
    ],
)
def test_a_campaign_hedges_by_what_was_served(
    status: ScoreStatus, experts: dict[str, float], moves: bool, as_bytes: bool
) -> None:
    """A row moves the shares by what it carries, if somebody was served it; learned either way."""
    plan = plan_of("hedged_logistic")
    rows = [row for row in random_rows(plan, 80) if row.campaign == "buy"][:30]
    for row in rows:
        row.status, row.experts = status, experts
    trainer, wanted = Trainer(plan), [0.5, 0.5]
    if as_bytes:
        trainer.fold_bytes(range(30), [encode_example(row) for row in rows])
    else:
        trainer.fold(range(30), rows)
    for row in rows if moves else []:
        wanted = moved(wanted, [0.1, 0.4], row.label, row.weight)
    learner: Any = trainer.learners["buy"].learner
    assert learner.rows_learned == 30
    assert learner.shares.tolist() == pytest.approx(wanted, abs=1e-12)


def test_a_model_record_is_mixed_from_its_experts() -> None:
    """The weights that are served are the experts', mixed by the shares that the record says."""
    trainer = Trainer(plan_of("hedged_logistic"))
    trainer.fold(range(200), random_rows(plan_of("hedged_logistic"), 200))
    trainer.changed.add("buy")
    (record,) = (each for each in trainer.records() if each.campaign == "buy")
    assert decode_model_record(encode_model_record(record)) == record
    assert list(record.experts) == ["slow", "fast"]
    assert sum(each.share for each in record.experts.values()) == pytest.approx(1.0)
    assert len({each.share for each in record.experts.values()}) == 2
    bias = sum(each.share * each.bias for each in record.experts.values())
    mixed = sum(each.share * np.array(each.weights) for each in record.experts.values())
    assert record.bias == pytest.approx(bias, abs=1e-12)
    assert np.allclose(record.weights, mixed, rtol=0, atol=1e-12)
    assert msgspec.json.decode(encode_model_record(record))["experts"]["fast"]["share"] < 1.0
