"""The campaign file: what it says when it is right, and what is said when it is wrong.

Owns: examples of the grammar, of every kind of mistake, and of lineages.
Never: runs a campaign.
Source: the contract, "Campaign file".
"""

from __future__ import annotations

import pytest

from schemas import campaign_grammar as grammar
from schemas.campaign import Campaign, Challenger, CountBy, Features
from schemas.campaign_file import parse_campaigns
from schemas.clauses import Clause, Condition, Goal
from schemas.contact_limit import ContactLimit
from schemas.customer_clauses import CustomerClause
from schemas.errors import CampaignFileError, Problem
from schemas.event import InputMapping
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS
from schemas.trigger_policy import TriggerPolicy

FULL = """\
version: 1
input: {customer_id: userId, type: event, occurred_at: timestamp, value: properties.revenue}
events:
  count: [video_play]
  remember: [plan, country]
campaigns:
  buy-7d:
    goal:
      event: purchase
      where: {department: [DELI, no], $value: {gte: 10}}
      match: [coupon_id]
      after: 30m
      not_same: [order_id]
      lost: {event: coupon_refused, where: {}}
      until: ends_at
    horizon: 7d
    rate: 3%
    predict: conversion
    score_on: [page_view, {event: cart_add, where: {channel: app}}]
    learn_on: [email_sent]
    example_interval: 1d
    features:
      half_lives: [1d, all]
      count_by: [{event: purchase, by: department}]
      categories: [channel, device]
      crosses: [[channel, country]]
      numbers: [value, price]
    learner: river_logistic
    challengers:
      - hedged_logistic
      - fresh
      - onnx: bought.onnx
        sha256: 5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A
    promote: false
    trigger:
      when: {percentile: 95}
      clear: {percentile: 85}
      wait: 45m
      unless: [{event: purchase, within: 14d}]
      cooldown: 7d
      hold_out: 10%
      expires_after: 1h
    publish: {changed: 20%}
contact_limit: {triggers: 3, within: 7d}
"""

SHORT = """\
version: 1
campaigns:
  a:
    goal: {event: purchase}
    horizon: 7d
    score_on: [page_view]
"""


def problems(text: str) -> tuple[Problem, ...]:
    """All mistakes of a file."""
    with pytest.raises(CampaignFileError) as caught:
        parse_campaigns(text, "f.yaml")
    return caught.value.problems


def only(text: str) -> Problem:
    """The one mistake of a file."""
    (problem,) = problems(text)
    return problem


def only_campaign(text: str) -> Campaign:
    """The one campaign of a file."""
    (campaign,) = parse_campaigns(text).campaigns.values()
    return campaign


def with_goal(goal: str) -> str:
    """The short file with another goal."""
    return SHORT.replace("{event: purchase}", goal)


def with_keys(*lines: str) -> str:
    """The short file with more keys in its campaign."""
    return SHORT + "".join(f"    {line}\n" for line in lines)


