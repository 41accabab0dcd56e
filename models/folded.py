"""What the scorer gives: of a batch, and of its life so far.

Owns: the shapes of both, and who is behind a score.
Never: computes one.
Source: ARCHITECTURE.md, "Two folds".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.batch import TAKEN, Moments, ScoreColumns
from models.intake import Batch
from models.rows import Rows
from models.state import (
    CLOCK_MS,
    EVICTED,
    FREE_SLOTS,
    I8,
    NEVER_MS,
    OPEN_COUNT,
    OPENED,
    OUTCOMES_OPEN,
    REPLACED,
    SEEN_DROPPED,
    SLOT_COUNT,
    THROTTLED,
    TIMERS_FIRED,
    TIMERS_PASSED,
    WITHDRAWN,
)
from models.trigger_states import Fired


class Folded(NamedTuple):
    """What a batch gave. The first `score_count` entries of `scores` hold.

    `moments` are those at which timers fired, and `timed` the customers, as texts of JSON without
    their quotes: no more moments hold than there are customers.
    """

    batch: Batch
    scores: ScoreColumns
    score_count: int
    rows: Rows
    moments: Moments
    timed: list[bytes]
    fired: Fired
    fired_by: list[str]  # The customer of each trigger that was fired.
    withdrawn: Mapping[tuple[int, str], int] = MappingProxyType({})
    """Open examples that were dropped at control facts, by campaign and reason."""
    unpublished: Sequence[int] = ()
    """Scores that say nothing new, by campaign; they are not among `scores`."""

    @property
    def scored(self) -> NDArray[np.intp]:
        """The events that were answered with a score of any campaign."""
        return np.flatnonzero(self.scores.outcome == TAKEN)

    def sources(self, scores: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Of some scores the offset, and what tells those of timers apart; 0 for an event."""
        count, offsets = len(self.timed), self.batch.columns.offset
        moments = self.moments
        ids = np.zeros(len(offsets), np.uint64)
        which = self.scores.event[scores]
        offsets = np.concatenate([offsets, moments.offset[:count]])
        return offsets[which], np.concatenate([ids, moments.score_hash[:count, 0]])[which]


class Counts(NamedTuple):
    """What the fold has done since it began, and holds now."""

    opened: int
    replaced: int
    throttled: int
    evicted: int
    ids_dropped: int
    texts_refused: int
    open_examples: int
    open_outcomes: int  # rows of arms
    profiles: int
    clock_ms: int | None
    timers_fired: int
    timers_passed: int
    withdrawn: int


def counts_of(registers: I8, texts_refused: int) -> Counts:
    """The counts of a fold with these registers."""
    clock_ms = int(registers[CLOCK_MS])
    return Counts(
        opened=int(registers[OPENED]),
        replaced=int(registers[REPLACED]),
        throttled=int(registers[THROTTLED]),
        evicted=int(registers[EVICTED]),
        ids_dropped=int(registers[SEEN_DROPPED]),
        texts_refused=texts_refused,
        open_examples=int(registers[OPEN_COUNT]),
        open_outcomes=int(registers[OUTCOMES_OPEN]),
        profiles=int(registers[SLOT_COUNT] - registers[FREE_SLOTS]),
        clock_ms=None if clock_ms == NEVER_MS else clock_ms,
        timers_fired=int(registers[TIMERS_FIRED]),
        timers_passed=int(registers[TIMERS_PASSED]),
        withdrawn=int(registers[WITHDRAWN]),
    )
