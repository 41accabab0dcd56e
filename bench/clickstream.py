"""A synthetic clickstream: is what was learned of one row a day right for all that are served?

Owns: two campaigns that differ in their `example_interval` alone, and how they are compared.
Never: judges examples only: a sample that is not a fair one shows itself on the served rows.
Source: the demo's shoppers, whose carts come in the middle of a session.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.replays import read_examples
from bench.verdicts import judge
from consumer.shoppers import DAY_MS, START_MS, encoded_shopper_events
from schemas.score import decode_score

SAMPLE: Final = "one-a-day"
EVERY: Final = "every-row"
CAMPAIGNS: Final = """\
# Will this shopper buy within a day? Learned from one score of a day, and from every score.
version: 1
campaigns:
  one-a-day:
    goal: {event: purchase}
    horizon: 1d
    rate: 15%
    score_on: &scored [page_view, cart_add, email_click]
    example_interval: 1d
    features: &features
      half_lives: [1h, 1d, 7d, 30d, all]
      categories: [channel, device]
      numbers: [price, discount]
  every-row:
    goal: {event: purchase}
    horizon: 1d
    rate: 15%
    score_on: *scored
    example_interval: 0s
    features: *features
"""


@dataclass(frozen=True)
class Sampled:
    """How learning one row a day fared on all served rows, beside learning every row."""

    worse: float
    predicted_per_actual: float


def lines(seed: int, shoppers: int, days: int) -> Iterator[bytes]:
    """Yield the events of so many shoppers, in the order of time."""
    stream = encoded_shopper_events(seed, shoppers_count=shoppers, days_max=days)
    return (value + b"\n" for _, _, value in stream)


def judged(out: Path, days: int) -> Sampled:
    """Compare both campaigns on every row that was served after the first quarter of the days."""
    rows = read_examples(out, EVERY)
    rows = rows[rows["as_of_ms"] >= START_MS + days // 4 * DAY_MS]
    sampled = served(out / "scores.ndjson", SAMPLE)
    said = np.array([sampled[event] for event in rows["event_id"]])
    label = rows["label"].to_numpy(np.float64)
    ours = judge(SAMPLE, SAMPLE, label, said)
    every = judge(EVERY, EVERY, label, rows["probability"].to_numpy(np.float64))
    return Sampled(ours.loss / every.loss - 1.0, ours.predicted_per_actual)


def served(scores: Path, campaign: str) -> dict[str, float]:
    """Return the probabilities of a campaign as they were published, by event id."""
    found = {}
    with scores.open("rb") as file:
        for record in map(decode_score, file):
            for entry in record.scores:
                if entry.campaign == campaign and entry.probability is not None:
                    found[str(record.event_id)] = entry.probability
    return found
