"""Arms of a campaign: who is acted on, who is held out, and what became of both.

Owns: which rows first triggers open, what rows say of arms, and what a trainer makes of them.
Never: random logs and policies; tests/property/test_arms.py has those.
Source: docs/campaigns.md, "What acting is worth".
"""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from msgspec.structs import replace as with_fields

from models.kernel_arms import is_held_out
from models.plan import Limits, Plan, compile_plan
from models.quality_report import report_of
from models.rows import customer_hash
from models.scorer import HASH_KEY, Scorer
from models.trainer import Trainer
from models.trigger_states import Policies, policies_of
from models.uplift import ACTING, Arm, customers_needed, difference
from models.wire import hash_text
from schemas.campaign import CampaignFile, Challenger
from schemas.clauses import Clause
from schemas.example import TrainingExample, decode_example, encode_example
from schemas.learner_state import decode_learner_state, encode_learner_state
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS, format_time
from tests.event_logs import START_MS, LoggedEvent, closing, records_of, rows_in
from tests.unit.test_triggers import BUY, POLICY, Shop, model, moved, plan_of

HALF = {"hold_out": 0.5}


def is_held(policies: Policies, customer: str) -> bool:
    """Whether a customer is held out."""
    return is_held_out(policies, 0, np.uint64(hash_text(customer)[0]))


def customers_of(plan: Plan, arm: str, count: int = 1) -> list[str]:
    """The first customers of an arm, by name."""
    policies, found, number = policies_of(plan), list[str](), 0
    while len(found) < count:
        name = f"c{number}"
        if is_held(policies, name) == (arm == "held_out"):
            found.append(name)
        number += 1
    return found


def rows_after(shop: Shop, after_ms: int = 30 * DAY_MS) -> list[TrainingExample]:
    """The rows that close when the clock comes there."""
    shop.happens("x", after_ms, customer="zoe")
    assert shop.last is not None
    return rows_in(shop.last)


def outcomes(rows: list[TrainingExample]) -> list[TrainingExample]:
    """The rows of first triggers."""
    return [row for row in rows if row.triggered]


@pytest.mark.parametrize("arm", ["acted", "held_out"])
@pytest.mark.parametrize("buys", [True, False])
def test_a_first_trigger_opens_a_row_of_its_arm(arm: str, *, buys: bool) -> None:
    """Its horizon begins with the trigger, and what the customer did in it is its label."""
    shop = Shop(plan_of(policy=HALF))
    (ann,) = customers_of(shop.plan, arm)
    shop.happens("view", 0, 0.1, customer=ann)
    shop.happens("view", 5, 0.9, customer=ann)
    shop.happens("buy", 5 + (DAY_MS if buys else DAY_MS + 1), customer=ann)
    (row,) = outcomes(rows_after(shop))
    assert (row.acted, row.label, row.weight) == (arm, float(buys), 1.0)
    assert row.as_of == format_time(START_MS + 5)
    assert row.customer == customer_hash(HASH_KEY, ann)
    assert (row.features, row.experts, row.event_id) == ({}, {}, None)
    assert (row.probability, row.status, row.source.offset) == (0.9, "ready", 1)


def test_whatever_comes_later_a_customer_has_one_row() -> None:
    """Who left and entered again is counted by the first trigger, in the arm of the hash."""
    shop = Shop(plan_of(policy=HALF))
    (ann,) = customers_of(shop.plan, "acted")
    for hour, score in enumerate((0.9, 0.1, 0.9, 0.1, 0.9)):
        shop.happens("view", hour * HOUR_MS, score, customer=ann)
    rows = rows_after(shop)
    assert [row.as_of for row in outcomes(rows)] == [format_time(START_MS)]
    shop.happens("view", 40 * DAY_MS, 0.9, customer=ann)
    assert outcomes(rows_after(shop, 80 * DAY_MS)) == []


def test_another_share_moves_nobody_who_is_counted() -> None:
    """Who was acted on stays so, and with him the rows that acting may have changed."""
    shop, other = Shop(plan_of(policy={"hold_out": 0.1})), plan_of(policy={"hold_out": 0.9})
    acted = customers_of(shop.plan, "acted", 20)
    ann = next(name for name in customers_of(other, "held_out", 20) if name in acted)
    shop.happens("view", 0, 0.9, customer=ann)
    shop.happens("view", 1, 0.1, customer=ann)
    shop = moved(shop, other)
    shop.happens("view", 2, 0.9, customer=ann)
    rows = rows_after(shop)
    assert [row.acted for row in outcomes(rows)] == ["acted"]
    before = [row for row in rows if row.as_of <= format_time(START_MS + 1)]
    assert {row.acted for row in before} == {"acted"}


