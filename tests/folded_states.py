"""Published learner states held to the log of examples that they say they cover.

Owns: folding the log again, once, past every state of a partition.
Never: asks whether a state was due, or which is the last.
Source: ARCHITECTURE.md, "Two folds".
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from models.plan import Plan
from models.trainer import Trainer
from schemas.example import decode_example
from schemas.learner_state import LearnerState, decode_learner_state, encode_learner_state


def wrong_states(
    plan: Plan, states: Iterable[bytes], offsets: Sequence[int], values: Sequence[bytes | None]
) -> Iterator[str]:
    """The states of one partition that its examples do not give, in words.

    `offsets` and `values` are those of the partition of examples with the same number.
    """
    read = sorted(
        ((decode_learner_state(value), value) for value in states),
        key=lambda pair: pair[0].covered,
    )
    trainer, folded = Trainer(plan), 0
    trainer.begin(state.campaign for state, _ in read)
    for state, value in read:
        stop = bisect_left(offsets, state.covered)
        trainer.fold_bytes(offsets[folded:stop], values[folded:stop])
        folded = stop
        if _signed_as(state, trainer.learners[state.campaign].state()) != value:
            yield f"the state of {state.campaign} up to {state.covered} is not what its rows give"


def wrong_states_of(
    plans: Sequence[Plan],
    states: Iterable[bytes],
    offsets: Sequence[int],
    values: Sequence[bytes | None],
) -> Iterator[str]:
    """The same where the campaign file changes: each is what one of the files makes of the last.

    `states` are those of one partition in the order of the log, `plans` the files that were in
    use. A definition that is in both may have other columns in each, when others count more.
    """
    of_campaigns: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
    for offset, value in zip(offsets, values, strict=True):
        of_campaigns[decode_example(value or b"").campaign].append((offset, value or b""))
    last: dict[str, LearnerState] = {}
    for value in states:
        state = decode_learner_state(value)
        rows, before = of_campaigns[state.campaign], last.get(state.campaign)
        if not any(_goes_on(plan, before, state, value, rows) for plan in plans):
            yield f"the state of {state.campaign} up to {state.covered} is not what its rows give"
        last[state.campaign] = state


def _goes_on(
    plan: Plan,
    before: LearnerState | None,
    state: LearnerState,
    value: bytes,
    rows: list[tuple[int, bytes]],
) -> bool:
    """Whether a state is that of a trainer with this file, restored from the one before."""
    name = state.campaign
    if (name, state.lineage) not in zip(plan.campaigns, plan.lineages, strict=True):
        return False
    trainer = Trainer(plan)
    trainer.restore([] if before is None else [before])
    trainer.begin([name])
    if name not in trainer.learners:
        return False  # What was found comes after this file's definition.
    first = bisect_left(rows, trainer.learners[name].covered, key=lambda row: row[0])
    piece = rows[first : bisect_left(rows, state.covered, key=lambda row: row[0])]
    trainer.fold_bytes([offset for offset, _ in piece], [row for _, row in piece])
    trainer.changed.add(name)
    (found,) = trainer.states()
    return trainer.waits_for is None and _signed_as(state, found) == value


def _signed_as(published: LearnerState, made: LearnerState) -> bytes:
    """The bytes of a state with the topics that the published one names: a trainer knows none."""
    return encode_learner_state(
        msgspec.structs.replace(
            made, topic_ids=published.topic_ids, partition_counts=published.partition_counts
        )
    )
