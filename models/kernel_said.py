"""What was served of events that are folded again, found in the compiled loop.

Owns: the key of what a score said of a campaign, and looking it up.
Never: decides by it.
Source: models.served_again reads it back from the score topic.
"""

from __future__ import annotations

import numpy as np

from models.compiled import inlined
from models.trigger_states import APART, SaidBefore

UNSAID = -1


@inlined
def key_of(score: np.uint64, campaign: int) -> np.uint64:
    """What a score's entry of a campaign is found by among those that were said before."""
    return score ^ (np.uint64(campaign + 1) * APART)


@inlined
def said_before(before: SaidBefore, key: np.uint64) -> int:
    """The last thing that was said under a key, or UNSAID."""
    low, high = 0, before.key.shape[0]
    while low < high:
        middle = (low + high) // 2
        if before.key[middle] <= key:
            low = middle + 1
        else:
            high = middle
    if low > 0 and before.key[low - 1] == key:
        return low - 1
    return UNSAID
