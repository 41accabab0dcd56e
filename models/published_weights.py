"""What a model record holds of a learner beside what is served.

Owns: which learners consist of parts, and what those say on their own.
Never: changes a learner.
Source: docs/contract.md, "Model".
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from models.hedged_logistic import HedgedLogisticRegression
from models.hurdle import HurdleRegression
from models.learner import Learner
from schemas.model_record import ExpertWeights, ValueWeights


def expert_weights(learner: Learner, names: Sequence[str]) -> dict[str, ExpertWeights]:
    """What each expert of a mixture says, and its share, by these names; none of any other."""
    if not isinstance(learner, HedgedLogisticRegression | HurdleRegression):
        return {}
    weights, shares = learner.weights_by_expert.tolist(), learner.shares.tolist()
    return {
        name: ExpertWeights(own[0], own[1:], share)
        for name, own, share in zip(names, weights, shares, strict=True)
    }


def value_weights(learner: Learner) -> ValueWeights | msgspec.UnsetType:
    """What a hurdle says of the value; unset for any other."""
    if not isinstance(learner, HurdleRegression):
        return msgspec.UNSET
    bias, *weights = learner.value_weights.tolist()
    return ValueWeights(bias, weights, learner.smearing)