def test_everything_there_is() -> None:
    """Every key of the grammar is read into its place."""
    file = parse_campaigns(FULL)
    assert file.input == InputMapping(
        "userId", "event", "timestamp", "event_id", "properties.revenue"
    )
    assert (file.events.count, file.events.remember) == (("video_play",), ("plan", "country"))
    department = Condition(("DELI", "no"))
    assert file.campaigns["buy-7d"] == Campaign(
        name="buy-7d",
        goal=Goal(
            clauses=(
                Clause("purchase", {"department": department, "$value": Condition(gte=10.0)}),
            ),
            match=("coupon_id",),
            after_ms=30 * MINUTE_MS,
            not_same=("order_id",),
            lost=Clause("coupon_refused"),
            until="ends_at",
        ),
        horizon_ms=7 * DAY_MS,
        score_on=(Clause("page_view"), Clause("cart_add", {"channel": Condition(("app",))})),
        example_interval_ms=DAY_MS,
        rate=0.03,
        learn_on=(Clause("email_sent"),),
        features=Features(
            half_lives_ms=(DAY_MS, None),
            count_by=(CountBy("purchase", "department"),),
            categories=("channel", "device"),
            crosses=(("channel", "country"),),
            numbers=("value", "price"),
        ),
        learner="river_logistic",
        challengers=(
            Challenger("hedged_logistic"),
            Challenger("fresh"),
            Challenger("onnx", "bought.onnx", "5a" * 32),
        ),
        promote=False,
        trigger=TriggerPolicy(
            measure="percentile",
            when=95.0,
            clear=85.0,
            expires_after_ms=HOUR_MS,
            wait_ms=45 * MINUTE_MS,
            cooldown_ms=7 * DAY_MS,
            hold_out=0.1,
            unless=(CustomerClause(event=Clause("purchase"), within_ms=14 * DAY_MS),),
        ),
        publish_change=0.2,
    )
    assert file.contact_limit == ContactLimit(3, 7 * DAY_MS)
    assert file.event_types == (
        *("cart_add", "coupon_refused", "email_sent", "page_view", "purchase", "video_play"),
    )


def test_everything_has_a_default() -> None:
    """Goal, horizon and score_on are enough."""
    campaign = only_campaign(SHORT)
    assert campaign.example_interval_ms == campaign.horizon_ms == 7 * DAY_MS
    assert (campaign.predict, campaign.learner) == ("conversion", "hedged_logistic")
    assert campaign.features.half_lives_ms == (
        *(HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS, 90 * DAY_MS, None),
    )
    assert (campaign.learn_on, campaign.features.categories) == (None, ())


def test_any_of_and_values() -> None:
    """`any_of` takes words and clauses; `predict: value` has its own learner."""
    goal = "{any_of: [purchase, {event: renewal, where: {paid: true}}]}"
    campaign = only_campaign(with_goal(goal) + "    predict: value\n")
    assert campaign.goal.clauses == (
        Clause("purchase"),
        Clause("renewal", {"paid": Condition((True,))}),
    )
    assert campaign.learner == "hurdle"
    text = with_keys("predict: value\n    learner: bayesian_linear")
    assert only_campaign(text).learner == "bayesian_linear"


@pytest.mark.parametrize(("text", "rate"), [("3%", 0.03), ("0.03", 0.03), ("0.5%", 0.005)])
def test_rates(text: str, rate: float) -> None:
    """A rate is a percentage or a share."""
    assert only_campaign(with_keys(f"rate: {text}")).rate == pytest.approx(rate, rel=1e-12)


def test_an_anchor_may_be_used_again() -> None:
    """YAML lets a name be given twice; the later one counts, and nobody is warned."""
    file = parse_campaigns(
        "version: 1\ncampaigns:\n  a: {goal: {event: &x buy}, horizon: &x 1d, score_on: [view]}\n"
        "  b: {goal: {event: buy}, horizon: *x, score_on: [view]}\n"
    )
    assert file.campaigns["b"].horizon_ms == DAY_MS


def test_no_is_a_word() -> None:
    """In YAML 1.2 `no` and `on` are words, and only true and false are booleans."""
    goal = "{event: purchase, where: {opt: [no, on, yes], flag: false}}"
    where = only_campaign(with_goal(goal)).goal.clauses[0].where
    assert where["opt"].values == ("no", "on", "yes")
    assert where["flag"].values == (False,)


@pytest.mark.parametrize("section", list(grammar.NOT_YET))
def test_words_of_later_releases(section: grammar.Section) -> None:
    """What the grammar has and this release has not is refused by name, each word of it."""
    places = {
        "file": SHORT + "{word}: x\n",
        "input": SHORT + "input: {{word}: x}\n",
        "events": SHORT + "events: {{word}: x}\n",
        "campaign": with_keys("{word}: x"),
        "goal": SHORT.replace("{event: purchase}", "{event: purchase, {word}: x}"),
        "features": with_keys("features: {{word}: x}"),
        "trigger": with_keys("trigger: {when: {percentile: 95}, {word}: x}"),
    }
    for word in grammar.NOT_YET[section]:
        problem = only(places[section].replace("{word}", word))
        assert problem.found == f"`{word}`, which is not there yet"
        assert problem.key.endswith(word)
        assert problem.nearest is None


