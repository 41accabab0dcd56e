"""Compiled sums of a comparison between two learners, with signs drawn for each customer.

Owns: the signed sums from which the variance of a difference is estimated.
Never: decides anything; a customer's signs depend on nothing but its hash.
Source: Cameron, Gelbach & Miller (2008), "Bootstrap-based improvements for inference with
    clustered errors" (one sign for all rows of a cluster); Alon, Matias & Szegedy (1996), "The
    space complexity of approximating the frequency moments" (its variance in constant space).
"""

from __future__ import annotations

import numpy as np

from models.compiled import compiled
from models.kernel_hash import avalanche
from models.kernels_learner import Floats

WORDS = 4
SIGNS = 64 * WORDS
_STRIDE = np.uint64(0x9E3779B97F4A7C15)


@compiled
def add_signed(
    differences: Floats, weights: Floats, customer: np.uint64, difference: float, weight: float
) -> None:
    """Add a weighted difference, and the weight, to each sum under the customer's sign.

    `differences` and `weights` have `SIGNS` places; the expected square of such a sum is the sum
    over customers of their squared totals.
    """
    total = weight * difference
    for word in range(WORDS):
        bits = avalanche(customer + np.uint64(word + 1) * _STRIDE)
        for bit in range(64):
            place = 64 * word + bit
            sign = 1.0 - 2.0 * np.float64((bits >> np.uint64(bit)) & np.uint64(1))
            differences[place] += sign * total
            weights[place] += sign * weight
