"""Which examples there are, with which labels: the fold against plain questions to the whole log.

Owns: the comparison of rows.
Never: features; tests/property/test_features.py compares those.
Source: docs/campaigns.md and ARCHITECTURE.md, the rules of time and of examples.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.plan import Limits, compile_plan
from schemas.campaign import CampaignFile
from schemas.times import format_time
from tests.event_logs import UNHURRIED, LoggedEvent, campaign_files, closing, logs, rows_of
from tests.naive_controls import controlled, is_control
from tests.naive_folds import NaiveFold, NaiveRow


def assert_rows(
    file: CampaignFile, limits: Limits, events: list[LoggedEvent], wanted: list[NaiveRow],
    fold: NaiveFold,
) -> None:  # fmt: skip
    """The fold's rows are the wanted ones, in their order."""
    found = rows_of(compile_plan(file, limits), events)
    assert [
        (row.campaign, row.source.offset, row.closed_by.offset, row.closed_by.index, row.weight)
        for row in found
    ] == [(row.campaign, row.event, row.closed, row.index, row.weight) for row in wanted]
    for row, other in zip(found, wanted, strict=True):
        assert row.event_id == events[other.event].event_id
        assert row.as_of == format_time(events[other.event].at_ms)
        assert row.closed_at == format_time(fold.clock[other.closed])
        assert abs(row.label - other.label) < 1e-9


@given(campaign_files(), controlled(logs()))
def test_rows_equal_a_naive_evaluation(file: CampaignFile, events: list[LoggedEvent]) -> None:
    """Rows, labels, weights and closings are those that the rules give when asked one by one."""
    fold = NaiveFold(file, events, UNHURRIED)
    assert_rows(file, UNHURRIED, events, fold.rows, fold)


@given(campaign_files(interval=False, lost=False), controlled(logs()), st.integers(1, 3))
def test_rows_wait_where_an_event_closes_only_so_many(
    file: CampaignFile, events: list[LoggedEvent], closes_max: int
) -> None:
    """An event closes at most so many due examples, oldest first, and the next ones the rest."""
    limits = Limits(closes_per_event_max=closes_max)
    last_ms = max(event.at_ms for event in events if not is_control(event))
    events = [*events, *closing(last_ms, len(events), 30)]
    fold = NaiveFold(file, events, limits)
    assert_rows(file, limits, events, fold.rows_queued, fold)
