"""Features kept event by event equal those recomputed from the whole history.

Owns: the comparison of features.
Never: which rows there are; tests/property/test_folds_examples.py compares those.
Source: docs/campaigns.md, "Features".
"""

from __future__ import annotations

from hypothesis import given

from models.plan import compile_plan
from schemas.campaign import CampaignFile
from schemas.example import TrainingExample
from tests.event_logs import UNHURRIED, LoggedEvent, campaign_files, logs, rows_of
from tests.naive_controls import controlled
from tests.naive_features import NaiveFeatures
from tests.naive_folds import NaiveFold

TOLERANCE = 2e-5  # Counters are kept as float32, and features on a grid of 1e-5.


def assert_features(row: TrainingExample, wanted: dict[str, float]) -> None:
    """Every feature of either side is the other's; one that is missing is 0."""
    for name in {*row.features, *wanted}:
        found, other = row.features.get(name, 0.0), wanted.get(name, 0.0)
        assert abs(found - other) <= TOLERANCE * max(1.0, abs(other)), (name, found, other)


@given(campaign_files(), controlled(logs()))
def test_features_equal_a_recomputation(file: CampaignFile, events: list[LoggedEvent]) -> None:
    """Counters, recencies, gaps, answers, categories and numbers are those of the whole history."""
    fold = NaiveFold(file, events, UNHURRIED)
    features = NaiveFeatures(fold, fold.rows)
    for row in rows_of(compile_plan(file, UNHURRIED), events):
        assert_features(row, features.of(file.campaigns[row.campaign], row.source.offset))
