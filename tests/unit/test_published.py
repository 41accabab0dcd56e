"""`publish: changed`, rule by rule, with scores that a test chooses.

Owns: cases that a reader can check by head.
Never: random logs; tests/property/test_published.py has those.
Source: docs/campaigns.md, "Publishing changes only".
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from consumer.encoding import ScoreEncoder
from models.batch import TAKEN, UNCHANGED
from models.plan import Limits, Plan, compile_plan
from schemas.campaign import Campaign, CampaignFile
from schemas.clauses import Clause
from schemas.control import FORGET
from schemas.score import ScoreStatus, decode_score
from schemas.times import DAY_MS, MINUTE_MS
from schemas.trigger_policy import TriggerPolicy
from tests.event_logs import TOPIC
from tests.unit.test_campaign_file import SHORT, only, only_campaign, with_keys
from tests.unit.test_triggers import BUY, POLICY, Shop, moved

QUIET = replace(BUY, trigger=None, learn_on=(Clause("never"),), publish_change=0.1)


def plan_with(*campaigns: Campaign) -> Plan:
    """A plan of these campaigns."""
    return compile_plan(CampaignFile(1, {each.name: each for each in campaigns}))


def left(shop: Shop) -> list[list[str]]:
    """Of each record that left with the last event, the campaigns it speaks of."""
    assert shop.last is not None
    _, values = ScoreEncoder(shop.plan, TOPIC, 0).encode(shop.last)
    return [[entry.campaign for entry in decode_score(value).scores] for value in values]


def published(shop: Shop, *scores: float) -> list[bool]:
    """Views that are scored so; whether each leaves."""
    found: list[bool] = []
    for score in scores:
        shop.happens("view", len(found) * MINUTE_MS, score)
        found.append(bool(left(shop)))
    return found


@pytest.mark.parametrize(
    ("scores", "leave"),
    [
        ((0.1, 0.1, 0.1), (True, False, False)),
        ((0.2, 0.215, 0.219, 0.221), (True, False, False, True)),  # Of what was published last.
        ((0.2, 0.181, 0.179, 0.19), (True, False, True, False)),
        ((0.499, 0.501, 0.502, 0.49), (True, True, False, True)),  # low, medium, medium, low
        ((0.79, 0.81), (True, True)),  # medium, high
    ],
)
def test_what_has_changed_leaves(scores: tuple[float, ...], leave: tuple[bool, ...]) -> None:
    """The first one, another band, and more than a tenth of what was published last."""
    assert published(Shop(plan_with(QUIET)), *scores) == list(leave)


def test_each_customer_is_told_of_their_own() -> None:
    """The first score of every customer leaves."""
    shop = Shop(plan_with(QUIET))
    assert published(shop, 0.2, 0.2) == [True, False]
    shop.happens("view", 0, 0.2, customer="bob")
    assert left(shop) == [["buy"]]


def test_another_status_leaves() -> None:
    """Whoever acts on scores has to know that a campaign can no longer be relied on."""
    shop, found = Shop(plan_with(QUIET)), []
    statuses: tuple[ScoreStatus, ...] = ("ready", "unreliable", "unreliable", "ready")
    for index, status in enumerate(statuses):
        shop.happens("view", index * MINUTE_MS, 0.2, status=status)
        found.append(bool(left(shop)))
    assert found == [True, True, False, True]


def test_what_opens_an_example_leaves() -> None:
    """A row holds what was published, so its score is."""
    every = replace(QUIET, learn_on=(Clause("view"),), example_interval_ms=0)
    assert published(Shop(plan_with(every)), 0.2, 0.2, 0.2) == [True, True, True]
    daily = replace(every, example_interval_ms=DAY_MS)
    shop = Shop(plan_with(daily))
    chosen = []
    for index in range(20):
        shop.happens("view", index * MINUTE_MS, 0.2)
        assert shop.last is not None
        chosen.append(bool(shop.last.score_count and shop.last.scores.place[0] >= 0))
        assert bool(left(shop)) == chosen[-1]
    assert chosen[0]
    assert 1 < sum(chosen) < 20


@pytest.mark.parametrize("wait_ms", [0, MINUTE_MS])
def test_what_lets_somebody_in_or_out_leaves(wait_ms: int) -> None:
    """The score of a trigger can be read, and decides again after a crash; or begins a wait.

    score   0.58   0.6   0.6   0.57   all within a tenth, and of one band
    moves   out    in          out
    """
    policy = TriggerPolicy("probability", when=0.6, clear=0.575, expires_after_ms=DAY_MS)
    shop = Shop(plan_with(replace(QUIET, trigger=replace(policy, wait_ms=wait_ms))))
    found = []
    for index, score in enumerate((0.58, 0.6, 0.6, 0.57)):
        shop.happens("view", index, score)
        found.append(bool(left(shop)))
    assert found == [True, True, False, True]


def test_a_record_has_the_entries_that_are_left() -> None:
    """Others of the same event leave in any case; without any there is no record."""
    loud = replace(QUIET, name="loud", publish_change=None)
    shop = Shop(plan_with(QUIET, loud))
    for expected, unpublished in ((["buy", "loud"], [0, 0]), (["loud"], [1, 0])):
        shop.happens("view", 0, 0.2)
        assert left(shop) == [expected]
        assert shop.last is not None
        assert shop.last.scores.outcome.tolist() == [TAKEN]
        assert list(shop.last.unpublished) == unpublished
    shop = Shop(plan_with(QUIET))
    published(shop, 0.2, 0.2)
    assert shop.last is not None
    assert shop.last.scores.outcome.tolist() == [UNCHANGED]
    assert (left(shop), list(shop.last.unpublished)) == ([], [1])


def test_of_history_nothing_was_told() -> None:
    """What is learned silently was published to nobody: the first score after it leaves."""
    shop = Shop(plan_with(QUIET))
    shop.happens("view", 0, 0.2, catching_up=True)
    assert published(shop, 0.2, 0.2) == [True, False]


def test_who_was_forgotten_is_told_of_anew() -> None:
    """Nothing of before is known, and so neither what was published."""
    shop = Shop(plan_with(QUIET))
    assert published(shop, 0.2, 0.2) == [True, False]
    shop.happens(FORGET, 0)
    assert not shop.scorer._told.view.words.any()
    assert published(shop, 0.2) == [True]


def test_who_makes_room_leaves_nothing_behind() -> None:
    """The first score of whoever gets a profile that was another's leaves."""
    shop = Shop(compile_plan(CampaignFile(1, {"buy": QUIET}), replace(Limits(), profiles_max=1)))
    for customer in ("ann", "bob", "ann"):
        shop.happens("view", 0, 0.2, customer=customer)
        assert left(shop) == [["buy"]]


