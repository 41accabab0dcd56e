"""What must hold at every moment of a life, not only at its end.

Owns: committed positions never go back, and agree with what is visible to readers.
Never: changes anything.
Source: ARCHITECTURE.md, "What never happens".
"""

from __future__ import annotations

from bisect import bisect_left

import msgspec

from consumer.memory_log import PartitionLog
from consumer.ownership import unsigned
from consumer.transport import Partition
from schemas.score import ScoreRecord, decode_score
from tests.simulation.group_life import GroupLife
from tests.simulation.quiet_campaigns import heard
from tests.simulation.reference import Reference, due_of


class _Publish(msgspec.Struct):
    publish: int


class Watch:
    """Looks at a life between its ticks."""

    def __init__(self, life: GroupLife, reference: Reference) -> None:
        self._life = life
        self._reference = reference
        self._committed: dict[Partition, int] = {}
        self._seen: dict[Partition, tuple[int, int]] = {}
        self._stood: dict[Partition, tuple[int, int, int]] = {}
        self._learners_stood: dict[int, tuple[int, int, int]] = {}
        self._scores: list[dict[int, ScoreRecord]] = [{} for _ in reference.due]
        self.publish: dict[int, int] = {}

    def look(self) -> None:
        """Hold everything to what it promises at any time."""
        self._look_at_positions()
        self._look_at_readers()
        if self._life.is_exact:
            for index in range(len(self._reference.due)):
                self._look_at_scores(index)
        self._look_at_learners()

    def _look_at_positions(self) -> None:
        events = self._life.settings.topics.events
        for partition, position in self._life.group.committed.items():
            before = self._committed.get(partition, 0)
            assert position.offset >= before, f"{partition} went back to {position.offset}"
            self._committed[partition] = position.offset
            if partition.topic == events:
                note = msgspec.json.decode(unsigned(position.note)[1], type=_Publish)
                first = self.publish.setdefault(partition.index, note.publish)
                assert first == note.publish, f"{partition} is published from elsewhere"

    def _look_at_readers(self) -> None:
        """What a reader of committed records has seen is there for good."""
        topics = self._life.settings.topics
        for topic, logs in self._life.log.topics.items():
            if topic in {topics.states, topics.models}:
                continue  # These are compacted.
            for index, log in enumerate(logs):
                partition = Partition(topic, index)
                stands = log.high, len(log.offsets), len(log.open)
                if self._stood.get(partition) == stands:
                    continue
                self._stood[partition] = stands
                count, last = self._seen.get(partition, (0, -1))
                gone = len(self._life.log.deleted.get(partition, ()))
                assert count <= gone or log.offsets[count - gone - 1] == last, (
                    f"{partition} changed"
                )
                count = bisect_left(log.offsets, log.stable)
                self._seen[partition] = gone + count, log.offsets[count - 1] if count else last

    def _look_at_learners(self) -> None:
        """What was learned of a campaign is there until somebody removes it."""
        topics = self._life.settings.topics
        for topic in (topics.states, topics.models):
            for log in self._life.log.topics[topic]:
                stands = log.high, len(log.offsets), len(log.open)
                if log.open or self._learners_stood.get(id(log)) == stands:
                    continue
                self._learners_stood[id(log)] = stands
                for key, value in zip(log.keys, log.values, strict=True):
                    name = (key or b"").decode().partition("/")[0]
                    assert value is not None or name in self._life.file.removed, f"{name} is gone"

    def _look_at_scores(self, index: int) -> None:
        """Scores and positions are committed together: at any time exactly what is due."""
        log = self._life.log.topics[self._life.settings.topics.scores][index]
        committed = self._committed.get(Partition(self._life.settings.topics.events, index), 0)
        first = self.publish.get(index, 0)
        quiet, ended_ones = self._life.quiet, map(due_of, self._ended(log, index))
        due = [
            each.offset
            for each in heard(self._reference.due[index], quiet)
            if first <= each.offset < committed
        ]
        ended = [each.offset for each in heard(ended_ones, quiet)]
        assert ended == due, f"scores of {index} are {_difference(ended, due)}"

    def _ended(self, log: PartitionLog, index: int) -> list[ScoreRecord]:
        held = {offset for ranges in log.open.values() for each in ranges for offset in each}
        known = self._scores[index]
        found: list[ScoreRecord] = []
        scores = self._life.settings.topics.scores
        for offset, value in self._life.log.everything(scores, index):
            if offset not in held:
                if offset not in known:
                    known[offset] = decode_score(value or b"")
                found.append(known[offset])
        return found


def _difference(found: list[int], due: list[int]) -> str:
    """Where two lists part."""
    pairs = zip(found, due, strict=False)
    same = next((at for at, (one, other) in enumerate(pairs) if one != other), None)
    at = min(len(found), len(due)) if same is None else same
    return f"…{found[max(0, at - 1) : at + 3]}, not …{due[max(0, at - 1) : at + 3]} (at {at})"
