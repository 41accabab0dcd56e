"""A seeded stream whose truth is known: visits that convert with 3 %, answers late, and a drift.

Owns: the visits, how likely each of them converts, and the events and campaigns made of them.
Never: a clock; the seed alone decides every byte.
Source: none. Each visit is of a new customer, so that what is asked does not depend on when the
    answers to earlier visits were known; histories are the clickstream's part.

    the same visit, asked three times
    at-once    visit ─ bought_at_once (1 s)                      learned an hour later: the oracle
    late-3d    visit ──────── bought_3d (0 to 3 d)               learned after 3 days
    late-14d   visit ─────────────────── bought_14d (0 to 14 d)  learned after 14 days
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.datasets.event_log import Fact, Property
from bench.verdicts import Floats
from schemas.times import DAY_MS, SECOND_MS, parse_time

ORACLE: Final = "at-once"
LATE_DAYS: Final = {"late-3d": 3, "late-14d": 14}
CAMPAIGNS: Final = """\
# One question, asked three times of every visit: who converts is the same, the answers are not.
version: 1
campaigns:
  at-once:
    goal: {event: bought_at_once}
    horizon: 1m
    rate: 3%
    score_on: [visit]
    example_interval: 0s
    features: &features {categories: [channel, device], numbers: [price, depth, age]}
  late-3d:
    goal: {event: bought_3d}
    horizon: 3d
    rate: 3%
    score_on: [visit]
    example_interval: 0s
    features: *features
  late-14d:
    goal: {event: bought_14d}
    horizon: 14d
    rate: 3%
    score_on: [visit]
    example_interval: 0s
    features: *features
"""
START_MS: Final = parse_time("2025-01-01T00:00:00Z")
RATE: Final = 0.03
NUMBERS: Final = ("price", "depth", "age")
CHANNELS: Final = ("web", "app", "shop", "phone")
DEVICES: Final = ("mobile", "desktop", "tablet")
EFFECT: Final = 0.5  # Standard deviation of an effect on the logit.
EFFECTS: Final = len(NUMBERS) + len(CHANNELS) + len(DEVICES)


@dataclass(frozen=True)
class Stream:
    """Visits in the order of time; `truth` is how likely each converts, float64 of shape (n,)."""

    at_ms: NDArray[np.int64]
    numbers: Floats
    channel: NDArray[np.int64]
    device: NDArray[np.int64]
    truth: Floats
    converts: NDArray[np.bool_]
    delay: Floats
    days: int

    @property
    def drift_day(self) -> int:
        """The day on which half of the effects change, counted from 0."""
        return self.days // 2


def make_stream(seed: int, days: int, visits_per_day: int) -> Stream:
    """Draw the visits of so many days.

    In the middle, half of the effects are drawn anew; the mean rate is 3 % before and after.
    """
    draw = np.random.default_rng(seed)
    count = days * visits_per_day
    at_ms = np.sort(draw.integers(days * DAY_MS, size=count)) + START_MS
    numbers = draw.normal(size=(count, len(NUMBERS)))
    channel = draw.integers(len(CHANNELS), size=count)
    device = draw.integers(len(DEVICES), size=count)
    design = np.column_stack(
        [numbers, np.eye(len(CHANNELS))[channel], np.eye(len(DEVICES))[device]]
    )
    before = draw.normal(scale=EFFECT, size=EFFECTS)
    after = before.copy()
    anew = draw.permutation(EFFECTS)[: EFFECTS // 2]
    after[anew] = draw.normal(scale=EFFECT, size=len(anew))
    drifted = at_ms >= START_MS + days // 2 * DAY_MS
    truth = np.empty(count)
    for part, effects in ((~drifted, before), (drifted, after)):
        truth[part] = _with_rate(design[part] @ effects)
    converts = draw.random(count) < truth
    return Stream(at_ms, numbers, channel, device, truth, converts, draw.beta(1, 2, count), days)


def _with_rate(linear: Floats) -> Floats:
    """Return probabilities whose logit is `linear` and a constant, with a mean of 3 %."""
    low, high = -20.0, 20.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        too_many = (1.0 / (1.0 + np.exp(-linear - middle))).mean() > RATE
        low, high = (low, middle) if too_many else (middle, high)
    probability: Floats = 1.0 / (1.0 + np.exp(-linear - low))
    return probability


def facts(stream: Stream) -> Iterator[Fact]:
    """Yield the visits, named by their number, and the conversions; not in the order of time."""
    amounts = np.round(np.maximum(np.expm1(1.5 + 0.8 * stream.numbers), 0.0), 3)
    for number, at_ms in enumerate(stream.at_ms.tolist()):
        properties: dict[str, Property] = {
            "channel": CHANNELS[stream.channel[number]],
            "device": DEVICES[stream.device[number]],
            **dict(zip(NUMBERS, amounts[number].tolist(), strict=True)),
        }
        yield Fact(at_ms, 0, f"c{number}", "visit", str(number), None, properties)
    for number in np.flatnonzero(stream.converts).tolist():
        at_ms, customer = int(stream.at_ms[number]), f"c{number}"
        soon = at_ms + SECOND_MS
        yield Fact(soon, 1, customer, "bought_at_once", f"{number}-at-once", None, {})
        for name, days in LATE_DAYS.items():
            later = at_ms + int(stream.delay[number] * days * DAY_MS)
            yield Fact(later, 1, customer, f"bought_{days}d", f"{number}-{name}", None, {})
