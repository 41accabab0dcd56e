"""Triggers, rule by rule, with scores that a test chooses.

Owns: cases that a reader can check by head.
Never: random logs and policies; tests/property/test_triggers.py has those.
Source: docs/campaigns.md, "Triggers".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace as with_fields

from consumer.clock import FixedClock
from consumer.encoding import ScoreEncoder
from consumer.telemetry import Telemetry
from consumer.trigger_output import TriggerMeters, trigger_id
from models.folded import Folded
from models.kernel_arms import is_held_out
from models.plan import Limits, Plan, compile_plan
from models.scorer import Scorer
from models.trigger_states import policies_of
from models.wire import hash_text
from schemas.campaign import Campaign, CampaignFile, Features
from schemas.clauses import Clause, Condition, Goal
from schemas.customer_clauses import CustomerClause
from schemas.model_record import ModelRecord
from schemas.score import ScoreStatus, decode_score
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS, format_time
from schemas.trigger import TriggerRecord, decode_trigger
from schemas.trigger_policy import TriggerPolicy
from tests.event_logs import START_MS, TOPIC, LoggedEvent, records_of, trigger_encoder
from tests.random_models import random_model

POLICY = TriggerPolicy(
    measure="probability", when=0.5, clear=0.3, expires_after_ms=HOUR_MS, cooldown_ms=0
)
BUY = Campaign(
    name="buy",
    goal=Goal((Clause("buy"),)),
    horizon_ms=DAY_MS,
    score_on=(Clause("view"),),
    example_interval_ms=0,
    features=Features(half_lives_ms=(None,)),
    learner="bayesian_logistic",
    trigger=POLICY,
)


def plan_of(campaign: Campaign = BUY, *, policy: dict[str, Any] | None = None) -> Plan:
    """A plan of one campaign, whose policy is the usual one but for this."""
    trigger = replace(POLICY, **(policy or {}))
    return compile_plan(CampaignFile(1, {campaign.name: replace(campaign, trigger=trigger)}))


def model(
    plan: Plan, probability: float, status: ScoreStatus = "ready", campaign: str | None = None
) -> ModelRecord:
    """A model that says this of everybody, and ranks it at a hundred times as much."""
    record = random_model(plan, campaign or plan.campaigns[0], 0)
    return with_fields(
        record,
        status=status,
        bias=math.log(probability / (1 - probability)),
        weights=[0.0] * len(record.weights),
        quantiles=[share / 100 for share in range(101)],
    )


class Shop:
    """One partition whose scores a test chooses."""

    def __init__(self, plan: Plan | None = None) -> None:
        self.plan = plan or plan_of()
        self.scorer = Scorer(self.plan)
        self.meters = Telemetry(FixedClock(START_MS))
        self._trigger_meters = TriggerMeters(self.plan, self.meters)
        self._count = 0
        self.last: Folded | None = None

    def happens(
        self, kind: str, after_ms: int, probability: float = 0.1, *,
        status: ScoreStatus = "ready", customer: str = "ann", name: str | None = None,
        catching_up: bool = False, **properties: str | float | bool,
    ) -> list[TriggerRecord]:  # fmt: skip
        """An event, scored with this probability; give the triggers that it fires."""
        for campaign in self.plan.campaigns:
            self.scorer.install(model(self.plan, probability, status, campaign))
        event = LoggedEvent(
            customer, kind, START_MS + after_ms, name or f"e{self._count}", None, properties
        )
        log = records_of([event], self._count)
        self._count += 1
        self.last = self.scorer.fold(
            log.offsets, log.timestamps_ms, log.keys, log.values, catching_up=catching_up
        )
        self._trigger_meters.count(self.last)
        return [
            decode_trigger(value or b"")
            for outgoing in trigger_encoder(self.plan).encode(self.last)
            for value in outgoing.values
        ]

    def views(self, *scores: float, every_ms: int = MINUTE_MS) -> list[list[str]]:
        """Views that are scored so; which kinds each of them fires."""
        return [
            kinds(self.happens("view", index * every_ms, score))
            for index, score in enumerate(scores)
        ]

    def counted(self, metric: str, label: str) -> float:
        """How often that was counted."""
        return self.meters._counters[f"propensity_triggers{metric}_total"].at("buy", label).value


def kinds(triggers: Iterable[TriggerRecord]) -> list[str]:
    """What kinds they are of."""
    return [each.kind for each in triggers]


@pytest.mark.parametrize(
    ("scores", "fired"),
    [
        ((0.49, 0.5, 0.9), ([], ["entered"], [])),
        ((0.5, 0.3, 0.29, 0.4, 0.5), (["entered"], [], ["exited"], [], ["entered"])),
        ((0.5, 0.1, 0.1), (["entered"], ["exited"], [])),
    ],
)
def test_who_enters_and_who_leaves(scores: Sequence[float], fired: Sequence[list[str]]) -> None:
    """At `when` a customer enters, once; only below `clear` he leaves, and may enter again."""
    assert Shop().views(*scores) == list(fired)


def test_percentiles_and_values_decide_too() -> None:
    """A percentile is the rank of the score, as the score record says it."""
    shop = Shop(plan_of(policy={"measure": "percentile", "when": 95.0, "clear": 85.0}))
    assert shop.views(0.9, 0.97, 0.88, 0.8) == [[], ["entered"], [], ["exited"]]


@pytest.mark.parametrize("status", ["warming", "unreliable", "paused"])
def test_only_ready_scores_decide(status: ScoreStatus) -> None:
    """Of a campaign that is not ready nobody enters, and nobody leaves; it is counted."""
    shop = Shop()
    assert shop.happens("view", 0, 0.9, status=status) == []
    assert shop.counted("_withheld", "not_ready") == (status != "warming")  # It serves its rate.
    assert kinds(shop.happens("view", 1, 0.9)) == ["entered"]
    assert shop.happens("view", 2, 0.1, status=status) == []
    assert kinds(shop.happens("view", 3, 0.1)) == ["exited"]


def test_a_model_alone_fires_nothing() -> None:
    """Nothing fires because another model serves: an event has to be scored with it."""
    shop = Shop()
    shop.happens("view", 0, 0.1)
    assert shop.happens("x", 1, 0.9) == []
    assert shop.happens("view", 2, 0.9, customer="bob") != []
    assert kinds(shop.happens("view", 3, 0.9)) == ["entered"]


def test_history_fires_nothing_and_lets_nobody_in() -> None:
    """Who was above in silent history is out, and enters with the first live score."""
    shop = Shop()
    assert shop.happens("view", 0, 0.9, catching_up=True) == []
    assert shop.happens("buy", 1, catching_up=True) == []
    assert kinds(shop.happens("view", 2, 0.9)) == ["entered"]


def test_a_cooldown_counts_from_the_last_entry() -> None:
    """Until its last millisecond has passed nobody enters again; it is counted."""
    shop = Shop(plan_of(policy={"cooldown_ms": HOUR_MS}))
    assert kinds(shop.happens("view", 0, 0.9)) == ["entered"]
    assert kinds(shop.happens("view", 1, 0.1)) == ["exited"]
    assert shop.happens("view", HOUR_MS - 1, 0.9) == []
    assert shop.counted("_withheld", "cooldown") == 1
    assert shop.happens("view", HOUR_MS - 1, 0.9, customer="bob") != []
    assert kinds(shop.happens("view", HOUR_MS, 0.9)) == ["entered"]


def test_nobody_enters_of_whom_a_clause_of_unless_holds() -> None:
    """Any of them is enough; it is counted, and with the next score the customer may enter."""
    unless = (
        CustomerClause(event=Clause("buy"), within_ms=HOUR_MS),
        CustomerClause(last="country", values=("AT",)),
    )
    shop = Shop(plan_of(policy={"unless": unless}))
    shop.happens("buy", 0)
    assert shop.happens("view", HOUR_MS, 0.9) == []
    assert shop.happens("view", HOUR_MS + 1, 0.9, country="AT") == []
    assert shop.counted("_withheld", "unless") == 2
    assert kinds(shop.happens("view", HOUR_MS + 2, 0.9, country="DE")) == ["entered"]
    assert shop.happens("buy", HOUR_MS + 3) != []
    assert kinds(shop.happens("view", HOUR_MS + 4, 0.1)) == ["exited"]


def test_consent_is_a_clause() -> None:
    """Whoever never consented, or took it back, does not enter."""
    unless = (
        CustomerClause(event=Clause("consent", {"mail": Condition((True,))})),
        CustomerClause(last="mail", values=(False,)),
    )
    shop = Shop(plan_of(policy={"unless": unless}))
    assert shop.happens("view", 0, 0.9) == []
    shop.happens("consent", 1, mail=True)
    assert kinds(shop.happens("view", 2, 0.9)) == ["entered"]
    shop.happens("view", 3, 0.1)
    shop.happens("consent", 4, mail=False)
    assert shop.happens("view", 5, 0.9) == []


@pytest.mark.parametrize(("after_ms", "fired"), [(0, 1), (DAY_MS, 1), (DAY_MS + 1, 0)])
def test_who_is_in_converts_within_the_horizon(after_ms: int, fired: int) -> None:
    """The goal counts up to the horizon's last moment; the score is that of the entry."""
    shop = Shop()
    (entered,) = shop.happens("view", 0, 0.9)
    converted = shop.happens("buy", after_ms)
    assert kinds(converted) == ["converted"] * fired
    for each in converted:
        assert each.score == entered.score
        assert each.as_of == format_time(START_MS + after_ms)
        assert each.trigger_id != entered.trigger_id


