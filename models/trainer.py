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
from models.contenders import Contenders
from models.lineages import Lineages, Succession, Waiting
from models.plan import Plan
from models.row_reader import ROWS_AT_ONCE
from models.uplift import counted
from schemas.campaign import CHAMPION
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
from schemas.formats import NewerFormatError
from schemas.learner_state import LearnerState
from schemas.model_record import ModelRecord
from schemas.times import TIME_MAX_MS, TIME_MIN_MS

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


class Trainer:
    """Folds the rows of one partition of training examples.

    Rows are taken once: those below a learner's covered offset, and those of a source partition
    at or before the last one learned, are skipped. At a row that a newer campaign file, or a newer
    version, may be able to learn, the partition waits: nothing from there on is taken, and
    `waits_for` says why.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.learners: dict[str, CampaignLearner] = {}
        self.contenders: dict[str, Contenders] = {}  # Of campaigns with challengers, now or once.
        self.counts: Counter[tuple[str, str]] = Counter()
        self.changed: set[str] = set()
        self.waits_for: Waiting | None = None
        self._lineages = Lineages(plan)

    @property
    def removed(self) -> set[str]:
        """The campaigns whose rows are left out unless they are in the file; open to changes."""
        return self._lineages.removed

    def restore(self, states: Iterable[LearnerState]) -> list[Succession]:
        """Take up the newest states of this partition; gives those of other lineages than ours.

        A learner whose definition comes after the one that was found begins anew, and has changed
        by that alone: its first state tells everybody which lineage it supersedes. One whose
        definition came before is not begun.

        Raises
        ------
            ValueError: a champion's state cannot be gone on from; the message names it.
        """
        met: list[Succession] = []
        by_campaign: dict[str, dict[str, LearnerState]] = {}
        for each in states:
            by_campaign.setdefault(each.campaign, {})[each.learner] = each
        for found in by_campaign.values():
            if CHAMPION not in found:  # Challengers alone are learned anew, as the champion is.
                continue
            state = found[CHAMPION]
            succession = self._lineages.meet(state)
            if succession is not None:
                met.append(succession)
                if succession.outdated:
                    continue
            learner = self._learner(state.campaign)
            if learner is None:
                continue
            if succession is None:
                self._restore(learner, found)
            else:
                self.changed.add(state.campaign)
        return met

    def _restore(self, learner: CampaignLearner, found: dict[str, LearnerState]) -> None:
        """Let a champion go on, and its challengers: those of before, where there are none now."""
        name, state = learner.campaign.name, found[CHAMPION]
        try:
            learner.restore(state)
            if state.contending is not None and name not in self.contenders:
                index = self._plan.campaigns.index(name)
                self.contenders[name] = Contenders(self._plan, index, learner)
            contenders = self.contenders.get(name)
            if contenders is None:
                return
            contenders.restore({k: v for k, v in found.items() if v.lineage == learner.lineage})
        except ValueError as error:
            raise ValueError(
                f"The state of {name}/{CHAMPION} cannot be gone on from: {error}"
            ) from error
        if contenders.news or contenders.begun_anew:
            self.changed.add(name)

    def begin(self, campaigns: Iterable[str]) -> None:
        """Begin the learners of campaigns whose rows will come here and that have no state yet.

        Their first states say which definitions are in use, before the first row has matured: so
        whoever changes one of them later knows what he supersedes.
        """
        for name in campaigns:
            if name not in self.learners and not self._lineages.is_outdated(name):
                self._learner(name)
                self.changed.add(name)

    def say_again(self) -> None:
        """Let every learner have changed that has learned: its model may not have left."""
        self.changed.update(name for name, each in self.learners.items() if each.version > 0)

    def fold(self, offsets: Iterable[int], rows: Iterable[TrainingExample]) -> None:
        """Learn rows of the partition, in log order, up to one that has to be waited for."""
        self.waits_for = None
        for offset, row in zip(offsets, rows, strict=True):
            self.waits_for = self._fold_row(offset, row)
            if self.waits_for is not None:
                return

    def fold_bytes(
        self, offsets: Sequence[int], values: Sequence[bytes | None]
    ) -> list[Unreadable]:
        """Learn rows of the partition as they stand in the log; gives those that are no rows.

        What is learned is the same as by `fold`; rows of one campaign go together, which changes
        nothing for a learner: it sees the rows of its campaign in log order. Among rows that go
        together is none that has to be waited for, so that all before such a row are learned.
        """
        self.waits_for = None
        unreadable: list[Unreadable] = []
        together: dict[str, tuple[list[int], list[bytes]]] = {}
        for offset, value in zip(offsets, values, strict=True):
            text = value or b""
            named = self._lineages.named(text)
            if named is not None:
                of_campaign = together.setdefault(named[0], ([], []))
                of_campaign[0].append(offset)
                of_campaign[1].append(text)
                continue
            self._fold_together(together, unreadable)  # It may be of one of these campaigns.
            self.waits_for = self._fold_value(offset, text, unreadable)
            if self.waits_for is not None:
                break
        self._fold_together(together, unreadable)
        return sorted(unreadable, key=lambda row: row.offset)

    def _fold_together(
        self, together: dict[str, tuple[list[int], list[bytes]]], unreadable: list[Unreadable]
    ) -> None:
        for campaign, (offsets, values) in together.items():
            learner = self._learner(campaign)
            assert learner is not None
            for first in range(0, len(values), ROWS_AT_ONCE):
                stop = first + ROWS_AT_ONCE
                self._fold_batch(learner, offsets[first:stop], values[first:stop], unreadable)
        together.clear()

    def _fold_batch(
        self,
        learner: CampaignLearner,
        offsets: list[int],
        values: list[bytes],
        unreadable: list[Unreadable],
    ) -> None:
        learner.take(values)
        campaign, alone = learner.campaign.name, self._challenged(learner) is None
        first, count = 0, len(values)
        while first < count:
            together = alone and offsets[first] >= learner.covered
            stop = learner.read(first) if together else first
            if stop > first:
                silent = -learner.judgement.rows_silent
                repeated = learner.learn_read(first, stop)
                silent += learner.judgement.rows_silent
                for outcome, amount in (
                    ("repeated", repeated),
                    ("silent", silent),
                    ("learned", stop - first - repeated - silent),
                ):
                    if amount:
                        self.counts[outcome, campaign] += amount
                learner.covered = offsets[stop - 1] + 1
                self.changed.add(campaign)
            if stop < count:
                waits = self._fold_value(offsets[stop], values[stop], unreadable)
                assert waits is None
            first = stop + 1

    def _fold_value(
        self, offset: int, value: bytes, unreadable: list[Unreadable]
    ) -> Waiting | None:
        """Fold one row of any form, or say why it has to be waited for."""
        try:
            row = self._read_row(value)
        except (msgspec.DecodeError, ValueError) as error:
            if self._lineages.named(value) is None and isinstance(error, NewerFormatError):
                return Waiting(offset, "", "", "a newer version wrote it")
            unreadable.append(Unreadable(offset, error))
            return None
        return self._fold_row(offset, row)

    def _read_row(self, value: bytes) -> TrainingExample:
        """A row that can be learned, and is of the campaign and lineage that it begins with."""
        row = decode_example(value)
        refuse_unlearnable(row)
        if self._lineages.are_named_twice(value, row.campaign, row.lineage):
            raise ValueError("campaign or lineage is named twice, and not as the same")
        return row

    def _fold_row(self, offset: int, row: TrainingExample) -> Waiting | None:
        campaign, lineage = row.campaign, row.lineage
        if self._lineages.is_removed(campaign):
            self.counts["unknown campaign", campaign] += 1
            return None
        if self._is_covered(offset, campaign):
            return None
        why = self._lineages.why_wait(campaign, lineage)
        if why is not None:
            return Waiting(offset, campaign, lineage, why)
        learner = self._learner(campaign)
        assert learner is not None
        contenders = self._challenged(learner)
        if contenders is not None and lineage == learner.lineage:
            outcome = contenders.take(offset, row)
        else:
            outcome = self._take(learner, row)
        self.counts[outcome, campaign] += 1
        learner.covered = max(learner.covered, offset + 1)
        self.changed.add(campaign)
        return None

    def _challenged(self, learner: CampaignLearner) -> Contenders | None:
        """A champion and those that challenge it now; None where it learns alone."""
        if not learner.campaign.challengers:
            return None
        return self.contenders[learner.campaign.name]

    def _is_covered(self, offset: int, campaign: str) -> bool:
        learner = self.contenders.get(campaign) or self.learners.get(campaign)
        if learner is not None:
            return offset < learner.covered
        return self._lineages.is_learned_elsewhere(offset, campaign)

    @staticmethod
    def _take(learner: CampaignLearner, row: TrainingExample) -> str:
        if row.lineage != learner.lineage:
            return "superseded"
        if row.triggered:
            return counted(learner.uplift, row)
        if learner.is_repeated(row.source.partition, row.closed_by.offset, row.closed_by.index):
            return "repeated"
        silent = learner.judgement.rows_silent
        learner.learn(row)
        return "learned" if learner.judgement.rows_silent == silent else "silent"

    def states(self) -> list[LearnerState]:
        """The states of the learners in `changed`, in the order of the campaign file."""
        return [
            msgspec.structs.replace(state, superseded=self._lineages.superseded(name))
            for name, learner in self._changed_learners()
            for state in self._states_of(learner)
        ]

    def _states_of(self, learner: CampaignLearner) -> list[LearnerState]:
        contenders = self.contenders.get(learner.campaign.name)
        return [learner.state()] if contenders is None else contenders.states()

    def records(self) -> list[ModelRecord]:
        """The model records of the learners in `changed` that have learned, in the same order.

        One that has only begun has nothing to serve, and hides no older model.
        """
        return [
            (self.contenders.get(name) or learner).record()
            for name, learner in self._changed_learners()
            if learner.version > 0
        ]

    def _changed_learners(self) -> list[tuple[str, CampaignLearner]]:
        changed = [name for name in self._plan.campaigns if name in self.changed]
        return [(name, self.learners[name]) for name in changed]

    def _learner(self, campaign: str) -> CampaignLearner | None:
        learner = self.learners.get(campaign)
        if learner is None and campaign in self._plan.campaigns:
            index = self._plan.campaigns.index(campaign)
            learner = self.learners[campaign] = CampaignLearner(self._plan, index)
            if learner.campaign.challengers:
                self.contenders[campaign] = Contenders(self._plan, index, learner)
        return learner
