"""The demo's shoppers: reproducible, ordered, readable, and worth learning from.

Owns: what the demo and the documents may assume of the stream.
Never: the worker or a broker.
Source: consumer/shoppers.py.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import islice

import msgspec

from consumer.shoppers import (
    DAY_MS,
    DEMO_CAMPAIGNS,
    START_MS,
    encoded_shopper_events,
    shopper_events,
)


def test_the_seed_decides_every_byte() -> None:
    """The same seed gives the same bytes, another seed others."""
    first = list(islice(encoded_shopper_events(7, shoppers_count=50), 2_000))
    again = list(islice(encoded_shopper_events(7, shoppers_count=50), 2_000))
    other = list(islice(encoded_shopper_events(8, shoppers_count=50), 2_000))
    assert first == again
    assert first != other


def test_events_are_valid_and_ordered() -> None:
    """Events carry the native envelope, come in event time and stop where they are told to."""
    events = list(encoded_shopper_events(1, shoppers_count=200, days_max=3))
    times = [at_ms for at_ms, _, _ in events]
    assert times == sorted(times)
    assert times[0] >= START_MS
    assert times[-1] < START_MS + 3 * DAY_MS
    decoded = [msgspec.json.decode(value) for _, _, value in events]
    assert len({event["event_id"] for event in decoded}) == len(events)
    for (at_ms, key, _), event in zip(events, decoded, strict=True):
        assert event["customer_id"].encode() == key
        assert event["occurred_at"] == at_ms
    assert {event["type"] for event in decoded} == {
        "page_view", "search", "cart_add", "cart_remove", "purchase",
        "email_sent", "email_open", "email_click",
    }  # fmt: skip


def test_clicks_answer_the_mailing_that_was_sent() -> None:
    """No click without its mailing before it: the campaign on clicks matches by mailing."""
    sent: set[tuple[str, object]] = set()
    clicks = 0
    for _, customer_id, event in shopper_events(1, shoppers_count=300, days_max=8):
        properties = event["properties"]
        assert isinstance(properties, dict)
        mailing = (customer_id, properties.get("mailing_id"))
        if event["type"] == "email_sent":
            sent.add(mailing)
        elif event["type"] == "email_click":
            clicks += 1
            assert mailing in sent
    assert clicks > 30


def test_the_past_tells_of_the_future() -> None:
    """Shoppers who bought in the first fortnight buy far more often in the second."""
    bought: Counter[str] = Counter()
    later: dict[bool, list[int]] = defaultdict(list)
    second: Counter[str] = Counter()
    for at_ms, customer_id, event in shopper_events(1, shoppers_count=400, days_max=28):
        if event["type"] == "purchase":
            (bought if at_ms < START_MS + 14 * DAY_MS else second)[customer_id] += 1
    for number in range(400):
        later[bought[f"c{number}"] > 0].append(second[f"c{number}"])
    again = sum(later[True]) / len(later[True])
    first = sum(later[False]) / len(later[False])
    assert again > 3 * first


def test_campaigns_name_types_that_occur() -> None:
    """The demo's campaign file asks about event types that the shoppers produce."""
    types = {event["type"] for _, _, event in shopper_events(1, shoppers_count=200, days_max=3)}
    for named in ("purchase", "email_click", "page_view", "cart_add", "email_sent"):
        assert named in DEMO_CAMPAIGNS
        assert named in types