@pytest.mark.parametrize("change", ["share", "lineage", "every between"])
def test_a_changed_file_goes_on_from_what_was_published(change: str) -> None:
    """By the campaign's lineage, also with another share; what was not asked begins anew."""
    shop = Shop(plan_with(QUIET))
    published(shop, 0.2)
    if change == "share":
        shop = moved(shop, plan_with(replace(QUIET, publish_change=0.5)))
        assert published(shop, 0.25, 0.31) == [False, True]
    elif change == "lineage":
        shop = moved(shop, plan_with(replace(QUIET, horizon_ms=2 * DAY_MS)))
        assert published(shop, 0.2) == [True]
    else:
        shop = moved(shop, plan_with(replace(QUIET, publish_change=None)))
        assert published(shop, 0.2) == [True]
        shop = moved(shop, plan_with(QUIET))
        assert published(shop, 0.2, 0.2) == [True, False]


def test_a_file_without_it_keeps_nothing() -> None:
    """A state has no array of it, and the file the digest that it had."""
    plain = plan_with(replace(QUIET, publish_change=None))
    shop = Shop(plain)
    published(shop, 0.2, 0.2)
    assert "told" not in shop.scorer.lift().arrays
    with_trigger = replace(QUIET, trigger=POLICY)
    assert plan_with(with_trigger).digest != plan_with(QUIET).digest != plain.digest


@pytest.mark.parametrize(
    ("text", "change"),
    [("every", None), ("changed", 0.1), ("{changed: 20%}", 0.2), ("{changed: 0.05}", 0.05)],
)
def test_what_may_be_said(text: str, change: float | None) -> None:
    """A word, or the change that is worth publishing; every score is, by default."""
    assert only_campaign(with_keys(f"publish: {text}")).publish_change == change
    assert only_campaign(SHORT).publish_change is None
    assert only_campaign(with_keys(f"publish: {text}")).lineage == only_campaign(SHORT).lineage


@pytest.mark.parametrize(
    ("text", "key", "found", "allowed"),
    [
        ("change", "", "`change`", "every or changed"),
        ("20%", "", "`20%`", "every or changed"),
        ("[changed]", "", "a list", "every or changed"),
        ("{}", "", "no keys", "{changed: 20%}"),
        ("{change: 20%}", ".change", "unknown key", "changed"),
        ("{changed: 0}", ".changed", "number 0", "above 0 and below 1"),
        ("{changed: 200%}", ".changed", "`200%`", "above 0 and below 1"),
    ],
)
def test_mistakes(text: str, key: str, found: str, allowed: str) -> None:
    """A mistake names its line, its key, what was found and what is allowed."""
    problem = only(with_keys(f"publish: {text}"))
    assert problem.line == 7
    assert problem.key == f"campaigns.a.publish{key}"
    assert found in problem.found
    assert allowed in problem.allowed