def test_the_horizon_begins_when_the_wait_is_over() -> None:
    """The row is of the trigger and not of the score; who bought before gets neither."""
    shop = Shop(plan_of(policy={**HALF, "wait_ms": HOUR_MS}))
    ann, bob = customers_of(shop.plan, "acted", 2)
    shop.happens("view", 0, 0.9, customer=ann)
    shop.happens("view", 0, 0.9, customer=bob)
    shop.happens("buy", MINUTE_MS, customer=bob)
    shop.happens("buy", DAY_MS + HOUR_MS, customer=ann)
    (row,) = outcomes(rows_after(shop))
    assert row.customer == customer_hash(HASH_KEY, ann)
    assert (row.as_of, row.label) == (format_time(START_MS + HOUR_MS), 1.0)


def test_a_deadline_of_the_score_ends_the_horizon() -> None:
    """With `until` a goal counts up to that, whenever the trigger came."""
    goal = replace(BUY.goal, until="ends_at")
    trigger = replace(POLICY, hold_out=0.5, wait_ms=HOUR_MS)
    campaign = replace(BUY, goal=goal, trigger=trigger)
    for buys_ms, label in ((2 * HOUR_MS, 1.0), (2 * HOUR_MS + 1, 0.0)):
        shop = Shop(compile_plan(CampaignFile(1, {"buy": campaign})))
        shop.happens("view", 0, 0.9, ends_at=START_MS + 2 * HOUR_MS)
        shop.happens("buy", buys_ms)
        (row,) = outcomes(rows_after(shop))
        assert row.label == label


def test_rows_say_whether_somebody_may_have_acted_on_their_outcome() -> None:
    """An entry reaches rows that are open, and those scored while its horizon lasts."""
    for arm in ("acted", "held_out"):
        shop = Shop(plan_of(policy=HALF))
        (ann,) = customers_of(shop.plan, arm)
        for at_ms, score in ((0, 0.1), (2 * DAY_MS, 0.1), (2 * DAY_MS + 1, 0.9),
                             (3 * DAY_MS + 1, 0.9), (3 * DAY_MS + 2, 0.9)):  # fmt: skip
            shop.happens("view", at_ms, score, customer=ann)
            shop.happens("view", at_ms, 0.4, customer="zoe")
        last = rows_after(shop)
        found = {(row.as_of_ms - START_MS, row.customer): row.acted for row in last}
        mine = {at: acted for (at, who), acted in found.items()
                if who == customer_hash(HASH_KEY, ann)}  # fmt: skip
        assert mine == {
            2 * DAY_MS + 1: arm, 3 * DAY_MS + 1: arm, 3 * DAY_MS + 2: "none"
        } | ({2 * DAY_MS: arm} if 2 * DAY_MS in mine else {})  # fmt: skip
        others = {acted for (_, who), acted in found.items()
                  if who == customer_hash(HASH_KEY, "zoe")}  # fmt: skip
        assert others == {"none"}


def test_without_held_out_customers_there_are_no_arms() -> None:
    """A trigger alone opens no row and marks none."""
    shop = Shop()
    shop.happens("view", 0, 0.9)
    rows = rows_after(shop)
    assert [(row.acted, row.triggered) for row in rows] == [("none", False)]


def test_a_row_of_an_arm_is_no_answer_of_the_customer_and_no_candidate() -> None:
    """What is known of the customer, and which scores become examples, is as without arms."""
    seen = []
    for hold_out in (0.0, 0.5):
        campaign = replace(
            BUY, example_interval_ms=DAY_MS, trigger=replace(POLICY, hold_out=hold_out)
        )
        shop = Shop(compile_plan(CampaignFile(1, {"buy": campaign})))
        rows: list[TrainingExample] = []
        for hour in range(0, 100, 3):
            shop.happens("view", hour * HOUR_MS, 0.9)
            assert shop.last is not None
            rows += rows_in(shop.last)
        rows += rows_after(shop)
        assert len(outcomes(rows)) == (hold_out > 0.0)
        scored = [with_fields(row, acted="none") for row in rows if not row.triggered]
        seen.append([encode_example(row) for row in scored])
    assert seen[0] == seen[1]


def test_a_customer_whose_row_is_open_keeps_the_profile() -> None:
    """Others make room; afterwards a customer who was forgotten is a new one."""
    campaign = replace(BUY, learn_on=(Clause("never"),), trigger=replace(POLICY, hold_out=0.5))
    plan = compile_plan(CampaignFile(1, {"buy": campaign}), Limits(profiles_max=2))
    shop = Shop(plan)
    shop.happens("view", 0, 0.9)
    for number in range(5):
        shop.happens("x", 1 + number, customer=f"c{number}")
    (row,) = outcomes(rows_after(shop))
    assert row.customer == customer_hash(HASH_KEY, "ann")
    shop.happens("x", 31 * DAY_MS, customer="c7")
    shop.happens("view", 32 * DAY_MS, 0.9)
    (again,) = outcomes(rows_after(shop, 60 * DAY_MS))
    assert again.customer == row.customer


