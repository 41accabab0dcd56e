"""The two folds together: what is served is what River's interface says of the same learner.

Owns: the equality of served predictions and restored learners.
Never: how good a prediction is.
Source: River's conventions for estimators (`predict_proba_one`, `predict_one`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, cast

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from models.learner import make_learner
from models.plan import Plan, compile_plan
from models.scorer import Scorer
from models.trainer import Trainer
from schemas.campaign import CHAMPION, CampaignFile, LearnerName, Predict
from schemas.example import TrainingExample
from schemas.learner_state import decode_learner_state, encode_learner_state, unpack_array
from schemas.model_record import decode_model_record, encode_model_record
from tests.event_logs import LoggedEvent, campaign_files, logs, records_of, rows_in

LEARNERS: dict[Predict, tuple[LearnerName, ...]] = {
    "conversion": ("hedged_logistic", "bayesian_logistic", "river_logistic", "river_ftrl"),
    "value": ("hurdle", "bayesian_linear"),
}


def with_hinges(plan: Plan, row: TrainingExample) -> dict[str, float]:
    """A row as a River estimator takes it: a dictionary of all its features."""
    x = dict(row.features)
    for hinge in plan.layout.campaigns[plan.campaigns.index(row.campaign)].hinges:
        column, _, knot = hinge.name.rpartition(" >")
        x[hinge.name] = max(0.0, row.features.get(column, 0.0) - float(knot))
    return x


def restored(plan: Plan, state_bytes: bytes) -> Any:
    """A River estimator from the bytes of a learner's state."""
    state = decode_learner_state(state_bytes)
    campaign = plan.file.campaigns[state.campaign]
    learner = make_learner(campaign.learner, campaign.rate)
    numbers = {
        name.removeprefix("learner."): number
        for name, number in state.numbers.items()
        if name.startswith("learner.")
    }
    arrays = {
        name.removeprefix("learner."): unpack_array(packed)
        for name, packed in state.arrays.items()
        if name.startswith("learner.")
    }
    learner.from_state(state.columns, numbers, arrays)
    return cast("Any", learner)


@given(st.data(), campaign_files(), logs(lengths=(40, 60)))
def test_served_is_what_the_restored_learner_predicts(
    data: st.DataObject, file: CampaignFile, events: list[LoggedEvent]
) -> None:
    """A prediction as served equals the restored estimator's own, to 1e-9."""
    campaigns = {
        name: replace(campaign, learner=data.draw(st.sampled_from(LEARNERS[campaign.predict])))
        for name, campaign in file.campaigns.items()
    }
    plan = compile_plan(replace(file, campaigns=campaigns))
    log, middle = records_of(events), len(events) // 2
    scorer, trainer = Scorer(plan), Trainer(plan)
    first, second = log.cut(0, middle), log.cut(middle, len(log))
    folded = scorer.fold(first.offsets, first.timestamps_ms, first.keys, first.values)
    assume(len(folded.rows))
    rows = rows_in(folded)
    trainer.fold(range(len(rows)), rows)
    versions: dict[str, int] = {}
    learners: dict[str, Any] = {}
    for state, record in zip(trainer.states(), trainer.records(), strict=True):
        learners[state.campaign] = restored(plan, encode_learner_state(state))
        versions[record.campaign] = record.version
        assert record.learner == CHAMPION
        published = decode_model_record(encode_model_record(record))
        # So few rows are warming, and would be served the rate.
        assert scorer.install(msgspec.structs.replace(published, status="ready"))
    folded = scorer.fold(second.offsets, second.timestamps_ms, second.keys, second.values)
    for row in rows_in(folded):
        if row.source.offset < middle or row.campaign not in learners or row.triggered:
            continue
        assert row.model.version == versions[row.campaign]
        x, learner = with_hinges(plan, row), learners[row.campaign]
        if file.campaigns[row.campaign].predict == "value":
            predicted = learner.predict_one(x)
            assert row.expected_value is not None
            assert math.isclose(row.expected_value, predicted, rel_tol=1e-9, abs_tol=1e-9)
        else:
            assert row.probability is not None
            assert abs(row.probability - learner.predict_proba_one(x)[True]) < 1e-9
