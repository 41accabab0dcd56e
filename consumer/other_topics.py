"""Whether our topics are still those that offsets, profiles and learners were made from.

Owns: what makes a topic another one, and what is said and advised then.
Never: asks a broker; whoever was given partitions has asked.
Source: ARCHITECTURE.md, "Where a partition starts".
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from consumer.errors import WorldError
from consumer.transport import UNKNOWN_TOPIC, TopicIdentity
from schemas.learner_state import LearnerState

ANOTHER_TOPIC = (
    "Start a new `group` with `topics` of its own for examples, states and models: what was "
    "learned names rows by the old partitions; profiles begin anew"
)
OTHER_PARTITIONS = (
    "Start a new `group` with `start_from: earliest` and `topics` of its own for examples, states "
    "and models: it learns every customer anew from what the log holds; then switch its readers "
    "over"
)


def refuse_other_topic(
    was: TopicIdentity, now: TopicIdentity, *, since: str, old: str, moved: str
) -> None:
    """Refuse a topic whose id or number of partitions differs, where both are known.

    `since` says when it was another one, `old` what is still of that one, and `moved` what is in
    other partitions now.

    Raises
    ------
    WorldError: it is another topic under the same name, or has another number of partitions.
    """
    if was.id and now.id and was.id != now.id:
        raise WorldError(
            f"The topic {now.name} was made anew since {since} (its id was {was.id} and is "
            f"{now.id}): {old}",
            ANOTHER_TOPIC,
        )
    if was.partitions and now.partitions and was.partitions != now.partitions:
        raise WorldError(
            f"The topic {now.name} had {was.partitions} partitions and has {now.partitions}: "
            f"{moved}",
            OTHER_PARTITIONS,
        )


class LearnedFrom(NamedTuple):
    """The topics that learners learn from: the rows of `examples`, made of what is in `events`.

    A state knows its rows by partitions and offsets of both, and by no more.
    """

    events: TopicIdentity = UNKNOWN_TOPIC
    examples: TopicIdentity = UNKNOWN_TOPIC

    def sign(self, state: LearnerState) -> LearnerState:
        """The state, saying which topics it was learned from, as far as the broker tells."""
        return msgspec.structs.replace(
            state,
            topic_ids={topic.name: topic.id for topic in self if topic.id},
            partition_counts={topic.name: topic.partitions for topic in self if topic.partitions},
        )

    def refuse_others(self, state: LearnerState) -> None:
        """Refuse a state that was learned from other topics; one that does not say is let pass.

        Raises
        ------
        WorldError: rows would be passed over as if they had been learned, or campaigns begin anew.
        """
        name = f"the learner state {state.campaign}/{state.learner}"
        known, ours = {*state.topic_ids, *state.partition_counts}, {topic.name for topic in self}
        if known and known != ours:
            raise WorldError(
                f"T{name[1:]} was learned from the topics {_listed(known)}, and the settings name "
                f"{_listed(ours)}: it names the rows that it has learned by partitions and "
                "offsets of those",
                ANOTHER_TOPIC,
            )
        for topic, whose in zip(self, ("customers", "campaigns"), strict=True):
            refuse_other_topic(
                TopicIdentity(
                    topic.name,
                    state.topic_ids.get(topic.name, ""),
                    state.partition_counts.get(topic.name, 0),
                ),
                topic,
                since=f"{name} was published",
                old="it names the rows that it has learned by partitions and offsets of the old "
                "one, and would take new rows for those",
                moved=f"{whose} have moved to other partitions, and {name} names the rows that it "
                "has learned by the old ones",
            )


def _listed(names: set[str]) -> str:
    return " and ".join(sorted(names))
