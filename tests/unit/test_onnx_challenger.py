"""A model trained elsewhere as a challenger: found by its path and digest, and compared.

Owns: the way from the campaign file to the contest.
Never: what the model predicts; tests/unit/test_onnx_classifier.py asks that.
Source: docs/learners.md, "Champion and challengers" and "A model trained elsewhere".
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

from consumer.errors import WorldError
from consumer.warm_up import plan_of
from models.plan import Plan
from models.trainer import Trainer
from schemas.campaign import EXPERTS
from schemas.campaign_file import load_campaigns
from schemas.settings import load_settings
from tests.contending_rows import bytes_of, restored, rows_of
from tests.trained_elsewhere import in_onnx, rows_elsewhere, trained

CAMPAIGNS = """\
version: 1
campaigns:
  buy:
    goal: {event: buy}
    horizon: 1d
    rate: 40%
    score_on: [view]
    example_interval: 0s
    features: {half_lives: [1d, all], categories: [channel]}
    challengers: [{onnx: bought.onnx, sha256: DIGEST}]
"""
NAMES = ["tenure", *(f"channel={number}" for number in range(19))]


def plan_in(folder: Path, digest: str = "", model: Any = None) -> Plan:
    """The plan of a campaign file beside a model file."""
    content = in_onnx(model or trained(), NAMES)
    (folder / "bought.onnx").write_bytes(content)
    path = folder / "campaigns.yaml"
    path.write_text(CAMPAIGNS.replace("DIGEST", digest or sha256(content).hexdigest()))
    settings = load_settings(None, {"campaigns": str(path)})
    return plan_of(load_campaigns(path), settings)


def test_a_model_trained_elsewhere_challenges(tmp_path: Path) -> None:
    """It is compared on rows before learning, never serves, and goes on bit for bit."""
    plan = plan_in(tmp_path)
    rows = rows_of(plan, 600, {"champion": 0.0})
    whole, first = Trainer(plan), Trainer(plan)
    whole.fold(range(600), rows)
    contenders = whole.contenders["buy"]
    assert 0 < contenders.contests["onnx"].rows < 600
    assert whole.records()[0].experts.keys() == set(EXPERTS)
    first.fold(range(250), rows[:250])
    second = restored(first, plan)
    second.fold(range(250, 600), rows[250:])
    assert bytes_of(second) == bytes_of(whole)


def test_a_model_that_was_trained_again_begins_anew(tmp_path: Path) -> None:
    """The worker starts, the champion goes on, and it is said why the challenger does not."""
    plan = plan_in(tmp_path)
    trainer = Trainer(plan)
    trainer.fold(range(300), rows_of(plan, 300, {"champion": 0.0}))
    retrained = plan_in(tmp_path, model=LogisticRegression(C=0.01).fit(*rows_elsewhere()))
    assert retrained.lineages == plan.lineages
    contenders = restored(trainer, retrained).contenders["buy"]
    assert "another model" in contenders.begun_anew["onnx"]
    assert [each.version for each in contenders.learners.values()] == [300, 0]
    assert contenders.contests["onnx"].rows == 0


def test_another_model_than_was_meant_is_refused_at_the_start(tmp_path: Path) -> None:
    """It says which digest was found, and which was wanted."""
    with pytest.raises(WorldError, match=r"bought\.onnx: found the digest .* expected 0000"):
        plan_in(tmp_path, "0" * 64)
