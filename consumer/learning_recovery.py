"""Bringing a partition's learners to where their states were published.

Owns: reading the newest state of each learner back, piece by piece.
Never: learns a row, or works longer than a bounded step at a time.
Source: ARCHITECTURE.md, "Recovery".
"""

from __future__ import annotations

from collections.abc import Iterator

from consumer.errors import WorldError
from consumer.learning import LearningPartition
from consumer.logs import say
from consumer.lost_history import refuse_beyond_end, refuse_rows_gone
from consumer.other_topics import LearnedFrom
from consumer.surroundings import Surroundings
from consumer.transport import Bounds, Partition, Position, Transport


class LearningRecovery:
    """Recovers one partition of training examples; `step` until its rows can be learned.

    Parameters
    ----------
    position: what was committed, if anything was.
    learned_from: the topics of events and examples as they are now.

    Raises, at any step
    -------------------
    WorldError: a state cannot be read by this program, or was learned from other topics; or rows
        are gone that nobody has learned, and nobody said to go on all the same.
    """

    def __init__(
        self,
        partition: Partition,
        position: Position | None,
        *,
        transport: Transport,
        around: Surroundings,
        learned_from: LearnedFrom,
    ) -> None:
        self.partition = partition
        self.position = position
        self.progress = 0.0
        self._transport = transport
        self._around = around
        self._learned_from = learned_from
        self._learning: LearningPartition | None = None
        self._steps = self._run()

    def step(self) -> bool:
        """Do a bounded piece; True when it is done."""
        return next(self._steps, True)

    @property
    def learning(self) -> LearningPartition:
        """The partition, its learners as they were published last."""
        assert self._learning is not None, "not yet recovered"
        return self._learning

    def _run(self) -> Iterator[bool]:
        around = self._around
        bounds = self._transport.bounds(self.partition)
        offset = bounds.low if self.position is None else max(bounds.low, self.position.offset)
        learning = LearningPartition(
            self.partition,
            offset,
            around.plan,
            around.settings.topics,
            around.telemetry,
            self._learned_from,
        )
        states: dict[bytes, bytes | None] = {}
        for read in self._read(Partition(around.settings.topics.states, self.partition.index)):
            states |= read
            yield False
        learning.restore({key: value for key, value in states.items() if value is not None})
        if self.position is not None:
            self._refuse_gap(self.position.offset, bounds)
        learning.begin()
        if around.settings.delivery == "at_least_once":  # Records leave one by one there.
            learning.say_again()
        self._learning = learning
        say("learners_restored", partition=str(self.partition), offset=offset,
            campaigns=list(learning.learners))  # fmt: skip

    def _refuse_gap(self, committed: int, bounds: Bounds) -> None:
        """Rows that are gone unread are labels missing for good: knowingly or not at all."""
        refuse_beyond_end(self.partition, committed, bounds, what="rows")
        exactly_once = self._around.settings.delivery == "exactly_once"
        try:
            refuse_rows_gone(self.partition, committed, bounds, exactly_once=exactly_once)
        except WorldError as error:
            if not self._around.rebuild:
                raise
            say("rows_gone", partition=str(self.partition), problem=error.problem)

    def _read(self, kept: Partition) -> Iterator[dict[bytes, bytes | None]]:
        """The newest state of each learner, batch by batch; None where it was removed."""
        low, high = self._transport.bounds(kept)
        for records in self._transport.read(kept):
            self.progress = min(1.0, (records.offsets[-1] + 1 - low) / max(1, high - low))
            pairs = zip(records.keys, records.values, strict=True)
            yield {key: value for key, value in pairs if key is not None}
