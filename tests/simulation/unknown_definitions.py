"""A life that cannot end because rows of a definition that no trainer ever ran hold a partition.

Owns: telling that from a life that merely does not get on.
Never: excuses anything else.
Source: CHANGELOG.md, "Known limits"; ARCHITECTURE.md, "Waiting partitions".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from schemas.learner_state import decode_learner_state
from tests.simulation.progress import behind

if TYPE_CHECKING:
    from tests.simulation.group_life import GroupLife


def is_held_by_one(life: GroupLife) -> bool:
    """Whether nothing but such rows is left to do.

    Somebody scored by a file, and died or was told otherwise before his trainer's first commit.
    """
    left = behind(life)
    waits = {
        partition: learning.waits_for
        for worker in life.living.values()
        for partition, learning in worker._share.learning.items()
        if learning.waits_for is not None
    }
    ran = set(_lineages_that_ran(life))
    return bool(left) and left == set(waits) and not any(w.lineage in ran for w in waits.values())


def _lineages_that_ran(life: GroupLife) -> Iterator[str]:
    states = life.settings.topics.states
    for index in range(len(life.log.topics[states])):
        for _, value in life.log.everything(states, index):
            if value is not None:
                yield decode_learner_state(value).lineage
