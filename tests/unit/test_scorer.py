"""The scorer on logs of a few events: bounds, duplicates, lateness, and who makes room for whom.

Owns: cases that a reader can check by head.
Never: what random logs say better; tests/property has those.
Source: docs/campaigns.md and ARCHITECTURE.md, the rules of time and of examples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.batch import DUPLICATE, LATE, NOT_SCORED, TAKEN
from models.folded import Folded
from models.intake import text_of
from models.plan import Limits, Plan, compile_plan
from models.rows import customer_hash
from models.scorer import HASH_KEY, Scorer
from models.state import NAME_BYTES
from schemas.campaign import Campaign, CampaignFile, Events, Features
from schemas.clauses import Clause, Goal
from schemas.example import TrainingExample
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS
from tests.event_logs import START_MS, LoggedEvent, closing, records_of, rows_in
from tests.naive_features import NaiveFeatures
from tests.naive_folds import NaiveFold
from tests.random_models import random_model

BUY = Campaign(
    name="buy",
    goal=Goal((Clause("buy"),)),
    horizon_ms=DAY_MS,
    score_on=(Clause("view"),),
    example_interval_ms=0,
    features=Features(half_lives_ms=(None,)),
)


def plan_of(campaign: Campaign = BUY, **limits: Any) -> Plan:
    """A plan of one campaign."""
    file = CampaignFile(1, {campaign.name: campaign})
    return compile_plan(file, replace(Limits(), **limits))


def event(
    customer: str, kind: str, after_ms: int, event_id: str | None = None, **properties: str | float
) -> LoggedEvent:
    """An event so long after the start; its id is made of the rest."""
    name = event_id or f"{customer} {kind} {after_ms}"
    return LoggedEvent(customer, kind, START_MS + after_ms, name, None, properties)


def fold(scorer: Scorer, events: Sequence[LoggedEvent], first: int = 0) -> Folded:
    """Fold events as one batch."""
    log = records_of(events, first)
    return scorer.fold(log.offsets, log.timestamps_ms, log.keys, log.values)


def folded_rows(campaign: Campaign, events: Sequence[LoggedEvent]) -> list[TrainingExample]:
    """The rows of a log that ends with silence."""
    end = closing(max(event.at_ms for event in events), len(events))
    return rows_in(fold(Scorer(plan_of(campaign, closes_per_event_max=10_000)), [*events, *end]))


def test_outcomes_of_events() -> None:
    """An event is scored, not asked for, late, or a duplicate."""
    events = [
        event("ann", "view", 0),
        event("ann", "buy", 1),
        event("ann", "view", 3 * HOUR_MS),
        event("ann", "view", 2 * HOUR_MS),
        event("ann", "view", 2 * HOUR_MS - 1),
        event("ann", "view", 0),
        event("bob", "view", 3 * HOUR_MS, "ann view 0"),
    ]
    outcomes = fold(Scorer(plan_of()), events).scores.outcome.tolist()
    assert outcomes == [TAKEN, NOT_SCORED, TAKEN, TAKEN, LATE, DUPLICATE, TAKEN]


@pytest.mark.parametrize(("after_ms", "outcome"), [(DAY_MS, DUPLICATE), (DAY_MS + 1, TAKEN)])
def test_an_id_is_known_for_a_day(after_ms: int, outcome: int) -> None:
    """An id counts as seen up to and including 24 hours of event time."""
    events = [event("ann", "view", 0, "e"), event("ann", "view", after_ms, "e")]
    assert fold(Scorer(plan_of()), events).scores.outcome.tolist() == [TAKEN, outcome]


def test_a_customer_may_share_ids_with_others() -> None:
    """An event id belongs to its customer."""
    events = [event("ann", "view", 0, "e"), event("bob", "view", 0, "e")]
    assert fold(Scorer(plan_of()), events).scores.outcome.tolist() == [TAKEN, TAKEN]


def slots(scorer: Scorer) -> dict[str, int]:
    """Who has a profile, and where."""
    known = np.arange(scorer.counts.profiles)
    held = scorer._customers.read(scorer._profiles.view.name, known)
    return {text_of(name): slot for slot, name in enumerate(held)}


def test_the_least_recently_active_customer_makes_room() -> None:
    """At the bound the customer who was away longest is forgotten, and begins anew."""
    scorer = Scorer(plan_of(replace(BUY, learn_on=(Clause("never"),)), profiles_max=2))
    fold(scorer, [event("ann", "x", 0), event("bob", "x", 1), event("ann", "x", 2)])
    fold(scorer, [event("cy", "x", 3)], first=3)
    assert set(slots(scorer)) == {"ann", "cy"}
    assert scorer.counts.evicted == 1
    fold(scorer, [event("bob", "x", 4)], first=4)
    assert set(slots(scorer)) == {"cy", "bob"}
    counted = scorer._profiles.view.counts[slots(scorer)["bob"]].max()
    assert counted == 1.0


def test_a_customer_with_an_open_example_keeps_his_profile() -> None:
    """Who is waited for is not forgotten, before his example has closed."""
    scorer = Scorer(plan_of(profiles_max=2))
    fold(scorer, [event("ann", "view", 0), event("bob", "x", 1), event("cy", "x", 2)])
    assert set(slots(scorer)) == {"ann", "cy"}
    fold(scorer, [event("cy", "x", 2 * DAY_MS), event("dan", "x", 2 * DAY_MS)], first=3)
    assert set(slots(scorer)) == {"cy", "dan"}
    assert scorer.counts.open_examples == 0


def test_repeats_of_forgotten_customers_hold_no_room_for_ever() -> None:
    """A duplicate of somebody who was evicted makes a profile that can be evicted again."""
    scorer = Scorer(plan_of(profiles_max=3))
    events = [event(f"c{index}", "x", index) for index in range(50)]
    fold(scorer, events)
    again = fold(scorer, events[:40], first=50)
    assert set(again.scores.outcome.tolist()) == {DUPLICATE}
    assert scorer.counts.profiles == 3


def test_names_of_every_length_are_kept() -> None:
    """A row names its event and its customer, whether the names fit into their places or not."""
    lengths = [1, NAME_BYTES - 1, NAME_BYTES, NAME_BYTES + 1, 100]
    events = [
        event("c" * customer, "view", customer, f"{'e' * length}{customer}"[-length:])
        for customer in lengths
        for length in lengths
    ]
    rows = folded_rows(BUY, events)
    named = {(row.customer, row.event_id) for row in rows}
    assert named == {(customer_hash(HASH_KEY, each.customer), each.event_id) for each in events}


def test_examples_never_pass_their_bound_and_weights_make_up_for_it() -> None:
    """Above half of the bound fewer examples open, and each stands for more."""
    plan = plan_of(open_examples_max=1000, closes_per_event_max=1000)
    scorer = Scorer(plan)
    most = 0
    rows: list[TrainingExample] = []
    for index in range(40):
        step_ms = index * 36 * MINUTE_MS  # 41 steps to a horizon and its lateness.
        events = [event(f"c{n}", "view", step_ms) for n in range(100)]
        rows += rows_in(fold(scorer, events, first=index * 100))
        most = max(most, scorer.counts.open_examples)
    assert 750 < most <= 1000
    assert scorer.counts.throttled == 4000 - scorer.counts.opened > 0
    rows += rows_in(fold(scorer, closing(START_MS + 2 * DAY_MS, 4000)))
    assert len(rows) == scorer.counts.opened
    assert abs(sum(row.weight for row in rows) - 4000) < 600
    assert {row.weight for row in rows} >= {1.0, 2.0, 4.0}


def test_the_example_of_an_interval_is_a_fair_pick() -> None:
    """Each of an interval's candidates is chosen equally often."""
    campaign = replace(BUY, example_interval_ms=DAY_MS)
    events = [
        event(f"c{customer}", "view", minute * MINUTE_MS)
        for minute in range(5)
        for customer in range(1000)
    ]
    rows = folded_rows(campaign, events)
    assert len(rows) == 1000
    assert {row.weight for row in rows} == {5.0}
    chosen = Counter(row.as_of for row in rows)
    assert len(chosen) == 5
    assert all(abs(count - 200) < 60 for count in chosen.values())  # Nearly five deviations.


