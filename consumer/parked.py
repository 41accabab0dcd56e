"""Folds between giving a partition back and being given it again.

Owns: when a fold that was set aside may go on, and when it is let go.
Never: holds one for longer than a rebalance.
Source: an eager protocol takes all partitions from everybody whenever somebody comes or leaves.
"""

from __future__ import annotations

from collections.abc import Mapping

from consumer.learning import LearningPartition
from consumer.scoring import ScoringPartition
from consumer.transport import Partition, Position


class Parked:
    """Folds of the generation of the group that has just ended.

    A fold that stands at the committed offset is what a recovery would make. One that stands
    before it would lack what another worker has served since, and is let go.
    """

    def __init__(self) -> None:
        self._scoring: dict[Partition, ScoringPartition] = {}
        self._learning: dict[Partition, LearningPartition] = {}

    def keep(
        self,
        scoring: Mapping[Partition, ScoringPartition],
        learning: Mapping[Partition, LearningPartition],
    ) -> None:
        """Set folds aside, in place of any others."""
        self._scoring, self._learning = dict(scoring), dict(learning)

    def clear(self) -> None:
        """Let go of what nobody came for."""
        self.keep({}, {})

    def scoring(self, partition: Partition, position: Position) -> ScoringPartition | None:
        """Give back a partition's fold if it stands at this position."""
        kept = self._scoring.get(partition)
        if kept is None or kept.position.note != position.note:
            return None
        return kept if kept.next_offset == position.offset else None

    def learning(self, partition: Partition, offset: int) -> LearningPartition | None:
        """Give back a partition's trainer if it stands exactly here."""
        kept = self._learning.get(partition)
        return kept if kept is not None and kept.stands_at(offset) else None
