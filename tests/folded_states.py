"""Published learner states held to the log of examples that they say they cover.

Owns: folding the log again, once, past every state of a partition.
Never: asks whether a state was due, or which is the last.
Source: ARCHITECTURE.md, "Two folds".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from models.plan import Plan
from models.trainer import Trainer
from schemas.learner_state import decode_learner_state, encode_learner_state


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
        made = msgspec.structs.replace(
            trainer.learners[state.campaign].state(),
            topic_ids=state.topic_ids,
            partition_counts=state.partition_counts,
        )
        if encode_learner_state(made) != value:
            yield f"the state of {state.campaign} up to {state.covered} is not what its rows give"