def test_a_customer_converts_once_and_stays_in() -> None:
    """A second purchase is none of the campaign's, and only a low score lets enter again."""
    shop = Shop()
    shop.happens("view", 0, 0.9)
    assert kinds(shop.happens("buy", 1)) == ["converted"]
    assert shop.happens("buy", 2) == []
    assert shop.happens("view", 3, 0.9) == []
    assert kinds(shop.happens("view", 4, 0.1)) == ["exited"]
    assert shop.happens("buy", 5) == []
    assert kinds(shop.happens("view", 6, 0.9)) == ["entered"]
    assert kinds(shop.happens("buy", 7)) == ["converted"]


def test_a_goal_is_what_the_campaign_says_it_is() -> None:
    """`match`, `not_same`, `after` and `until` hold for conversions as they do for labels."""
    goal = Goal(
        (Clause("buy"),), match=("coupon",), not_same=("order",), after_ms=10, until="ends_at"
    )
    shop = Shop(plan_of(replace(BUY, goal=goal)))
    shop.happens("view", 0, 0.9, coupon="k1", order="o1", ends_at=START_MS + 100)
    assert shop.happens("buy", 20, coupon="k2", order="o2") == []
    assert shop.happens("buy", 21, order="o2") == []
    assert shop.happens("buy", 22, coupon="k1", order="o1") == []
    assert shop.happens("buy", 9, coupon="k1", order="o2") == []
    assert shop.happens("buy", 101, coupon="k1", order="o2") == []
    assert kinds(shop.happens("buy", 100, coupon="k1", order="o2")) == ["converted"]


