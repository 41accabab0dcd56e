"""The worker: one loop over one transport, the same for Kafka, replay, demo and tests.

Owns: the partitions that are ours, the served models, and the one place that commits.
Never: what a score or a label is; the folds know. Wall time is only measured.
Source: ARCHITECTURE.md, "One event, six hops".
"""

from __future__ import annotations

from dataclasses import dataclass

from consumer.clock import Clock
from consumer.http import Health
from consumer.learning import LearningPartition
from consumer.logs import log
from consumer.model_changes import model_changes
from consumer.parked import Parked
from consumer.positions import first_offset, first_start, later_start
from consumer.scoring import ScoringPartition
from consumer.telemetry import Telemetry, window_figures
from consumer.topic_fit import check_topics
from consumer.transport import (
    Outgoing,
    OwnershipLostError,
    Partition,
    Position,
    Records,
    Transport,
)
from models.plan import Plan
from schemas.model_record import ModelRecord
from schemas.settings import Settings

POLL_MAX_S = 0.1
MEASURE_EVERY_S = 5.0
ROWS_PER_TICK_MIN = 8  # Half a millisecond of learning between two polls: scores come first.
ROWS_PER_IDLE_TICK = 64
RECORDS_PER_ROW = 4  # Under load learning has its share: rows come with one record in five or so.
ROWS_WAITING_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a worker is given besides its transport."""

    settings: Settings
    plan: Plan
    clock: Clock
    telemetry: Telemetry
    health: Health


class Worker:
    """Scores the partitions it is given and learns the examples it is given.

    `start` joins the group, every `tick` does one bounded batch, `stop` commits and leaves.

    Parameters
    ----------
    transport: the log, whichever it is.
    around: settings, plan, clock, telemetry and health.
    publish_by_time: publish states and models at an interval; a replay calls `publish` itself.
    """

    def __init__(
        self, transport: Transport, around: Surroundings, *, publish_by_time: bool = True
    ) -> None:
        self._transport = transport
        self._settings = around.settings
        self._plan = around.plan
        self._clock = around.clock
        self._telemetry = around.telemetry
        self._health = around.health
        self._publish_by_time = publish_by_time
        self._scoring: dict[Partition, ScoringPartition] = {}
        self._learning: dict[Partition, LearningPartition] = {}
        self._parked = Parked()
        self._dirty: set[Partition] = set()
        self.models: dict[str, ModelRecord] = {}
        self._shown: dict[str, ModelRecord] = {}
        now_s = self._clock.monotonic_s()
        self._commit_at_s = self._publish_at_s = self._measure_at_s = now_s
        self._paused = False
        self._has_joined = False

    def start(self) -> None:
        """Check the topics, read the newest models and join the group.

        Raises
        ------
        TransportError: a topic is missing, or the broker cannot be reached.
        WorldError: the topics do not fit each other.
        """
        topics = self._settings.topics
        check_topics(self._transport, topics)
        models = Partition(topics.models, 0)
        bounds = self._transport.bounds(models)
        for records in self._transport.read(models, bounds.low, bounds.high):
            self._take_models(records)
        self._transport.follow(models, bounds.high)
        self._transport.subscribe(
            [topics.events, topics.examples],
            assigned=self._assigned,
            revoked=self._revoked,
            lost=self._lost,
        )

    def tick(self, timeout_s: float = POLL_MAX_S) -> int:
        """Do one bounded batch and give the number of records that it held."""
        for records in self._transport.poll_followed():
            self._take_models(records)
        begun_s = self._clock.monotonic_s()
        due_s = self._commit_at_s - begun_s if self._dirty else POLL_MAX_S
        wait_s = 0.0 if self._rows_waiting() else max(0.0, min(timeout_s, due_s))
        batches = self._transport.poll(self._settings.limits.batch_max, wait_s)
        polled_s = self._clock.monotonic_s()
        count = sum(len(records) for records in batches)
        if count:
            self._telemetry.hops["poll"].observe(polled_s - begun_s)
            self._telemetry.batch_size.observe(count)
        for records in batches:
            self._take(records)
        self._learn(
            max(ROWS_PER_TICK_MIN, count // RECORDS_PER_ROW) if count else ROWS_PER_IDLE_TICK
        )
        self._keep_up()
        self._telemetry.turned()
        self._health.turned()
        return count

    def learn_all(self) -> None:
        """Learn every row that waits."""
        while self._rows_waiting():
            self._learn(ROWS_PER_IDLE_TICK)

    def publish(self, *, states: bool = True) -> None:
        """Produce the states and models of what was learned since the last time."""
        for learning in self._learning.values():
            if learning.changed:
                outgoing, records = learning.publish(states=states)
                for out in outgoing:
                    self._produce(out)
                for record in records:
                    self._show_model(record)
                self._dirty.add(learning.partition)

    def commit(self) -> None:
        """Commit what was processed: the only call that does."""
        positions: dict[Partition, Position] = {}
        for partition in self._dirty:
            if partition in self._scoring:
                positions[partition] = self._scoring[partition].position
            elif partition in self._learning:
                positions[partition] = self._learning[partition].position
        self._dirty.clear()
        if not positions:
            return
        begun_s = self._clock.monotonic_s()
        try:
            self._transport.commit(positions)
        except OwnershipLostError as error:
            log().warning("a commit was refused", problem=error.problem)
            return
        self._telemetry.commits.add()
        self._telemetry.hops["commit"].observe(self._clock.monotonic_s() - begun_s)

    def stop(self) -> None:
        """Publish, commit and leave the group."""
        if self._learning and self._publish_by_time:
            self.publish()
        self.commit()
        self._transport.close()

    def abandon(self) -> None:
        """Leave the group after an error, with nothing more published or committed.

        A fold may have moved on without its output having left; the last commit is what holds.
        """
        self._drop([*self._scoring, *self._learning])
        self._transport.close()

    def newest_models(self) -> dict[str, ModelRecord]:
        """The newest model record of each campaign that was published or read."""
        return dict(self._shown)

    @property
    def rebuilding(self) -> list[ScoringPartition]:
        """The partitions whose folds are still being built again."""
        return [scoring for scoring in self._scoring.values() if scoring.rebuilds]

    @property
    def scoring(self) -> list[ScoringPartition]:
        """The partitions of events that are ours."""
        return list(self._scoring.values())

    def _take(self, records: Records) -> None:
        partition = records.partition
        if partition in self._learning:
            self._learning[partition].add(records)
        elif partition in self._scoring:
            scoring = self._scoring[partition]
            outgoing = scoring.fold(records)
            begun_s = self._clock.monotonic_s()
            for out in outgoing:
                self._produce(out)
            self._telemetry.hops["publish"].observe(self._clock.monotonic_s() - begun_s)
            self._dirty.add(partition)

    def _produce(self, outgoing: Outgoing) -> None:
        self._transport.produce(outgoing)
        self._telemetry.produced(outgoing.topic).add(len(outgoing.values))

    def _rows_waiting(self) -> int:
        return sum(learning.waiting for learning in self._learning.values())

    def _learn(self, rows_max: int) -> None:
        begun_s = self._clock.monotonic_s()
        behind = [learning for learning in self._learning.values() if learning.waiting]
        left = rows_max
        for rank, learning in enumerate(behind):  # Shared out: none waits until another is done.
            left -= learning.learn(-(-left // (len(behind) - rank)))
        if behind:
            self._telemetry.hops["learn"].observe(self._clock.monotonic_s() - begun_s)
        waiting = self._rows_waiting()
        if not self._paused and waiting > ROWS_WAITING_MAX:
            self._transport.pause(list(self._learning))
            self._paused = True
        elif self._paused and waiting < ROWS_WAITING_MAX // 2:
            self._transport.resume(list(self._learning))
            self._paused = False

    def _keep_up(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._publish_by_time and now_s >= self._publish_at_s:
            self._publish_at_s = now_s + self._settings.times.learner_interval_ms / 1000.0
            self.publish()
        if now_s >= self._commit_at_s:
            self._say_readiness()
            self.commit()
            self._commit_at_s = self._clock.monotonic_s() + (
                self._settings.commit_interval_ms / 1000.0
            )
        if now_s >= self._measure_at_s:
            self._measure_at_s = now_s + MEASURE_EVERY_S
            self._measure()

    def _measure(self) -> None:
        for scoring in self._scoring.values():
            scoring.measure()
        both: list[ScoringPartition | LearningPartition] = [*self._scoring.values()]
        for held in [*both, *self._learning.values()]:
            high = self._transport.high_seen(held.partition) or 0
            lag = max(0, high - held.next_offset)
            self._telemetry.lag(held.partition.topic, held.partition.index).set(lag)

    def _say_readiness(self) -> None:
        rebuilding = self.rebuilding
        if rebuilding:
            self._health.waits(f"{len(rebuilding)} partitions to be rebuilt")
        elif self._has_joined:  # Perhaps nothing: a worker in reserve is ready too.
            self._health.ready()

    def _take_models(self, records: Records) -> None:
        for campaign, record in model_changes(records, self._plan):
            if record is None:
                self._forget_model(campaign)
                continue
            self.models[campaign] = record
            for scoring in self._scoring.values():
                scoring.install(record)
            self._show_model(record)

    def _forget_model(self, campaign: str) -> None:
        """A tombstone: somebody removed the model, and the campaign's rate is served."""
        if self.models.pop(campaign, None) is None:
            return
        for scoring in self._scoring.values():
            scoring.uninstall(campaign)
        learner = self._shown.pop(campaign).learner
        self._telemetry.campaign(campaign, learner).no_model()
        log().warning("a model was removed; the campaign's rate is served", campaign=campaign)

    def _show_model(self, record: ModelRecord) -> None:
        before = self._shown.get(record.campaign)
        self._shown[record.campaign] = record
        meters = self._telemetry.campaign(record.campaign, record.learner)
        meters.version.set(record.version)
        shown = before and (before.lineage, before.status, before.quality)
        if shown == (record.lineage, record.status, record.quality):
            return
        meters.model(record.version, record.lineage, record.features)
        meters.status(record.status)
        for window in ("1d", "7d", "28d"):
            meters.quality(window, window_figures(record.quality, window))

    def _assigned(self, partitions: list[Partition]) -> None:
        self._telemetry.rebalances.add()
        self._has_joined = True
        positions = self._transport.committed(partitions)
        topics = self._settings.topics
        for partition in partitions:
            if partition in self._scoring or partition in self._learning:
                continue
            if partition.topic == topics.events:
                self._begin_scoring(partition, positions[partition])
            else:
                self._begin_learning(partition, positions[partition])
        self._parked.clear()
        log().info("partitions were assigned", events=len(self._scoring),
                   examples=len(self._learning))  # fmt: skip
        self._tell_owned()

    def _begin_scoring(self, partition: Partition, position: Position | None) -> None:
        scoring = None if position is None else self._parked.scoring(partition, position)
        if scoring is None or position is None:
            scoring = self._new_scoring(partition, position)
        else:
            scoring.go_on(position.offset)
        for campaign in self._plan.campaigns:
            if campaign in self.models:
                scoring.install(self.models[campaign])
            else:  # A parked fold may serve what was removed in the meantime.
                scoring.uninstall(campaign)
        self._scoring[partition] = scoring
        self._transport.seek(partition, scoring.next_offset)
        if scoring.rebuilds:
            self._health.waits("partitions to be rebuilt")

    def _new_scoring(self, partition: Partition, position: Position | None) -> ScoringPartition:
        bounds = self._transport.bounds(partition)
        if position is None:
            origin = first_offset(self._transport, partition, self._settings.start_from)
            start = first_start(origin, bounds, self._settings.publish_from)
            self._dirty.add(partition)  # What comes while we are down is not history.
            log().info("a partition is read for the first time", partition=str(partition),
                       first=start.origin, published_from=start.publish)  # fmt: skip
        else:
            start = later_start(position, bounds)
            if start.committed > start.origin:
                log().info("a partition is read again before it goes on; nothing of that leaves",
                           partition=str(partition), first=start.origin,
                           goes_on_at=start.committed)  # fmt: skip
        return ScoringPartition(
            partition, start, self._plan, self._settings, self._telemetry, self._clock
        )

    def _begin_learning(self, partition: Partition, position: Position | None) -> None:
        low = self._transport.bounds(partition).low
        offset = low if position is None else max(low, position.offset)
        learning = self._parked.learning(partition, offset)
        if learning is None:
            learning = self._new_learning(partition, offset)
        learning.forget_waiting()
        self._learning[partition] = learning
        self._transport.seek(partition, offset)

    def _new_learning(self, partition: Partition, offset: int) -> LearningPartition:
        learning = LearningPartition(
            partition, offset, self._plan, self._settings.topics, self._telemetry
        )
        states: dict[bytes, bytes | None] = {}
        for records in self._transport.read(
            Partition(self._settings.topics.states, partition.index)
        ):
            pairs = zip(records.keys, records.values, strict=True)
            states |= {k: v for k, v in pairs if k is not None}
        learning.restore({k: v for k, v in states.items() if v is not None})
        return learning

    def _revoked(self, partitions: list[Partition]) -> None:
        self.publish()
        self.commit()
        scoring, learning = dict(self._scoring), dict(self._learning)
        self._drop(partitions)
        self._parked.keep(scoring, learning)

    def _lost(self, partitions: list[Partition]) -> None:
        log().warning("the group gave our partitions away; we join it again", problem="We were not "
                      "heard of for longer than kafka: {session.timeout.ms}")  # fmt: skip
        self._drop(partitions)

    def _drop(self, partitions: list[Partition]) -> None:
        self._has_joined = False
        self._health.waits("an assignment")
        self._parked.clear()
        for partition in partitions:
            self._dirty.discard(partition)
            if self._scoring.pop(partition, None) is not None:
                self._telemetry.forget_partition(partition.topic, partition.index)
            if self._learning.pop(partition, None) is not None:
                self._telemetry.forget_learning_partition(partition.topic, partition.index)
        self._paused = False
        self._tell_owned()

    def _tell_owned(self) -> None:
        topics = self._settings.topics
        self._telemetry.owned(topics.events, len(self._scoring))
        self._telemetry.owned(topics.examples, len(self._learning))
