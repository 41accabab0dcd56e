"""Triggers of a life: those that the published scores and the events decide, and no others.

Owns: what must have left at the end.
Never: asks which models served: what they said stands in the score topic.
Source: docs/guarantees.md, `exactly_once`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from consumer.transport import Partition, Records
from consumer.trigger_output import TriggerEncoder
from models.plan import Plan
from models.scorer import Scorer
from models.served_again import ServedAgain
from schemas.example import decode_example
from schemas.score import ScoreRecord, decode_score
from schemas.settings import Topics
from schemas.trigger import decode_trigger
from tests.simulation.histories import History

if TYPE_CHECKING:
    from tests.simulation.group_life import GroupLife

Left = dict[str, list[bytes]]
Arm = tuple[str, str, str, str, bool, tuple[int, int], float, str]


def check_triggers(life: GroupLife) -> None:
    """Hold what left to what the published scores decide.

    With `exactly_once` the same bytes, each once and in order; otherwise at least those.
    """
    topics = life.settings.topics
    if life.retention.has_stopped or life.histories.unknown_files:
        return  # Scores are gone, or folded again under another file: docs/guarantees.md.
    if life.has_hung and not life.is_exact:
        return  # What somebody who was thought dead says last was decided by nobody.
    for index in range(life.traffic.partitions):
        committed = life.histories.committed_under(Partition(topics.events, index))
        expected, arms = _decided(life, index, committed)
        if life.is_exact:
            _check_arms(life, index, arms)
        for topic in (topics.triggers, topics.held_out):
            left = [value or b"" for _, value in life.log.everything(topic, index)]
            life.seen.update(f"trigger {decode_trigger(value).kind}" for value in left)
            if life.is_exact:
                assert left == expected[topic], f"{topic} of partition {index}"
            else:
                missing = Counter(expected[topic]) - Counter(left)
                assert not missing, f"{topic} of partition {index} lacks {len(missing)}"


def arm_of(value: bytes) -> Arm:
    """Which row it is, and what it says of arms."""
    row = decode_example(value)
    closed_by = row.closed_by.offset, row.closed_by.index
    return (row.campaign, row.lineage, row.customer, row.as_of, row.triggered, closed_by,
            row.label, row.acted)  # fmt: skip


def _check_arms(life: GroupLife, index: int, expected: Counter[Arm]) -> None:
    """Rows of arms are there once each, and all rows say the arm that the scores decide."""
    found: Counter[Arm] = Counter()
    for place in range(len(life.log.topics[life.settings.topics.examples])):
        for _, value in life.log.everything(life.settings.topics.examples, place):
            if decode_example(value or b"").source.partition == index:
                found[arm_of(value or b"")] += 1
    life.seen.update(f"an arm: {each[-1]}" for each in found if each[4])
    assert found == expected, f"arms of partition {index}: {found - expected}, {expected - found}"


def _decided(life: GroupLife, index: int, history: History) -> tuple[Left, Counter[Arm]]:
    """What an uninterrupted fold of this history decides from the published scores."""
    topics, log = life.settings.topics, life.log
    scores = [decode_score(value or b"") for _, value in log.everything(topics.scores, index)]
    records, fold = life.histories.records(index), None
    left: Left = {topics.triggers: [], topics.held_out: []}
    arms: Counter[Arm] = Counter()
    for file, first, stop in history:
        plan = life.file.plans[file]
        going_on = Scorer(plan, index)
        if fold is not None:
            going_on.restore(fold.lift())
        fold = going_on
        piece = records.cut(first, len(records) if stop is None else stop)
        rows = _decide(fold, piece, scores, plan, topics, left)
        arms.update(map(arm_of, rows))
    return left, arms


def _decide(
    fold: Scorer,
    piece: Records,
    scores: Sequence[ScoreRecord],
    plan: Plan,
    topics: Topics,
    left: Left,
) -> list[bytes]:
    """Note the triggers that a piece decides, and give the rows that it closes."""
    served = ServedAgain(plan)
    served.add(scores)
    folded = fold.fold(
        piece.offsets, piece.timestamps_ms, piece.keys, piece.values, catching_up=True,
        served=served,
    )  # fmt: skip
    for outgoing in TriggerEncoder(plan, topics, piece.partition.index).encode(folded):
        left[outgoing.topic] += [value or b"" for value in outgoing.values]
    return folded.rows.values