def test_of_two_intervals_that_overlap_the_later_one_takes_the_candidate() -> None:
    """An event out of order may lie in two intervals; it belongs to the one begun last."""
    campaign = replace(BUY, example_interval_ms=HOUR_MS)
    minutes = [0, 65, 55]
    rows = folded_rows(campaign, [event("ann", "view", m * MINUTE_MS) for m in minutes])
    assert sorted(row.weight for row in rows) == [1.0, 2.0]
    first = next(row for row in rows if row.weight == 1.0)
    assert first.source.offset == 0


def test_a_quick_answer_waits_for_those_scored_before() -> None:
    """Where both answers are reported, rows leave in the order of scoring."""
    campaign = replace(BUY, goal=replace(BUY.goal, lost=Clause("refuse")))
    events = [
        event("ann", "view", 0),
        event("bob", "view", 1),
        event("bob", "buy", 2),
        event("cy", "view", 3),
        event("ann", "refuse", 4),
    ]
    rows = rows_in(fold(Scorer(plan_of(campaign)), events))
    assert [(row.source.offset, row.label) for row in rows] == [(0, 0.0), (1, 1.0)]
    assert [(row.closed_by.offset, row.closed_by.index) for row in rows] == [(4, 0), (4, 1)]


def test_both_classes_leave_when_time_is_up() -> None:
    """Without `lost` a conversion is not learned before those who did not convert."""
    events = [event("ann", "view", 0), event("bob", "view", 0), event("ann", "buy", 1)]
    end_ms = DAY_MS + HOUR_MS
    scorer = Scorer(plan_of())
    assert rows_in(fold(scorer, [*events, event("zoe", "x", end_ms)])) == []
    rows = rows_in(fold(scorer, [event("zoe", "x", end_ms + 1)], first=4))
    assert [row.label for row in rows] == [1.0, 0.0]


