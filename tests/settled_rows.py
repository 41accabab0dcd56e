"""Rows whose outcome is known, and judgements that have seen some, for the tests of both.

Owns: making them, seeded.
Never: expects anything of a judgement.
Source: models.judgement.
"""

from __future__ import annotations

import math

import numpy as np

from models.judgement import Judgement, Settled
from models.quality import DAY_MS

START_MS = 20_000 * DAY_MS
NO_PLACES, NO_VALUES = np.zeros(0, np.int32), np.zeros(0)


def judged(
    horizon_ms: int = DAY_MS, predict: str = "conversion", *, absence: bool = False
) -> Judgement:
    """Return a judgement that has seen nothing."""
    return Judgement(predict, horizon_ms, absence=absence)


def settled(customer: int, label: float, served: float | None, at_ms: int = START_MS) -> Settled:
    """Return a row without features."""
    return Settled(at_ms, label, served, 1.0, customer, NO_PLACES, NO_VALUES)


def silent(judgement: Judgement) -> bool:
    """Return whether answers are silent by now."""
    return judgement.is_silent


def with_inputs(
    judgement: Judgement, first: int, stop: int, shift: float, *, ready: bool = True
) -> None:
    """Add rows of 200 a day whose first input is shifted; another is often zero."""
    random = np.random.default_rng(first)
    places = np.array([0, 3, -1], np.int32)
    for number in range(first, stop):
        values = np.array([1.5 + shift + random.normal(), random.random() < 0.2, 7.0])
        served = 1.0 / (1.0 + math.exp(3.0 - shift - random.normal()))
        label = float(random.random() < served)
        at_ms = START_MS + number * DAY_MS // 200
        judgement.add(Settled(at_ms, label, served, 1.0, number, places, values, ready=ready))
