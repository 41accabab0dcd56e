"""The hedged learner: posteriors of their own, and shares that follow what each holds likely.

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
from models.hedged_logistic import SHARE_HALF_LIFE_DAYS, HedgedLogisticRegression
from models.learner import StateError
from models.trainer import Trainer
from schemas.example import encode_example
from schemas.model_record import decode_model_record, encode_model_record
from schemas.score import ScoreStatus
from tests.taught_learners import named, rows_of
from tests.unit.test_trainer import plan_of, random_rows

SHARE = 1e-4
REST = [1000 / 1011, 10 / 1011, 1 / 1011]


def hedged(columns: int = 6) -> HedgedLogisticRegression:
    """A learner that knows the columns c0, c1 and so on."""
    learner = HedgedLogisticRegression(rate=0.2)
    for place in range(columns):
        learner.index(f"c{place}")
    return learner


def moved(
    shares: list[float], said: list[float], now: list[float], label: float, weight: float
) -> list[float]:
    """Shares after an outcome, by the formula."""
    both = [p * q if label else (1.0 - p) * (1.0 - q) for p, q in zip(said, now, strict=True)]
    products = [w * p**weight for w, p in zip(shares, both, strict=True)]
    total = sum(products)
    return [
        (1.0 - SHARE) * each / total + SHARE * rest
        for each, rest in zip(products, REST, strict=True)
    ]


def test_each_expert_learns_as_if_it_were_alone() -> None:
    """Each is to the bit what a single learner of its half-life and drift is."""
    both = HedgedLogisticRegression(rate=0.2, columns_max=4, hashed_max=16)
    alone = [
        BayesianLogisticRegression(
            rate=0.2, half_life_days=days, bias_drift=drift, columns_max=4, hashed_max=16
        )
        for days, drift in ((365.0, 1e-4), (60.0, 1e-3), (7.0, 1e-2))
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
        variances = np.split(both.to_state().arrays["variances"], 3)[expert]
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
        low, _, high = sorted(learner.said_of(row))
        assert low <= learner.predict_row(row) <= high


@pytest.mark.parametrize("weight", [1.0, 0.5, 10.0])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_shares_follow_the_likelihood_of_what_was_said(label: float, weight: float) -> None:
    """A share is multiplied by both likelihoods to the row's weight; a fixed part goes home."""
    learner, said = hedged(), [0.1, 0.35, 0.6]
    row = rows_of("hedged_logistic", 1, 6)[0][0]
    wanted = REST
    for _ in range(3):
        now = learner.said_of(row).tolist()
        learner.learn_row(row, label, weight, np.array(said))
        wanted = moved(wanted, said, now, label, weight)
        assert learner.shares.tolist() == pytest.approx(wanted, abs=1e-12)


def test_what_is_unknown_moves_no_share() -> None:
    """Neither a row of which nobody knows what was said, nor one that is not learned."""
    learner = hedged()
    row = rows_of("hedged_logistic", 1, 6)[0][0]
    learner.learn_row(row, 1.0, 1.0, np.array([0.1, 0.9, 0.5]))
    before = learner.shares.copy()
    learner.learn_row(row, 1.0, 1.0, np.array([math.nan, math.nan, math.nan]))
    learner.learn_row(row, 1.0, 1.0, np.array([0.1, 0.5, math.nan]))
    assert learner.rows_learned == 3
    learner.learn_row(row, 1.0, -1.0, np.array([0.1, 0.9, 0.5]))
    learner.learn_row(row, 0.5, 1.0, np.array([0.1, 0.9, 0.5]))
    assert learner.rows_learned == 3
    assert learner.shares.tolist() == before.tolist()


@pytest.mark.parametrize(
    "said", [[0.0, 1.0, 0.5], [1.0, 0.0, 1.0], [-3.0, 1e300, 0.5], [1.0, 1.0, 1.0]]
)
def test_no_outcome_is_impossible(said: list[float]) -> None:
    """However sure an expert was, shares stay shares, and none is lost for good."""
    learner = hedged()
    row = rows_of("hedged_logistic", 1, 6)[0][0]
    for label in (0.0, 0.0, 1.0):
        learner.learn_row(row, label, 1e6, np.array(said))
        assert learner.shares.sum() == pytest.approx(1.0, abs=1e-12)
        assert np.all(learner.shares >= SHARE * np.array(REST) * (1 - 1e-12))


def test_what_speaks_for_an_expert_fades() -> None:
    """Days bring the shares back to where they rest; half of what was gained, in 30 days."""
    learner = hedged()
    row = rows_of("hedged_logistic", 1, 6)[0][0]
    for _ in range(3):
        learner.learn_row(row, 1.0, 1.0, np.array([0.01, 0.1, 0.9]))
    gained = np.log(learner.shares / np.array(REST))
    learner.advance(SHARE_HALF_LIFE_DAYS)
    left = np.log(learner.shares / np.array(REST))
    assert np.diff(left) == pytest.approx(np.diff(gained) / 2, rel=1e-9)
    learner.advance(10_000)
    assert learner.shares.tolist() == pytest.approx(REST, rel=1e-9)


