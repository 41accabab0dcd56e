"""Grids of decimals, on which published numbers lie: the text of one says exactly what it is.

Owns: how many decimals each kind of number has, and moving a number onto them.
Never: text.
Source: IEEE 754: a whole number below 2**53 divided by a power of ten up to 10**22 is rounded
    once, and so is a reader's float64 of the same decimals; both are the nearest.
"""

from __future__ import annotations

import numpy as np

from models.compiled import compiled, inlined

PROBABILITY_PLACES = 12
VALUE_PLACES = 9
CONTRIBUTION_PLACES = 6
REMAINDER_PLACES = 12  # What is left of a sum of the others, so that it is exact.
PERCENTILE_PLACES = 2
STEPS_MAX = 9e15
DIGITS_MAX = 18  # So many digits fit an int64.
POWERS = np.array([10.0**places for places in range(DIGITS_MAX + 1)])  # Each is exact.


@inlined
def places_of(number: float, places: int) -> int:
    """As many of the decimals as a float64 of this size can hold: three fewer, and again."""
    while places > 0 and abs(number) * POWERS[places] > STEPS_MAX:
        places -= 3
    return max(places, 0)


@inlined
def steps_of(number: float, places: int) -> int:
    """A number as whole steps of a grid."""
    return int(np.rint(number * POWERS[places]))


@compiled
def on_grid(number: float, places: int) -> float:
    """The nearest number with at most so many decimals; at most ±9e15."""
    power = POWERS[places]
    if not abs(number) * power <= STEPS_MAX:  # Seldom; else all but the number is known beforehand.
        number = max(-STEPS_MAX, min(STEPS_MAX, number))
        power = POWERS[places_of(number, places)]
    return float(np.rint(number * power) / power)
