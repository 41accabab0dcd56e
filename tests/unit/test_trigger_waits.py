"""Waits of triggers, rule by rule, with scores that a test chooses.

Owns: when a wait ends, and what drops it.
Never: random logs and policies; tests/property/test_triggers.py has those.
Source: docs/campaigns.md, "Triggers".
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.plan import Limits, compile_plan
from schemas.campaign import CampaignFile
from schemas.clauses import Clause
from schemas.customer_clauses import CustomerClause
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS, format_time
from tests.event_logs import START_MS
from tests.unit.test_triggers import BUY, POLICY, Shop, kinds, moved, plan_of

WAIT = {"wait_ms": 10 * MINUTE_MS}


def test_a_wait_ends_with_the_first_event_that_passes_it() -> None:
    """Whoever's event it is, it sends the trigger, as of when the wait was over."""
    shop = Shop(plan_of(policy=WAIT))
    assert shop.happens("view", 0, 0.9) == []
    assert shop.happens("view", 1, 0.9, customer="bob") == []
    assert shop.happens("x", 10 * MINUTE_MS, customer="cy") == []
    ann, bob = shop.happens("x", 30 * MINUTE_MS, customer="cy")
    assert (ann.customer_id, ann.kind) == ("ann", "entered")
    assert (bob.customer_id, bob.kind) == ("bob", "entered")
    assert ann.as_of == format_time(START_MS + 10 * MINUTE_MS)
    assert ann.score.as_of == format_time(START_MS)
    assert ann.expires_at == format_time(START_MS + 10 * MINUTE_MS + HOUR_MS)
    assert kinds(shop.happens("buy", 31 * MINUTE_MS)) == ["converted"]


def test_the_event_that_passes_a_wait_comes_after_it() -> None:
    """A purchase behind the end of the wait is a conversion, and none that drops it."""
    shop = Shop(plan_of(policy=WAIT))
    shop.happens("view", 0, 0.9)
    assert kinds(shop.happens("buy", 11 * MINUTE_MS)) == ["entered", "converted"]


@pytest.mark.parametrize("late", [False, True])
def test_a_goal_drops_who_waits(*, late: bool) -> None:
    """Who bought before the wait was over gets nothing, not even if that is heard of late."""
    shop = Shop(plan_of(policy={"wait_ms": 3 * HOUR_MS}))
    shop.happens("view", 0, 0.9)
    if late:
        shop.happens("x", 2 * HOUR_MS, customer="bob")
    assert shop.happens("buy", MINUTE_MS) == []
    assert shop.happens("x", DAY_MS, customer="bob") == []
    assert shop.counted("_withheld", "answered") == 1
    assert shop.happens("view", DAY_MS, 0.9) == []
    assert kinds(shop.happens("x", 2 * DAY_MS)) == ["entered"]


def test_a_low_score_drops_who_waits() -> None:
    """Below `clear` a customer is out again, and nothing was sent that could be taken back."""
    shop = Shop(plan_of(policy=WAIT))
    shop.happens("view", 0, 0.9)
    assert shop.happens("view", 1, 0.4) == []
    assert shop.happens("view", 2, 0.1) == []
    assert shop.counted("_withheld", "cleared") == 1
    assert shop.happens("x", DAY_MS) == []


def test_unless_is_asked_again_when_the_wait_is_over() -> None:
    """What happened meanwhile counts, as of the end of the wait."""
    shop = Shop(
        plan_of(
            policy={**WAIT, "unless": (CustomerClause(event=Clause("call"), within_ms=DAY_MS),)}
        )
    )
    shop.happens("view", 0, 0.9)
    shop.happens("call", 1)
    assert shop.happens("x", HOUR_MS) == []
    assert shop.counted("_withheld", "unless") == 1


def test_a_cooldown_begins_when_the_wait_is_over() -> None:
    """It counts from when the customer entered."""
    shop = Shop(plan_of(policy={**WAIT, "cooldown_ms": HOUR_MS}))
    shop.happens("view", 0, 0.9)
    assert kinds(shop.happens("view", 11 * MINUTE_MS, 0.1)) == ["entered", "exited"]
    shop.happens("view", 70 * MINUTE_MS - 1, 0.9)
    assert shop.counted("_withheld", "cooldown") == 1
    shop.happens("view", 70 * MINUTE_MS, 0.9)
    assert kinds(shop.happens("x", 81 * MINUTE_MS)) == ["entered"]


def test_many_waits_end_a_few_at_a_time() -> None:
    """An event ends 64 of a campaign, in the order in which they began; the rest follow."""
    shop = Shop(plan_of(policy=WAIT))
    for number in range(100):
        shop.happens("view", number, 0.9, customer=f"c{number}")
    first = [each.customer_id for each in shop.happens("x", DAY_MS)]
    second = [each.customer_id for each in shop.happens("x", DAY_MS)]
    assert first + second == [f"c{number}" for number in range(100)]
    assert len(first) == 64


def test_who_makes_room_waits_no_longer() -> None:
    """Whoever is forgotten gets nothing, which is counted, and others wait on."""
    buy = replace(BUY, learn_on=(Clause("never"),), trigger=replace(POLICY, wait_ms=10 * MINUTE_MS))
    plan = compile_plan(CampaignFile(1, {"buy": buy}), replace(Limits(), profiles_max=2))
    shop = Shop(plan)
    for after_ms, customer in enumerate(("ann", "bob", "cy")):
        shop.happens("view", after_ms, 0.9, customer=customer)
    assert shop.counted("_withheld", "forgotten") == 1
    fired = shop.happens("x", DAY_MS, customer="bob")
    assert [each.customer_id for each in fired] == ["bob", "cy"]


def test_who_waited_under_a_file_that_had_a_wait_enters_under_one_that_has_none() -> None:
    """As many at an event as otherwise, and there is room for them."""
    shop = Shop(plan_of(policy=WAIT))
    for number in range(100):
        shop.happens("view", number, 0.9, customer=f"c{number}")
    shop = moved(shop, plan_of())
    assert len(shop.happens("x", DAY_MS)) == 64
    assert len(shop.happens("x", DAY_MS)) == 36


def test_a_wait_that_a_timer_begins_is_as_long_as_any() -> None:
    """It counts from the timer, which fires before the event that moves the clock beyond it."""
    buy = replace(BUY, score_every_ms=HOUR_MS, idle_max_ms=DAY_MS)
    shop = Shop(plan_of(buy, policy={"wait_ms": HOUR_MS}))
    shop.happens("view", 0, 0.1)
    assert shop.happens("x", HOUR_MS + 1, 0.9, customer="bob") == []
    assert kinds(shop.happens("x", 3 * HOUR_MS, 0.9, customer="bob")) == ["entered"]
