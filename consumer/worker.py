"""The worker: one loop over one transport, the same for Kafka, replay, demo and tests.

Owns: the order of a turn, the pace of learning, and the one place that commits.
Never: what a score or a label is; the folds know. Wall time is only measured.
Source: ARCHITECTURE.md, "One event, six hops".
"""

from __future__ import annotations

from contextlib import ExitStack

from consumer.commit_pacing import CommitPacing
from consumer.deadline import STOP_MAX_S
from consumer.enquiries import Enquiries
from consumer.errors import WorldError
from consumer.lately import Lately
from consumer.logs import say
from consumer.scoring import ScoringPartition
from consumer.served_models import ServedModels
from consumer.share import Share
from consumer.surroundings import Surroundings
from consumer.topic_fit import check_topics
from consumer.transport import (
    Outgoing,
    OwnershipLostError,
    Partition,
    PartitionsChanged,
    Records,
    Transport,
)
from models.campaign_learner import CampaignLearner
from models.contenders import Contenders
from schemas.model_record import ModelRecord

POLL_MAX_S = 0.1
MEASURE_EVERY_S = 5.0
# The group says within a heartbeat or two (1 s) that it gave our partitions away, and then we join
# it again. Where it says nothing, somebody else writes under our name, and they lie idle.
REJOIN_MAX_S = 20.0
ROWS_PER_TICK_MIN = 8  # Half a millisecond of learning between two polls: scores come first.
ROWS_PER_IDLE_TICK = 64
RECORDS_PER_ROW = 4  # Under load learning has its share: rows come with one record in five or so.
ROWS_WAITING_MAX = 20_000