def test_a_quicker_expert_leads_after_a_drift() -> None:
    """The shares go to the slow expert while nothing changes, and leave it within ten days."""
    learner = hedged(12)
    values, labels = rows_of("hedged_logistic", 9_201, 12)
    shares: list[float] = []
    for number, (row, label) in enumerate(zip(values, labels, strict=True)):
        if number % 20 == 0:
            learner.advance(1)
        if number in {9_000, 9_200}:
            shares.append(learner.shares[0])
        learner.learn_row(row, label if number < 9_000 else 1.0 - label)
    steady, after = shares
    assert steady > 0.98
    assert after < 0.1


SAID = {"slow": 0.1, "fast": 0.4, "quick": 0.2}


@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize(
    ("status", "experts", "customers", "moves"),
    [
        ("ready", SAID, 30, 30),
        ("unreliable", SAID, 30, 30),
        ("ready", SAID, 7, 7),
        ("warming", SAID, 30, 0),
        ("catching_up", SAID, 30, 0),
        ("ready", {}, 30, 0),
        ("ready", {"slow": 0.1, "fast": 0.4}, 30, 0),
    ],
)
def test_a_campaign_hedges_by_each_customer_once_a_horizon(
    status: ScoreStatus, experts: dict[str, float], customers: int, moves: int, as_bytes: bool
) -> None:
    """A row moves the shares if somebody was served it, and its customer was not heard of late."""
    plan = plan_of("hedged_logistic")
    rows = [row for row in random_rows(plan, 120) if row.campaign == "buy"][:30]
    trainer, wanted, left, now = Trainer(plan), REST, moves, [0.02, 0.02, 0.02]
    learner: Any = None
    for number, row in enumerate(rows):
        row.status, row.experts, row.probability = status, experts, 0.02
        row.customer, row.closed_at = f"{number % customers:016x}", rows[0].closed_at
        if number > 0:
            values = trainer.learners["buy"]._columns.values(row.features)
            now = learner.said_of(values).tolist()
        if as_bytes:
            trainer.fold_bytes([number], [encode_example(row)])
        else:
            trainer.fold([number], [row])
        learner = trainer.learners["buy"].learner
        if left > 0:
            wanted, left = moved(wanted, [*SAID.values()], now, row.label, row.weight), left - 1
        assert learner.shares.tolist() == pytest.approx(wanted, rel=1e-9)
    assert learner.rows_learned == 30


def test_a_state_of_two_experts_goes_on() -> None:
    """The quick expert begins as the fast one, at the share where it rests."""
    learner = HedgedLogisticRegression(rate=0.2, columns_max=4, hashed_max=16)
    for row, label in zip(*rows_of("hedged_logistic", 300, 12), strict=True):
        learner.learn_one(named(row), label)
    columns, numbers, arrays = learner.to_state()
    thirds = ("weights", "covariance", "variances")
    two = {name: array[: array.size * 2 // 3] if name in thirds else array
           for name, array in arrays.items()}  # fmt: skip
    two["shares"] = np.array([0.25, 0.75])
    again = HedgedLogisticRegression(rate=0.2, columns_max=4, hashed_max=16)
    again.from_state(columns, numbers, two)
    assert again.shares.tolist() == pytest.approx(
        [0.25 * 1010 / 1011, 0.75 * 1010 / 1011, 1 / 1011]
    )
    for name in thirds:
        slow, fast, quick = again.to_state().arrays[name].reshape(3, -1)
        assert np.concatenate([slow, fast]).tobytes() == two[name].tobytes()
        assert quick.tobytes() == fast.tobytes()
    with pytest.raises(StateError):
        again.from_state(columns, numbers, {**two, "weights": two["weights"][:-1]})


def test_a_model_record_is_mixed_from_its_experts() -> None:
    """The weights that are served are the experts', mixed by the shares that the record says."""
    trainer = Trainer(plan_of("hedged_logistic"))
    trainer.fold(range(200), random_rows(plan_of("hedged_logistic"), 200))
    trainer.changed.add("buy")
    (record,) = (each for each in trainer.records() if each.campaign == "buy")
    assert decode_model_record(encode_model_record(record)) == record
    assert list(record.experts) == ["slow", "fast", "quick"]
    assert sum(each.share for each in record.experts.values()) == pytest.approx(1.0)
    assert len({each.share for each in record.experts.values()}) == 3
    bias = sum(each.share * each.bias for each in record.experts.values())
    mixed = sum(each.share * np.array(each.weights) for each in record.experts.values())
    assert record.bias == pytest.approx(bias, abs=1e-12)
    assert np.allclose(record.weights, mixed, rtol=0, atol=1e-12)
    assert msgspec.json.decode(encode_model_record(record))["experts"]["quick"]["share"] < 1.0
