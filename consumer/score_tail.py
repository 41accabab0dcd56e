"""What was served of the events of a tail, read back from our own score topic.

Owns: from where it is read, and what is said when the topic no longer holds all of it.
Never: folds; the tail is folded by the loop.
Source: ARCHITECTURE.md, "Recovery".
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from consumer.errors import WorldError
from consumer.folded_under import TailPiece
from consumer.transport import Partition, Records, TopicIdentity, Transport
from schemas.score import ScoreRecord, decode_score

GONE: Final = -1
KEPT_TOO_SHORT = (
    "Keep scores longer than it may take from a snapshot to the next start, and stop workers (do "
    "not kill them) before the score topic is changed; `propensity run --rebuild` goes on: rows of "
    "what cannot be read back then hold a prediction made anew, as `catching_up`"
)


class Published(NamedTuple):
    """The topic that scores of a partition leave for, and the offset from which they lie there.

    The id is empty where the broker does not tell; the offset is `GONE` if earlier ones lie in
    another topic.
    """

    id: str = ""
    first: int = 0

    def to(self, now: TopicIdentity) -> Published:
        """The same from now on, scores leaving for the topic as it is now."""
        if self.id and now.id and self.id != now.id:
            return Published(now.id, GONE)
        return Published(now.id or self.id, self.first)


FROM_THE_BEGINNING: Final = Published()


class ScoreTail:
    """Reads back what was served of the events of one partition.

    Parameters
    ----------
    events: the partition whose events were scored.
    was, now: where its scores lie by the snapshot or the commit, and the topic of scores now.
    most: how many predictions may be held.
    """

    def __init__(
        self,
        events: Partition,
        was: Published,
        now: TopicIdentity,
        *,
        transport: Transport,
        most: int,
    ) -> None:
        self._events = events
        self._first = was.to(now).first
        self._scores = Partition(now.name, events.index)
        self._transport = transport
        self._most = most

    def refuse_lost(self, tail: range) -> None:
        """Refuse a topic that has lost scores of the tail, or is not the one that got them.

        Raises
        ------
        WorldError: examples would hold what nobody was served, silently.
        """
        low, high = self._transport.bounds(self._scores)
        said = f"What was served of {self._events} from offset {tail.start} on is to be read back, "
        if self._first == GONE:
            problem = f"and {self._scores.topic} is not the topic that it was published to"
        elif self._first < low:
            problem = f"and {self._scores} is kept from {low}, and begins at {self._first} with "
            problem += "what is needed"
        elif self._first > high:
            problem = f"and {self._scores} ends at {high}, before {self._first} where it begins"
        else:
            return
        raise WorldError(said + problem, KEPT_TOO_SHORT)

    def read(self, first: int, tail: Sequence[TailPiece]) -> Iterator[None]:
        """Read all that there is of the tail from an offset of events on, a bounded piece a step.

        Each piece of the tail holds what was served of its events then.

        Raises
        ------
        WorldError: it is more than may be held.
        """
        stops = [piece.stop for piece in tail]
        low, high = self._transport.bounds(self._scores)
        begin = min(max(self._first, low), high)
        for records in self._transport.read(self._scores, begin, high):
            for score in scores_of(records):
                source = score.source
                if (source.topic, source.partition) == self._events and source.offset >= first:
                    place = bisect_right(stops, source.offset)
                    if place < len(stops):
                        tail[place].served.add([score])
            self._refuse_more(sum(len(piece.served) for piece in tail))
            yield

    def _refuse_more(self, held: int) -> None:
        if held > self._most:
            raise WorldError(
                f"{self._events} has served more than {self._most} predictions since the snapshot "
                "that it is recovered from: they would take more memory than is allowed",
                "Raise `limits: {served_again_max: …}` (up to 114 bytes each), and snapshot more "
                "often (`snapshots: {interval: …}`)",
            )


def scores_of(records: Records) -> Iterator[ScoreRecord]:
    """The score records among them; others (a user's own, say) are none of ours."""
    for value in records.values:
        if value is not None:
            try:
                yield decode_score(value)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
