"""Rows of arms beside those of scores: neither knows of the other, whatever was served.

Owns: numbers, closings, limits and control facts of rows of arms, and a trainer that meets them
    again.
Never: which triggers open a row; tests/unit/test_arms.py asks that.
Source: docs/campaigns.md, "What acting is worth".
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.plan import Limits, Plan, compile_plan
from models.scorer import Scorer
from models.state import OPEN_COUNT, OUTCOMES_DUE, OUTCOMES_OPEN
from models.trainer import Trainer
from models.uplift import Arm
from schemas.campaign import CampaignFile, Challenger
from schemas.clauses import Clause
from schemas.example import TrainingExample, decode_example, encode_example
from schemas.times import DAY_MS, HOUR_MS
from tests.event_logs import START_MS, LoggedEvent, closing, records_of
from tests.unit.test_arms import HALF, customers_of, outcomes, rows_after
from tests.unit.test_triggers import BUY, POLICY, Shop, model, plan_of

MEASURED = replace(BUY, trigger=replace(POLICY, hold_out=0.5))
ANSWERED = replace(MEASURED, goal=replace(BUY.goal, lost=Clause("refusal")))


def scored(rows: list[TrainingExample]) -> list[TrainingExample]:
    """The rows of scores."""
    return [row for row in rows if not row.triggered]


def numbers(rows: list[TrainingExample]) -> list[tuple[str, int, int]]:
    """Whose a row is, and what closed it."""
    return [(row.customer, row.closed_by.offset, row.closed_by.index) for row in rows]


def life(plan: Plan, *scores: tuple[str, float]) -> list[TrainingExample]:
    """The rows of customers who look once, one after the other, and get these scores."""
    shop = Shop(plan)
    for number, (customer, score) in enumerate(scores):
        shop.happens("view", number, score, customer=customer)
    return rows_after(shop)


def test_rows_of_scores_are_numbered_as_without_arms() -> None:
    """Whichever triggers fired; and rows of arms have the numbers of their campaign, from 0."""
    plan = plan_of(policy=HALF)
    ann, bob = customers_of(plan, "acted", 2)
    plain = life(plan_of(), (ann, 0.9), (bob, 0.9))
    for served, fired in (((0.9, 0.9), 2), ((0.1, 0.9), 1), ((0.1, 0.1), 0)):
        rows = life(plan, *zip((ann, bob), served, strict=True))
        assert numbers(scored(rows)) == numbers(plain)
        assert [row.closed_by.index for row in outcomes(rows)] == [*range(fired)]


@pytest.mark.parametrize("challenged", [False, True])
def test_another_life_neither_drops_a_row_nor_has_it_twice(*, challenged: bool) -> None:
    """What was served before a crash fired other triggers than what is served after it.

    The log then holds the rows of both. Each row of a score is learned once, each of an arm is
    counted once.
    """
    challengers = (Challenger("river_logistic"),) if challenged else ()
    plan = compile_plan(CampaignFile(1, {"buy": replace(MEASURED, challengers=challengers)}))
    ann, bob = customers_of(plan, "acted", 2)
    trainer, offset = Trainer(plan), 0
    lives = (((ann, 0.9), (bob, 0.1)), ((ann, 0.9), (bob, 0.9)), ((ann, 0.1), (bob, 0.1)))
    for each in lives:
        rows = [encode_example(row) for row in life(plan, *each)]
        trainer.fold_bytes(range(offset, offset + len(rows)), rows)
        offset += len(rows)
    learner = trainer.learners["buy"]
    assert learner.version == 2
    assert learner.uplift is not None
    assert learner.uplift.arms == {"acted": Arm(2, 0), "held_out": Arm()}
    assert trainer.counts["triggered", "buy"] == 2
    assert trainer.counts["repeated", "buy"] == offset - 4


def test_another_campaign_has_other_numbers() -> None:
    """Which triggers one campaign fired changes nothing of the rows of another one's arms."""
    other = replace(MEASURED, name="other")
    plan, found = compile_plan(CampaignFile(1, {"other": other, "buy": MEASURED})), []
    for score in (0.9, 0.1):
        scorer = Scorer(plan)
        scorer.install(model(plan, score))
        scorer.install(model(plan, 0.9, campaign=plan.campaigns[1]))
        events = [LoggedEvent(name, "view", START_MS, name) for name in ("ann", "bob")]
        log = records_of([*events, *closing(START_MS, len(events), 9)])
        folded = scorer.fold(log.offsets, log.timestamps_ms, log.keys, log.values)
        rows = [decode_example(row) for row in folded.rows.values]
        found.append([row for row in outcomes(rows) if row.campaign == "buy"])
        assert len(outcomes(rows)) == len(found[-1]) + 2 * (score == 0.9)
    assert found[0] == found[1] != []


