"""One partition of training examples in a worker: its trainer, and what it publishes.

Owns: the rows that wait to be learned, what they wait for, and the position that states cover.
Never: polls or commits.
Source: ARCHITECTURE.md, "Two folds".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from consumer.contest_meters import show_contests
from consumer.errors import WorldError
from consumer.logs import say
from consumer.other_topics import LearnedFrom
from consumer.partitioner import partition_of
from consumer.telemetry import Telemetry
from consumer.transport import Outgoing, Partition, Position, Records
from consumer.verdicts import Verdicts
from models.campaign_learner import CampaignLearner
from models.contenders import Contenders
from models.lineages import Succession, Waiting
from models.plan import Plan
from models.trainer import Trainer
from schemas.decision import CHANGES, Decided, Decision
from schemas.learner_state import LearnerState, decode_learner_state, encode_learner_state
from schemas.model_record import ModelRecord, encode_model_record
from schemas.settings import Topics

_DECIDED: Final[Mapping[Decided, str]] = {
    "promoted": "champion_promoted",
    "demoted": "champion_demoted",
    "removed": "champion_removed",
    "begun": "challenger_begun",
    "dropped": "challenger_dropped",
}


def state_key(campaign: str, learner: str) -> bytes:
    """Under which key the topic of states keeps a learner's newest state."""
    return f"{campaign}/{learner}".encode()


