"""Triggers of any log under any policy: as a naive evaluation of what was served has them.

Owns: that the fold fires what it should and nothing else, also where it is folded again.
Never: what a record says besides; tests/unit/test_triggers.py asks that.
Source: docs/campaigns.md, "Triggers".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from consumer.transport import Records
from models.folded import Folded
from models.plan import Plan, compile_plan
from models.scorer import Scorer
from models.served_again import ServedAgain
from schemas.campaign import CampaignFile
from schemas.score import ScoreRecord, decode_score
from schemas.times import parse_time
from schemas.trigger import TriggerRecord, decode_trigger
from tests.event_logs import (
    UNHURRIED,
    LoggedEvent,
    campaign_files,
    fold_records,
    logs,
    records_of,
    trigger_encoder,
    trigger_policies,
)
from tests.naive_controls import controlled
from tests.naive_folds import NaiveFold
from tests.naive_triggers import NaiveTriggers
from tests.property.test_folds import Models, models
from tests.quiet_files import busy, busy_logs, quiet
from tests.random_models import random_model

Facts = tuple[str, str, str, int, str]


@st.composite
def triggered_files(draw: st.DrawFn) -> CampaignFile:
    """A campaign file each of whose campaigns has a trigger, with or without a limit for all."""
    files = quiet(_triggered_files())
    return draw(busy(files) if draw(st.booleans()) else files)


@st.composite
def _triggered_files(draw: st.DrawFn) -> CampaignFile:
    file = draw(campaign_files(campaigns_max=2))
    return replace(
        file,
        campaigns={
            name: replace(campaign, trigger=draw(trigger_policies(campaign)))
            for name, campaign in file.campaigns.items()
        },
    )


def frequent(data: st.DataObject, plan: Plan, positions: int) -> Models:
    """Models that change often, so that scores of one customer go up and down."""
    installs = data.draw(models(plan, positions))
    for place in range(0, positions, data.draw(st.sampled_from((2, 5, 20)))):
        installs[place] = [
            random_model(plan, name, data.draw(st.integers(0, 2**32))) for name in plan.campaigns
        ]
    return installs


def facts_of(trigger: TriggerRecord) -> Facts:
    """What the naive evaluation knows of a trigger."""
    return (
        trigger.campaign, trigger.customer_id, trigger.kind, parse_time(trigger.as_of),
        trigger.score.score_id,
    )  # fmt: skip


def naively(
    file: CampaignFile, events: Sequence[LoggedEvent], scores: Sequence[ScoreRecord]
) -> list[Facts]:
    """The same, of the naive evaluation of what was served."""
    by_event = {score.source.offset: score for score in scores}
    naive = NaiveTriggers(NaiveFold(file, events, UNHURRIED), by_event)
    return [
        (each.campaign, each.customer, each.kind, each.at_ms,
         by_event[each.scored].score_id)
        for each in naive.fired
    ]  # fmt: skip


@given(st.data(), triggered_files(), controlled(st.one_of(logs(lengths=(12, 40, 80)), busy_logs())))
def test_what_fires_is_what_the_rules_say(
    data: st.DataObject, file: CampaignFile, events: list[LoggedEvent]
) -> None:
    """Kinds, times and scores agree with the naive evaluation; each trigger has an id of its own.

    The cut into batches is drawn. Held-out customers are in another topic, in the same order.
    """
    plan = compile_plan(file, UNHURRIED)
    installs = frequent(data, plan, len(events))
    cuts = data.draw(st.lists(st.integers(0, len(events))))
    _, out = fold_records(plan, records_of(events), cuts, installs)
    scores = [decode_score(score.partition(b" ")[2]) for score in out.scores]
    fired = [decode_trigger(value) for value in (*out.triggers, *out.held_out)]
    expected = naively(file, events, scores)
    assert sorted(map(facts_of, fired)) == sorted(expected)
    for topic in (out.triggers, out.held_out):
        found = [facts_of(decode_trigger(value)) for value in topic]
        assert found == [each for each in expected if each in found]
    ids = [each.trigger_id for each in fired]
    assert len(set(ids)) == len(ids)


@given(st.data(), triggered_files(), controlled(st.one_of(logs(lengths=(12, 40)), busy_logs())))
def test_what_was_served_decides_again(
    data: st.DataObject, file: CampaignFile, events: list[LoggedEvent]
) -> None:
    """Folded again under other models, the scores that were served fire the same, to the byte."""
    plan, log = compile_plan(file), records_of(events)
    whole, out = fold_records(plan, log, (), frequent(data, plan, len(events)))
    scorer, found = Scorer(plan), []
    for folded in folded_again(data, scorer, log, out.scores):
        for outgoing in trigger_encoder(plan).encode(folded):
            found += [value for value in outgoing.values if value is not None]
    assert sorted(found) == sorted([*out.triggers, *out.held_out])
    assert state_of(scorer) == state_of(whole)


def folded_again(
    data: st.DataObject, scorer: Scorer, log: Records, scores: Sequence[bytes]
) -> Iterator[Folded]:
    """What a log gives by the scores that were served of it, while other models serve."""
    plan = scorer.plan
    served = ServedAgain(plan)
    served.add(decode_score(score.partition(b" ")[2]) for score in scores)
    for name in plan.campaigns:
        scorer.install(random_model(plan, name, data.draw(st.integers(0, 99))))
    for first in range(0, len(log), 7):
        piece = log.cut(first, first + 7)
        folded = scorer.fold(
            piece.offsets, piece.timestamps_ms, piece.keys, piece.values, catching_up=True,
            served=served,
        )  # fmt: skip
        scorer.serve_again(folded, served)
        yield folded


def state_of(scorer: Scorer) -> dict[str, bytes]:
    """Who is in, how often they entered, and what was published last, to the bit."""
    arrays = scorer.lift().arrays
    return {name: arrays[name].tobytes() for name in ("triggers", "told") if name in arrays}


@given(st.data(), triggered_files(), controlled(logs(lengths=(12,))))
def test_history_fires_nothing(
    data: st.DataObject, file: CampaignFile, events: list[LoggedEvent]
) -> None:
    """What is learned silently at a first start neither fires nor lets anybody in."""
    plan = compile_plan(file)
    installs = frequent(data, plan, len(events))
    scorer, out = fold_records(plan, records_of(events), (), installs, catching_up=True)
    assert (out.triggers, out.held_out) == ([], [])
    assert not scorer._triggers.view.phase.any()
    assert not scorer._told.view.words.any()