def test_the_other_answer_settles_it() -> None:
    """Where the opposite was reported first, a goal that follows is no conversion."""
    shop = Shop(plan_of(replace(BUY, goal=Goal((Clause("buy"),), lost=Clause("refuse")))))
    shop.happens("view", 0, 0.9)
    assert shop.happens("refuse", 1) == []
    assert shop.happens("buy", 2) == []


def test_who_comes_back_is_no_conversion_of_an_absence() -> None:
    """Where the goal is that nothing happens, no event is a conversion."""
    goal = Goal((Clause("buy"),), absence=True)
    shop = Shop(plan_of(replace(BUY, goal=goal)))
    assert kinds(shop.happens("view", 0, 0.9)) == ["entered"]
    assert shop.happens("buy", 1) == []


def test_late_events_and_duplicates_fire_nothing() -> None:
    """Neither lets anybody in, nor converts; a late one that would be scored is counted."""
    shop = Shop()
    shop.happens("x", 2 * HOUR_MS)
    assert shop.happens("view", 0, 0.9) == []
    assert shop.counted("_withheld", "late") == 1
    shop.happens("view", 2 * HOUR_MS, 0.9, name="v")
    assert shop.happens("buy", 2 * HOUR_MS, name="v") == []
    shop.happens("x", 4 * HOUR_MS)
    assert shop.happens("buy", 2 * HOUR_MS + 1) == []
    assert kinds(shop.happens("buy", 4 * HOUR_MS)) == ["converted"]


def test_held_out_customers_are_a_share_of_their_own() -> None:
    """About the share is held out, of each campaign another part, and always the same."""
    campaigns = {
        name: replace(BUY, name=name, trigger=replace(POLICY, hold_out=0.1)) for name in ("a", "b")
    }
    policies = policies_of(compile_plan(CampaignFile(1, campaigns)))
    customers = [np.uint64(hash_text(f"c{number}")[0]) for number in range(20_000)]
    held = np.array([[is_held_out(policies, p, c) for c in customers] for p in (0, 1)])
    assert abs(held.mean(axis=1) - 0.1).max() < 0.01
    assert abs((held[0] & held[1]).mean() - 0.01) < 0.004
    other_goal = {"a": replace(campaigns["a"], horizon_ms=HOUR_MS)}
    again = policies_of(compile_plan(CampaignFile(1, other_goal)))
    assert again.held_seed[0] == policies.held_seed[0]