def read_state(key: bytes, value: bytes, topics: Topics) -> LearnerState:
    """A state from its record.

    Raises
    ------
    WorldError: it cannot be read by this program.
    """
    try:
        return decode_learner_state(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WorldError(
            f"The learner state {key.decode('utf-8', 'replace')} in {topics.states} "
            f"cannot be read: {error}",
            "Run the version of propensity that wrote it",
        ) from error


class LearningPartition:
    """Learns the rows of one partition, a few at a time, from `begun_at` on."""

    def __init__(
        self,
        partition: Partition,
        next_offset: int,
        plan: Plan,
        topics: Topics,
        telemetry: Telemetry,
        learned_from: LearnedFrom,
    ) -> None:
        self.partition = partition
        self._learned_from = learned_from
        self.begun_at = self.next_offset = next_offset
        self._topics = topics
        self._telemetry = telemetry
        self._meters = {name: telemetry.campaign(name) for name in plan.campaigns}
        self._waiting: deque[tuple[int, bytes | None]] = deque()
        self._trainer = Trainer(plan)
        self._counted: dict[tuple[str, str], int] = {}
        self._verdicts = Verdicts()
        self._published_offset = next_offset

    @property
    def waiting(self) -> int:
        """How many rows are held, whether or not they can be learned now."""
        return len(self._waiting)

    @property
    def learnable(self) -> int:
        """How many rows can be learned now: none while the first of them has to be waited for."""
        return 0 if self.waits_for is not None else len(self._waiting)

    @property
    def waits_for(self) -> Waiting | None:
        """The row at which this partition waits, and why; None while it does not wait."""
        return self._trainer.waits_for

    @property
    def changed(self) -> bool:
        """Whether something was learned, or begun anew, since the last `publish`."""
        return bool(self._trainer.changed)

    def restore(self, states: dict[bytes, bytes]) -> None:
        """Take up the newest state of each learner, and say which are of another definition.

        Raises
        ------
        WorldError: a state cannot be read by this program, or was learned from other topics.
        """
        read = [read_state(key, value, self._topics) for key, value in states.items()]
        for state in read:
            self._learned_from.refuse_others(state)
        try:
            met = self._trainer.restore(read)
        except ValueError as error:
            raise WorldError(
                str(error),
                "Run the version of propensity, or give the model file, that it was learned with",
            ) from error
        for succession in met:
            self._say_succession(succession)
        for campaign, contenders in self._trainer.contenders.items():
            for learner, why in contenders.begun_anew.items():
                say("challenger_anew", campaign=campaign, learner=learner, why=why)
        self._say_decisions()

    def begin(self) -> None:
        """Begin what has no state of our campaigns that come here."""
        index, partitions = self.partition.index, self._learned_from.examples.partitions
        self._trainer.begin(
            name for name in self._meters if partition_of(name.encode(), partitions) == index
        )

    def say_again(self) -> None:
        """Publish what was restored once more: a state may have left without its model."""
        self._trainer.say_again()

    def follow_removals(self, removed: AbstractSet[str]) -> None:
        """Leave out rows of these campaigns, unless they are in the campaign file, and no others.

        A campaign that comes back in somebody's file is removed no longer.
        """
        self._trainer.removed.clear()
        self._trainer.removed.update(removed)
        waits = self.waits_for
        if waits is not None and waits.campaign in removed and waits.campaign not in self._meters:
            self._trainer.waits_for = None
            self._say_wait("training_goes_on", waits)

    def stands_at(self, offset: int) -> bool:
        """Whether everything before this offset was learned and published, and nothing after."""
        return self.next_offset == offset and not self.changed

    def forget_waiting(self) -> None:
        """Let go of rows that will be read again."""
        self._waiting.clear()
        self._trainer.waits_for = None

    def add(self, records: Records) -> None:
        """Let rows wait to be learned."""
        self._waiting.extend(zip(records.offsets, records.values, strict=True))

    def learn(self, rows_max: int) -> int:
        """Learn up to so many rows, up to one that has to be waited for; gives how many it were."""
        taken = [self._waiting.popleft() for _ in range(min(rows_max, self.learnable))]
        if not taken:
            return 0
        offsets = [offset for offset, _ in taken]
        for offset, error in self._trainer.fold_bytes(offsets, [value for _, value in taken]):
            say("example_unreadable", partition=str(self.partition), offset=offset,
                error=str(error))  # fmt: skip
            self._telemetry.limit_hit("unreadable_example")
        waits = self.waits_for
        if waits is not None:
            left = offsets.index(waits.offset)
            self._waiting.extendleft(reversed(taken[left:]))
            self.next_offset = waits.offset
            self._say_wait("training_waits", waits)
            taken = taken[:left]
        else:
            self.next_offset = offsets[-1] + 1
            if not self.changed:  # What was published covers these too.
                self._published_offset = self.next_offset
        self._count()
        self._say_decisions()
        return len(taken)

    def publish(self, *, states: bool = True) -> tuple[list[Outgoing], list[ModelRecord]]:
        """What changed since the last call: states for trainers, models for scorers."""
        outgoing: list[Outgoing] = []
        records = self._trainer.records()
        if states:
            kept = [self._learned_from.sign(state) for state in self._trainer.states()]
            keys: list[bytes | None] = [state_key(s.campaign, s.learner) for s in kept]
            values = [encode_learner_state(state) for state in kept]
            outgoing.append(Outgoing(self._topics.states, self.partition.index, keys, values))
        self._verdicts.say(records)
        for contenders in self._trainer.contenders.values():
            show_contests(self._telemetry, contenders)
        if records:
            keys = [record.campaign.encode() for record in records]
            values = [encode_model_record(record) for record in records]
            outgoing.append(Outgoing(self._topics.models, 0, keys, values))
        self._trainer.changed.clear()
        self._published_offset = self.next_offset
        return outgoing, records

    @property
    def learners(self) -> dict[str, CampaignLearner]:
        """The learners of this partition, by campaign."""
        return self._trainer.learners

    @property
    def contenders(self) -> dict[str, Contenders]:
        """The learners of campaigns with challengers, by campaign."""
        return self._trainer.contenders

    @property
    def position(self) -> Position:
        """What to commit: the rows that published states cover."""
        return Position(self._published_offset if self.changed else self.next_offset)

    def _say_succession(self, succession: Succession) -> None:
        campaign, ours, found, outdated = succession
        if outdated:
            say("lineage_outdated", campaign=campaign, lineage=ours, newer_lineage=found)
        else:
            say("lineage_begun", campaign=campaign, lineage=ours, older_lineage=found)

    def _say_decisions(self) -> None:
        for campaign, contenders in self._trainer.contenders.items():
            for decision in contenders.news:
                self._say_decision(campaign, decision)
            contenders.news.clear()

    def _say_decision(self, campaign: str, decision: Decision) -> None:
        say(_DECIDED[decision.decided], campaign=campaign, learner=decision.learner,
            former=decision.former, at=decision.at, offset=decision.offset,
            positives=decision.positives, gain=decision.gain)  # fmt: skip
        if decision.decided in CHANGES:
            self._telemetry.champion_changed(campaign, decision.decided)

    def _say_wait(self, event: str, waits: Waiting) -> None:
        say(event, partition=str(self.partition), offset=waits.offset, campaign=waits.campaign,
            lineage=waits.lineage, why=waits.why)  # fmt: skip

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
