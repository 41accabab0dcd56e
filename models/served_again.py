"""What was served, read back from the score records of a partition.

Owns: finding what was said of an event and a campaign, for the examples that it opened.
Never: a model: those of that moment may be gone.
Source: ARCHITECTURE.md, "Recovery".
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from math import nan

import numpy as np
from numpy.typing import NDArray

from models.batch import NO_PERCENTILE, STATUSES
from models.model_number import model_number
from models.plan import Plan
from models.trigger_states import APART, NOTHING_SAID, SaidBefore
from schemas.campaign import VOICES
from schemas.score import ScoreEntry, ScoreRecord

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
U8 = NDArray[np.uint64]
HASH_MAX = (1 << 64) - 1
OFFSETS, CAMPAIGNS = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9  # Odd, and without a pattern.


def timer_key(offset: int, campaign: int, score_hash: int) -> int:
    """What the score of a timer is known by: below 0, where those of events are not.

    Several fire at one offset, so the hash that names the score is in it.
    """
    return -1 - (((score_hash + offset * OFFSETS + campaign * CAMPAIGNS) & HASH_MAX) >> 1)


def timer_keys(offsets: I8, campaigns: I8, score_hashes: U8) -> I8:
    """`timer_key` of many."""
    mixed: U8 = score_hashes + offsets.astype(np.uint64) * np.uint64(OFFSETS)
    mixed += campaigns.astype(np.uint64) * np.uint64(CAMPAIGNS)
    found: I8 = -1 - (mixed >> np.uint64(1)).astype(np.int64)
    return found


class ServedAgain:
    """Predictions by offset and campaign, and timers' by their id; the last one said counts."""

    def __init__(self, plan: Plan) -> None:
        self._campaigns = {name: index for index, name in enumerate(plan.campaigns)}
        self._values = [c.predict == "value" for c in plan.file.campaigns.values()]
        self._lineages = plan.lineages
        self._statuses = {status: number for number, status in enumerate(STATUSES)}
        # 25 bytes a prediction, 8 for its place in the order and for each expert; lists take five
        # times as much.
        self._keys, self._served = array("q"), array("d")
        self._said_by = [array("d") for _ in range(plan.experts_max)]
        self._versions, self._said = array("q"), array("B")
        self._order: I8 | None = None
        # Only where a campaign has a trigger or publishes changes only, 65 bytes more with what is
        # made of them.
        campaigns = plan.file.campaigns.values()
        self._decides = any(
            c.trigger is not None or c.publish_change is not None for c in campaigns
        )
        self._scores, self._percentiles = array("Q"), array("d")
        self._probabilities = array("d")
        self._before = NOTHING_SAID

    def __len__(self) -> int:
        """Return how many predictions there are."""
        return len(self._keys)

    def add(self, records: Iterable[ScoreRecord]) -> None:
        """Take in score records in the order in which they left."""
        for record in records:
            offset, is_timed = record.source.offset, record.cause == "timer"
            for entry in record.scores:
                campaign = self._campaigns.get(entry.campaign)
                if campaign is None or entry.model.lineage != self._lineages[campaign]:
                    continue
                served = entry.expected_value if self._values[campaign] else entry.probability
                if served is not None:
                    key = offset * len(self._campaigns) + campaign
                    if is_timed:
                        key = timer_key(offset, campaign, _half_of(record.score_id))
                    self._keys.append(key)
                    self._served.append(served)
                    for name, said_by in zip(VOICES, self._said_by, strict=False):
                        said_by.append(entry.experts.get(name, nan))
                    model = entry.model
                    self._versions.append(model_number(model.learner, model.version))
                    self._said.append(self._statuses[entry.status])
                    if self._decides:
                        self._add_for_decisions(record.score_id, campaign, entry)
        self._order = None
        self._before = NOTHING_SAID

    def _add_for_decisions(self, score_id: str, campaign: int, entry: ScoreEntry) -> None:
        apart = (campaign + 1) * int(APART)
        self._scores.append((_half_of(score_id) ^ apart) & HASH_MAX)
        percentile = entry.percentile
        # A value that is predicted at once has no probability, and stands for it in the fold.
        known = entry.expected_value if entry.probability is None else entry.probability
        self._probabilities.append(nan if known is None else known)
        self._percentiles.append(NO_PERCENTILE if percentile is None else percentile)

    @property
    def said_before(self) -> SaidBefore:
        """The same by score and campaign, as decisions on triggers and publishing look it up."""
        if self._scores and not len(self._before.key):
            keys = np.array(self._scores, np.uint64)
            order = np.argsort(keys, kind="stable")
            self._before = SaidBefore(
                key=keys[order],
                served=np.array(self._served)[order],
                probability=np.array(self._probabilities)[order],
                percentile=np.array(self._percentiles)[order],
                version=np.array(self._versions, np.int64)[order],
                status=np.array(self._said, np.uint8)[order],
            )
        return self._before

    def of(
        self, offsets: I8, campaigns: I8, timers: U8
    ) -> tuple[NDArray[np.bool_], F8, F8, I8, I8]:
        """Which predictions are known; what was served, what each expert said, model, status.

        `timers` is the first half of what names a score, and 0 where an event was scored. What an
        expert said is NaN where that is unknown; the model is its number.
        """
        if not self._keys:
            nothing, count = np.zeros(len(offsets), np.int64), len(offsets)
            unsaid = np.full((count, len(self._said_by)), nan)
            return nothing > 0, np.zeros(count), unsaid, nothing, nothing
        keys = np.frombuffer(self._keys, np.int64)
        if self._order is None:
            # Stable: of equal keys the last said comes last.
            self._order = np.argsort(keys, kind="stable")
        asked = offsets * len(self._campaigns) + campaigns
        asked = np.where(timers > 0, timer_keys(offsets, campaigns, timers), asked)
        found = np.searchsorted(keys, asked, side="right", sorter=self._order) - 1
        known = found >= 0
        rows = self._order[np.where(known, found, 0)]
        known &= keys[rows] == asked
        served = np.frombuffer(self._served, np.float64)[rows]
        by_expert = [np.frombuffer(said_by, np.float64)[rows] for said_by in self._said_by]
        experts = np.array(by_expert).reshape(len(by_expert), len(rows)).T
        versions = np.frombuffer(self._versions, np.int64)[rows]
        said = np.frombuffer(self._said, np.uint8)[rows].astype(np.int64)
        return known, served, experts, versions, said


def _half_of(score_id: str) -> int:
    """The first 64 bits of what names a score; 0 of what is no id of ours."""
    try:
        return int(score_id[:16], 16)
    except ValueError:
        return 0
