"""One partition of training examples in a worker: its trainer, and what it publishes.

Owns: the rows that wait to be learned, and the position that their states cover.
Never: polls or commits.
Source: ARCHITECTURE.md, "Two folds".
"""

from __future__ import annotations

from collections import deque

import msgspec

from consumer.errors import WorldError
from consumer.logs import log
from consumer.telemetry import Telemetry
from consumer.transport import Outgoing, Partition, Position, Records
from models.plan import Plan
from models.trainer import Trainer
from schemas.learner_state import LearnerState, decode_learner_state, encode_learner_state
from schemas.model_record import ModelRecord, encode_model_record
from schemas.settings import Topics


class LearningPartition:
    """Learns the rows of one partition, a few at a time."""

    def __init__(
        self,
        partition: Partition,
        next_offset: int,
        plan: Plan,
        topics: Topics,
        telemetry: Telemetry,
    ) -> None:
        self.partition = partition
        self.next_offset = next_offset
        self._topics = topics
        self._telemetry = telemetry
        self._meters = {name: telemetry.campaign(name) for name in plan.campaigns}
        self._waiting: deque[tuple[int, bytes | None]] = deque()
        self._trainer = Trainer(plan)
        self._counted: dict[tuple[str, str], int] = {}
        self._published_offset = next_offset

    @property
    def waiting(self) -> int:
        """How many rows wait to be learned."""
        return len(self._waiting)

    @property
    def changed(self) -> bool:
        """Whether something was learned since the last `publish`."""
        return bool(self._trainer.changed)

    def restore(self, states: dict[bytes, bytes]) -> None:
        """Take up the newest state of each learner.

        Raises
        ------
        WorldError: a state cannot be read by this program.
        """
        read: list[LearnerState] = []
        for key, value in states.items():
            try:
                read.append(decode_learner_state(value))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise WorldError(
                    f"The learner state {key.decode('utf-8', 'replace')} in {self._topics.states} "
                    f"cannot be read: {error}",
                    "Run the version of propensity that wrote it",
                ) from error
        self._trainer.restore(read)

    def stands_at(self, offset: int) -> bool:
        """Whether everything before this offset was learned and published, and nothing after."""
        return self.next_offset == offset and not self.changed

    def forget_waiting(self) -> None:
        """Let go of rows that will be read again."""
        self._waiting.clear()

    def add(self, records: Records) -> None:
        """Let rows wait to be learned."""
        self._waiting.extend(zip(records.offsets, records.values, strict=True))

    def learn(self, rows_max: int) -> int:
        """Learn up to so many rows and give how many it were."""
        taken = [self._waiting.popleft() for _ in range(min(rows_max, len(self._waiting)))]
        offsets = [offset for offset, _ in taken]
        for offset, error in self._trainer.fold_bytes(offsets, [value for _, value in taken]):
            log().error(
                "a training example cannot be read and is left out",
                partition=str(self.partition),
                offset=offset,
                error=str(error),
            )
            self._telemetry.limit_hit("unreadable_example")
        if offsets:
            self.next_offset = offsets[-1] + 1
            if not self.changed:  # What was published covers these too.
                self._published_offset = self.next_offset
        self._count()
        return len(taken)

    def publish(self, *, states: bool = True) -> tuple[list[Outgoing], list[ModelRecord]]:
        """What changed since the last call: states for trainers, models for scorers."""
        outgoing: list[Outgoing] = []
        records = self._trainer.records()
        if states:
            kept = self._trainer.states()
            keys: list[bytes | None] = [f"{s.campaign}/{s.learner}".encode() for s in kept]
            values = [encode_learner_state(state) for state in kept]
            outgoing.append(Outgoing(self._topics.states, self.partition.index, keys, values))
        keys = [record.campaign.encode() for record in records]
        values = [encode_model_record(record) for record in records]
        outgoing.append(Outgoing(self._topics.models, 0, keys, values))
        self._trainer.changed.clear()
        self._published_offset = self.next_offset
        return outgoing, records

    @property
    def position(self) -> Position:
        """What to commit: the rows that published states cover."""
        return Position(self._published_offset if self.changed else self.next_offset)

    def _count(self) -> None:
        for (outcome, campaign), amount in self._trainer.counts.items():
            more = amount - self._counted.get((outcome, campaign), 0)
            if not more:
                continue
            self._counted[outcome, campaign] = amount
            if campaign not in self._meters:
                self._telemetry.limit_hit("unknown_campaign", more)
            elif outcome == "learned":
                self._meters[campaign].examples_learned.add(more)
            else:
                self._meters[campaign].dropped(outcome, more)
