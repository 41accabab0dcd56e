"""Scores on a timer: when they are made, of whom, and what is in them.

Owns: the rules of `score_every`, one by one, on timelines.
Never: every log; tests/property/test_timers.py asks that.
Source: docs/campaigns.md, "On a timer".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from consumer.encoding import ScoreEncoder
from models.batch import TAKEN
from models.plan import compile_plan
from models.scorer import Scorer
from models.wire import hash_text
from schemas.campaign import Campaign, CampaignFile, Events, Features
from schemas.clauses import Clause, Goal
from schemas.score import ScoreRecord, decode_score
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS, parse_time
from tests.event_logs import START_MS, TOPIC, LoggedEvent, fold_records, records_of, rows_of
from tests.naive_timers import last_before

DAILY = Campaign(
    name="churn",
    goal=Goal((Clause("buy"),)),
    horizon_ms=2 * DAY_MS,
    score_on=(),
    example_interval_ms=0,
    features=Features(half_lives_ms=(None,)),
    score_every_ms=DAY_MS,
    idle_max_ms=10 * DAY_MS,
)
ANN_MS = last_before("ann", DAY_MS, START_MS) + DAY_MS - START_MS
"""When ann is scored first, after the start."""


def event(customer: str, kind: str, after_ms: int, **properties: str | float) -> LoggedEvent:
    """An event so long after the start."""
    name = f"{customer} {kind} {after_ms}"
    return LoggedEvent(customer, kind, START_MS + after_ms, name, None, properties)


def file_of(*campaigns: Campaign) -> CampaignFile:
    """A file of these campaigns, which remembers countries."""
    return CampaignFile(
        1, {each.name: each for each in campaigns}, events=Events(remember=("country",))
    )


def scores_of(events: Sequence[LoggedEvent], *campaigns: Campaign) -> list[ScoreRecord]:
    """The score records of a log, in order."""
    _, out = fold_records(compile_plan(file_of(*(campaigns or (DAILY,)))), records_of(events))
    return [decode_score(score.partition(b" ")[2]) for score in out.scores]


def moments(scores: Sequence[ScoreRecord]) -> list[tuple[str, int, int]]:
    """Customer, moment after the start, and offset of each score."""
    return [(s.customer_id, parse_time(s.as_of) - START_MS, s.source.offset) for s in scores]


def test_a_customer_is_scored_before_the_event_that_passes_the_moment() -> None:
    """As of the moment: the event that passes it is not in the score, nor does one at it fire it.

    ann: view ──── moment ── │ zoe at the moment │ zoe one later: fires
    """
    events = [event("ann", "view", 0), event("zoe", "x", ANN_MS), event("zoe", "x", ANN_MS + 1)]
    scores = scores_of(events)
    assert moments(scores) == [("ann", ANN_MS, 2)]
    (score,) = scores
    assert (score.cause, score.event_id) == ("timer", None)
    assert [entry.campaign for entry in score.scores] == ["churn"]


def test_a_silence_of_days_gives_one_score_as_of_its_last_moment() -> None:
    """A clock that jumps over three moments has the last one scored, and the others counted."""
    events = [event("ann", "view", 0), event("zoe", "x", ANN_MS + 3 * DAY_MS + 1)]
    scorer, out = fold_records(compile_plan(file_of(DAILY)), records_of(events))
    scores = [decode_score(score.partition(b" ")[2]) for score in out.scores]
    assert moments(scores) == [("ann", ANN_MS + 3 * DAY_MS, 1)]
    assert (scorer.counts.timers_fired, scorer.counts.timers_passed) == (1, 3)


def test_who_is_away_for_too_long_is_scored_no_more_until_the_next_event() -> None:
    """A timer stops `idle_max` after the last event, and begins with the next one."""
    daily = [event("zoe", "x", day * DAY_MS) for day in range(1, 30)]
    back = event("ann", "view", 20 * DAY_MS + 1)
    log = sorted([event("ann", "view", 0), *daily, back], key=lambda each: each.at_ms)
    days = [at_ms // DAY_MS for who, at_ms, _ in moments(scores_of(log)) if who == "ann"]
    first = 1 if ANN_MS >= DAY_MS else 0
    assert days == [*range(first, first + 10), *range(20 + first, 29)]


def test_a_moment_knows_what_is_remembered_and_no_more() -> None:
    """Categories come from `remember`; what only an event has is absent."""
    features = Features(
        half_lives_ms=(None,), categories=("country", "channel"), numbers=("price",)
    )
    campaign = replace(DAILY, features=features)
    events = [
        event("ann", "view", 0, country="DE", channel="app", price=7.0),
        event("ann", "view", ANN_MS + 1, country="AT"),
        event("zoe", "x", 40 * DAY_MS),
    ]
    row = rows_of(compile_plan(file_of(campaign)), [*events, event("zoe", "x", 41 * DAY_MS)])[0]
    assert row.event_id is None
    assert row.as_of_ms == START_MS + ANN_MS
    named = {name for name in row.features if "=" in name or name.startswith("price")}
    assert named == {"country=DE", "price absent"}
    assert row.features["other all"] == pytest.approx(np.log(2.0), abs=1e-5)
    assert row.label == 0.0


def test_learn_on_decides_what_opens_examples() -> None:
    """Timers open examples, unless the campaign says what it learns on."""
    events = [event("ann", "view", 0), event("zoe", "x", ANN_MS + 1)]
    end = [event("zoe", "x", 50 * DAY_MS + index) for index in range(2)]
    for learn_on, opened in ((None, True), ((Clause("buy"),), False)):
        plan = compile_plan(file_of(replace(DAILY, learn_on=learn_on)))
        rows = rows_of(plan, [*events, *end])
        assert any(row.as_of_ms == START_MS + ANN_MS for row in rows) == opened


def test_campaigns_of_one_period_share_a_record() -> None:
    """One record has all campaigns that a moment is of, and a longer period falls in with it."""
    weekly = replace(DAILY, name="weekly", score_every_ms=7 * DAY_MS)
    twin = replace(DAILY, name="twin")
    events = [event("ann", "view", 0), *(event("zoe", "x", day * DAY_MS) for day in range(1, 9))]
    mine = [s for s in scores_of(events, DAILY, weekly, twin) if s.customer_id == "ann"]
    named = [tuple(entry.campaign for entry in score.scores) for score in mine]
    assert set(named) == {("churn", "twin"), ("churn", "weekly", "twin")}
    assert named.count(("churn", "weekly", "twin")) == 1


def test_events_and_timers_score_together() -> None:
    """With `score_on` too, an event is answered as ever, behind the timers that it lets fire."""
    campaign = replace(DAILY, score_on=(Clause("view"),))
    scores = scores_of([event("ann", "view", 0), event("ann", "view", ANN_MS + 1)], campaign)
    assert [(s.cause, s.source.offset) for s in scores] == [
        ("event", 0),
        ("timer", 1),
        ("event", 1),
    ]


def test_so_many_fire_at_an_event_its_own_customer_first() -> None:
    """The event's customer goes first, then those due first; the rest follow with other events."""
    names = [f"c{index}" for index in range(20)]
    opening = [event(name, "view", index) for index, name in enumerate(names)]
    passing = [event("c7", "view", 2 * DAY_MS), event("zoe", "x", 2 * DAY_MS + 1)]
    log = records_of([*opening, *passing, event("zoe", "x", 2 * DAY_MS + 2)])
    plan = compile_plan(file_of(DAILY))
    limited = replace(plan.limits, timers_per_event_max=8)
    scorer, out = fold_records(compile_plan(file_of(DAILY), limited), log)
    scores = [decode_score(score.partition(b" ")[2]) for score in out.scores]
    by_offset = [[who for who, _, at in moments(scores) if at == offset] for offset in (20, 21, 22)]
    assert [len(found) for found in by_offset] == [9, 8, 3]
    assert by_offset[0][0] == "c7"
    firsts = {name: last_before(name, DAY_MS, START_MS + 1) + DAY_MS for name in names}
    others = [who for found in by_offset for who in found if who != "c7"]
    assert others == sorted(set(names) - {"c7"}, key=firsts.__getitem__)
    assert scorer.overdue_timers(START_MS + 2 * DAY_MS) == 0
    assert scorer.overdue_timers(START_MS + 3 * DAY_MS + 2) == len([*names, "zoe"])