class Worker:
    """Scores the partitions it is given and learns the examples it is given.

    `start` joins the group, every `tick` does one bounded batch, `stop` commits and leaves.

    Parameters
    ----------
    transport: the log, whichever it is.
    around: settings, plan, clock, telemetry, health, snapshots.
    publish_by_time: publish states and models at an interval; a replay calls `publish` itself.
    """

    def __init__(
        self, transport: Transport, around: Surroundings, *, publish_by_time: bool = True
    ) -> None:
        self._transport = transport
        self._settings = around.settings
        self._clock = around.clock
        self._telemetry = around.telemetry
        self._health = around.health
        self._questions = around.questions
        self._publish_by_time = publish_by_time
        self._models = ServedModels(
            transport, around.settings.topics.models, around.plan, around.telemetry
        )
        self._share = Share(transport, around, self._models)
        self.enquiries = Enquiries(around.questions, self._share)
        self.lately = Lately(self._settings.topics)
        self._dirty: set[Partition] = set()
        now_s = self._clock.monotonic_s()
        self._pacing = CommitPacing(self._settings.commit_interval_ms / 1000.0, now_s)
        self._publish_at_s = self._measure_at_s = now_s
        self._refused_s: float | None = None
        self._refused_problem = ""

    def start(self) -> None:
        """Check the topics, read the newest models and join the group.

        Raises
        ------
        TransportError: a topic is missing, or the broker cannot be reached.
        WorldError: the topics do not fit each other.
        """
        topics = self._settings.topics
        self._questions.hold()
        check_topics(self._transport, topics)
        self._models.start()
        self._transport.subscribe(
            [topics.events, topics.examples],
            assigned=self._with_folds(self._assigned),
            revoked=self._with_folds(self._revoked),
            lost=self._with_folds(self._lost),
        )

    def tick(self, timeout_s: float = POLL_MAX_S) -> int:
        """Do one bounded batch and give the number of records that it held."""
        for campaign, record in self._models.changes():
            self._share.serve(campaign, record)
        self._share.follow_removals()
        begun_s = self._clock.monotonic_s()
        wait_s = self._wait_s(timeout_s)
        with self._questions.meanwhile():
            batches = self._transport.poll(self._settings.limits.batch_max, wait_s)
        polled_s = self._clock.monotonic_s()
        self._take_over()
        count = sum(len(records) for records in batches)
        if count:
            self._telemetry.hops["poll"].observe(polled_s - begun_s)
            self._telemetry.batch_size.observe(count)
        self._pacing.busy |= count >= self._settings.limits.batch_max
        for records in batches:
            self._take(records)
            self._questions.answer()
        self._share.step()
        self._take_over()
        self._learn(
            max(ROWS_PER_TICK_MIN, count // RECORDS_PER_ROW) if count else ROWS_PER_IDLE_TICK
        )
        self._keep_up()
        self._telemetry.turned()
        self._health.turned()
        return count

    def _wait_s(self, timeout_s: float) -> float:
        """How long a poll may wait: not at all while there is other work."""
        if self._rows_waiting() or self._share.has_work:
            return 0.0
        due_s = self._pacing.at_s - self._clock.monotonic_s() if self._dirty else POLL_MAX_S
        return max(0.0, min(timeout_s, due_s))

    def learn_all(self) -> None:
        """Learn every row that waits."""
        while self._rows_waiting():
            self._learn(ROWS_PER_IDLE_TICK)

    def publish(self, *, states: bool = True) -> None:
        """Produce the states and models of what was learned since the last time."""
        for learning in self._share.learning.values():
            if learning.changed:
                outgoing, records = learning.publish(states=states)
                for out in outgoing:
                    self._produce(out)
                for record in records:
                    self._models.show(record)
                self._dirty.add(learning.partition)

    def commit(self) -> bool:
        """Commit what was processed, the only call that does; False if it was refused.

        A poll's records may still wait to be folded, so this is no moment for a snapshot.
        """
        positions = self._share.positions(self._dirty)
        self._dirty.clear()
        begun_s = self._clock.monotonic_s()
        done = True
        if positions:
            try:
                with self._questions.meanwhile():
                    self._transport.commit(positions)
            except OwnershipLostError as error:
                self._refused(error)
                done = False
            else:
                self._telemetry.committed()
                self._telemetry.hops["commit"].observe(self._clock.monotonic_s() - begun_s)
        self._pacing.committed(begun_s, self._clock.monotonic_s())
        return done

    def stop(self) -> None:
        """Publish, commit, keep the folds' states and leave the group, within one deadline."""
        self.hurry()
        with ExitStack() as stack:
            stack.callback(self.abandon)  # What could not be committed is not tried again.
            if self._share.learning and self._publish_by_time:
                self.publish()
            self._dirty.update(self._share.about_to_stop())
            self.commit()
            self._share.stop()
            stack.pop_all()
        self._close()

    def abandon(self) -> None:
        """Leave the group after an error, with nothing more published or committed.

        A fold may have moved on without its output having left; the last commit is what holds.
        """
        self.hurry()
        self._drop(self._share.all_partitions)
        self._close()

    def hurry(self) -> None:
        """We are to stop: what waits for the world now has `STOP_MAX_S` left, and no more.

        A signal's handler may call it.
        """
        self._transport.hurry(STOP_MAX_S)

    def _close(self) -> None:
        try:
            self._transport.close()
        finally:
            self._share.close()

    def newest_models(self) -> dict[str, ModelRecord]:
        """The newest model record of each campaign that was published or read."""
        return self._models.newest()

    @property
    def models(self) -> dict[str, ModelRecord]:
        """The models that committed records say are to be served."""
        return self._models.records

    @property
    def rebuilding(self) -> list[Partition]:
        """The partitions whose folds are not yet where they were."""
        return self._share.rebuilding

    @property
    def contenders(self) -> dict[str, Contenders]:
        """The learners of campaigns with challengers that are ours, by campaign."""
        return {
            name: contenders
            for learning in self._share.learning.values()
            for name, contenders in learning.contenders.items()
        }

    @property
    def learners(self) -> dict[str, CampaignLearner]:
        """The learners of the partitions that are ours, by campaign."""
        return {
            name: learner
            for learning in self._share.learning.values()
            for name, learner in learning.learners.items()
        }

    @property
    def scoring(self) -> list[ScoringPartition]:
        """The partitions of events that are ours, once they are recovered."""
        return list(self._share.scoring.values())

    def _take(self, records: Records) -> None:
        partition = records.partition
        if partition in self._share.learning:
            self._share.learning[partition].add(records)
        elif partition in self._share.scoring:
            scoring = self._share.scoring[partition]
            outgoing = scoring.fold(records)
            begun_s = self._clock.monotonic_s()
            for out in outgoing:
                self._produce(out)
                self._questions.answer()
            self._telemetry.hops["publish"].observe(self._clock.monotonic_s() - begun_s)
            self.lately.note(outgoing)
            self._dirty.add(partition)
            self._share.judge(scoring)

    def _produce(self, outgoing: Outgoing) -> None:
        self._transport.produce(outgoing)
        self._telemetry.produced(outgoing.topic).add(len(outgoing.values))
        self._pacing.produced(len(outgoing.values))

    def _rows_waiting(self) -> int:
        """How many rows can be learned now."""
        return sum(learning.learnable for learning in self._share.learning.values())

    def _learn(self, rows_max: int) -> None:
        begun_s = self._clock.monotonic_s()
        behind = [each for each in self._share.learning.values() if each.learnable]
        left = rows_max
        for rank, learning in enumerate(behind):  # Shared out: none waits until another is done.
            left -= learning.learn(-(-left // (len(behind) - rank)))
            self._questions.answer()
            if not learning.changed:  # Rows that were learned before, say: nothing is published.
                self._dirty.add(learning.partition)
        if behind:
            self._telemetry.hops["learn"].observe(self._clock.monotonic_s() - begun_s)
        self._hold_back()

    def _hold_back(self) -> None:
        """Take no more rows of a partition while too many of it wait."""
        learning = self._share.learning
        most = ROWS_WAITING_MAX // max(1, len(learning))
        for partition, each in learning.items():
            if each.waiting > most:
                self._share.holds.hold(partition, "backlog")
            elif each.waiting < most // 2:
                self._share.holds.release(partition, "backlog")

    def _keep_up(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._publish_by_time and now_s >= self._publish_at_s:
            self._publish_at_s = now_s + self._settings.times.learner_interval_ms / 1000.0
            self.publish()
        if self._pacing.due(now_s):
            self._share.say_readiness()
            self._dirty.update(self._share.about_to_commit())
            if self.commit():
                self._share.committed()
        if now_s >= self._measure_at_s:
            self._measure_at_s = now_s + MEASURE_EVERY_S
            self._share.measure()
        if self._refused_s is not None and now_s - self._refused_s > REJOIN_MAX_S:
            raise WorldError(
                "The group has given us nothing since our commit was refused. "
                + self._refused_problem,
                "Give each worker an `instance` of its own; if this one has, start it again: it "
                "goes on from the last commit",
            )

    def _take_over(self) -> None:
        """Sign what is new to us before anything is made of it: a successor asks who we are.

        Learners that begin here say so at once: who changes a definition later has to know which
        one the rows of before were made under.
        """
        if self._share.is_new:
            self._share.is_new = False
            self._dirty.update(self._share.all_partitions)
            if self.commit() and self._publish_by_time:
                self.publish()

    def _refused(self, error: OwnershipLostError) -> None:
        """The folds have moved on, and what they gave was not committed: let go of them."""
        say("commit_refused", problem=error.problem)
        self._telemetry.commits_refused.add()
        self._refused_s = self._clock.monotonic_s()
        self._refused_problem = error.problem
        self._drop(self._share.all_partitions)

    def _with_folds(self, callback: PartitionsChanged) -> PartitionsChanged:
        """The group calls in the middle of a poll, while which others may look at the folds."""

        def run(partitions: list[Partition]) -> None:
            with self._questions.held():
                callback(partitions)

        return run

    def _assigned(self, partitions: list[Partition]) -> None:
        self._refused_s = None
        self._share.assigned(partitions)

    def _revoked(self, partitions: list[Partition]) -> None:
        self._refused_s = None
        self._share.say_partitions("partitions_revoked", partitions)
        self.publish()
        self.commit()
        self._share.revoked(partitions)
        self._dirty.clear()

    def _lost(self, partitions: list[Partition]) -> None:
        self._refused_s = None
        self._share.say_partitions("partitions_lost", partitions, problem="We were not heard of "
                                   "for longer than kafka: {session.timeout.ms}")  # fmt: skip
        self._drop(partitions)

    def _drop(self, partitions: list[Partition]) -> None:
        self._dirty.difference_update(partitions)
        self._share.drop(partitions)
