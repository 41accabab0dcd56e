"""`score_every` and `idle_max` in a campaign file.

Owns: what is read, refused and warned of.
Never: when a timer fires.
Source: docs/campaigns.md, "On a timer".
"""

from __future__ import annotations

import pytest

from schemas.campaign_file import parse_campaigns
from schemas.campaign_warnings import warnings_of
from schemas.times import DAY_MS, HOUR_MS
from tests.unit.test_campaign_file import SHORT, only, only_campaign, with_goal, with_keys

TIMED = SHORT.replace("score_on: [page_view]", "score_every: 1d")


def test_a_timer_is_enough() -> None:
    """A campaign may score on a timer alone; `idle_max` has a default."""
    campaign = only_campaign(TIMED)
    assert (campaign.score_on, campaign.score_every_ms) == ((), DAY_MS)
    assert campaign.idle_max_ms == 90 * DAY_MS
    both = only_campaign(with_keys("score_every: 12h", "idle_max: 30d"))
    assert (both.score_every_ms, both.idle_max_ms) == (12 * HOUR_MS, 30 * DAY_MS)
    assert both.score_on == only_campaign(SHORT).score_on


def test_a_timer_keeps_what_was_learned() -> None:
    """It changes the file's digest, and no lineage; no timer changes neither."""
    timed = with_keys("score_every: 1d")
    assert only_campaign(timed).lineage == only_campaign(SHORT).lineage
    digests = {parse_campaigns(text).digest for text in (SHORT, timed, timed + "    idle_max: 1d")}
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("text", "key", "allowed"),
    [
        (with_keys("idle_max: 3d"), "campaigns.a.idle_max", "only beside `score_every`"),
        (with_keys("score_every: 59s"), "campaigns.a.score_every", "from 1m"),
        (with_keys("score_every: daily"), "campaigns.a.score_every", "7d"),
        (
            with_goal("{event: purchase, match: [coupon]}") + "    score_every: 1d\n",
            "campaigns.a.score_every", "no `score_every` where the goal has a `match`",
        ),
        (SHORT.replace("    score_on: [page_view]\n", ""), "campaigns.a.score_on",
         "or `score_every`"),
    ],
)  # fmt: skip
def test_mistakes(text: str, key: str, allowed: str) -> None:
    """Each names its key, and what is allowed."""
    problem = only(text)
    assert problem.key == key
    assert allowed in problem.allowed


def test_a_misspelt_timer_is_one_problem() -> None:
    """The nearest word is named."""
    problem = only(with_keys("score_evry: 1d"))
    assert problem.nearest == "score_every"


def test_what_a_timer_will_never_see_is_warned_of() -> None:
    """Properties of events, where no event is scored: but for those that are remembered."""
    features = "features: {categories: [plan, channel], numbers: [price]}"
    text = TIMED + f"    {features}\n" + "events: {remember: [plan]}\n"
    warned = {(warning.key, "`channel`" in warning.message or "`price`" in warning.message)
              for warning in warnings_of(parse_campaigns(text))}  # fmt: skip
    assert warned == {
        ("campaigns.a.features.categories", True), ("campaigns.a.features.numbers", True)
    }  # fmt: skip
    with_events = text.replace("score_every: 1d", "score_every: 1d\n    score_on: [page_view]")
    assert warnings_of(parse_campaigns(with_events)) == []
