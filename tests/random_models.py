"""Models of nobody: a weight on everything that a fold may know, and on things that it does not.

Owns: drawing them from a seed.
Never: learns one.
Source: schemas/model_record.py.
"""

from __future__ import annotations

import random

import msgspec

from models.plan import Plan
from schemas.model_record import ExpertWeights, ModelRecord, ValueWeights


def random_model(plan: Plan, campaign: str, seed: int) -> ModelRecord:
    """A model with a weight on everything that a fold may know, and on things that it does not."""
    generator = random.Random(seed)
    index = plan.campaigns.index(campaign)
    own, definition = plan.layout.campaigns[index], plan.file.campaigns[campaign]
    names = [*own.names, *(hinge.name for hinge in own.hinges)]
    groups = {f"{group.event} by {group.by}" for group in definition.features.count_by}
    names = [name for name in dict.fromkeys(names) if name not in groups]
    names += [f"{group}={text} 90d" for group in sorted(groups) for text in ("a", "3", "app", "?")]
    for category in own.categories:
        parts = plan.layout.categories[category]
        texts = ("app", "web", "DE", "a", "true") if len(parts) == 1 else ("app×DE", "a×web", "×")
        names += [f"{'×'.join(parts)}={text}" for text in texts]
    names.append("unheard of")
    generator.shuffle(names)
    value = definition.predict == "value"
    quantiles = sorted(generator.uniform(0, 1 + 20 * value) for _ in range(101))
    weights = [generator.gauss(0, 0.3) for _ in names]
    experts = {
        name: ExpertWeights(generator.gauss(-2, 1), [generator.gauss(0, 0.3) for _ in names])
        for name in definition.experts
    }
    value_weights: ValueWeights | msgspec.UnsetType = msgspec.UNSET
    if definition.is_hurdle:
        amounts = [generator.gauss(0, 0.3) for _ in names]
        value_weights = ValueWeights(generator.gauss(1, 1), amounts, generator.uniform(0.5, 2.0))
    return ModelRecord(
        campaign=campaign,
        lineage=plan.lineages[index],
        learner="champion",
        version=seed % 1000,
        features=plan.features[index],
        status=generator.choice(("ready", "ready", "ready", "warming", "unreliable", "paused")),
        rate=0.03,
        predict=definition.predict,
        bias=generator.gauss(-2, 1),
        columns=names,
        weights=weights,
        means=[generator.uniform(-0.5, 1.0) for _ in names],
        quantiles=quantiles,
        experts=experts,
        value=value_weights,
        covered=0,
    )
