"""Arms of any log under any policy: as a naive evaluation of the triggers has them.

Owns: which rows first triggers open, with which labels, and what other rows say of arms; that
    nothing else of these hangs on triggers.
Never: what a trainer makes of them; tests/unit/test_arms.py asks that.
Source: docs/campaigns.md, "What acting is worth".
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields

from models.plan import Limits, compile_plan
from models.rows import customer_hash
from models.scorer import HASH_KEY, Scorer
from schemas.campaign import CampaignFile
from schemas.example import decode_example
from schemas.score import decode_score
from tests.event_logs import UNHURRIED, LoggedEvent, fold_records, logs, records_of
from tests.naive_arms import NaiveArms
from tests.naive_controls import controlled
from tests.naive_folds import NaiveFold
from tests.naive_triggers import NaiveTriggers
from tests.property.test_triggers import folded_again, frequent, triggered_files


@st.composite
def measured_files(draw: st.DrawFn) -> CampaignFile:
    """A campaign file each of whose campaigns has a trigger, one of them with arms at least."""
    file = draw(triggered_files())
    first = next(iter(file.campaigns.values()))
    assert first.trigger is not None
    first = replace(first, trigger=replace(first.trigger, hold_out=0.5))
    return replace(file, campaigns={**file.campaigns, first.name: first})


def without_arms(file: CampaignFile) -> CampaignFile:
    """The same file where nobody is held out."""
    return replace(
        file,
        campaigns={
            name: replace(each, trigger=each.trigger and replace(each.trigger, hold_out=0.0))
            for name, each in file.campaigns.items()
        },
    )


@given(st.data(), measured_files(), controlled(logs(lengths=(12, 40, 80))))
def test_rows_of_arms_are_what_the_rules_say(
    data: st.DataObject, file: CampaignFile, events: list[LoggedEvent]
) -> None:
    """One for each customer who entered; and each other row says what may have changed it.

    The cut into batches is drawn. Rows that no trigger opens are those that there are without.
    """
    plan = compile_plan(file, UNHURRIED)
    cuts = data.draw(st.lists(st.integers(0, len(events))))
    _, out = fold_records(plan, records_of(events), cuts, frequent(data, plan, len(events)))
    scores = [decode_score(score.partition(b" ")[2]) for score in out.scores]
    fold = NaiveFold(file, events, UNHURRIED)
    naive = NaiveArms(
        plan, fold, NaiveTriggers(fold, {score.source.offset: score for score in scores})
    )
    rows = [decode_example(row) for row in out.rows]
    found = [
        (row.campaign, row.customer, row.as_of_ms, row.acted, round(row.label, 9))
        for row in rows
        if row.triggered
    ]
    assert sorted(found) == sorted(
        (each.campaign, customer_hash(HASH_KEY, each.customer), each.at_ms, each.acted,
         round(each.label, 9))
        for each in naive.outcomes
    )  # fmt: skip
    others = [row for row in rows if not row.triggered]
    assert [(row.campaign, row.source.offset, row.label) for row in others] == [
        (row.campaign, row.event, row.label) for row in fold.rows
    ]
    assert [row.acted for row in others] == [naive.acted(row) for row in fold.rows]


@given(
    st.data(), measured_files(), controlled(logs(lengths=(12, 40, 80))),
    st.sampled_from((UNHURRIED, Limits(closes_per_event_max=1, open_examples_max=9))),
)  # fmt: skip
def test_rows_of_scores_are_as_without_arms(
    data: st.DataObject, file: CampaignFile, events: list[LoggedEvent], limits: Limits
) -> None:
    """To the byte but for `acted`: their numbers, their closing and their places are their own."""
    installs = frequent(data, compile_plan(file, limits), len(events))
    found = []
    for each in (file, without_arms(file)):
        _, out = fold_records(compile_plan(each, limits), records_of(events), (), installs)
        rows = [decode_example(row) for row in out.rows]
        found.append([with_fields(row, acted="none") for row in rows if not row.triggered])
        assert each is file or len(found[-1]) == len(rows)
    assert found[0] == found[1]


@given(st.data(), measured_files(), controlled(logs(lengths=(12, 40))))
def test_arms_are_the_same_again(
    data: st.DataObject, file: CampaignFile, events: list[LoggedEvent]
) -> None:
    """A tail that is folded again gives the same rows of arms, whatever models serve by then."""
    plan, log = compile_plan(file, UNHURRIED), records_of(events)
    _, out = fold_records(plan, log, (), frequent(data, plan, len(events)))
    rows = list[bytes]()
    for folded in folded_again(data, Scorer(plan), log, out.scores):
        rows += folded.rows.values
    mine, again = ([row for row in some if row.endswith(b'"triggered":true}')]
                   for some in (out.rows, rows))  # fmt: skip
    assert mine == again
    assert [*map(decided, out.rows)] == [*map(decided, rows)]


def decided(row: bytes) -> tuple[object, ...]:
    """What a row says but for what was served."""
    said = decode_example(row)
    return said.campaign, said.source, said.closed_by, said.label, said.acted, said.triggered