def test_where_too_many_examples_are_open_no_arm_is_counted() -> None:
    """The trigger leaves all the same."""
    campaign = replace(BUY, learn_on=(Clause("never"),), trigger=replace(POLICY, hold_out=0.5))
    plan = compile_plan(CampaignFile(1, {"buy": campaign}), Limits(open_examples_max=1))
    shop = Shop(plan)
    for customer in ("ann", "bob"):
        assert len(shop.happens("view", 0, 0.9, customer=customer)) == 1
    assert len(outcomes(rows_after(shop))) == 1
    assert shop.scorer.counts.throttled == 1


def test_many_waits_that_end_at_once_have_room_for_their_rows() -> None:
    """However many there are, each leaves one, wherever the log is cut."""
    found = []
    for batch in (7, 4000):
        plan = plan_of(policy={**HALF, "wait_ms": HOUR_MS})
        scorer = Scorer(plan)
        scorer.install(model(plan, 0.9))
        events = [LoggedEvent(f"c{n}", "view", START_MS + n, f"e{n}") for n in range(3000)]
        later = START_MS + 2 * HOUR_MS
        events += [LoggedEvent("zoe", "x", later + n, f"x{n}") for n in range(100)]
        events += closing(later, len(events), 200)
        rows: list[bytes] = []
        for first in range(0, len(events), batch):
            log = records_of(events[first : first + batch], first)
            folded = scorer.fold(log.offsets, log.timestamps_ms, log.keys, log.values)
            rows += folded.rows.values
        assert sum(row.endswith(b',"triggered":true}') for row in rows) == 3000
        found.append(rows)
    assert found[0] == found[1]


def test_arms_are_carried_over_to_another_campaign_file() -> None:
    """A row that is open goes on where its campaign does, from a state of its file or another."""
    plan = plan_of(policy=HALF)
    other = replace(BUY, name="other", trigger=None)
    wider = compile_plan(CampaignFile(1, {"other": other, **plan.file.campaigns}))
    shop = Shop(plan)
    shop.happens("view", 0, 0.9)
    for into in (plan, wider):
        going_on = Shop(into)
        going_on.scorer.restore(shop.scorer.lift())
        going_on._count = 1
        (row,) = outcomes(rows_after(going_on))
        assert row.as_of == format_time(START_MS)


def rows_of_arms(plan: Plan, seed: int, count: int = 40) -> list[bytes]:
    """Rows that a fold gives of customers whom acting makes buy."""
    generator, shop, rows = random.Random(seed), Shop(plan), []
    for number in range(count):
        customer = f"s{seed}-{number}"
        at_ms = number * 3 * HOUR_MS
        for after_ms in (0, MINUTE_MS):
            shop.happens("view", at_ms + after_ms, 0.9, customer=customer)
            assert shop.last is not None
            rows += shop.last.rows.values
        if generator.random() < 0.5:
            shop.happens("buy", at_ms + HOUR_MS, customer=customer)
    shop.happens("x", at_ms + 2 * DAY_MS, customer="zoe")
    assert shop.last is not None
    return [*rows, *shop.last.rows.values]


@pytest.mark.parametrize("challenged", [False, True])
def test_a_trainer_counts_each_row_once_and_goes_on(*, challenged: bool) -> None:
    """Wherever it is cut and restored, and whatever comes twice; one by one or together."""
    challengers = (Challenger("river_logistic"),) if challenged else ()
    campaign = replace(BUY, challengers=challengers, trigger=replace(POLICY, hold_out=0.5))
    plan = compile_plan(CampaignFile(1, {"buy": campaign}))
    rows = rows_of_arms(plan, 1)
    whole = Trainer(plan)
    whole.fold_bytes(range(len(rows)), rows)
    figures = whole.records()[0].quality
    customers = figures["acted_customers"], figures["held_out_customers"]
    assert sum(number or 0.0 for number in customers) == 40.0
    assert all(customers)
    assert whole.counts["triggered", "buy"] == 40
    first = Trainer(plan)
    first.fold_bytes(range(30), rows[:30])
    first.changed = {"buy"}
    states = [decode_learner_state(encode_learner_state(state)) for state in first.states()]
    second = Trainer(plan)
    second.restore(states)
    second.fold_bytes(range(len(rows)), rows)
    assert second.records()[0].quality == figures
    for offset in range(len(rows)):
        second.fold_bytes([len(rows) + offset], [rows[offset]])
    assert second.records()[0].quality == figures


