"""The trainer: a fold over one partition of training examples.

Owns: which rows are learned: each once, in log order, by the learner of its campaign.
Never: I/O, wall time, threads or randomness.
Source: ARCHITECTURE.md, "Two folds".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from models.campaign_learner import CampaignLearner
from models.plan import Plan
from models.row_reader import ROWS_AT_ONCE
from models.row_text import campaign_prefix
from schemas.example import (
    CUSTOMER_PATTERN,
    INDEX_MAX,
    LABEL_MAX,
    OFFSET_MAX,
    PARTITION_MAX,
    WEIGHT_MAX,
    TrainingExample,
    decode_example,
)
from schemas.learner_state import LearnerState
from schemas.model_record import ModelRecord
from schemas.times import TIME_MAX_MS, TIME_MIN_MS

END_OF_PREFIX = b'","'
CUSTOMER = re.compile(CUSTOMER_PATTERN)


class Unreadable(NamedTuple):
    """A row that is no training example, by its offset, and why."""

    offset: int
    error: msgspec.DecodeError | ValueError


def refuse_unlearnable(row: TrainingExample) -> None:
    """Refuse a row of the right shape that says what no row of ours can.

    One such row would pass for the newest of all, or make sums infinite, for good. The compiled
    reader takes no row that is refused here.

    Raises
    ------
        ValueError: a field is beyond its bounds; the message says which, and what they are.
    """
    source, closed_by = row.source, row.closed_by
    offsets_ascend = 0 <= source.offset <= closed_by.offset <= OFFSET_MAX
    for field, holds, expected in (
        ("closed_at", TIME_MIN_MS <= row.closed_at_ms <= TIME_MAX_MS, "a time from 2000 to 2100"),
        ("customer", CUSTOMER.fullmatch(row.customer), "16 lower-case hexadecimal digits"),
        ("source.partition", 0 <= source.partition <= PARTITION_MAX, f"0 to {PARTITION_MAX}"),
        ("closed_by.offset", offsets_ascend, f"from that of the source to {OFFSET_MAX}"),
        ("closed_by.index", 0 <= closed_by.index <= INDEX_MAX, f"0 to {INDEX_MAX}"),
        ("label", abs(row.label) <= LABEL_MAX, f"a number up to ±{LABEL_MAX:g}"),
        ("weight", 0.0 < row.weight <= WEIGHT_MAX, f"above 0 and up to {WEIGHT_MAX:g}"),
    ):
        if not holds:
            raise ValueError(f"{field}: expected {expected}")


def _read_row(value: bytes, campaign: str | None) -> TrainingExample:
    """A row that can be learned, and of this campaign if its first bytes said so."""
    row = decode_example(value)
    refuse_unlearnable(row)
    if campaign is not None and row.campaign != campaign:
        raise ValueError(f"campaign is named twice, first as {campaign!r}")
    return row


class Trainer:
    """Folds the rows of one partition of training examples.

    Rows are taken once: those below a learner's covered offset, and those of a source partition
    at or before the last one learned, are skipped.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.learners: dict[str, CampaignLearner] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        self.changed: set[str] = set()
        self._campaigns = {campaign_prefix(name): name for name in plan.campaigns}

    def restore(self, states: Iterable[LearnerState]) -> None:
        """Take up the states of this partition; those of another lineage are left alone."""
        for state in states:
            learner = self._learner(state.campaign)
            if learner is not None and learner.lineage == state.lineage:
                learner.restore(state)

    def fold(self, offsets: Iterable[int], rows: Iterable[TrainingExample]) -> None:
        """Learn rows of the partition, in log order."""
        for offset, row in zip(offsets, rows, strict=True):
            self._fold_row(offset, row)

    def fold_bytes(
        self, offsets: Sequence[int], values: Sequence[bytes | None]
    ) -> list[Unreadable]:
        """Learn rows of the partition as they stand in the log; gives those that are no rows.

        What is learned is the same as by `fold`; rows of one campaign go together, which changes
        nothing for a learner: it sees the rows of its campaign in log order.
        """
        unreadable: list[Unreadable] = []
        waiting: dict[str, tuple[list[int], list[bytes]]] = {}
        for offset, value in zip(offsets, values, strict=True):
            text = value or b""
            campaign = self._campaigns.get(text[: text.find(END_OF_PREFIX) + 1])
            if campaign is not None:
                of_campaign = waiting.setdefault(campaign, ([], []))
                of_campaign[0].append(offset)
                of_campaign[1].append(text)
                continue
            self._fold_waiting(waiting, unreadable)  # It may be of one of these campaigns.
            self._fold_value(offset, text, unreadable)
        self._fold_waiting(waiting, unreadable)
        return sorted(unreadable, key=lambda row: row.offset)

    def _fold_waiting(
        self, waiting: dict[str, tuple[list[int], list[bytes]]], unreadable: list[Unreadable]
    ) -> None:
        for campaign, (offsets, values) in waiting.items():
            learner = self._learner(campaign)
            assert learner is not None
            for first in range(0, len(values), ROWS_AT_ONCE):
                stop = first + ROWS_AT_ONCE
                self._fold_batch(learner, offsets[first:stop], values[first:stop], unreadable)
        waiting.clear()

    def _fold_batch(
        self,
        learner: CampaignLearner,
        offsets: list[int],
        values: list[bytes],
        unreadable: list[Unreadable],
    ) -> None:
        learner.take(values)
        first, count = 0, len(values)
        while first < count:
            stop = learner.read(first) if offsets[first] >= learner.covered else first
            if stop > first:
                campaign = learner.campaign.name
                repeated = learner.learn_read(first, stop)
                for outcome, amount in (
                    ("repeated", repeated),
                    ("learned", stop - first - repeated),
                ):
                    if amount:
                        self.counts[outcome, campaign] += amount
                learner.covered = offsets[stop - 1] + 1
                self.changed.add(campaign)
            if stop < count:
                self._fold_value(offsets[stop], values[stop], unreadable, learner.campaign.name)
            first = stop + 1

    def _fold_value(
        self,
        offset: int,
        value: bytes,
        unreadable: list[Unreadable],
        campaign: str | None = None,
    ) -> None:
        """Fold one row of any form; `campaign` is the one that its first bytes name."""
        try:
            row = _read_row(value, campaign)
        except (msgspec.DecodeError, ValueError) as error:
            unreadable.append(Unreadable(offset, error))
        else:
            self._fold_row(offset, row)

    def _fold_row(self, offset: int, row: TrainingExample) -> None:
        learner = self._learner(row.campaign)
        if learner is None:
            self.counts["unknown campaign", row.campaign] += 1
        elif offset >= learner.covered:
            self.counts[self._take(learner, row), row.campaign] += 1
            learner.covered = offset + 1
            self.changed.add(row.campaign)

    @staticmethod
    def _take(learner: CampaignLearner, row: TrainingExample) -> str:
        if row.lineage != learner.lineage:
            return "superseded"
        if learner.is_repeated(row.source.partition, row.closed_by.offset, row.closed_by.index):
            return "repeated"
        learner.learn(row)
        return "learned"

    def states(self) -> list[LearnerState]:
        """The states of the learners in `changed`, in the order of the campaign file."""
        return [
            self.learners[name].state() for name in self._plan.campaigns if name in self.changed
        ]

    def records(self) -> list[ModelRecord]:
        """The model records of the learners in `changed`, in the order of the campaign file."""
        return [
            self.learners[name].record() for name in self._plan.campaigns if name in self.changed
        ]

    def _learner(self, campaign: str) -> CampaignLearner | None:
        learner = self.learners.get(campaign)
        if learner is None and campaign in self._plan.campaigns:
            learner = CampaignLearner(self._plan, self._plan.campaigns.index(campaign))
            self.learners[campaign] = learner
        return learner
