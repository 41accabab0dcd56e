"""The life of a group in one seed: workers come, go, hang and die; events come; time passes.

Owns: the log, the clock, the store, who lives, and every strike.
Never: judges; `watch` and `checks` do.
Source: consumer/worker.py and consumer/memory_coordinator.py, which ask to be struck.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import replace
from typing import Any

from consumer.errors import WorldError
from consumer.health import Health
from consumer.memory_coordinator import OpenTransaction
from consumer.memory_log import Membership
from consumer.memory_transport import MemoryTransport
from consumer.snapshots.beside import Inline
from consumer.snapshots.names import MANIFEST
from consumer.snapshots.snapshots import Sizes, Snapshots
from consumer.surroundings import Surroundings
from consumer.telemetry import Telemetry
from consumer.topics import topic_specs
from consumer.transactions import Fault, TransactionFault
from consumer.transport import OwnershipLostError, Partition, Position, TransportError
from consumer.worker import Worker
from tests.simulation.changed_files import ChangedFile
from tests.simulation.faults import STRUCK, CrashError, HarmedStore, JumpingClock, Odds
from tests.simulation.histories import Committed, Histories, NotedSnapshots
from tests.simulation.lost_logs import KeptLog, OtherTopic, Retention
from tests.simulation.quiet_campaigns import quiet_of
from tests.simulation.reference import outgoing
from tests.simulation.traffic import settings_of, traffic_of
from tests.world import BEGIN_MS, settings_with

NAMES = ("ann", "bob", "cid", "dan")
LIVING_MAX = 3
QUIET_TICK_MS = 250
QUIET_TICKS_MAX = 1_500
TRANSACTION_MAX_S = 60.0
EXPIRES_TICKS_MAX = 12
STALLED = "has given us nothing since"
FENCED = "writes as"
ENDLESS = "Recovery has not finished"
SILENCE_MS_MAX = 6 * 3_600_000
SMALL = Sizes(chunk_bytes=65_536, part_bytes=65_536)
KEYED_PARTITIONS = 3  # Fewer than in production: each costs a poll.


class GroupLife:
    """A group on one log, from its first event until everything is done."""

    def __init__(self, seed: int) -> None:
        self.traffic = traffic_of(seed)
        self.draws = random.Random(f"{seed}/faults")
        self.odds = Odds(seed, self.draws)
        overrides = settings_of(seed)
        overrides["limits"] |= self.traffic.limits
        self.settings = settings_with(**overrides)
        self.clock = JumpingClock(BEGIN_MS)
        self.log = KeptLog()
        self.log.coordinator.strike = self._strike
        self.store = HarmedStore(self._strike_store, self._wrote)
        self.group = self.log.group(self.settings.group)
        self.group.committed = Committed(self._commits)
        self.file = ChangedFile(seed, self.traffic, NAMES)
        self.retention = Retention(seed)
        self.other_topic = OtherTopic(seed, self.traffic)
        self.histories = Histories(self.traffic, self.settings, self.file.plans)
        self.quiet = quiet_of(self.file.plans)  # Campaigns that publish changes only.
        self.seen: set[str] = set()  # Which of the rarer things have happened.
        self.telemetry: list[Telemetry] = []
        self.living: dict[str, Worker] = {}
        self.trace: list[str] = []
        self._tick_ms = self.draws.choice((20, 60, 60, 300, 2_000))
        self._unknown: set[str] = set()  # Whose last commit was done without its knowing.
        self._files: dict[str, int] = {}  # Which campaign file the living have.
        self._busy: list[str] = []  # Whose call we are in; the innermost last.
        self.ticks = 0
        self.has_hung = False  # Whether somebody was thought dead, and went on.
        self._unsent = deque(self.traffic.records)
        self._expiring: list[tuple[int, Membership]] = []
        self._open: dict[str, tuple[OpenTransaction, float]] = {}
        for spec in topic_specs(
            self.settings, events_partitions=self.traffic.partitions, replication=1
        ):
            keyed = spec.name in {self.settings.topics.examples, self.settings.topics.states}
            partitions = min(spec.partitions, KEYED_PARTITIONS) if keyed else spec.partitions
            self.log.create_topic(replace(spec, partitions=partitions))

    @property
    def is_exact(self) -> bool:
        """Whether outputs and positions are committed together."""
        return self.settings.delivery == "exactly_once"

    @property
    def is_by_histories(self) -> bool:
        """Whether what is due depends on who committed it, and on which file he had."""
        return self.file.is_planned or self.retention.may_rebuild

    @property
    def has_ended(self) -> bool:
        """Whether somebody stopped, history being lost, and nobody goes on without it."""
        return self.retention.has_stopped and not self.retention.goes_on

    def note(self, text: str) -> None:
        """Write into the trace."""
        self.trace.append(f"{self.ticks:5d} {self.clock.monotonic_s():8.2f} s  {text}")

    def turn(self) -> None:
        """One tick of everybody, with whatever goes wrong."""
        self.ticks += 1
        self._send()
        self._expire_sessions()
        self._go_wrong()
        self.file.turn(self)
        if self.odds.is_on:
            self.retention.turn(self)
            self.other_topic.turn(self)
        names = list(self.living)
        self.draws.shuffle(names)
        for name in names:
            if not self.odds.between_ticks("slow"):
                self.let_tick(name)
        self._end_old_transactions()
        self.clock.advance_ms(self._tick_ms)

    @property
    def is_faulty(self) -> bool:
        """Whether faults are still to come: until all is sent, and some time after."""
        return bool(self._unsent) or self.ticks < self.traffic.records[-1].tick + 30

    def heal(self) -> None:
        """No more faults: what is broken stays broken until somebody mends it."""
        self.note("faults are off")
        self.file.complete(self)
        self.odds.is_on = False
        self.store.heal()
        self._tick_ms = QUIET_TICK_MS
        for _, member in self._expiring:
            self._expire(member)
        self._expiring.clear()

    def at_least_one(self) -> None:
        """Let somebody live."""
        if not self.living:
            self.join()

    def stop_all(self) -> None:
        """Let everybody leave as they should."""
        for name in list(self.living):
            self.stop(name)

    def stop(self, name: str) -> None:
        """Let a worker leave as it should."""
        self._guarded(name, self.living[name].stop, leaves=True)

    def looking_at_snapshots(self) -> Snapshots:
        """The snapshots as somebody sees them who only looks."""
        return Snapshots(self.store, self.settings.group, Inline(), self.clock,
                         report=lambda _error: None)  # fmt: skip

    def join(self) -> None:
        """Start a worker under a name that nobody has who lives."""
        free = [name for name in NAMES if name not in self.living]
        name = self.draws.choice(free)
        worker = self._worker(name)
        self.living[name] = worker
        self.note(f"{name} starts")
        self._guarded(name, worker.start)

    def let_tick(self, name: str) -> None:
        """One tick of one worker, if it lives and is not in the middle of one."""
        if name in self.living and name not in self._busy:
            self._guarded(name, self.living[name].tick)

    def _worker(self, name: str) -> Worker:
        snapshots = NotedSnapshots(
            self.store, self.settings.group, Inline(), self.clock, sizes=SMALL,
            report=lambda error: self.note(f"{name} passes over {error}"),
        )  # fmt: skip
        snapshots.histories, snapshots.files = self.histories, self.store
        self.telemetry.append(Telemetry(self.clock))
        self._files[name] = self.file.of(name)
        around = Surroundings(
            self.settings, self.file.plans[self._files[name]], self.clock, self.telemetry[-1],
            Health(self.clock), snapshots, self.retention.goes_on and self.retention.has_stopped,
        )  # fmt: skip
        transport = MemoryTransport(
            self.log, group=self.settings.group, instance=name, delivery=self.settings.delivery,
            clock=self.clock,
        )  # fmt: skip
        return Worker(transport, around)

    def _guarded(self, name: str, call: Any, *, leaves: bool = False) -> None:
        self._busy.append(name)
        try:
            call()
        except CrashError as error:
            self.note(f"{name} crashes at {error}")
            self._meet(name)
            self.bury(name)
        except WorldError as error:
            self._meet(name)
            self._hear_out(name, error)
            self._exit(name)
        else:
            self._meet(name)
            if leaves:
                del self.living[name]
        finally:
            self._busy.pop()

    def _meet(self, name: str) -> None:
        """Take note of the folds that a worker has begun since."""
        if self.other_topic.is_here:
            return  # What is made of that is nobody's history.
        worker = self.living[name]
        self.histories.meet(
            worker, self._files[name], lambda partition: self.log.bounds(partition).low
        )

    def _commits(self, partition: Partition, position: Position) -> None:
        """Somebody's commit is being done: it is of the worker that we are in."""
        if partition.topic == self.settings.topics.events and not self.other_topic.is_here:
            before = self.group.committed.get(partition)
            self._meet(self._busy[-1])
            worker = self.living[self._busy[-1]]
            first = 0 if before is None else before.offset
            self.histories.commits(worker, partition, first, position)
        elif partition in self.group.committed:
            share, before = self.living[self._busy[-1]]._share, self.group.committed[partition]
            if partition in share.learning:
                self.retention.passed_over(
                    partition, before.offset, share.learning[partition].begun_at,
                    knowingly=share._around.rebuild,
                )  # fmt: skip

    def _wrote(self, name: str, data: bytes) -> None:
        if name.endswith(MANIFEST):
            snapshots = self.living[self._busy[-1]]._share._around.snapshots
            assert isinstance(snapshots, NotedSnapshots)
            self.histories.wrote(snapshots, data)

    def _hear_out(self, name: str, error: WorldError) -> None:
        """A worker may only give up for what was done to it."""
        self.note(f"{name} exits: {error.problem}")
        problem = error.problem
        known = any(words in problem for words in (STRUCK, FENCED, STALLED))
        known |= "silence" in self.seen and ENDLESS in problem
        allowed = known or self.other_topic.allows(problem) or self.retention.allows(self, problem)
        assert allowed, f"{name} exits: {problem}"

    def _exit(self, name: str) -> None:
        worker = self.living[name]
        try:
            worker.abandon()
        except CrashError as error:
            self.note(f"{name} crashes while it exits at {error}")
        except WorldError as error:
            self._hear_out(name, error)
        self.bury(name)

    def bury(self, name: str) -> None:
        """A process is gone, as if killed; the group hears of it when the session expires."""
        worker = self.living.pop(name)
        member = self._member(worker)
        if member is not None:
            after = self.draws.randrange(EXPIRES_TICKS_MAX) if self.odds.is_on else 0
            self._expiring.append((self.ticks + after, member))

    def _member(self, worker: Worker) -> Membership | None:
        transport = worker._transport
        assert isinstance(transport, MemoryTransport)
        member = transport._member
        return member if member is not None and member in self.group.members else None

    def _expire(self, member: Membership) -> None:
        member.expelled = True
        self.group.leave(member)
        self.note(f"the session of {member.name} expires")

    def _expire_sessions(self) -> None:
        for due in [each for each in self._expiring if each[0] <= self.ticks]:
            self._expiring.remove(due)
            self._expire(due[1])

    def _send(self) -> None:
        while self._unsent and self._unsent[0].tick < self.ticks:
            self.log.append(outgoing(self._unsent.popleft(), self.settings.topics.events))

    def _go_wrong(self) -> None:
        """What goes wrong between two ticks."""
        odds, draws = self.odds, self.draws
        if not self.living or (len(self.living) < LIVING_MAX and odds.between_ticks("join")):
            self.join()
        for name in list(self.living):
            if odds.between_ticks("crash"):
                self.note(f"{name} crashes between two ticks")
                self.bury(name)
            elif odds.between_ticks("stop"):
                self.note(f"{name} stops")
                self.stop(name)
            elif odds.between_ticks("expel"):
                self._expel(name)
        if odds.between_ticks("jump"):
            self.clock.jumped_ms = draws.randrange(-86_400_000, 86_400_000)
        if odds.is_on and draws.random() < 0.1:
            self.store.heal()
        for kind in ("torn", "lost", "stale", "unwritable", "unreadable", "full"):
            if odds.between_ticks(kind):
                self.note(f"the store suffers: {kind}")
                self.store.suffer(kind, draws)
        if odds.between_ticks("compact"):
            self._compact()
        if odds.between_ticks("silence"):
            self.note("nothing happens for a while")
            self.seen.add("silence")
            self.clock.advance_ms(draws.randrange(SILENCE_MS_MAX))
        if self.log.coordinator._open and odds.between_ticks("transaction_times_out"):
            self._end_transaction(draws.choice(sorted(self.log.coordinator._open)))

    def _compact(self) -> None:
        """The broker compacts what is keyed, as far as no transaction is open."""
        for topic in (self.settings.topics.states, self.settings.topics.models):
            for index, log in enumerate(self.log.topics[topic]):
                if not log.open:
                    self.log.compact(Partition(topic, index))

    def _expel(self, name: str) -> None:
        member = self._member(self.living[name])
        if member is not None:
            self.note(f"{name} is thought dead, and lives")
            self.has_hung = True
            self._expire(member)

    def _end_transaction(self, name: str) -> None:
        self.note(f"the broker ends the transaction of {name}")
        self.log.coordinator.init(name)

    def _end_old_transactions(self) -> None:
        now_s, there = self.clock.monotonic_s(), self.log.coordinator._open
        for name, held in list(there.items()):
            known = self._open.get(name)
            if known is None or known[0] is not held:
                self._open[name] = held, now_s
            elif now_s - known[1] > TRANSACTION_MAX_S:
                self._end_transaction(name)

    def _strike(self, step: str, name: str) -> None:
        """A worker is at a step of its producer: what goes wrong there."""
        odds = self.odds
        if odds.at_step("pause"):
            self._pause(step, name)
        if odds.at_step("crash"):
            raise CrashError(step)
        problem = TransportError(f"{step} was {STRUCK}", "Try again")
        if not self.is_exact:
            if odds.at_step("fatal"):
                self.note(f"{name}: {problem.problem}")
                raise problem
            if step == "commit" and odds.at_step("lost"):
                self.note(f"{name}: {problem.problem} as lost")
                raise OwnershipLostError(problem.problem)
            return
        if step == "committed":
            kinds = [Fault.AGAIN] if odds.at_step("unknown") else []
            (self._unknown.add if kinds else self._unknown.discard)(name)
        else:
            kinds = [kind for kind in Fault if odds.at_step(kind.name.lower())]
            if name in self._unknown and Fault.ABORT in kinds:
                kinds.remove(Fault.ABORT)  # No broker says so of what it has committed.
        if kinds:
            self.note(f"{name}: {problem.problem} as {kinds[0].name.lower()}")
            raise TransactionFault(kinds[0], problem)

    def _strike_store(self, step: str) -> None:
        if self.odds.at_step("store_crash") and self._busy:
            raise CrashError(step)
        if self.odds.at_step("store_error"):
            raise OSError(5, STRUCK, step)

    def _pause(self, step: str, name: str) -> None:
        """A worker hangs for longer than its session; the others go on without it."""
        if len(self._busy) > 1 or name not in self.living:
            return
        self.note(f"{name} hangs at {step}")
        self._expel(name)
        if len(self.living) == 1:
            self.join()
        for _ in range(self.draws.randrange(1, 8)):
            for other in list(self.living):
                self.let_tick(other)
            self.clock.advance_ms(self._tick_ms)
        self.note(f"{name} goes on")
