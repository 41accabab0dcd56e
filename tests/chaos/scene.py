"""A group of workers, its topics, and the traffic through them: where faults take place.

Owns: making all of it, letting it go on, waiting, and comparing at the end.
Never: a fault.
Source: ARCHITECTURE.md, "Recovery".
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from time import monotonic

from confluent_kafka import Consumer, TopicPartition

from consumer.kafka import KafkaTransport
from consumer.topics import topic_specs
from schemas.settings import load_settings
from tests.chaos.comparison import Left, differences
from tests.chaos.crew import TOPICS, CrewMember, environment, topic
from tests.chaos.traffic import Feeder, Watcher, read_all
from tests.chaos.workload import CAMPAIGNS, events

PARTITIONS = 6
EVENTS_MAX = 400_000
RATE = 100.0
SESSION_MS = 6_000
PATIENCE_S = 120.0
TURN_S = 0.02
ASK_EVERY_S = 0.5


class Scene:
    """Workers by these names, of one group; `told` are more settings of theirs."""

    def __init__(
        self,
        bootstrap: str,
        folder: Path,
        group: str,
        names: tuple[str, ...],
        seed: int = 1,
        told: Mapping[str, str] | None = None,
    ) -> None:
        self.bootstrap = bootstrap
        self.group = group
        self._seed = seed
        _create_topics(bootstrap, group)
        campaigns = folder / "campaigns.yaml"
        campaigns.write_text(CAMPAIGNS, encoding="utf-8")
        whole = environment(
            bootstrap,
            group,
            campaigns,
            PROPENSITY_KAFKA__SESSION_TIMEOUT_MS=str(SESSION_MS),
            PROPENSITY_SNAPSHOTS__URL=str(folder / "snapshots"),
            PROPENSITY_SNAPSHOTS__INTERVAL="3s",
            PROPENSITY_TIMES__LEARNER_INTERVAL="1s",
        )
        self.crew = [CrewMember(name, folder, {**whole, **(told or {})}) for name in names]
        self.keep_going: Callable[[], None] = lambda: None

    def begin(self) -> None:
        """Start the workers one after another, then the traffic."""
        for member in self.crew:
            member.start()
            member.await_started()
        self.begin_traffic()

    def begin_traffic(self) -> None:
        """Events come from now on, and scores are looked at."""
        self.watcher = Watcher(self.bootstrap, topic(self.group, "SCORES"), PARTITIONS)
        offered = events(self._seed, EVENTS_MAX)
        name = topic(self.group, "EVENTS")
        self.feeder = Feeder(self.bootstrap, name, PARTITIONS, offered, RATE)

    def turn(self, *, feed: bool = True) -> None:
        """Let a moment pass."""
        if feed:
            self.feeder.turn()
        self.watcher.turn(TURN_S)
        self.keep_going()

    def turn_for(self, duration_s: float) -> None:
        """Let so much time pass."""
        until_s = monotonic() + duration_s
        self.turn_until(lambda: monotonic() >= until_s)

    def turn_until(self, reached: Callable[[], bool], *, feed: bool = True) -> None:
        """Let time pass until something holds; not for ever."""
        give_up_s = monotonic() + PATIENCE_S
        while not reached():
            if monotonic() > give_up_s:
                said = "\n".join(f"{member.name}: {member.tail()}" for member in self.crew)
                counts = (
                    f"{self.feeder.sent} sent, {self.feeder.delivered} delivered, newest scores "
                )
                counts += str(self.watcher.newest)
                raise AssertionError(f"the workers do not recover ({counts}):\n{said}")
            self.turn(feed=feed)

    def more_scores(self, count: int = 1) -> Callable[[], bool]:
        """Whether so many more scores were read than now."""
        due = self.watcher.seen + count
        return lambda: self.watcher.seen >= due

    def end_traffic(self) -> None:
        """No more events; return when all of them were scored and all of their rows learned."""
        self.feeder.finish()
        self.turn_until(seldom(self._is_through), feed=False)

    def _is_through(self) -> bool:
        if self._committed("EVENTS", range(PARTITIONS)) != self.feeder.delivered:
            return False
        # No more rows will come. A committed position lies behind the last of those there are.
        rows = read_all(self.bootstrap, topic(self.group, "EXAMPLES"))
        ends = {row.partition: row.offset for row in rows}
        learned = self._committed("EXAMPLES", ends)
        return all(position > end for position, end in zip(learned, ends.values(), strict=True))

    def _committed(self, kind: str, partitions: Iterable[int]) -> list[int]:
        name = topic(self.group, kind)
        asked = [TopicPartition(name, index) for index in partitions]
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.group,
                             "log_level": 0})  # fmt: skip
        try:
            return [max(each.offset, 0) for each in consumer.committed(asked, timeout=PATIENCE_S)]
        finally:
            consumer.close()

    def stop(self) -> list[int]:
        """Ask all workers that run to stop and give their exit codes."""
        running = [member for member in self.crew if member.runs]
        for member in running:
            member.send(signal.SIGTERM)
        return [member.wait() for member in running]

    def differences(self) -> list[str]:
        """What is not as it would be without faults."""
        return differences(self.left(), PARTITIONS)

    def left(self) -> Left:
        """What is in the topics."""
        return Left.read(self.bootstrap, self.group)

    def close(self) -> None:
        """End what still runs."""
        for member in self.crew:
            member.kill()


def seldom(ask: Callable[[], bool]) -> Callable[[], bool]:
    """The same question, twice a second."""
    asked_s = [0.0]

    def answer() -> bool:
        if monotonic() - asked_s[0] < ASK_EVERY_S:
            return False
        asked_s[0] = monotonic()
        return ask()

    return answer


def _create_topics(bootstrap: str, group: str) -> None:
    names = {kind.lower(): topic(group, kind) for kind in TOPICS}
    settings = load_settings(None, {"topics": names})
    transport = KafkaTransport({"bootstrap.servers": bootstrap}, group=group, instance="maker")
    try:
        transport.create_topics(topic_specs(settings, events_partitions=PARTITIONS))
    finally:
        transport.close()
