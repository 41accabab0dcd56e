"""A replay: the worker's own loop over recorded events, one step of event time after the other.

Owns: the steps, and the transport that writes what a worker produces into files.
Never: anything that the live worker would do differently.
Source: ARCHITECTURE.md, "Replay".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from consumer.clock import Clock
from consumer.errors import WorldError
from consumer.event_files import EventFile
from consumer.health import Health
from consumer.memory_log import MemoryLog
from consumer.memory_transport import MemoryTransport
from consumer.replay_files import ReplayFiles
from consumer.surroundings import Surroundings
from consumer.telemetry import Telemetry
from consumer.topics import topic_specs
from consumer.transport import Outgoing, Partition
from consumer.worker import Worker
from models.challenger_report import with_challengers
from models.plan import Plan
from models.quality_report import report_of
from models.rows import customer_hash
from models.scorer import HASH_KEY
from schemas.example import TrainingExample, decode_example
from schemas.settings import Settings

Progress = Callable[[int, int], None]


class CustomerIds:
    """Customer ids by the keyed hash that rows carry."""

    def __init__(self) -> None:
        self._hashes: dict[bytes, str] = {}
        self._ids: dict[str, str] = {}

    def add(self, key: bytes) -> None:
        """Take in the key of a score record."""
        if key not in self._hashes:
            customer = key.decode()
            self._hashes[key] = customer_hash(HASH_KEY, customer)
            self._ids[self._hashes[key]] = customer

    def of(self, row: TrainingExample) -> str:
        """The customer of a row; every row belongs to a score that left before it."""
        return self._ids[row.customer]


class ReplayTransport(MemoryTransport):
    """Keeps examples and models in the log, where the worker reads them; the rest in files."""

    def __init__(
        self, log: MemoryLog, settings: Settings, files: ReplayFiles, events: EventFile
    ) -> None:
        super().__init__(log, group=settings.group, instance="replay")
        self._names = settings.topics
        self._files = files
        self._ids = CustomerIds()
        self._events = events

    def produce(self, outgoing: Outgoing) -> None:
        """Write records into the file of their topic."""
        topics = self._names
        if outgoing.topic == topics.scores:
            for key in outgoing.keys:
                assert key is not None
                self._ids.add(key)
            self._files.add_scores([value for value in outgoing.values if value is not None])
        elif outgoing.topic in {topics.triggers, topics.held_out}:
            values = [value for value in outgoing.values if value is not None]
            self._files.add_triggers(values, held_out=outgoing.topic == topics.held_out)
        elif outgoing.topic == topics.dead_letters:
            self._write_dead_letters(outgoing)
        else:
            if outgoing.topic == topics.examples:
                found = (decode_example(value or b"") for value in outgoing.values)
                rows = [row for row in found if not row.triggered]  # Those have no features.
                self._files.add_examples(rows, [self._ids.of(row) for row in rows])
            super().produce(outgoing)

    def _write_dead_letters(self, outgoing: Outgoing) -> None:
        for value, headers in zip(outgoing.values, outgoing.headers or [], strict=True):
            offset = int(dict(headers)["__connect.errors.offset"] or b"0")
            self._files.add_dead_letter(value, headers, self._events.origin(offset))


class Replay:
    """Replays a file of events into a folder.

    The trainer takes what the scorer closed at fixed steps of event time, and batches end there:
    the output depends on neither the batch size nor the machine's speed.
    """

    def __init__(
        self,
        events: EventFile,
        files: ReplayFiles,
        plan: Plan,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._events = events
        self._files = files
        self._settings = settings.model_copy(
            update={
                "start_from": "earliest", "publish_from": "start", "keys": "partitioned",
                "score_key": "customer",
            }
        )  # fmt: skip
        self._log = MemoryLog()
        for spec in topic_specs(self._settings, events_partitions=1, replication=1):
            self._log.create_topic(spec)
        self._layout = plan.layout
        self._input = Partition(settings.topics.events, 0)
        self.telemetry = Telemetry(clock)
        transport = ReplayTransport(self._log, self._settings, files, events)
        around = Surroundings(self._settings, plan, clock, self.telemetry, Health(clock))
        self._worker = Worker(transport, around, publish_by_time=False)

    def run(self, progress: Progress | None = None) -> None:
        """Fold everything, learn everything that matured, write everything."""
        self._worker.start()
        for first, stop in self._steps():
            keys: list[bytes | None] = [None] * (stop - first)
            self._log.append(Outgoing(self._input.topic, 0, keys, self._events.values[first:stop]))
            left = stop - first
            while left > 0:  # A tick counts the rows that it takes, too.
                left -= self._worker.tick(0.0)
                self._refuse_too_many_letters()
            self._learn_step()
            if progress is not None:
                progress(stop, int(self._events.times_ms[stop - 1]))
        self._files.close(self._report())
        self._worker.stop()

    def _refuse_too_many_letters(self) -> None:
        """Where a worker's partition would wait for somebody to look, a replay ends."""
        for scoring in self._worker.scoring:
            if scoring.too_many_letters is not None:
                raise WorldError(
                    f"Too many of the events cannot be read: {scoring.too_many_letters}",
                    "Look into dead-letters.ndjson for what is wrong with them (`input` in the "
                    "campaign file says where fields are), or raise `limits: "
                    "{dead_letters_consecutive_max, dead_letters_share_max}`",
                )

    def _steps(self) -> Iterator[tuple[int, int]]:
        """Pieces of the input that lie within one step of event time."""
        steps = self._events.times_ms // self._settings.times.model_refresh_ms
        edges = np.flatnonzero(np.diff(steps)) + 1
        bounds = [0, *edges.tolist(), len(self._events)]
        return ((a, b) for a, b in pairwise(bounds) if b > a)

    def _learn_step(self) -> None:
        """Learn what the step closed; its models serve from the next step on."""
        self._worker.learn_all()
        while self._worker.tick(0.0):  # Rows are held back while many wait: learn, then ask again.
            self._worker.learn_all()
        self._trim()
        self._worker.publish(states=False)

    def _trim(self) -> None:
        """Let go of what everybody has read."""
        topics = self._settings.topics
        for topic in (topics.events, topics.examples, topics.models):
            for log in self._log.topics[topic]:
                log.delete_before(log.high)

    def _report(self) -> dict[str, object]:
        counts = [scoring.counts for scoring in self._worker.scoring]
        learners, contenders = self._worker.learners, self._worker.contenders
        served = learners | {name: each.served for name, each in contenders.items()}
        censored: Counter[str] = Counter()
        for scoring in self._worker.scoring:
            censored.update(scoring.open_by_campaign)
        models = {
            name: {
                "version": record.version,
                "status": record.status,
                "lineage": record.lineage,
                "learner": record.learner,
                "columns": len(served[name].learner.columns),
                "censored": censored[name],
                **with_challengers(report_of(served[name], self._layout), contenders.get(name)),
            }
            for name, record in sorted(self._worker.newest_models().items())
        }
        return {
            "events": len(self._events),
            "open_examples": sum(count.open_examples for count in counts),
            "customers": sum(count.profiles for count in counts),
            "campaigns": models,
        }