def test_held_out_customers_have_a_topic_of_their_own() -> None:
    """All their triggers go there, and `held_out` counts who would have been acted on."""
    shop = Shop(plan_of(policy={"hold_out": 0.5}))
    topics: dict[str, set[str]] = {}
    for number in range(40):
        for after_ms, score in ((0, 0.9), (1, 0.1)):
            shop.happens("view", after_ms, score, customer=f"c{number}")
            assert shop.last is not None
            (outgoing,) = trigger_encoder(shop.plan).encode(shop.last)
            assert outgoing.keys == [f"c{number}".encode()]
            topics.setdefault(outgoing.topic, set()).add(f"c{number}")
    acted, held = topics["campaign-triggers"], topics["campaign-triggers-held-out"]
    assert not acted & held
    assert len(acted) > 5
    assert len(held) > 5
    assert shop.counted("", "entered") == len(acted)
    assert shop.counted("", "held_out") == len(held)
    assert shop.counted("", "exited") == 40


def test_a_record_says_all_of_it() -> None:
    """Ids are of the score, `expires_at` of the policy, and the score is the one published."""
    shop = Shop()
    (trigger,) = shop.happens("view", 5, 0.9, customer="ann ä")
    assert shop.last is not None
    (value,) = ScoreEncoder(shop.plan, TOPIC, 0).encode(shop.last)[1]
    published = decode_score(value)
    (entry,) = published.scores
    assert trigger.customer_id == "ann ä"
    assert (trigger.campaign, trigger.kind) == ("buy", "entered")
    assert trigger.as_of == published.as_of == trigger.score.as_of
    assert trigger.expires_at == format_time(START_MS + 5 + HOUR_MS)
    assert trigger.policy == POLICY.digest
    score = trigger.score
    assert score.score_id == published.score_id
    assert (score.probability, score.percentile) == (entry.probability, entry.percentile)
    assert (score.band, score.expected_value) == (entry.band, entry.expected_value)
    assert score.model == entry.model
    assert trigger.trigger_id == trigger_id(score.score_id, "buy", "entered")


def test_who_makes_room_leaves_nothing_behind() -> None:
    """Whoever gets the profile of a customer who was in is out."""
    plan = compile_plan(
        CampaignFile(1, {"buy": replace(BUY, learn_on=(Clause("never"),))}),
        replace(Limits(), profiles_max=1),
    )
    shop = Shop(plan)
    assert kinds(shop.happens("view", 0, 0.9)) == ["entered"]
    assert kinds(shop.happens("view", 1, 0.9, customer="bob")) == ["entered"]
    assert kinds(shop.happens("view", 2, 0.9)) == ["entered"]


def moved(shop: Shop, plan: Plan) -> Shop:
    """The shop under another campaign file."""
    other = Shop(plan)
    other.scorer.restore(shop.scorer.lift())
    other._count = shop._count
    return other


def test_another_policy_finds_everybody_where_they_were() -> None:
    """Who is in stays in under other levels: no change of a file fires a trigger."""
    shop = Shop()
    shop.happens("view", 0, 0.6)
    shop = moved(shop, plan_of(policy={"when": 0.9, "clear": 0.5, "cooldown_ms": HOUR_MS}))
    assert shop.happens("view", 1, 0.95) == []
    assert kinds(shop.happens("view", 2, 0.4)) == ["exited"]
    assert shop.happens("view", 3, 0.95) == []
    assert kinds(shop.happens("view", HOUR_MS, 0.95)) == ["entered"]


@pytest.mark.parametrize("change", ["lineage", "another campaign", "no trigger between"])
def test_a_changed_file_takes_along_who_is_in(change: str) -> None:
    """By the campaign's name; of another lineage everybody is out, and cooldowns go on."""
    policy = {"cooldown_ms": HOUR_MS}
    shop = Shop(plan_of(policy=policy))
    shop.happens("view", 0, 0.9)
    trigger = replace(POLICY, cooldown_ms=HOUR_MS)
    buy = replace(BUY, trigger=trigger)
    if change == "lineage":
        shop = moved(shop, plan_of(replace(BUY, horizon_ms=HOUR_MS), policy=policy))
        assert shop.happens("view", 1, 0.1) == []
        assert shop.happens("view", 2, 0.9) == []
        assert kinds(shop.happens("view", HOUR_MS, 0.9)) == ["entered"]
    elif change == "another campaign":
        file = CampaignFile(1, {"a": replace(buy, name="a", goal=Goal((Clause("b"),))), "buy": buy})
        moved_to = Scorer(compile_plan(file))
        moved_to.restore(shop.scorer.lift())
        assert moved_to._triggers.view.phase[0].tolist() == [0, 1]
    else:
        shop = moved(shop, compile_plan(CampaignFile(1, {"buy": replace(BUY, trigger=None)})))
        shop.happens("view", 1, 0.9)
        shop = moved(shop, plan_of(policy=policy))
        assert kinds(shop.happens("view", 2, 0.9)) == ["entered"]
