"""Timers fire when, for whom and with what a naive evaluation of the whole log says.

Owns: the comparison of moments, and of rows and features of examples that timers open.
Never: batches, restores and peeking; tests/property/test_folds.py has timers in its files.
Source: docs/campaigns.md, "On a timer"; ARCHITECTURE.md, "Time".
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from models.plan import Limits, compile_plan
from schemas.campaign import CampaignFile
from schemas.score import ScoreRecord, decode_score
from schemas.times import parse_time
from tests.event_logs import (
    UNHURRIED,
    LoggedEvent,
    campaign_files,
    fold_records,
    logs,
    records_of,
    rows_of,
)
from tests.naive_controls import controlled, is_control
from tests.naive_features import NaiveFeatures
from tests.naive_folds import NaiveFold
from tests.naive_timers import Moment, NaiveTimedFold, moments_of
from tests.property.test_features import assert_features

CUSTOMERS = ("ann", "bob", "cy", "dan", "eve", "flo", "gus")
timed_files = campaign_files(timers=True).filter(
    lambda file: any(campaign.is_timed for campaign in file.campaigns.values())
)


def timer_scores(
    file: CampaignFile, events: list[LoggedEvent], limits: Limits
) -> list[ScoreRecord]:
    """The scores of timers that a log gives."""
    _, out = fold_records(compile_plan(file, limits), records_of(events))
    scores = [decode_score(score.partition(b" ")[2]) for score in out.scores]
    return [score for score in scores if score.cause == "timer"]


@given(timed_files, controlled(logs(customers=CUSTOMERS)), st.integers(1, 3))
def test_timers_fire_as_a_naive_evaluation_says(
    file: CampaignFile, events: list[LoggedEvent], timers_max: int
) -> None:
    """Who is scored, as of when, for which campaigns and at which event; so many at each."""
    limits = replace(UNHURRIED, timers_per_event_max=timers_max)
    scores = timer_scores(file, events, limits)
    found = [
        Moment(
            score.source.offset, score.customer_id, parse_time(score.as_of),
            tuple(entry.campaign for entry in score.scores),
        )
        for score in scores
    ]  # fmt: skip
    assert found == moments_of(NaiveFold(file, events, limits))
    assert all(score.event_id is None for score in scores)
    assert len({score.score_id for score in scores}) == len(scores)


@given(timed_files, controlled(logs()))
def test_rows_of_timers_equal_a_naive_evaluation(
    file: CampaignFile, events: list[LoggedEvent]
) -> None:
    """Labels, weights, closings and features of all rows, those of timers among them."""
    fold = NaiveTimedFold(file, events, UNHURRIED)
    features = NaiveFeatures(fold, fold.rows)
    found = rows_of(compile_plan(file, UNHURRIED), events)
    assert [
        (row.campaign, row.source.offset, row.closed_by.offset, row.closed_by.index, row.weight)
        for row in found
    ] == [
        (row.campaign, fold.offsets[row.event], fold.offsets[row.closed], row.index, row.weight)
        for row in fold.rows
    ]
    for row, other in zip(found, fold.rows, strict=True):
        assert row.as_of_ms == fold.events[other.event].at_ms
        assert row.closed_at_ms == fold.clock[other.closed]
        assert row.event_id == (fold.events[other.event].event_id or None)
        assert abs(row.label - other.label) < 1e-9
        assert_features(row, features.of(file.campaigns[row.campaign], other.event))


@given(timed_files, controlled(logs(customers=CUSTOMERS)), st.integers(1, 3))
def test_a_customer_is_never_scored_twice_for_a_moment(
    file: CampaignFile, events: list[LoggedEvent], timers_max: int
) -> None:
    """As of later and later, and never of a time that an earlier event of theirs is beyond."""
    scores = timer_scores(file, events, replace(UNHURRIED, timers_per_event_max=timers_max))
    for customer in CUSTOMERS:
        for name in file.campaigns:
            times = [
                (parse_time(score.as_of), score.source.offset)
                for score in scores
                if score.customer_id == customer
                and name in [entry.campaign for entry in score.scores]
            ]
            assert all(one[0] < other[0] for one, other in pairwise(times))
            for at_ms, offset in times:
                mine = [
                    event.at_ms
                    for event in events[:offset]
                    if event.customer == customer and not is_control(event)
                ]
                assert max(mine) <= at_ms
