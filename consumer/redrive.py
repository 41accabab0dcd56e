"""Sending dead letters again: which may go, which may not, and remembering which have gone.

Owns: the reasons to refuse a letter, and the order of sending and remembering.
Never: changes a key or a value, or sends what was cut.
Source: the contract, "Dead letter". Markers are written once the letters are surely in the log:
    a crash in between sends some of them twice, which the events' ids make harmless.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from consumer.letters import LetterId, LetterTopic, StoredLetter, Wanted
from consumer.transport import MissingTopicError, Outgoing, Partition, Transport
from schemas.redriven import MARKER_HEADERS, encode_marker, with_count
from schemas.settings import Topics

SENT_AT_ONCE = 500
SENT_BYTES_AT_ONCE = 16 * 1024 * 1024
TIMES_MAX = 3
TOPIC_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Going:
    """A letter that may go: where to, and how often it will have gone then."""

    id: LetterId
    to: Partition
    times: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A letter that may not go, and why: one sentence without a stop."""

    id: LetterId
    why: str


@dataclass
class Plan:
    """What a redrive would do; `before` and `foreign` are left out, unless they were named.

    `before` were redriven already, `foreign` are no letters of ours.
    """

    going: list[Going] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    before: int = 0
    foreign: int = 0


class Redrive:
    """Sends letters again, to the topic and partition that they came from.

    Parameters
    ----------
    times_max: a letter that was sent again so often is refused.
    again: send also what was sent again before.
    """

    def __init__(
        self,
        transport: Transport,
        topics: Topics,
        *,
        times_max: int = TIMES_MAX,
        again: bool = False,
    ) -> None:
        self._transport = transport
        self._topics = topics
        self._times_max = times_max
        self._again = again
        self._letters = LetterTopic(transport, topics.dead_letters)
        self._partitions: dict[str, int | None] = {}

    def plan(self, wanted: Wanted) -> Plan:
        """Say what becomes of every wanted letter, and send nothing."""
        plan = Plan()
        judged: list[Going | Refused] = []
        foreign: list[LetterId] = []
        for stored in self._letters.each(wanted):
            if stored.letter is None:
                foreign.append(stored.id)
            else:
                judged.append(self._judged(stored))
        named = wanted.ids is not None  # Whoever names a letter is told what became of it.
        for each in judged:  # Markers stand behind their letters: now all of them are known.
            if each.id in self._letters.redriven and not self._again:
                why = "it was redriven before; `--again` sends it once more"
                plan.before += not named
                plan.refused += [Refused(each.id, why)] * named
            elif isinstance(each, Going):
                plan.going.append(each)
            else:
                plan.refused.append(each)
        plan.foreign = 0 if named else len(foreign)
        if wanted.ids is not None:
            plan.refused += [Refused(each, "it is no letter of ours") for each in foreign]
            missing = wanted.ids.difference(each.id for each in judged).difference(foreign)
            why = f"{self._topics.dead_letters} holds no such letter"
            plan.refused += [Refused(each, why) for each in sorted(missing)]
        return plan

    def send(self, plan: Plan, tell: Callable[[Going], None]) -> int:
        """Send what may go and remember it; give how many have gone."""
        by_id = {each.id: each for each in plan.going}
        sent = size = 0
        chunk: list[tuple[StoredLetter, Going]] = []
        for stored in self._stored(frozenset(by_id)):
            chunk.append((stored, by_id[stored.id]))
            size += stored.size
            if len(chunk) == SENT_AT_ONCE or size >= SENT_BYTES_AT_ONCE:
                sent += self._send(chunk, tell)
                chunk, size = [], 0
        return sent + self._send(chunk, tell)

    def _stored(self, ids: frozenset[LetterId]) -> Iterator[StoredLetter]:
        return self._letters.each(Wanted(ids=ids)) if ids else iter(())

    def _send(self, chunk: list[tuple[StoredLetter, Going]], tell: Callable[[Going], None]) -> int:
        """Send some, wait until they are in the log, then remember them."""
        for stored, going in chunk:
            headers = with_count(stored.sent, going.times)
            self._transport.produce(
                Outgoing(going.to.topic, going.to.index, [stored.key], [stored.value], [headers])
            )
        self._transport.commit({})
        offsets: dict[int, list[int]] = {}
        for stored, _ in chunk:
            offsets.setdefault(stored.id.partition, []).append(stored.id.offset)
        for index, gone in offsets.items():
            value = encode_marker(gone)
            self._transport.produce(
                Outgoing(self._topics.dead_letters, index, [None], [value], [MARKER_HEADERS])
            )
        self._transport.commit({})
        for _, going in chunk:
            tell(going)
        return len(chunk)

    def _judged(self, stored: StoredLetter) -> Going | Refused:
        letter = stored.letter
        assert letter is not None
        why = self._why_not(stored.times, letter.topic, letter.partition, letter.cut)
        if why is not None:
            return Refused(stored.id, why)
        return Going(stored.id, Partition(letter.topic, letter.partition), stored.times + 1)

    def _why_not(self, times: int, topic: str, partition: int, cut: str | None) -> str | None:
        if cut is not None:
            return f"it was cut ({cut}), so not all of the sender's bytes are there"
        if times >= self._times_max:
            return (
                f"it was redriven {times} times, at most {self._times_max} are allowed; mend what "
                "refuses it, or raise `--times-max`"
            )
        if topic in self._ours():
            return f"it says that it came from {topic}, which only the worker writes"
        count = self._partition_count(topic)
        if count is None:
            return f"its topic {topic} does not exist"
        if partition >= count:
            return f"its topic {topic} has {count} partitions and no {partition}"
        return None

    def _ours(self) -> set[str]:
        """Topics that no sender writes: who claims to come from there is not believed."""
        return set(self._topics.model_dump().values()) - {self._topics.events}

    def _partition_count(self, topic: str) -> int | None:
        if TOPIC_NAME.fullmatch(topic) is None:
            return None  # No topic can be called so; the broker would not answer.
        if topic not in self._partitions:
            try:
                self._partitions[topic] = self._transport.partition_count(topic)
            except MissingTopicError:
                self._partitions[topic] = None
        return self._partitions[topic]
