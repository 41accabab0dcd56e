"""Rows of a campaign with challengers, in which it is written what each of them had said.

Owns: a plan and rows, seeded; what is said is the truth with an error, whatever was learned.
Never: a scorer; tests/integration/test_promotion_replay.py has the whole way.
Source: models/contenders.py.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

from models.plan import Plan, compile_plan
from models.trainer import Trainer
from schemas.campaign import Campaign, CampaignFile, Challenger, Features, LearnerName
from schemas.clauses import Clause, Goal
from schemas.example import ClosedBy, ExampleSource, TrainingExample
from schemas.learner_state import LearnerState, decode_learner_state, encode_learner_state
from schemas.model_record import encode_model_record
from schemas.score import ModelRef, ScoreStatus
from schemas.times import DAY_MS, HOUR_MS, format_time
from tests.event_logs import START_MS

FLAT = {"champion": 9.0}
"""The champion knows less than half of it, and is right on average."""


def plan_with(
    *challengers: str, learner: LearnerName = "river_logistic", promote: bool = True
) -> Plan:
    """One campaign whose learner has these challengers."""
    campaign = Campaign(
        name="buy",
        goal=Goal((Clause("buy"),)),
        horizon_ms=DAY_MS,
        score_on=(Clause("view"),),
        example_interval_ms=0,
        rate=0.4,
        features=Features(half_lives_ms=(DAY_MS, None), categories=("channel",)),
        learner=learner,
        challengers=tuple(Challenger(kind) for kind in challengers),
        promote=promote,
    )
    return compile_plan(CampaignFile(1, {"buy": campaign}))


def rows_of(
    plan: Plan,
    count: int,
    errors: Mapping[str, float],
    *,
    seed: int = 1,
    first: int = 0,
    serving: str = "champion",
    version: int = 1_000_000,
    status: ScoreStatus = "ready",
    shift: float = 0.0,
) -> list[TrainingExample]:
    """Rows that convert in four of ten; each learner says the logit with an error of this size.

    An error of 9 is to know less than half. The logit of what those say who are served, and only of
    that, is moved by `shift`.
    """
    generator = random.Random(seed)
    rows: list[TrainingExample] = []
    for index in range(first, first + count):
        x = generator.gauss(0.0, 1.2)
        logit = x - 0.5
        said: dict[str, float] = {}
        for name, error in errors.items():
            noise = generator.gauss(0.0, 1.0)
            own = 0.4 * x - 0.45 if error >= 9.0 else logit + error * noise
            own += shift if name == serving else 0.0
            said[name] = round(1.0 / (1.0 + math.exp(-own)), 12)
        moment_ms = START_MS + index * HOUR_MS // 4
        probability = said.pop(serving)
        rows.append(
            TrainingExample(
                campaign="buy",
                lineage=plan.lineages[0],
                customer=f"{generator.randrange(100_000):016x}",
                event_id=f"e{index}",
                as_of=format_time(moment_ms - DAY_MS),
                closed_at=format_time(moment_ms),
                source=ExampleSource(0, index),
                closed_by=ClosedBy(index, 0),
                label=float(generator.random() < 1.0 / (1.0 + math.exp(-logit))),
                weight=1.0,
                acted="none",
                features={"tenure": round(x, 5), f"channel={index % 3}": 1.0},
                probability=probability,
                expected_value=None,
                experts=said,
                model=ModelRef(plan.lineages[0], serving, version, plan.features[0]),
                status=status,
            )
        )
    return rows


def bytes_of(trainer: Trainer) -> list[bytes]:
    """Everything that a trainer publishes."""
    trainer.changed = set(trainer.learners)
    states = [encode_learner_state(state) for state in trainer.states()]
    return states + [encode_model_record(record) for record in trainer.records()]


def restored(trainer: Trainer, plan: Plan) -> Trainer:
    """Another trainer, from the bytes of the states of this one."""
    trainer.changed = set(trainer.learners)
    read: list[LearnerState] = [
        decode_learner_state(encode_learner_state(state)) for state in trainer.states()
    ]
    found = Trainer(plan)
    found.restore(read)
    return found
