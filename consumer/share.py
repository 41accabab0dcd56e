"""A worker's share of the group: its partitions, from being given until being taken.

Owns: beginning, recovering, waiting, snapshotting and dropping partitions.
Never: polls, produces or commits; the worker does.
Source: ARCHITECTURE.md, "Where a partition starts" and "Recovery".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from consumer.folded_under import KeptFiles
from consumer.holds import Holds, Reason
from consumer.learning import LearningPartition
from consumer.learning_recovery import LearningRecovery
from consumer.logs import say
from consumer.other_topics import LearnedFrom
from consumer.parked import Parked
from consumer.recoveries import Recoveries
from consumer.recovery import Recovery
from consumer.scoring import ScoringPartition
from consumer.served_models import ServedModels
from consumer.snapshot_rounds import SnapshotRounds
from consumer.surroundings import Surroundings
from consumer.transport import UNKNOWN_TOPIC, Partition, Position, Transport
from schemas.model_record import ModelRecord

ENDS_MAX = 16
STALLED_S = 10.0
KEEP_AGAIN_S = 10.0  # After the store refused the campaign file.
PASSING: Final = ("recovery", "snapshot")  # Reasons that lines of their own tell of.


class Share:
    """The partitions that the group has given us.

    A partition is in `recovering` until its fold stands where the tail begins, or its learners
    where their states were published; then in `scoring` or `learning`. `is_new` while something
    is ours that nobody has signed.
    """

    def __init__(self, transport: Transport, around: Surroundings, models: ServedModels) -> None:
        self._transport = transport
        self._around = around
        self._settings = around.settings
        self._clock = around.clock
        self._telemetry = around.telemetry
        self._health = around.health
        self._models = models
        self._parked = Parked()
        self.holds = Holds(transport, self._tell_waiting)
        self.scoring: dict[Partition, ScoringPartition] = {}
        self.learning: dict[Partition, LearningPartition] = {}
        self.recovering = Recoveries(
            self.holds,
            around.clock,
            around.telemetry,
            longest_s=self._settings.times.recovery_max_ms / 1000.0,
        )
        self._stood: dict[Partition, tuple[int, float]] = {}
        self.is_new = False
        self._has_joined = False
        self._removed: set[str] = set()  # Of the campaigns, as the trainers were last told.
        self._learned_from = LearnedFrom()
        self._scores = UNKNOWN_TOPIC
        self._files = KeptFiles(around.snapshots, around.plan)
        self._keep_again_s = 0.0
        self._rounds: SnapshotRounds | None = None
        if around.snapshots is not None:
            self._rounds = SnapshotRounds(
                around.snapshots,
                self._settings.snapshots.interval_ms / 1000.0,
                transport=transport,
                scores_topic=self._settings.topics.scores,
                asks=self._settings.delivery == "at_least_once",
                holds=self.holds,
                clock=around.clock,
                telemetry=around.telemetry,
            )

    @property
    def all_partitions(self) -> list[Partition]:
        """Everything that is ours."""
        return [*self.scoring, *self.recovering, *self.learning]

    @property
    def has_work(self) -> bool:
        """Whether there is something to do besides what a poll brings."""
        return bool(self.recovering) or (self._rounds is not None and self._rounds.copying)

    @property
    def rebuilding(self) -> list[Partition]:
        """The partitions that are not yet where they were."""
        behind = [each.partition for each in self.scoring.values() if each.rebuilds]
        return [*self.recovering, *behind]

    @property
    def rebuilding_events(self) -> list[Partition]:
        """Those of them that have events."""
        return [each for each in self.rebuilding if each.topic == self._settings.topics.events]

    @property
    def events_partitions(self) -> int:
        """How many partitions the topic of events has; 0 before we were given any."""
        return self._learned_from.events.partitions

    def positions(self, partitions: Iterable[Partition]) -> dict[Partition, Position]:
        """What to commit of some partitions."""
        found = self.recovering.positions()
        found.update((each.partition, each.position) for each in self.scoring.values())
        found.update((each.partition, each.position) for each in self.learning.values())
        return {partition: found[partition] for partition in partitions if partition in found}

    def serve(self, campaign: str, record: ModelRecord | None) -> None:
        """Serve a model, or no longer."""
        for scoring in self.scoring.values():
            if record is None:
                scoring.uninstall(campaign)
            else:
                scoring.install(record)

    def follow_removals(self) -> None:
        """Wait no longer for a file that knows a campaign which was removed."""
        if self._removed != self._models.removed:
            self._removed = set(self._models.removed)
            for learning in self.learning.values():
                learning.follow_removals(self._removed)

    def assigned(self, partitions: list[Partition]) -> None:
        """Begin with what was given; what takes longer is done in `step`."""
        self._telemetry.rebalances.add()
        self._has_joined = self.is_new = True
        positions = self._transport.committed(partitions)
        if partitions:
            self._look_at_topics()
        topic = self._settings.topics.events
        events = [partition for partition in partitions if partition.topic == topic]
        examples = [partition for partition in partitions if partition.topic != topic]
        for partition in events:  # Recovered in this order: scores come first.
            self._begin_scoring(partition, positions[partition])
        for partition in examples:
            self._begin_learning(partition, positions[partition])
        self._parked.clear()
        if self.recovering:
            self._health.waits("partitions to be recovered")
        self.say_partitions("partitions_assigned", partitions, recovering=len(self.recovering))
        self._tell_owned()

    def _look_at_topics(self) -> None:
        """Ask who our topics are now; of others, nothing goes on without being looked at."""
        topics, before = self._settings.topics, self._learned_from
        self._learned_from = LearnedFrom(
            events=self._transport.topic_identity(topics.events),
            examples=self._transport.topic_identity(topics.examples),
        )
        self._scores = self._transport.topic_identity(topics.scores)
        if self._learned_from != before:
            self._parked.clear()

    def revoked(self, partitions: list[Partition]) -> None:
        """Set the folds aside, everything of them being committed; they may come back at once."""
        scoring, learning = dict(self.scoring), dict(self.learning)
        self.drop(partitions)
        self._parked.keep(scoring, learning)

    def drop(self, partitions: list[Partition]) -> None:
        """Let go of partitions and of their folds."""
        self._has_joined = False
        self._health.waits("an assignment")
        self._parked.clear()
        for partition in partitions:
            self.holds.forget(partition)
            self.recovering.forget(partition)
            self._stood.pop(partition, None)
            if self._rounds is not None:
                self._rounds.forget(partition)
            if partition.topic == self._settings.topics.events:
                self.scoring.pop(partition, None)
                self._telemetry.forget_partition(*partition)
            else:
                self.learning.pop(partition, None)
                self._telemetry.forget_learning_partition(*partition)
        self._tell_owned()

    def step(self) -> None:
        """Recover a bounded piece of one partition, and copy a piece of a snapshot."""
        if not self._files.are_kept and self._clock.monotonic_s() >= self._keep_again_s:
            self._keep_again_s = self._clock.monotonic_s() + KEEP_AGAIN_S
            self._files.keep()  # Before anything is committed under it.
        self.recovering.step()
        if self._rounds is not None:
            self._rounds.step()
        self.recovering.refuse_endless(self.rebuilding)

    def judge(self, scoring: ScoringPartition) -> None:
        """Let a partition wait whose sender has gone wrong, and say so."""
        hit = scoring.too_many_letters
        if hit is None or self.holds.held(scoring.partition, "dead_letters"):
            return
        self.holds.hold(scoring.partition, "dead_letters")
        say("too_many_dead_letters", partition=str(scoring.partition), offset=hit.offset,
            found=str(hit), remedy="See `propensity dead-letters list --summary`; when the sender "
            "is mended, restart this worker: it goes on behind them")  # fmt: skip

    def about_to_commit(self) -> list[Partition]:
        """The partitions that have to be in this commit, for a snapshot of them comes next."""
        return [] if self._rounds is None else self._rounds.before_commit(self.scoring)

    def about_to_stop(self) -> list[Partition]:
        """The partitions that have to be in the last commit, for they are snapshotted then."""
        return [] if self._rounds is None else self._rounds.before_stop(self.scoring)

    def committed(self) -> None:
        """Everything folded is committed: a moment for a snapshot, and for looking around."""
        self._hold_those_ahead()
        if self._rounds is not None:
            self._rounds.after_commit(self.scoring)

    def stop(self) -> None:
        """Keep the states, everything being committed."""
        if self._rounds is not None:
            self._rounds.stop(self.scoring)

    def close(self) -> None:
        """Finish what is on its way."""
        if self._rounds is not None:
            self._rounds.close()

    def say_readiness(self) -> None:
        """Tell whether we can serve what is ours."""
        rebuilding = self.rebuilding
        if rebuilding:
            self._health.waits(f"{len(rebuilding)} partitions to be recovered")
        elif self._has_joined:  # Perhaps nothing: a worker in reserve is ready too.
            self._health.ready()

    def measure(self) -> None:
        """Bring gauges up to date."""
        for scoring in self.scoring.values():
            scoring.measure()
        for partition, learning in self.learning.items():
            waits = learning.waits_for is not None
            (self.holds.hold if waits else self.holds.release)(partition, "unknown_lineage")
        both: list[ScoringPartition | LearningPartition] = [*self.scoring.values()]
        for held in [*both, *self.learning.values()]:
            self._measure_progress(held.partition, held.next_offset)
        for partition, position in self.recovering.positions().items():
            self._measure_progress(partition, position.offset)
        self._hold_those_ahead()

    def _measure_progress(self, partition: Partition, next_offset: int) -> None:
        """How far behind a partition is, and for how long it has not moved although it could."""
        lag = max(0, (self._transport.high_seen(partition) or 0) - next_offset)
        self._telemetry.lag(*partition).set(lag)
        if partition.topic == self._settings.topics.events:
            self._telemetry.events_waiting(partition.index).set(lag)
        now_s = self._clock.monotonic_s()
        stood_at, since_s = self._stood.get(partition, (-1, now_s))
        # Ends of transactions have offsets too, and are never read: a few say nothing.
        waits = lag > (0 if self.holds.waits(partition) else ENDS_MAX)
        if not waits or stood_at != next_offset:
            since_s = now_s
        self._stood[partition] = (next_offset, since_s)
        self._telemetry.stalled(*partition).set(now_s - since_s)

    def _hold_those_ahead(self) -> None:
        """While some catch up, those far ahead in event time wait: models see one time."""
        clocks = {each.partition: each.counts.clock_ms for each in self.scoring.values()}
        behind = [
            clock_ms
            for partition, clock_ms in clocks.items()
            if clock_ms is not None and self._catches_up(partition)
        ]
        latest_ms = min(behind, default=1 << 62) + self._settings.times.skew_max_ms
        for partition, clock_ms in clocks.items():
            ahead = clock_ms is not None and clock_ms > latest_ms
            if ahead and not self.scoring[partition].rebuilds:  # What is read again asks no model.
                self.holds.hold(partition, "ahead_of_others")
            else:
                self.holds.release(partition, "ahead_of_others")

    def _catches_up(self, partition: Partition) -> bool:
        """Whether more than a batch waits to be read, and is read: not ends that nobody reads."""
        _, since_s = self._stood.get(partition, (0, self._clock.monotonic_s()))
        if self._clock.monotonic_s() - since_s > STALLED_S:
            return False
        lag = (self._transport.high_seen(partition) or 0) - self.scoring[partition].next_offset
        return lag > self._settings.limits.batch_max and not self.holds.waits(partition)

    def _begin_scoring(self, partition: Partition, position: Position | None) -> None:
        kept = None if position is None else self._parked.scoring(partition, position)
        if kept is not None:
            kept.go_on()
            self._take_up(kept)
            return
        recovery = Recovery(
            partition,
            position,
            topic=self._learned_from.events,
            scores=self._scores,
            transport=self._transport,
            around=self._around,
            files=self._files,
        )

        def done() -> None:
            self._take_up(recovery.scoring)
            self.is_new |= position is None

        self.recovering.begin(recovery, done)

    def _take_up(self, scoring: ScoringPartition) -> None:
        """A fold stands where its partition is to be read from now on."""
        partition = scoring.partition
        for campaign in self._around.plan.campaigns:
            if campaign in self._models.records:
                scoring.install(self._models.records[campaign])
            else:  # A parked fold may serve what was removed in the meantime.
                scoring.uninstall(campaign)
        self.scoring[partition] = scoring
        self._transport.seek(partition, scoring.next_offset)
        if self._rounds is not None:
            self._rounds.add(partition, scoring.restored_at)

    def _begin_learning(self, partition: Partition, position: Position | None) -> None:
        kept = None if position is None else self._parked.learning(partition, position.offset)
        if kept is not None and kept.next_offset >= self._transport.bounds(partition).low:
            self._take_up_learning(kept)
            return
        recovery = LearningRecovery(
            partition,
            position,
            transport=self._transport,
            around=self._around,
            learned_from=self._learned_from,
        )

        def done() -> None:
            self._take_up_learning(recovery.learning)
            self.is_new |= position is None or recovery.learning.changed

        self.recovering.begin(recovery, done)

    def _take_up_learning(self, learning: LearningPartition) -> None:
        """Learners stand where their rows are to be read from now on."""
        learning.forget_waiting()
        learning.follow_removals(self._models.removed)
        self.learning[learning.partition] = learning
        self._transport.seek(learning.partition, learning.next_offset)

    def _tell_waiting(self, partition: Partition, reason: Reason, *, waits: bool) -> None:
        self._telemetry.paused(partition.topic, partition.index, reason, waits=waits)
        if reason not in PASSING:
            say("partition_paused" if waits else "partition_resumed", partition=str(partition),
                reason=reason)  # fmt: skip

    def say_partitions(self, event: str, partitions: list[Partition], **more: object) -> None:
        """Say a line with the numbers of partitions, topic by topic."""
        topic = self._settings.topics.events
        events = [each.index for each in partitions if each.topic == topic]
        examples = [each.index for each in partitions if each.topic != topic]
        say(event, events=events, examples=examples, **more)

    def _tell_owned(self) -> None:
        topics = self._settings.topics
        ours = self.all_partitions
        for topic in (topics.events, topics.examples):
            self._telemetry.owned(topic, sum(partition.topic == topic for partition in ours))
