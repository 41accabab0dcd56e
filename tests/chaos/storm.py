"""One chaos run: three workers, a steady stream of events, and faults until enough were killed.

Owns: the order of the run, striking, and measuring how long a takeover takes.
Never: judges what is in the topics; the comparison does.
Source: ARCHITECTURE.md, "Recovery".
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from consumer.cli import EXIT_COULD_NOT_RUN
from tests.broker import Broker
from tests.chaos.comparison import SHOWN_MAX, differences
from tests.chaos.crew import CrewMember, topic
from tests.chaos.faults import KILLS, Fault, Kind
from tests.chaos.scene import PARTITIONS, SESSION_MS, Scene

TAKEOVER_MAX_S = SESSION_MS / 1000 + 3.0
ASK_MAX_S = 2.0
NAMES = ("one", "two", "three")


@dataclass
class Report:
    """What a run was and what came of it."""

    faults: Counter[Kind] = field(default_factory=Counter)
    ended_by_themselves: list[str] = field(default_factory=list)
    takeovers_s: list[float] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    duration_s: float = 0.0

    @property
    def kills(self) -> int:
        """How many workers were killed."""
        return sum(self.faults[kind] for kind in KILLS)

    def lines(self) -> list[str]:
        """The report in words."""
        taken = sorted(self.takeovers_s)
        lines = [f"{count:6d}  {kind}" for kind, count in sorted(self.faults.items())]
        lines += [f"{size:6d}  {name}" for name, size in self.sizes.items()]
        lines += [f"{self.kills} kills in {self.duration_s:.0f} s"]
        if taken:
            lines.append(f"takeover, {len(taken)} measured: median {median(taken):.1f} s, "
                         f"most {taken[-1]:.1f} s; the bar is {TAKEOVER_MAX_S:.0f} s")  # fmt: skip
        lines += [f"ended by itself: {said}" for said in self.ended_by_themselves]
        lines += [f"differs: {each}" for each in self.differences[:SHOWN_MAX]]
        return [*lines, f"{len(self.differences)} differences"]


class Storm:
    """A run on a broker of our own, in a folder of our own."""

    def __init__(self, broker: Broker, folder: Path, seed: int) -> None:
        self._broker = broker
        self._scene = Scene(broker.bootstrap, folder, f"chaos-{seed}", NAMES, seed=seed)
        self._scene.keep_going = self._keep_going
        self._admin = self._new_admin()
        self._down: set[str] = set()
        self._shares: dict[str, list[int]] = {}
        self._due: list[tuple[float, Callable[[], None]]] = []
        self.report = Report()

    def run(self, faults: Iterable[Fault]) -> Report:
        """Let all of the faults strike, let the workers finish, and compare."""
        begun_s = monotonic()
        scene = self._scene
        try:
            scene.begin()
            scene.turn_until(self._is_calm)
            for fault in faults:
                self.report.faults[fault.kind] += 1
                self._strike(fault)
                scene.turn_for(fault.quiet_s)
            scene.turn_until(lambda: not self._due)
            scene.end_traffic()
            for member in scene.crew:
                member.send(signal.SIGTERM)
                member.wait()
                self._note_end(member)
        finally:
            scene.close()
        self.report.duration_s = monotonic() - begun_s
        left = scene.left()
        self.report.sizes = {name: len(records) for name, records in left._asdict().items()}
        self.report.sizes["outcomes"] = len(left.outcomes)
        self.report.differences += differences(left, PARTITIONS)
        return self.report

    def _new_admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self._broker.bootstrap, "log_level": 0})

    def _strike(self, fault: Fault) -> None:
        scene = self._scene
        if fault.kind in {Kind.BROKER_STOP, Kind.BROKER_KILL}:
            (self._broker.stop if fault.kind is Kind.BROKER_STOP else self._broker.kill)()
            scene.turn_for(fault.lasts_s)
            self._broker.start()
            return
        if fault.kind is Kind.KILL_MEASURED:
            scene.turn_until(self._is_calm)
        scene.turn_until(lambda: bool(self._awake()))
        awake = self._awake()
        member = awake[int(fault.draw * len(awake))]
        if fault.kind is Kind.KILL_MEASURED:
            self._measure(member)
        elif fault.kind is Kind.FREEZE:
            member.send(signal.SIGSTOP)
            self._later(fault.lasts_s, lambda: member.send(signal.SIGCONT))
        else:
            self._down.add(member.name)
            if fault.kind is Kind.KILL:
                member.kill()
            else:
                member.send(signal.SIGTERM)
                scene.turn_until(lambda: not member.runs)
                self._note_end(member)
            self._later(fault.lasts_s, lambda: self._begin(member))

    def _begin(self, member: CrewMember) -> None:
        self._down.discard(member.name)
        member.start()

    def _note_end(self, member: CrewMember) -> None:
        """Before it has started there is nothing to finish; after that there is a sentence."""
        code = member.code
        if code == 0 or (member.name in self._down and not member.has_started):
            return
        said = f"{member.name}, exit code {code}: {member.tail()}"
        if code == EXIT_COULD_NOT_RUN:
            self.report.ended_by_themselves.append(said)
        else:
            self.report.differences.append(said)

    def _awake(self) -> list[CrewMember]:
        return [member for member in self._scene.crew if member.is_awake and member.has_started]

    def _later(self, after_s: float, action: Callable[[], None]) -> None:
        self._due.append((monotonic() + after_s, action))

    def _measure(self, member: CrewMember) -> None:
        """Kill it; how long until scores of its partitions' events since then can be read?"""
        waiting = set(self._shares[member.name])
        self._down.add(member.name)
        member.kill()
        killed_s = monotonic()

        def taken() -> bool:
            for index in list(waiting):
                first = self._scene.feeder.first_after(index, killed_s)
                if first is not None and self._scene.watcher.newest[index] >= first:
                    waiting.remove(index)
            return not waiting

        self._scene.turn_until(taken)
        self.report.takeovers_s.append(monotonic() - killed_s)
        self._begin(member)

    def _members(self) -> dict[str, list[int]]:
        """The partitions of events that each name holds."""
        group = self._scene.group
        try:
            futures = self._admin.describe_consumer_groups([group], request_timeout=ASK_MAX_S)
            answer = futures[group].result()
        except KafkaException:
            # After a broker's death this client may never find the coordinator again.
            self._admin = self._new_admin()
            return {}
        mine = topic(group, "EVENTS")
        return {
            member.client_id: [
                each.partition for each in member.assignment.topic_partitions if each.topic == mine
            ]
            for member in answer.members
        }

    def _is_calm(self) -> bool:
        """Whether all three share the partitions and keep up."""
        if self._due or len(self._awake()) < len(NAMES):
            return False
        members = self._shares = self._members()
        if sorted(map(len, members.values())) != [PARTITIONS // len(NAMES)] * len(NAMES):
            return False
        lately_s = monotonic() - 2.5
        fresh = (self._scene.feeder.first_after(index, lately_s) for index in range(PARTITIONS))
        newest = self._scene.watcher.newest.values()
        return all(first is not None and seen >= first
                   for first, seen in zip(fresh, newest, strict=True))  # fmt: skip

    def _keep_going(self) -> None:
        """Undo faults whose time has come; start again who ended by itself."""
        now_s = monotonic()
        due = [action for at_s, action in self._due if at_s <= now_s]
        self._due = [(at_s, action) for at_s, action in self._due if at_s > now_s]
        for action in due:
            action()
        for member in self._scene.crew:
            if not member.runs and member.name not in self._down:
                self._note_end(member)
                member.start()
