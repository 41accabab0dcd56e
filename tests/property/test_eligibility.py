"""Who is scored: the fold against plain questions to the whole log.

Owns: the comparison of what became of each event, and of who was eligible for what.
Never: what a score says; its neighbours ask that.
Source: docs/campaigns.md, "Who is eligible".
"""

from __future__ import annotations

import json
from collections import Counter

from hypothesis import given

from models.batch import (
    DUPLICATE,
    LATE,
    NOT_ELIGIBLE,
    NOT_SCORED,
    OBEYED,
    SUPPRESSED,
    TAKEN,
)
from models.plan import compile_plan
from models.scorer import Scorer
from schemas.campaign import CampaignFile
from tests.event_logs import (
    UNHURRIED,
    LoggedEvent,
    campaign_files,
    fold_records,
    logs,
    records_of,
)
from tests.naive_controls import controlled
from tests.naive_folds import NaiveFold


def outcome_of(fold: NaiveFold, i: int) -> int:
    """What should become of an event."""
    if i in fold.obeyed:
        return OBEYED
    if i not in fold.taken:
        return DUPLICATE
    if fold.is_late(i):
        return LATE
    wanted = [campaign for campaign in fold.campaigns if fold.is_asked_for(campaign, i)]
    if not wanted:
        return NOT_SCORED
    if fold.controls.is_suppressed(i):
        return SUPPRESSED
    return TAKEN if any(fold.is_eligible(each, i) for each in wanted) else NOT_ELIGIBLE


@given(campaign_files(), controlled(logs()))
def test_who_is_scored_equals_a_naive_evaluation(
    file: CampaignFile, events: list[LoggedEvent]
) -> None:
    """A campaign scores an event if it wants it and all its clauses hold for the customer."""
    fold = NaiveFold(file, events, UNHURRIED)
    _, out = fold_records(compile_plan(file, UNHURRIED), records_of(events))
    scores = [json.loads(score.partition(b" ")[2]) for score in out.scores]
    found = {
        (score["source"]["offset"], entry["campaign"])
        for score in scores
        for entry in score["scores"]
    }
    assert found == {
        (i, campaign.name)
        for campaign in fold.campaigns
        for i in range(len(events))
        if fold.is_wanted(campaign, i) and fold.is_eligible(campaign, i)
    }
    assert out.outcomes == [outcome_of(fold, i) for i in range(len(events))]


@given(campaign_files(), controlled(logs()))
def test_who_is_not_eligible_is_counted(file: CampaignFile, events: list[LoggedEvent]) -> None:
    """Each score not given counts once, under a clause of its campaign that did not hold."""
    fold, plan = NaiveFold(file, events, UNHURRIED), compile_plan(file, UNHURRIED)
    records = records_of(events)
    folded = Scorer(plan).fold(records.offsets, records.timestamps_ms, records.keys, records.values)
    found = {
        (plan.campaigns[index], plan.clauses[clause].identity): int(count)
        for (index, clause), count in zip(
            zip(*folded.scores.ineligible.nonzero(), strict=True),
            folded.scores.ineligible[folded.scores.ineligible.nonzero()],
            strict=True,
        )
    }
    wanted: Counter[tuple[str, object]] = Counter()
    for campaign in fold.campaigns:
        for i in range(len(events)):
            missing = [
                clause.identity
                for clause in plan.clauses
                if clause.identity in {each.identity for each in campaign.eligible}
                and not fold.holds(clause, i)
            ]
            if fold.is_wanted(campaign, i) and missing:
                wanted[campaign.name, missing[0]] += 1
    assert found == wanted