@pytest.mark.parametrize(
    "limits", [Limits(closes_per_event_max=1), Limits(closes_per_event_max=2, open_examples_max=4)]
)
def test_rows_of_arms_take_no_room_of_others(limits: Limits) -> None:
    """An event closes as many rows of scores as without arms, and as many may be open."""
    found = []
    for hold_out in (0.0, 0.5):
        campaign = replace(MEASURED, trigger=replace(POLICY, hold_out=hold_out))
        plan = compile_plan(CampaignFile(1, {"buy": campaign}), limits)
        shop, rows = Shop(plan), list[TrainingExample]()
        for number in range(24):
            shop.happens("view", number * HOUR_MS, 0.9, customer=f"c{number % 8}")
        for number in range(40):
            rows += rows_after(shop, 3 * DAY_MS + number)
        assert len(outcomes(rows)) == (0 if not hold_out else min(8, limits.open_examples_max))
        found.append([encode_example(row) for row in scored(rows)])
    plain, measured = found
    assert [row.replace(b'"held_out"', b'"none"').replace(b'"acted":"acted"', b'"acted":"none"')
            for row in measured] == plain  # fmt: skip


def test_so_many_rows_of_arms_close_at_an_event() -> None:
    """The rest follow with the next events, those due first."""
    plan = compile_plan(CampaignFile(1, {"buy": MEASURED}), Limits(closes_per_event_max=2))
    shop = Shop(plan)
    for number in range(5):
        shop.happens("view", number, 0.9, customer=f"c{number}")
    found = [outcomes(rows_after(shop, 3 * DAY_MS + number)) for number in range(4)]
    assert [[row.source.offset for row in rows] for rows in found] == [[0, 1], [2, 3], [4], []]


@pytest.mark.parametrize("arm", ["acted", "held_out"])
def test_a_suppression_is_an_outcome_and_no_end(arm: str) -> None:
    """Who unsubscribes after a message counts, or acting would look better than it is.

    Rows of scores go; what the customer does until the horizon is over is the label.
    """
    shop = Shop(plan_of(policy=HALF))
    (ann,) = customers_of(shop.plan, arm)
    shop.happens("view", 0, 0.9, customer=ann)
    shop.happens("$suppress", 1, customer=ann)
    assert shop.last is not None
    assert dict(shop.last.withdrawn) == {(0, "suppressed"): 1}
    shop.happens("buy", 2, customer=ann)
    (row,) = rows_after(shop)
    assert (row.triggered, row.acted, row.label) == (True, arm, 1.0)


def test_who_is_forgotten_counts_in_no_arm() -> None:
    """Nothing of before is left, and that is counted; who comes again is somebody new."""
    shop = Shop(plan_of(policy=HALF))
    shop.happens("view", 0, 0.9)
    shop.happens("$suppress", 1)
    shop.happens("$forget", 2)
    assert shop.last is not None
    assert dict(shop.last.withdrawn) == {(0, "forgotten"): 1}
    registers = shop.scorer._registers
    assert (registers[OPEN_COUNT], registers[OUTCOMES_OPEN], registers[OUTCOMES_DUE]) == (0, 0, 1)
    shop.happens("view", HOUR_MS, 0.9)
    assert [row.source.offset for row in outcomes(rows_after(shop))] == [3]


def test_forgetting_leaves_the_order_of_scoring_whole() -> None:
    """Rows of arms are in none, where two answers are reported; those of scores go on in theirs."""
    shop = Shop(compile_plan(CampaignFile(1, {"buy": ANSWERED})))
    shop.happens("view", 0, 0.1, customer="bob")
    shop.happens("view", 1, 0.9, customer="ann")
    shop.happens("$forget", 2, customer="ann")
    queues, first = shop.scorer._queues, int(shop.scorer._queues.order_first[0])
    neighbours = shop.scorer._examples.view.order_next[first], queues.order_last[0]
    assert neighbours == (-1, first), "bob's example is alone in the order"
    shop.happens("view", 3, 0.9, customer="cy")
    rows = list[TrainingExample]()
    for customer, kind in (("cy", "refusal"), ("bob", "buy"), ("cy", "x")):
        shop.happens(kind, HOUR_MS, customer=customer)
        assert shop.last is not None
        rows += [decode_example(row) for row in shop.last.rows.values]
    assert [(row.source.offset, row.label) for row in rows] == [(0, 1.0), (3, 0.0)]
    (left,) = rows_after(shop)
    assert (left.triggered, left.source.offset, left.label) == (True, 3, 0.0)


def test_a_state_says_whether_somebody_is_in_an_arm() -> None:
    """What nobody uses asks nothing of others; an older version would learn such rows as others."""
    shop = Shop(plan_of(policy=HALF))
    shop.happens("view", 0, 0.1)
    assert shop.scorer.lift().facts["format"] == 1
    shop.happens("$consent", 1, granted=True)
    lifted = shop.scorer.lift()
    assert (lifted.facts["format"], len(lifted.arrays["registers"])) == (2, 25)
    assert "outcome_due" not in lifted.arrays
    shop.happens("view", 2, 0.9)
    assert shop.scorer.lift().facts["format"] == 3


def test_rows_of_arms_of_another_definition_go() -> None:
    """With the open examples of their campaign, in a state in which all is counted as it is."""
    shop = Shop(plan_of(policy=HALF))
    shop.happens("view", 0, 0.9)
    other = compile_plan(CampaignFile(1, {"buy": replace(MEASURED, horizon_ms=2 * DAY_MS)}))
    going_on = Shop(other)
    assert going_on.scorer.restore(shop.scorer.lift()) == {"buy": 2}
    registers = going_on.scorer._registers
    assert (registers[OPEN_COUNT], registers[OUTCOMES_OPEN]) == (0, 0)
    assert rows_after(going_on) == []