@pytest.mark.parametrize(
    ("text", "line", "key", "found", "allowed", "nearest"),
    [
        (with_keys("horizn: 7d"), 7, "campaigns.a.horizn", "unknown key", "horizon", "horizon"),
        (with_keys("predict: valu"), 7, "campaigns.a.predict", "`valu`", "conversion", "value"),
        (with_keys("learner: river_logstic"), 7, "campaigns.a.learner", "`river_logstic`",
         "bayesian_logistic or river_logistic or river_ftrl", "river_logistic"),
        (SHORT.replace("7d", "7"), 5, "campaigns.a.horizon", "number 7", "30s, 5m, 1h or 7d", None),
        (SHORT.replace("7d", "7 days"), 5, "campaigns.a.horizon", "`7 days`", "30s", None),
        (SHORT.replace("7d", "0s"), 5, "campaigns.a.horizon", "`0s`", "from 1s", None),
        (SHORT.replace("7d", "9999d"), 5, "campaigns.a.horizon", "`9999d`", "to 731d", None),
        (with_keys("rate: 300%"), 7, "campaigns.a.rate", "`300%`", "3% or 0.03", None),
        (with_keys("rate: .nan"), 7, "campaigns.a.rate", "nan", "3% or 0.03", None),
        (with_keys("rate: 0"), 7, "campaigns.a.rate", "number 0", "above 0", None),
        (with_keys("example_interval: 8d"), 7, "campaigns.a.example_interval", "`8d`",
         "at most the horizon", None),
        (with_keys("horizon: 8d"), 7, "campaigns.a.horizon", "second `horizon`", "once", None),
        (SHORT.replace("[page_view]", "page_view"), 6, "campaigns.a.score_on", "`page_view`",
         "a list", None),
        (SHORT.replace("[page_view]", "[]"), 6, "campaigns.a.score_on", "list of 0", "1 to", None),
        (SHORT.replace("[page_view]", "[x, x]"), 6, "campaigns.a.score_on[1]", "`x`", "once", None),
        (SHORT.replace("page_view", "$forget"), 6, "campaigns.a.score_on[0]", "`$forget`",
         "those are ours", None),
        (SHORT.replace("page_view", "404"), 6, "campaigns.a.score_on[0]", "number 404",
         "in quotes", None),
        (SHORT.replace("page_view", "{evnt: x}"), 6, "campaigns.a.score_on[0].evnt",
         "unknown key `evnt`", "event, where", "event"),
        (SHORT.replace("  a:", "  Buy_It:"), 3, "campaigns.Buy_It", "`Buy_It`", "a-z", None),
        (SHORT.replace("version: 1", "version: 2"), 1, "version", "number 2", "1", None),
        (with_goal("{event: p, after: 7d}"), 4, "campaigns.a.goal.after", "`7d`",
         "less than the horizon", None),
        (with_goal("{event: p, lost: p}"), 4, "campaigns.a.goal.lost", "`p`",
         "another event", None),
        (with_goal("{event: p, lost: q}") + "    predict: value\n", 4, "campaigns.a.goal.lost",
         "`q`", "no `lost` with predict: value", None),
        (with_goal("{event: p, match: [x], not_same: [x]}"), 4, "campaigns.a.goal.not_same",
         "`x` in `match` too", "either the same or not", None),
        (with_goal("{event: p, any_of: [q]}"), 4, "campaigns.a.goal.event", "`p`",
         "not both", None),
        (with_goal("{match: [x]}"), 4, "campaigns.a.goal", "keys (match)", "`event`", None),
        (with_goal("purchase"), 4, "campaigns.a.goal", "`purchase`", "keys: event", None),
        (with_goal("{event: p, where: {a: {gte: x}}}"), 4, "campaigns.a.goal.where.a.gte", "`x`",
         "a number", None),
        (with_goal("{event: p, where: {a: {gte: 5, lt: 3}}}"), 4, "campaigns.a.goal.where.a",
         "keys (gte, lt)", "some number", None),
        (with_goal("{event: p, where: {a: {}}}"), 4, "campaigns.a.goal.where.a", "no keys",
         "gte, gt, lte, lt", None),
        (with_goal("{event: p, where: {a: }}"), 4, "campaigns.a.goal.where.a", "nothing",
         "a text", None),
        (with_goal("{event: p, where: {$price: 3}}"), 4, "campaigns.a.goal.where.$price",
         "`$price`", "`$value`", None),
        (with_keys("features: {half_lives: [1d, 1d]}"), 7, "campaigns.a.features.half_lives[1]",
         "`1d`", "only once", None),
        (with_keys("features: {crosses: [[a]]}"), 7, "campaigns.a.features.crosses[0]",
         "list of 1", "a list of 2 property names", None),
        (with_keys("features: {crosses: [[a, b, c]]}"), 7, "campaigns.a.features.crosses[0]",
         "list of 3", "a list of 2 property names", None),
        (with_keys("features: {count_by: [{event: p}]}"), 7, "campaigns.a.features.count_by[0]",
         "keys (event)", "{event: purchase, by: department}", None),
        (with_keys("challengers: [river_ftr]"), 7, "campaigns.a.challengers[0]", "`river_ftr`",
         "kernel_svm, fresh or {onnx: path, sha256: digest}", "river_ftrl"),
        (with_keys("challengers: river_ftrl"), 7, "campaigns.a.challengers", "`river_ftrl`",
         "a list of learners", None),
        (with_keys("challengers: [hedged_logistic]"), 7, "campaigns.a.challengers",
         "`hedged_logistic`, which is the campaign's `learner`", "or `fresh`", None),
        (with_keys("challengers: [a, b, c, d, e]"), 7, "campaigns.a.challengers", "a list of 5",
         "0 to 4 learners", None),
        (with_keys("challengers: [fresh, fresh]"), 7, "campaigns.a.challengers[1]", "`fresh`",
         "only once", None),
        (with_keys("predict: value", "challengers: [fresh]"), 8, "campaigns.a.challengers",
         "a list", "no `challengers` with predict: value", None),
        (with_keys("challengers: [{onnx: m.onnx}]"), 7, "campaigns.a.challengers[0].sha256",
         "nothing", "SHA-256", None),
        (with_keys("challengers: [{onnx: m.onnx, sha256: abc}]"), 7,
         "campaigns.a.challengers[0].sha256", "`abc`", "64 hexadecimal digits", None),
        (with_keys(f"challengers: [{{onx: m, sha256: {'0' * 64}}}]"), 7,
         "campaigns.a.challengers[0].onx", "unknown key `onx`", "onnx, sha256", "onnx"),
        (with_keys("promote: false"), 7, "campaigns.a.promote", "false", "beside `challengers`",
         None),
        (with_keys("challengers: [fresh]", "promote: no"), 8, "campaigns.a.promote", "`no`",
         "true or false", None),
        (SHORT + "input: {customer_id: [a]}\n", 7, "input.customer_id", "a list", "path", None),
    ],
)  # fmt: skip
def test_mistakes(
    text: str, line: int, key: str, found: str, allowed: str, nearest: str | None
) -> None:
    """A mistake is one problem with line, key, what was found, what is allowed, the word meant."""
    problem = only(text)
    assert (problem.file, problem.line, problem.key) == ("f.yaml", line, key)
    assert found in problem.found
    assert allowed in problem.allowed
    assert problem.nearest == nearest
