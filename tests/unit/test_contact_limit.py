"""`contact_limit`: at most so many triggers of a customer, whichever campaigns send them.

Owns: cases that a reader can check by head, and what may stand in the section.
Never: random logs; tests/property/test_triggers.py has those.
Source: docs/campaigns.md, "A limit for all campaigns".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from models.plan import Plan, compile_plan
from models.trigger_states import CONTACT_LIMIT
from schemas.campaign import CampaignFile
from schemas.campaign_file import parse_campaigns
from schemas.clauses import Clause, Goal
from schemas.contact_limit import ContactLimit
from schemas.control import FORGET, SUPPRESS, UNSUPPRESS
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS
from tests.unit.test_campaign_file import SHORT, only, with_keys
from tests.unit.test_triggers import BUY, POLICY, Shop, moved

LIMIT = ContactLimit(triggers=2, within_ms=HOUR_MS)
NAMES = ("a", "b", "c")


def plan_of(limit: ContactLimit | None = LIMIT, **policy: Any) -> Plan:
    """Three campaigns that send when the first of them does, and a limit."""
    campaigns = {
        name: replace(
            BUY, name=name, goal=Goal((Clause(f"buy-{name}"),)), score_on=(Clause(f"view-{name}"),),
            trigger=replace(POLICY, **policy),
        )
        for name in NAMES
    }  # fmt: skip
    return compile_plan(CampaignFile(1, campaigns, contact_limit=limit))


def view(shop: Shop, name: str, at_ms: int, score: float = 0.9, **given: Any) -> list[str]:
    """A view that this campaign scores; give what is sent, as `a entered`."""
    triggers = shop.happens(f"view-{name}", at_ms, score, **given)
    return [f"{each.campaign} {each.kind}" for each in triggers]


def withheld(shop: Shop) -> int:
    """How many triggers the limit has held back with the last event."""
    assert shop.last is not None
    return int(shop.last.fired.withheld[:, CONTACT_LIMIT].sum())


def test_no_more_enter_than_may() -> None:
    """Whichever campaigns send them, until the window from the first of them is over.

    0 ──── 10m ──── 20m ──────── 1h - 1 ms ── 1h
    a      b        c withheld   c withheld   c
    """
    shop = Shop(plan_of())
    assert view(shop, "a", 0) == ["a entered"]
    assert view(shop, "b", 10 * MINUTE_MS) == ["b entered"]
    for at_ms in (20 * MINUTE_MS, HOUR_MS - 1):
        assert view(shop, "c", at_ms) == []
        assert withheld(shop) == 1
    assert view(shop, "c", HOUR_MS) == ["c entered"]
    assert withheld(shop) == 0
    assert view(shop, "a", HOUR_MS, 0.1) == ["a exited"]  # Only who enters is held to it.
    assert view(shop, "a", HOUR_MS + 1) == []
    assert view(shop, "a", 10 * MINUTE_MS + HOUR_MS) == ["a entered"]


def test_each_customer_has_a_limit_of_their_own() -> None:
    """And without a limit there is none."""
    shop, free = Shop(plan_of()), Shop(plan_of(None))
    for name in NAMES[:2]:
        view(shop, name, 0)
    assert view(shop, "c", 0, customer="bob") == ["c entered"]
    assert [view(free, name, 0) for name in NAMES] == [[f"{name} entered"] for name in NAMES]
    assert "told" not in free.scorer.lift().arrays


def test_of_one_event_the_first_in_the_file_go_first() -> None:
    """Where several campaigns score an event, the limit is reached in the order of the file."""
    file = plan_of().file
    both = {
        name: replace(each, score_on=(Clause("view-a"),)) for name, each in file.campaigns.items()
    }
    shop = Shop(compile_plan(replace(file, campaigns=both)))
    assert view(shop, "a", 0) == ["a entered", "b entered"]
    assert withheld(shop) == 1


def test_a_wait_is_held_to_it_when_it_is_over() -> None:
    """Who entered meanwhile counts; who waits does not.

    0      1m       30m       31m
    c waits  a, b     c's wait ends: withheld
    """
    file = plan_of().file
    waits = replace(file.campaigns["c"], trigger=replace(POLICY, wait_ms=30 * MINUTE_MS))
    shop = Shop(compile_plan(replace(file, campaigns={**file.campaigns, "c": waits})))
    assert view(shop, "c", 0) == []
    assert view(shop, "a", MINUTE_MS) == ["a entered"]
    assert view(shop, "b", MINUTE_MS) == ["b entered"]
    assert view(shop, "x", 31 * MINUTE_MS) == []
    assert withheld(shop) == 1
    assert view(shop, "c", 32 * MINUTE_MS) == []
    assert view(shop, "x", 63 * MINUTE_MS) == ["c entered"]


def test_held_out_customers_are_held_to_it_alike() -> None:
    """Nobody acts on them, and yet they can be compared with the others."""
    shop = Shop(plan_of(hold_out=0.5))
    for number in range(20):
        sent = [view(shop, name, 0, customer=f"c{number}") for name in NAMES]
        assert sent == [["a entered"], ["b entered"], []]


def test_what_comes_late_counts_from_its_own_time() -> None:
    """An event of before, within the lateness, finds what was sent after it within the window."""
    shop = Shop(plan_of(ContactLimit(1, HOUR_MS)))
    assert view(shop, "a", 30 * MINUTE_MS) == ["a entered"]
    assert view(shop, "b", 0) == []
    assert view(shop, "b", 90 * MINUTE_MS) == ["b entered"]


def test_control_facts() -> None:
    """Who was forgotten never entered; who was suppressed did."""
    shop = Shop(plan_of())
    for name in NAMES[:2]:
        view(shop, name, 0)
    for kind in (SUPPRESS, UNSUPPRESS):
        shop.happens(kind, 0)
    assert view(shop, "c", 1) == []
    assert withheld(shop) == 1
    shop.happens(FORGET, 1)
    assert not shop.scorer._told.view.contacts.any()
    assert view(shop, "c", 2) == ["c entered"]


@pytest.mark.parametrize(
    ("triggers", "sent"), [(1, [[], []]), (2, [[], ["c entered"]]), (3, [["c entered"], []])]
)
def test_another_limit_knows_the_latest(triggers: int, sent: list[list[str]]) -> None:
    """Under another file the last ones count, as many as were remembered.

    0 ── 10m ─┬─ 20m ── 1h ── 69m
    a    b    │  c?     c?
    """
    shop = Shop(plan_of())
    view(shop, "a", 0)
    view(shop, "b", 10 * MINUTE_MS)
    shop = moved(shop, plan_of(ContactLimit(triggers, HOUR_MS)))
    assert [view(shop, "c", at_ms) for at_ms in (20 * MINUTE_MS, HOUR_MS)] == sent
    shop = moved(shop, plan_of(None))
    shop = moved(shop, plan_of(ContactLimit(1, DAY_MS)))
    assert view(shop, "a", 61 * MINUTE_MS, 0.1) == ["a exited"]
    assert view(shop, "a", 62 * MINUTE_MS) == ["a entered"]


TRIGGERED = with_keys("trigger: {when: {percentile: 95}}")


def test_the_section_is_read() -> None:
    """A count and a window; a file without it has the digest that it had."""
    limit = "contact_limit: {triggers: 3, within: 7d}\n"
    file = parse_campaigns(TRIGGERED + limit)
    assert file.contact_limit == ContactLimit(3, 7 * DAY_MS)
    assert parse_campaigns(TRIGGERED).contact_limit is None
    other = parse_campaigns(TRIGGERED + limit.replace("7d", "8d"))
    assert len({file.digest, other.digest, parse_campaigns(TRIGGERED).digest}) == 3


@pytest.mark.parametrize(
    ("text", "key", "found", "allowed"),
    [
        ("3", "", "number 3", "keys: triggers, within"),
        ("{within: 7d}", ".triggers", "nothing", "{triggers: 3, within: 7d}"),
        ("{triggers: 3}", ".within", "nothing", "{triggers: 3, within: 7d}"),
        ("{triggers: 0, within: 7d}", ".triggers", "number 0", "from 1 to 32"),
        ("{triggers: 33, within: 7d}", ".triggers", "number 33", "from 1 to 32"),
        ("{triggers: 1.5, within: 7d}", ".triggers", "number 1.5", "a whole number"),
        ("{triggers: true, within: 7d}", ".triggers", "true", "a whole number"),
        ("{triggers: 3, within: 7}", ".within", "number 7", "30s, 5m, 1h or 7d"),
        ("{trigers: 3, within: 7d}", ".trigers", "unknown key", "triggers"),
    ],
)
def test_mistakes(text: str, key: str, found: str, allowed: str) -> None:
    """A mistake names its line, its key, what was found and what is allowed."""
    problem = only(f"{TRIGGERED}contact_limit: {text}\n")
    assert problem.line == len(TRIGGERED.splitlines()) + 1
    assert problem.key == f"contact_limit{key}"
    assert found in problem.found
    assert allowed in problem.allowed


def test_a_limit_needs_triggers() -> None:
    """Without any it would do nothing, which is no doubt a mistake."""
    problem = only(f"{SHORT}contact_limit: {{triggers: 3, within: 7d}}\n")
    assert "only where a campaign has a `trigger`" in problem.allowed
