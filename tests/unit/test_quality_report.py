"""The report of a campaign's quality: what it says is documented, exact, and fit for JSON.

Owns: the keys of `quality.json` below a campaign, and the evidence for columns.
Never: the measures themselves; test_quality.py and test_judgement.py have those.
Source: docs/quality.md.
"""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from models.dense_learner import DenseLearner
from models.plan import Plan
from models.quality import make_quality
from models.quality_report import evidence_of, report_of, source_of
from models.trainer import Trainer
from schemas.campaign import LearnerName
from schemas.example import TrainingExample
from tests.unit.test_trainer import LEARNERS, plan_of, random_rows

DOCUMENT = Path(__file__).parents[2] / "docs/quality.md"
BAYESIAN: tuple[LearnerName, ...] = (
    "hedged_logistic",
    "bayesian_logistic",
    "hurdle",
    "bayesian_linear",
)


def telling_rows(plan: Plan, count: int) -> list[TrainingExample]:
    """Rows of one campaign of which a category says all, and an input nothing."""
    generator = random.Random(4)
    rows = [row for row in random_rows(plan, 2 * count + 60) if row.campaign == "buy"][:count]
    for number, row in enumerate(rows):
        told = generator.random() < 0.5
        row.label = float(generator.random() < (0.8 if told else 0.2))
        row.features = {"channel=app" if told else "channel=web": 1.0}
        row.features["tenure"] = generator.choice((-1.0, 1.0))
        row.status = "ready"
        row.customer = f"{number:016x}"
    return rows


def reported(learner: LearnerName, rows_of: Any) -> tuple[dict[str, Any], Trainer, Plan]:
    """The report of a learner after some rows, as it is read from JSON."""
    plan = plan_of(learner)
    trainer = Trainer(plan)
    rows = rows_of(plan)
    trainer.fold(range(len(rows)), rows)
    report = report_of(trainer.learners["buy"], plan.layout)
    return json.loads(json.dumps(report, allow_nan=False)), trainer, plan


def named(report: dict[str, Any], depth: int = 0) -> set[str]:
    """The keys of a report, as the document calls them."""
    found = set()
    for key, value in report.items():
        found.add(key.removesuffix("_1d").removesuffix("_7d").removesuffix("_28d"))
        if key not in {"sources", "changed_inputs"} and isinstance(value, dict) and depth < 3:
            found |= named(value, depth + 1)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            found |= set(value[0])
    return found


@pytest.mark.parametrize("learner", LEARNERS)
def test_every_key_is_documented(learner: LearnerName) -> None:
    """Whatever learns, no key of the report is missing in docs/quality.md."""
    report, _, _ = reported(learner, lambda plan: random_rows(plan, 1200, texts=400))
    text = DOCUMENT.read_text(encoding="utf-8")
    assert {name for name in named(report) if f"`{name}`" not in text} == set()
    assert report["selection"]["refused"] > 0
    assert report["selection"]["names_refused"]
    assert "There was no column left for `channel=" in " ".join(report["suggestions"])
    assert bool(report["selection"]["sources"]) == (learner in BAYESIAN)


def test_curves_are_of_the_rows_of_the_figures() -> None:
    """Figures, deciles and groups of a window have the same weight, and the same conversions."""
    report, _, _ = reported("bayesian_logistic", lambda plan: random_rows(plan, 555))
    for window in ("1d", "7d", "28d"):
        for curve in ("deciles", "reliability"):
            parts = report["windows"][window][curve]
            assert sum(part["rows"] for part in parts) == pytest.approx(report[f"weight_{window}"])
        positives = sum(part["actual"] for part in report["windows"][window]["deciles"])
        assert positives == pytest.approx(report[f"positives_{window}"])
    assert set(make_quality("conversion").summary()) <= set(report)


@pytest.mark.parametrize("kind", ["bayesian_logistic", "hedged_logistic"])
def test_what_tells_the_outcome_carries_weight_and_noise_does_not(kind: LearnerName) -> None:
    """A category that decides has strong evidence, an input of pure noise none."""
    report, trainer, plan = reported(kind, lambda plan: telling_rows(plan, 1500))
    selection = report["selection"]
    assert next(iter(selection["sources"])) == "channel"
    assert selection["sources"]["channel"]["evidence"] > 10.0
    assert selection["never_helped"] == [source_of("tenure", plan.layout)]
    assert f"Without weight in {selection['rows']:,} rows: `tenure`." in " ".join(
        report["suggestions"]
    )
    learner = trainer.learners["buy"].learner
    assert isinstance(learner, DenseLearner)
    place = learner.columns.index("channel=app")
    variance = learner.covariances[0, place + 1, place + 1]
    odds = learner.posteriors.weights[0, place + 1] ** 2 / (2 * variance)
    prior = learner.to_state().arrays["prior"][place + 1]
    expected = odds - 0.5 * math.log(prior / variance)
    assert selection["sources"]["channel"]["columns"]["channel=app"] == pytest.approx(expected)


def test_evidence_of_values_does_not_depend_on_their_scale() -> None:
    """Values in cents say as much about the columns as values in euros."""

    def scaled(scale: float) -> dict[str, float]:
        def rows_of(plan: Plan) -> list[TrainingExample]:
            rows = telling_rows(plan, 800)
            for row in rows:
                row.label *= scale
            return rows

        _, trainer, _ = reported("bayesian_linear", rows_of)
        found = evidence_of(trainer.learners["buy"])
        assert found is not None
        return found

    assert scaled(1.0) == pytest.approx(scaled(100.0), rel=1e-6)
    assert scaled(1.0)["channel=app"] > 3.0


def test_a_hinge_and_a_value_are_of_their_source() -> None:
    """Reasons, and so the report, know the event type or the property."""
    layout = plan_of().layout
    assert source_of("buy 1d >2", layout) == source_of("buy 1d", layout) == "buy"
    assert source_of("channel=app", layout) == "channel"


def test_silence_is_suggested_to_be_looked_at() -> None:
    """A campaign that is paused at the end says what to look for."""

    def rows_of(plan: Plan) -> list[TrainingExample]:
        rows = telling_rows(plan, 600)
        for row in rows[300:]:
            row.label = 0.0
        return rows

    report, _, _ = reported("bayesian_logistic", rows_of)
    assert report["rows_not_learned"] > 250
    assert "look whether they still arrive" in report["suggestions"][0]
