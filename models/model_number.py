"""Which model served, as one number: the learner's place among all, and its version.

Owns: how the two lie in the 64 bits that folds keep of a score, and that records never show.
Never: more learners than records have names for.
Source: schemas.campaign has the learners; the champion is 0, so its numbers are its versions.
"""

from __future__ import annotations

from typing import Final

from schemas.campaign import LEARNERS

LEARNER_SHIFT: Final = 48
VERSION_MASK: Final = (1 << LEARNER_SHIFT) - 1


def model_number(learner: str, version: int) -> int:
    """Return the number of a learner's model; a learner that we do not know counts as the champion.

    Examples
    --------
    >>> model_number("champion", 7)
    7
    >>> model_number("hedged_logistic", 7) & VERSION_MASK
    7
    """
    place = LEARNERS.index(learner) if learner in LEARNERS else 0
    return place << LEARNER_SHIFT | version
