"""Triggers of a life: those that the published scores and the events decide, and no others.

Owns: what must have left at the end, and what rows say of arms.
Never: asks which models served: what they said stands in the score topic.
Source: docs/guarantees.md, `exactly_once`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from consumer.transport import Partition, Records
from consumer.trigger_output import TriggerEncoder
from models.kernel_arms import is_held_out
from models.plan import Plan
from models.rows import customer_hash
from models.scorer import HASH_KEY, Scorer
from models.served_again import ServedAgain
from models.trigger_states import policies_of
from models.wire import hash_text
from schemas.example import decode_example
from schemas.score import ScoreRecord, decode_score
from schemas.settings import Topics
from schemas.trigger import decode_trigger
from tests.simulation.histories import History
from tests.simulation.reference import RowKey, row_facts, row_key

if TYPE_CHECKING:
    from tests.simulation.group_life import GroupLife

Left = dict[str, list[bytes]]
Said = tuple[RowKey, str, bool, bytes]


def check_triggers(life: GroupLife) -> None:
    """Hold what left to what the published scores decide.

    With `exactly_once` the same bytes, each once and in order; otherwise at least those.
    """
    topics = life.settings.topics
    _check_arms(life)
    if life.retention.has_stopped or life.histories.unknown_files:
        return  # Scores are gone, or folded again under another file: docs/guarantees.md.
    if life.has_hung and not life.is_exact:
        return  # What somebody who was thought dead says last was decided by nobody.
    for index in range(life.traffic.partitions):
        committed = life.histories.committed_under(Partition(topics.events, index))
        expected, rows = _decided(life, index, committed)
        _check_rows(life, index, rows)
        for topic in (topics.triggers, topics.held_out):
            left = [value or b"" for _, value in life.log.everything(topic, index)]
            life.seen.update(f"trigger {decode_trigger(value).kind}" for value in left)
            if life.is_exact:
                assert left == expected[topic], f"{topic} of partition {index}"
            else:
                missing = Counter(expected[topic]) - Counter(left)
                assert not missing, f"{topic} of partition {index} lacks {len(missing)}"


def said_of(value: bytes) -> Said:
    """Which row it is and what it says, but for what was served of it; of an arm all of it."""
    row = decode_example(value)
    whole = value if row.triggered else repr(row_facts(row)).encode()
    return row_key(row), row.acted, row.triggered, whole


def _check_rows(life: GroupLife, index: int, expected: Counter[Said]) -> None:
    """All rows of a partition are those that the published scores decide, each with its arm."""
    found: Counter[Said] = Counter()
    for place in range(len(life.log.topics[life.settings.topics.examples])):
        for _, value in life.log.everything(life.settings.topics.examples, place):
            if decode_example(value or b"").source.partition == index:
                found[said_of(value or b"")] += 1
    missing, more = expected - found, found - expected
    assert not missing, f"rows of partition {index} are missing: {[*missing][:3]}"
    assert not more or not life.is_exact, f"rows of partition {index} nobody decided: {[*more][:3]}"


def _check_arms(life: GroupLife) -> None:
    """Whatever was served, no row says another arm than that of the customer's hash."""
    names = {(sent.key or b"").decode() for sent in life.traffic.records}
    arms: dict[tuple[str, str], set[str]] = defaultdict(set)
    for plan in life.file.plans:
        policies = policies_of(plan)
        for policy, campaign in enumerate(policies.campaign.tolist()):
            for name in names if policies.held_below[policy] else ():
                held = is_held_out(policies, policy, np.uint64(hash_text(name)[0]))
                key = plan.campaigns[campaign], customer_hash(HASH_KEY, name)
                arms[key].add("held_out" if held else "acted")
    for place in range(len(life.log.topics[life.settings.topics.examples])):
        for _, value in life.log.everything(life.settings.topics.examples, place):
            row = decode_example(value or b"")
            allowed = arms[row.campaign, row.customer] | (set() if row.triggered else {"none"})
            assert row.acted in allowed, f"a row of {row.campaign} says {row.acted}: {row}"


def _decided(life: GroupLife, index: int, history: History) -> tuple[Left, Counter[Said]]:
    """What an uninterrupted fold of this history decides from the published scores."""
    topics, log = life.settings.topics, life.log
    scores = [decode_score(value or b"") for _, value in log.everything(topics.scores, index)]
    records, fold = life.histories.records(index), None
    left: Left = {topics.triggers: [], topics.held_out: []}
    rows: Counter[Said] = Counter()
    for file, first, stop in history:
        plan = life.file.plans[file]
        going_on = Scorer(plan, index)
        if fold is not None:
            going_on.restore(fold.lift())
        fold = going_on
        piece = records.cut(first, len(records) if stop is None else stop)
        rows.update(map(said_of, _decide(fold, piece, scores, plan, topics, left)))
    return left, rows


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