def test_acting_is_an_input_that_scores_leave_at_zero() -> None:
    """Rows of those acted on are learned with it and not judged; those held out are judged."""
    plan = plan_of(policy=HALF)
    trainer, rows = Trainer(plan), rows_of_arms(plan, 2, 160)
    trainer.fold_bytes(range(len(rows)), rows)
    learner = trainer.learners["buy"]
    assert ACTING in learner.learner.columns
    decoded = [row for row in map(decode_example, rows) if not row.triggered]
    acted = sum(row.acted == "acted" for row in decoded)
    report = report_of(learner, plan.layout)
    assert 0 < acted < len(decoded)
    assert (report["rows_not_judged"], report["rows_28d"]) == (acted, len(decoded) - acted)
    assert ACTING not in report["selection"]["never_helped"]
    record = trainer.records()[0]
    scorer = Scorer(plan)
    assert scorer.install(record)
    place = record.columns.index(ACTING)
    other = [0.0 if n == place else w for n, w in enumerate(record.weights)]
    without = Scorer(plan)
    without.install(with_fields(record, weights=other))
    log = records_of([LoggedEvent("ann", "view", START_MS, "e0")])
    said = [
        each.fold(log.offsets, log.timestamps_ms, log.keys, log.values).scores.served[0]
        for each in (scorer, without)
    ]
    assert said[0] == said[1]


RUNS, SHOPPERS = 200, 300
RATE, UPLIFT = 0.10, 0.08


def shop_with_uplift(plan: Plan, run: int) -> tuple[list[LoggedEvent], list[LoggedEvent]]:
    """Shoppers who look once, and those who buy within the horizon: more where somebody acted."""
    policies, generator = policies_of(plan), random.Random(run)
    names = [f"r{run}-{number}" for number in range(SHOPPERS)]
    views = [LoggedEvent(name, "view", START_MS + n, f"v{n}") for n, name in enumerate(names)]
    buys = [
        LoggedEvent(name, "buy", START_MS + HOUR_MS + n, f"b{n}")
        for n, name in enumerate(names)
        if generator.random() < RATE + (0.0 if is_held(policies, name) else UPLIFT)
    ]
    return views, buys


def test_the_interval_covers_what_acting_is_worth() -> None:
    """In a shop where it is known: in 93 % of 200 runs at least, through the whole fold.

    Scores let everybody enter; arms, rows, their maturing and the counts are those of the product.
    The counts are those of a naive reading of the shop, too.
    """
    plan, covered, gaps = plan_of(policy={"hold_out": 0.4}), 0, []
    policies, always = policies_of(plan), model(plan, 0.9)
    for run in range(RUNS):
        views, buys = shop_with_uplift(plan, run)
        events = [*views, *buys, *closing(START_MS + HOUR_MS + SHOPPERS, 0, 20)]
        log, scorer, trainer = records_of(events), Scorer(plan), Trainer(plan)
        scorer.install(always)
        folded = scorer.fold(log.offsets, log.timestamps_ms, log.keys, log.values)
        trainer.fold_bytes(range(len(folded.rows)), folded.rows.values)
        uplift = trainer.learners["buy"].uplift
        assert uplift is not None
        for arm, held in (("acted", False), ("held_out", True)):
            mine, bought = (
                sum(is_held(policies, each.customer) == held for each in some)
                for some in (views, buys)
            )
            assert uplift.arms[arm] == Arm(mine, bought)
        found = uplift.found
        assert found is not None
        covered += found.low <= UPLIFT <= found.high
        gaps.append(found.estimate)
    assert covered >= 0.93 * RUNS
    assert abs(sum(gaps) / RUNS - UPLIFT) < 0.01


def test_how_many_more_are_needed() -> None:
    """Less with a greater difference, none where it is decisive, unknown without a difference."""
    some = [Arm(100, number) for number in (12, 14, 16)]
    needed = [customers_needed(arm, Arm(100, 10)) for arm in some]
    assert all(before is not None and after is not None and before > after > 0
               for before, after in pairwise(needed))  # fmt: skip
    assert customers_needed(Arm(1000, 200), Arm(1000, 100)) == 0
    assert customers_needed(Arm(100, 10), Arm(100, 10)) is None
    assert customers_needed(Arm(100, 10), Arm()) is None
    assert difference(Arm(), Arm(100, 10)) is None


def test_so_many_decide_in_four_of_five_experiments() -> None:
    """The number is what it says it is: with so many, 80 % of the intervals leave out 0."""
    one, other = Arm(100, 16), Arm(100, 10)
    more = customers_needed(one, other)
    assert more is not None
    count, generator, decisive = (200 + more) // 2, random.Random(4), 0
    for _ in range(400):
        arms = [
            Arm(count, sum(generator.random() < rate for _ in range(count)))
            for rate in (0.16, 0.10)
        ]
        found = difference(*arms)
        decisive += found is not None and found.is_decisive
    assert 0.75 < decisive / 400 < 0.86