def test_a_moment_is_spread_by_the_hash_of_the_customer() -> None:
    """Customers who come at once are scored at different times of the period."""
    names = [f"c{index}" for index in range(200)]
    events = [event(name, "view", 0) for name in names]
    events += [event("zoe", "x", hour * HOUR_MS) for hour in range(1, 26)]
    fired = [at_ms // HOUR_MS for who, at_ms, _ in moments(scores_of(events)) if who != "zoe"]
    assert len(fired) >= 200
    assert all(2 <= fired.count(hour) <= 20 for hour in range(24))
    assert hash_text("c1")[0] % DAY_MS == (last_before("c1", DAY_MS, START_MS)) % DAY_MS


@pytest.mark.parametrize("length", [2, 39, 40, 41, 100])
def test_names_of_every_length_are_said(length: int) -> None:
    """A customer's name and the record's key are whole, however long, and also if unusual."""
    name = ('"ü' + "n" * length)[:length]
    plan = compile_plan(file_of(DAILY))
    events = records_of([event(name, "view", 0), event("zoe", "x", 2 * DAY_MS)])
    scorer, encoder = Scorer(plan), ScoreEncoder(plan, TOPIC, 0)
    folded = scorer.fold(events.offsets, events.timestamps_ms, events.keys, events.values)
    keys, values = encoder.encode(folded)
    assert keys == [name.encode()]
    assert decode_score(values[0]).customer_id == name


def test_a_batch_has_room_for_what_its_timers_make() -> None:
    """However many fire in a batch, each score has its place, and events keep theirs."""
    campaign = replace(DAILY, score_every_ms=MINUTE_MS, score_on=(Clause("view"),))
    names = [f"c{index}" for index in range(300)]
    events = [event(name, "view", index) for index, name in enumerate(names)]
    events += [event("zoe", "view", hour * HOUR_MS) for hour in range(1, 40)]
    log = records_of(events)
    plan = compile_plan(file_of(campaign))
    scorer = Scorer(plan)
    folded = scorer.fold(log.offsets, log.timestamps_ms, log.keys, log.values)
    assert set(folded.scores.outcome.tolist()) >= {TAKEN}
    assert len(folded.timed) > 2000
    keys, values = ScoreEncoder(plan, TOPIC, 0).encode(folded)
    assert len(keys) == len(values) == folded.score_count
    timers = [decode_score(value) for value in values]
    assert [score.customer_id.encode() for score in timers] == keys


def test_who_had_to_make_room_is_scored_no_more() -> None:
    """With the profile goes the timer; the next event begins it."""
    plan = compile_plan(file_of(replace(DAILY, learn_on=(Clause("never"),))))
    limits = replace(plan.limits, profiles_max=1)
    plan = compile_plan(plan.file, limits)
    events = [event("ann", "view", 0), event("bob", "view", 1), event("zoe", "x", 3 * DAY_MS)]
    _, out = fold_records(plan, records_of(events))
    assert out.scores == []


def test_a_timer_that_is_new_in_a_file_begins_for_everybody() -> None:
    """Whoever has a profile is scored from the next moment on, without a further event."""
    plain = compile_plan(file_of(replace(DAILY, score_every_ms=0, score_on=(Clause("view"),))))
    scorer, _ = fold_records(plain, records_of([event("ann", "view", 0), event("bob", "x", 1)]))
    timed = Scorer(compile_plan(file_of(DAILY)))
    timed.restore(scorer.lift())
    log = records_of([event("zoe", "x", 2 * DAY_MS)], first=2)
    folded = timed.fold(log.offsets, log.timestamps_ms, log.keys, log.values)
    assert sorted(folded.timed) == [b"ann", b"bob"]


def test_timers_that_are_as_they_were_go_on_under_another_file() -> None:
    """One that is due and waits keeps its turn when another campaign changes."""
    other = replace(DAILY, name="other", score_every_ms=3 * DAY_MS)
    opening = [event(f"c{index}", "view", index) for index in range(5)]
    limits = replace(compile_plan(file_of(DAILY)).limits, timers_per_event_max=1)
    scorer, _ = fold_records(
        compile_plan(file_of(DAILY, other), limits),
        records_of([*opening, event("zoe", "x", 40 * DAY_MS)]),
    )
    changed = Scorer(compile_plan(file_of(DAILY, replace(other, idle_max_ms=DAY_MS)), limits))
    changed.restore(scorer.lift())
    assert changed.overdue_timers(START_MS + 40 * DAY_MS) == 4
