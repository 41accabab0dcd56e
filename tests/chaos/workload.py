"""The events of a chaos run: shoppers, and what senders do wrong.

Owns: the seeded stream of events, with duplicates, late ones and poison in it.
Never: a broker, or the time of day.
Source: tests/world.py, whose campaigns score it.
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
