"""Scores in plain words.

Owns: what is said of probabilities, values, event types and properties.
Never: the numbers themselves.
Source: consumer/score_words.py.
"""

from __future__ import annotations

import pytest

from consumer.score_words import (
    Circumstances,
    ScoreWords,
    counted,
    goal_in_words,
    reason_in_words,
    score_in_words,
)
from models.layout import OTHER
from schemas.campaign import Campaign
from schemas.campaign_file import parse_campaigns
from schemas.score import ModelRef, Reason, ScoreEntry, ScoreRecord, ScoreStatus, Source

KNOWN = Circumstances(
    "page_view",
    {"cart_add": 3, "purchase": 0, "search": 1, "email_sent": 2},
    {"channel": "app", "price": 19.5, "device": "mobile"},
)
CAMPAIGNS = """\
version: 1
campaigns:
  buy-7d:
    goal: {any_of: [{event: purchase}, {event: phone_order}]}
    horizon: 7d
    score_on: [page_view]
  spend-7d:
    goal: {event: purchase}
    horizon: 7d
    predict: value
    score_on: [page_view]
"""


def campaign(name: str) -> Campaign:
    return parse_campaigns(CAMPAIGNS).campaigns[name]


def said(
    entry_status: ScoreStatus,
    reasons: list[Reason],
    *,
    probability: float | None = 0.31,
    value: float | None = None,
    percentile: float | None = 99.8,
) -> ScoreWords:
    name = "buy-7d" if value is None else "spend-7d"
    model = ModelRef("lineage", "champion", 7, "features")
    entry = ScoreEntry(
        name, 1, probability, percentile, None, value, entry_status, reasons, 0.0, -2.0, model
    )
    record = ScoreRecord("s", "c7", "e1", "event", "", Source("customer-events", 0, 1), [entry])
    return score_in_words(record, entry, campaign(name), KNOWN)


@pytest.mark.parametrize(
    ("source", "contribution", "words"),
    [
        ("cart_add", 0.9, "3 cart adds raise it a lot"),
        ("cart_add", -0.4, "3 cart adds lower it"),
        ("purchase", -0.1, "no purchase lowers it a little"),
        ("search", 0.3, "1 search raises it"),
        ("email_sent", 0.3, "2 emails sent raise it"),
        ("channel", 0.3, "channel app raises it"),
        ("price", -0.3, "price 19.5 lowers it"),
        ("discount", -0.3, "no discount lowers it"),
        ("channel×device", 0.3, "channel app with device mobile raises it"),
        ("tenure", 0.3, "how long we know them raises it"),
        ("time of day", 0.3, "the time of day raises it"),
        ("answers", 0.3, "how it ended before raises it"),
        (OTHER, 0.3, "other events raise it"),
    ],
)
def test_a_reason_names_what_was_there(source: str, contribution: float, words: str) -> None:
    """Event types are told with their number, properties with their value, the rest by name."""
    assert reason_in_words(Reason(source, contribution), KNOWN) == words


def test_how_much_is_said_of_logits_only() -> None:
    """A contribution to a value has the value's unit: no word tells whether it is a lot."""
    assert reason_in_words(Reason("search", 9.0), KNOWN, measured=False) == "1 search raises it"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("purchase", "2 purchases"),
        ("search", "2 searches"),
        ("newsletter_reply", "2 newsletter replies"),
        ("survey", "2 surveys"),
        ("email_opened", "2 emails opened"),
    ],
)
def test_several_events_are_told_in_the_plural(name: str, words: str) -> None:
    """The noun of an event type's name takes the plural."""
    assert counted(name, 2) == words


def test_a_goal_names_all_its_events() -> None:
    """Any of several events within the horizon."""
    assert goal_in_words(campaign("buy-7d")) == "purchase or phone order within 7d"


def test_a_probability_is_told_with_its_rank_and_reasons() -> None:
    """Who, doing what, how likely, above whom; a rank of 99.8 is not above all."""
    words = said("ready", [Reason("cart_add", 0.9), Reason("search", -0.01)])
    assert words.headline == (
        "c7 · page view · 31 % for purchase or phone order within 7d, above 99 % of recent ones"
    )
    assert words.reasons == "3 cart adds raise it a lot"


def test_nothing_is_invented_without_reasons() -> None:
    """A model that has not learned says so, and so does one to which nothing stands out."""
    warming = said("warming", [], percentile=None)
    assert warming.headline.endswith("within 7d")
    assert warming.reasons.startswith("nothing learned yet")
    assert said("ready", [Reason("search", 0.01)]).reasons == "nothing stands out"


def test_a_value_is_told_as_a_value() -> None:
    """What is to be expected, with its reasons, however small their numbers."""
    words = said("ready", [Reason("search", 0.01)], probability=None, value=1234.5)
    assert "1,234.50 to be expected of purchase within 7d" in words.headline
    assert words.reasons == "1 search raises it"