def test_a_late_goal_answers_and_a_late_score_does_not_exist() -> None:
    """A late event changes the profile and answers examples; it is only not scored."""
    events = [
        event("ann", "view", 0),
        event("zoe", "x", DAY_MS),
        event("ann", "buy", MINUTE_MS),
        event("ann", "view", 2 * MINUTE_MS),
    ]
    rows = folded_rows(BUY, events)
    assert [(row.source.offset, row.label) for row in rows] == [(0, 1.0)]


def test_a_goal_that_comes_while_its_row_waits_to_leave_still_counts() -> None:
    """A due example that has to wait for its turn is answered until it leaves."""
    scorer = Scorer(plan_of(closes_per_event_max=1))
    views = [event(name, "view", index) for index, name in enumerate(("ann", "bob"))]
    later = [event("zoe", "x", 3 * DAY_MS), event("bob", "buy", 5), event("zoe", "x", 4 * DAY_MS)]
    rows = rows_in(fold(scorer, [*views, *later]))
    assert [(row.source.offset, row.closed_by.offset, row.label) for row in rows] == [
        (0, 2, 0.0),
        (1, 3, 0.0),
    ]
    scorer = Scorer(plan_of(closes_per_event_max=1))
    views.insert(0, event("cy", "view", 0))
    rows = rows_in(fold(scorer, [*views, *later]))
    assert [row.label for row in rows] == [0.0, 0.0, 1.0]


def test_places_of_wide_rows_are_used_again_cleanly() -> None:
    """A row holds its own campaign's columns, whatever stood in its place before."""
    wide = replace(BUY, name="wide", features=Features(half_lives_ms=(HOUR_MS, DAY_MS, None)))
    narrow = replace(BUY, name="narrow", score_on=(Clause("cart"),))
    plan = compile_plan(CampaignFile(1, {"wide": wide, "narrow": narrow}))
    scorer = Scorer(plan)
    fold(scorer, [event("ann", "view", 0), event("zoe", "x", 2 * DAY_MS)])
    fold(scorer, [event("bob", "cart", 2 * DAY_MS)], first=2)
    (row,) = rows_in(fold(scorer, [event("zoe", "x", 4 * DAY_MS)], first=3))
    assert row.campaign == "narrow"
    assert set(row.features) <= set(plan.layout.campaigns[1].names)
    assert row.features["cart all"] > 0.0
    assert "cart 1h" not in row.features


