"""The public data sets say what was asked of them, and the same each time.

Owns: the shape of their events. Skips aloud where the packages are missing, but not in CI.
Never: runs a replay.
Source: the packages' own tables.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from bench.datasets import cdnow, completejourney
from bench.datasets.event_log import Fact, encode_lines
from bench.datasets.package_files import DatasetMissingError
from schemas.campaign_file import load_campaigns
from schemas.event import EventDecoder
from schemas.times import parse_time


@pytest.fixture(scope="module")
def facts() -> list[Fact]:
    """Return completejourney's events of 40 households."""
    try:
        return completejourney.events(40)
    except DatasetMissingError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


def test_completejourney_stamps_days_at_local_midnight(facts: list[Fact]) -> None:
    """Redemptions and mailings stand at midnight in New York: 05:00 UTC, 04:00 in summer."""
    hours = {
        fact.at_ms // 3_600_000 % 24 for fact in facts if fact.type in ("redemption", "mailing")
    }
    assert hours == {4, 5}


def test_completejourney_baskets_follow_their_lines(facts: list[Fact]) -> None:
    """A basket comes right after its lines, and is worth what they are worth."""
    worth = 0.0
    for fact in facts:
        if fact.type == "line":
            worth += fact.value or 0.0
        elif fact.type == "basket":
            assert fact.value == pytest.approx(worth, abs=0.006 * 30)
            worth = 0.0
        else:
            assert worth == 0.0


def test_completejourney_says_which_campaign_runs(facts: list[Fact]) -> None:
    """A basket made between a mailing and its end says so, and with how many days left."""
    ends = {
        fact.customer_id: parse_time(str(fact.properties["ends_at"]))
        for fact in facts
        if fact.type == "mailing"
    }
    running = [fact for fact in facts if fact.properties.get("campaign_running") is True]
    assert running
    for fact in running:
        assert fact.at_ms <= ends[fact.customer_id]
        assert str(fact.properties["campaign_type"]).startswith("Type ")
        assert 0 <= float(fact.properties["days_left"]) <= 161


def test_the_events_are_valid_and_their_ids_unique(facts: list[Fact]) -> None:
    """Every line is an event of the contract; ids identify."""
    decode = EventDecoder().decode
    ids = [decode(line).event_id for line in encode_lines(facts, keyed=False)]
    assert len(set(ids)) == len(ids) == len(facts)
    assert set(Counter(fact.type for fact in facts)) == {"line", "basket", "redemption", "mailing"}
    keyed = next(iter(encode_lines(facts, keyed=True)))
    assert keyed.startswith(facts[0].customer_id.encode() + b"\t{")


def test_cdnow_is_one_purchase_per_customer_and_day() -> None:
    """67,591 customer-days, on the weekdays of the file, in years that are accepted."""
    try:
        purchases = cdnow.events()
    except DatasetMissingError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    assert len(purchases) == 67_591
    assert purchases[0].at_ms == parse_time("2014-01-01T00:00:00Z")
    assert purchases[-1].at_ms == parse_time("2015-06-30T00:00:00Z")
    assert len({(fact.customer_id, fact.at_ms) for fact in purchases}) == len(purchases)


@pytest.mark.parametrize("dataset", [completejourney, cdnow])
def test_the_campaign_files_are_valid(dataset: object) -> None:
    """Both files load without a problem."""
    assert load_campaigns(dataset.CAMPAIGN_FILE).campaigns  # type: ignore[attr-defined]
