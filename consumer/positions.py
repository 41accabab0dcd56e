"""Where a partition starts: its committed position, or the rules of a first start.

Owns: what is remembered in the note of a commit, and the three phases of a partition.
Never: reads a record or commits.
Source: ARCHITECTURE.md, "Where a partition starts".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from consumer.folded_under import Files, followed_by
from consumer.other_topics import refuse_other_topic
from consumer.score_tail import FROM_THE_BEGINNING, Published
from consumer.transport import (
    UNKNOWN_TOPIC,
    Bounds,
    Partition,
    Position,
    TopicIdentity,
    Transport,
)


class _Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """`origin`: where the fold's history begins. `publish`: nothing before it is published.

    `topic` is the identity of the topic, `partitions` how many it had; `scores` that of the topic
    of scores, and `scores_from` its end when the history began; `files` the campaign files under
    which records were folded, each from an offset on.
    """

    origin: int
    publish: int
    topic: str = ""
    partitions: int = 0
    scores: str = ""
    scores_from: int = 0
    files: Files = ()

    @property
    def life(self) -> tuple[int, int, str, int]:
        """What tells this life of the partition from another under the same name."""
        return self.origin, self.publish, self.topic, self.partitions


@dataclass(frozen=True, slots=True)
class Start:
    """The phases of one partition by offset.

    From `origin` to `committed` everything is read again and nothing leaves. From there to
    `publish` history is learned and no score leaves. Then everything leaves. `history_origin` is
    where the fold's history began, `origin` what is left of it in the log; `published` says where
    its scores lie, and `files` under which campaign files what was committed was folded.
    """

    origin: int
    committed: int
    publish: int
    history_origin: int = 0
    topic: TopicIdentity = UNKNOWN_TOPIC
    published: Published = FROM_THE_BEGINNING
    files: Files = ()

    @property
    def note(self) -> str:
        """What the commits of this partition carry."""
        return msgspec.json.encode(self._note).decode()

    @property
    def _note(self) -> _Note:
        return _Note(
            self.history_origin,
            self.publish,
            self.topic.id,
            self.topic.partitions,
            self.published.id,
            self.published.first,
            self.files,
        )

    def is_of_this_life(self, note: str) -> bool:
        """Whether a commit with this note was made in this life of the partition."""
        noted = _noted(note)
        return noted is not None and noted.life == self._note.life

    def under(self, digest: str) -> Start:
        """The same, with everything behind the committed offset under the file of this digest."""
        return replace(self, files=followed_by(self.files, self.committed, digest))

    def boundary_after(self, offset: int) -> int | None:
        """The next offset at which the phase changes, or None in the last phase."""
        later = [edge for edge in (self.committed, self.publish) if edge > offset]
        return min(later, default=None)

    def was_served(self, offset: int) -> bool:
        """Whether scores of this offset have left, so that they need not be made again."""
        return self.publish <= offset < self.committed

    def sends_rows(self, offset: int) -> bool:
        """Whether rows and dead letters of this offset leave."""
        return offset >= self.committed

    def sends_scores(self, offset: int) -> bool:
        """Whether scores of this offset leave."""
        return offset >= self.committed and offset >= self.publish


def first_offset(transport: Transport, partition: Partition, start_from: str | int) -> int:
    """Where the history of a partition begins that was never committed.

    `start_from` is `earliest`, `latest` or a time in milliseconds since the epoch.
    """
    if isinstance(start_from, int):
        return transport.offset_at(partition, start_from)
    bounds = transport.bounds(partition)
    return bounds.low if start_from == "earliest" else bounds.high


def first_start(
    origin: int,
    bounds: Bounds,
    publish_from: str,
    topic: TopicIdentity = UNKNOWN_TOPIC,
    published: Published = FROM_THE_BEGINNING,
) -> Start:
    """The phases of a partition that was never committed."""
    publish = bounds.high if publish_from == "now" else origin
    return Start(
        origin=origin,
        committed=origin,
        publish=max(origin, publish),
        history_origin=origin,
        topic=topic,
        published=published,
    )


def published_of(note: str) -> Published:
    """Where the scores lie of what was committed with this note; as if from 0 if it is silent."""
    noted = _noted(note)
    return FROM_THE_BEGINNING if noted is None else Published(noted.scores, noted.scores_from)


def later_start(position: Position, bounds: Bounds, topic: TopicIdentity = UNKNOWN_TOPIC) -> Start:
    """The phases of a partition that was committed before.

    What the note cannot say is taken from the log: the history starts at the first record kept.

    Raises
    ------
    WorldError: the topic is another one now, or has another number of partitions.
    """
    note = _noted(position.note) or _Note(bounds.low, position.offset)
    refuse_other_topic(
        TopicIdentity(topic.name, note.topic, note.partitions),
        topic,
        since="the last commit",
        old="the committed offsets and the profiles are of the old one",
        moved="customers have moved to other partitions, and their profiles have not",
    )
    committed = max(position.offset, bounds.low)  # Below it nothing is left that could be read.
    return Start(
        origin=min(max(note.origin, bounds.low), committed),
        committed=committed,
        publish=note.publish,
        history_origin=note.origin,
        topic=topic,
        published=Published(note.scores, note.scores_from),
        files=note.files,
    )


def _noted(note: str) -> _Note | None:
    """What a note says; None if it is none of ours."""
    try:
        return msgspec.json.decode(note, type=_Note)
    except msgspec.DecodeError:
        return None