def test_names_of_senders_do_not_run_into_ours() -> None:
    """A type called `other` or `hits`, or a number called `tenure`, has columns of its own."""
    campaign = replace(
        BUY, features=Features(half_lives_ms=(30 * DAY_MS,), numbers=("tenure", "hits"))
    )
    counted = Events(count=("other", "hits", "view value"))
    file = CampaignFile(1, {"buy": campaign}, events=counted)
    plan = compile_plan(file)
    names = [name for name in plan.layout.campaigns[0].names if " by " not in name]
    assert len(set(names)) == len(names)
    events = [
        event("ann", "other", 0),
        event("ann", "hits", 1),
        event("ann", "x", 2),
        event("ann", "view", DAY_MS, tenure=7.0, hits=2.0),
    ]
    (row,) = rows_in(fold(Scorer(plan), [*events, *closing(START_MS + DAY_MS, 4)]))
    naive = NaiveFold(file, [*events, *closing(START_MS + DAY_MS, 4)], Limits())
    wanted = NaiveFeatures(naive, naive.rows).of(campaign, 3)
    assert row.features["other seen"] == row.features["other' seen"] == 1.0
    assert abs(row.features["hits 30d'"] - wanted["other 30d"]) < 1e-5
    assert row.features["tenure'"] != row.features["tenure"]
    assert abs(row.features["hits'"] - wanted["hits"]) < 1e-5


def test_a_model_of_another_definition_is_refused() -> None:
    """Only models of the same lineage serve."""
    scorer, plan = Scorer(plan_of()), plan_of()
    model = random_model(plan, "buy", 1)
    assert scorer.install(model)
    model.lineage = "0" * 16
    assert not scorer.install(model)
    model.campaign = "nobody"
    assert not scorer.install(model)


def test_a_model_that_was_removed_serves_no_more() -> None:
    """After `uninstall` scores are those of a fold that never had one, and a next one serves."""
    campaign = replace(BUY, features=Features(half_lives_ms=(None,), categories=("channel",)))
    other = replace(BUY, name="other")
    plan = compile_plan(CampaignFile(1, {"buy": campaign, "other": other}))
    removed, never, kept = Scorer(plan), Scorer(plan), random_model(plan, "other", 2)
    views = [event(f"c{number}", "view", number, channel="app") for number in range(40)]
    for scorer in (removed, never):
        assert scorer.install(kept)
    assert removed.install(random_model(plan, "buy", 1))
    assert served(removed, views[:20], 0) != served(never, views[:20], 0)
    assert removed.uninstall("buy")
    assert not removed.uninstall("buy")
    assert not removed.uninstall("nobody")
    assert served(removed, views[20:], 20) == served(never, views[20:], 20)
    assert removed.install(random_model(plan, "buy", 3))
    assert never.install(random_model(plan, "buy", 3))
    assert served(removed, views, 40) == served(never, views, 40)


def served(scorer: Scorer, events: Sequence[LoggedEvent], first: int) -> list[list[bytes]]:
    """What was served for events, bit for bit."""
    folded = fold(scorer, [replace_id(each, first) for each in events], first)
    columns = (folded.scores.served, folded.scores.status, folded.scores.version,
               folded.scores.source, folded.scores.other)  # fmt: skip
    return [[row.tobytes() for row in column[: folded.score_count]] for column in columns]


def replace_id(each: LoggedEvent, number: int) -> LoggedEvent:
    """The event again under another id, so that it is no duplicate."""
    return replace(each, event_id=f"{each.event_id} {number}")


def test_a_warming_campaign_serves_its_rate() -> None:
    """Until enough is known every score is the declared rate, with no reasons."""
    folded = fold(Scorer(plan_of(replace(BUY, rate=0.3))), [event("ann", "view", 0)])
    assert folded.score_count == 1
    assert folded.scores.served[0] == 0.3
    assert folded.scores.source[0].tolist() == [-1, -1, -1]
    assert folded.scores.other[0] == 0.0
