"""The events of a chaos run: shoppers, and what senders do wrong; and what is asked about them.

Owns: the seeded stream of events, with duplicates, late ones and poison in it; the campaigns.
Never: a broker, or the time of day.
Source: tests/world.py, whose shoppers these are.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from tests.world import Offered, shopping

LATE_MS = 3 * 3_600_000  # More than the allowed lateness.
SHAKEN_MS = 600_000  # Less than that.
DUPLICATES = 0.02
LATE = 0.02
SHAKEN = 0.05
POISON = 0.01
RECENT = 500
CAMPAIGNS = """\
version: 1
campaigns:
  buy-1d:
    for: [{event: page_view, within: 12h}]
    goal: {event: purchase}
    horizon: 1d
    rate: 10%
    score_on: [page_view, cart_add]
    example_interval: 6h
    features: {categories: [channel], half_lives: [1h, 1d, all]}
  click-6h:
    goal: {event: email_click}
    horizon: 6h
    rate: 10%
    score_on: [page_view]
    example_interval: 0s
    trigger:
      when: {percentile: 60}
      clear: {percentile: 40}
      wait: 20m
      unless: [{event: purchase, within: 1h}]
      cooldown: 2h
      hold_out: 30%
  lapse-3h:
    goal: {none_of: [purchase, cart_add]}
    horizon: 3h
    rate: 50%
    score_every: 1h
    idle_max: 2d
    trigger: {when: {percentile: 50}, hold_out: 20%}
"""


def events(seed: int, count: int) -> Iterator[Offered]:
    """Keys and values in the order in which they are sent."""
    generator = random.Random(seed)
    recent: list[Offered] = []
    for key, sent in shopping(count, seed=seed, customers=300):
        assert sent is not None
        value = sent
        draw = generator.random()
        if draw < LATE + SHAKEN:
            value = _earlier(value, LATE_MS if draw < LATE else generator.randrange(SHAKEN_MS))
        yield key, value
        recent = [*recent[-RECENT:], (key, value)]
        if generator.random() < DUPLICATES:
            yield generator.choice(recent)
        if generator.random() < POISON:
            yield key, _poison(generator, value)


def _earlier(value: bytes, by_ms: int) -> bytes:
    fields = json.loads(value)
    fields["occurred_at"] -= by_ms
    return json.dumps(fields).encode()


def _poison(generator: random.Random, value: bytes) -> bytes | None:
    fields = json.loads(value)
    nobody = {name: each for name, each in fields.items() if name != "customer_id"}
    far = {**fields, "event_id": f"far-{fields['event_id']}", "occurred_at": 32_500_000_000_000}
    nonsense = b"{nonsense %d" % generator.randrange(1_000_000)
    return generator.choice([nonsense, json.dumps(nobody).encode(), json.dumps(far).encode()])
