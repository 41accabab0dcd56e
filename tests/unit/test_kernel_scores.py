"""Single numbers of a score, beside what their definition says.

Owns: the rank of a prediction among recent ones.
Never: whole scores; tests/property/test_folds.py sums them again.
Source: the mid-rank counts those below, and half of those that are equal.
"""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from models.batch import QUANTILES, RANKS
from models.kernel_scores import percentile_of

TWELFTHS = st.integers(0, 12).map(lambda number: number / 12)


@given(st.lists(TWELFTHS, min_size=QUANTILES, max_size=QUANTILES), TWELFTHS)
@example([0.5] * QUANTILES, 0.5)
@example([0.5] * QUANTILES, 0.0)
@example([0.5] * QUANTILES, 1.0)
def test_a_percentile_is_the_mid_rank(recent: list[float], served: float) -> None:
    """Ties count half, and nothing behind the quantiles counts."""
    quantiles = np.full(RANKS, np.inf)
    quantiles[:QUANTILES] = sorted(recent)
    below = sum(number < served for number in recent)
    upto = sum(number <= served for number in recent)
    assert percentile_of(quantiles, served) == round(50.0 * (below + upto) / QUANTILES, 2)
