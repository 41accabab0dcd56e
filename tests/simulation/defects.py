"""Defects that are put into the production code on purpose: does the simulator see them?

Owns: each defect as a change of one class, and the table of when it was caught.
Never: touches a file of the production code.
Source: mutation testing, with mistakes that somebody could make here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from multiprocessing import get_context
from typing import Any
from unittest.mock import patch

import numpy as np

from consumer.deadline import Deadline
from consumer.learning import LearningPartition
from consumer.memory_log import PartitionLog
from consumer.memory_transport import MemoryTransport
from consumer.parked import Parked
from consumer.positions import Start
from consumer.recovery import Recovery
from consumer.scoring import ScoringPartition
from consumer.share import Share
from consumer.snapshots.snapshots import Snapshots
from consumer.transactions import Transactions
from consumer.transport import Partition, Position, Records
from consumer.worker import Worker
from models.campaign_learner import CampaignLearner
from models.folded import Folded
from models.intake import Batch
from models.lifted import Lifted
from models.scorer import Scorer
from models.served_again import ServedAgain
from models.state import NEVER_MS, NO_TIMER_MS, OUTCOMES_DUE
from models.uplift import Uplift
from schemas.example import TrainingExample
from schemas.learner_state import LearnerState
from tests.simulation.defect import Defect
from tests.simulation.defects_of_changes import CHANGES
from tests.simulation.runs import judge, quieten

SEEDS_MAX = 1_000


def _resend_nothing(
    self: Transactions, positions: Mapping[Partition, Position], until: Deadline
) -> None:
    if self._is_broken:
        self._abort(until)
        self._pending.clear()
    _COMMIT(self, positions, until)


_COMMIT = Transactions._commit


def _polled_positions(self: Share, partitions: Any) -> dict[Partition, Position]:
    found = _POSITIONS(self, partitions)
    transport: Any = self._transport
    return {
        partition: Position(max(position.offset, transport._next.get(partition, 0)), position.note)
        for partition, position in found.items()
    }


_POSITIONS = Share.positions


def _take_uncommitted(self: MemoryTransport, partition: Partition, records_max: int) -> Records:
    if partition.topic != "training-examples":
        return _TAKE(self, partition, records_max)
    with patch.object(PartitionLog, "stable", property(lambda log: log.high)):
        return _TAKE(self, partition, records_max)


_TAKE = MemoryTransport._take


def _newest_of_all(self: Snapshots, topic: str, partition: int, *, not_after: int) -> Any:
    del not_after
    return _NEWEST(self, topic, partition, not_after=(1 << 63) - 1)


_NEWEST = Snapshots.newest


def _snapshot_whenever(self: Share) -> None:
    _STEP(self)
    if self._rounds is not None:
        self._rounds.before_commit(self.scoring)
        self._rounds.after_commit(self.scoring)


_STEP = Share.step


def _serve_again_without_experts(self: Scorer, folded: Folded, served: ServedAgain) -> int:
    held = self._examples.view.experts.copy()
    unknown = _SERVE_AGAIN(self, folded, served)
    self._examples.view.experts[:] = held
    return unknown


_SERVE_AGAIN = Scorer.serve_again


def _restore_without_reservoir(self: Scorer, lifted: Lifted) -> dict[str, int]:
    dropped = _RESTORE(self, lifted)
    self._examples.view.candidates[:] = 1 << 30
    return dropped


_RESTORE = Scorer.restore


def _fold_deciding_anew(self: Scorer, batch: Batch, **given: Any) -> Folded:
    return _FOLD_BATCH(self, batch, **given | {"served": None})


_FOLD_BATCH = Scorer.fold_batch


def _restore_without_triggers(self: Scorer, lifted: Lifted) -> dict[str, int]:
    dropped = _RESTORE(self, lifted)
    self._triggers.view.phase[:] = 0
    return dropped


def _restore_without_told(self: Scorer, lifted: Lifted) -> dict[str, int]:
    dropped = _RESTORE(self, lifted)
    self._told.view.words[:] = 0
    return dropped


def _restore_without_contacts(self: Scorer, lifted: Lifted) -> dict[str, int]:
    dropped = _RESTORE(self, lifted)
    self._told.view.contacts[:] = 0
    return dropped


def _restore_without_seen(self: Scorer, lifted: Lifted) -> dict[str, int]:
    dropped = _RESTORE(self, lifted)
    self._queues.seen_table[:] = 0
    return dropped


def _restore_without_timers(self: Scorer, lifted: Lifted) -> dict[str, int]:
    dropped = _RESTORE(self, lifted)
    self._profiles.view.timers[:] = NO_TIMER_MS
    return dropped


def _restore_without_suppressions(self: Scorer, lifted: Lifted) -> dict[str, int]:
    dropped = _RESTORE(self, lifted)
    self._profiles.view.suppressed_until[:] = NEVER_MS
    return dropped


def _restore_without_outcomes(self: Scorer, lifted: Lifted) -> dict[str, int]:
    dropped = _RESTORE(self, lifted)
    self._registers[OUTCOMES_DUE] = 0
    return dropped


def _count_again(self: Uplift, row: TrainingExample) -> bool:
    self.add(row.acted, row.label)
    return True


def _sources_by_offset(self: Folded, scores: Any) -> Any:
    offsets, ids = _SOURCES(self, scores)
    return offsets, ids * np.uint64(0)


_SOURCES = Folded.sources


def _restore_without_closed_by(self: CampaignLearner, state: LearnerState) -> None:
    _RESTORE_LEARNER(self, state)
    self.closed_by.clear()


_RESTORE_LEARNER = CampaignLearner.restore


def _parked_wherever(self: Parked, partition: Partition, position: Position) -> Any:
    kept = self._scoring.get(partition)
    return kept if kept is not None and kept.position.note == position.note else None


def _take_over_silently(self: Worker) -> None:
    self._share.is_new = False


def _nothing_dropped(self: Worker, _error: Any) -> None:
    self._refused_s = self._clock.monotonic_s()


def _commit_and_snapshot(self: Worker) -> bool:
    self._share.about_to_commit()
    done = _WORKER_COMMIT(self)
    if done:
        self._share.committed()
    return done


_WORKER_COMMIT = Worker.commit


def _learn_and_forget(self: Worker, rows_max: int) -> None:
    before = set(self._dirty)
    _LEARN(self, rows_max)
    self._dirty = before


_LEARN = Worker._learn


def _learned_position(self: LearningPartition) -> Position:
    return Position(self.next_offset)


def _read_nothing_back(self: Recovery, _scores_from: int) -> Iterator[bool]:
    del self
    yield from ()


def _sends_all(self: Start, offset: int) -> bool:
    return offset >= self.publish


def _keeps_what_was_open(self: Transactions) -> None:
    del self


def _position_of_the_tail(self: ScoringPartition) -> Position:
    return Position(self.next_offset, self.start.note)


DEFECTS: dict[str, Defect] = {
    "resend": Defect(
        "after an abort, what was aborted is not sent again",
        ((Transactions, "_commit", _resend_nothing),),
    ),
    "polled": Defect(
        "what was polled is committed, not what was processed",
        ((Share, "positions", _polled_positions),),
    ),
    "uncommitted": Defect(
        "rows are learned before they are committed",
        ((MemoryTransport, "_take", _take_uncommitted),),
    ),
    "ahead": Defect(
        "a snapshot is taken before its commit, and loaded though it is ahead of it",
        ((Snapshots, "newest", _newest_of_all), (Share, "step", _snapshot_whenever)),
    ),
    "recompute": Defect(
        "the silent replay scores anew instead of reading back",
        ((Scorer, "serve_again", lambda _self, _folded, _served: 0),),
    ),
    "reservoir": Defect(
        "after a restore the first candidate stays, whatever the reservoir says",
        ((Scorer, "restore", _restore_without_reservoir),),
    ),
    "closed-by": Defect(
        "a restored learner has forgotten `closed_by`",
        ((CampaignLearner, "restore", _restore_without_closed_by),),
    ),
    "repeated": Defect(
        "repeated rows are learned again",
        ((CampaignLearner, "is_repeated", lambda *_arguments: False),),
    ),
    "parked": Defect(
        "a parked fold goes on wherever it stands",
        ((Parked, "scoring", _parked_wherever),),
    ),
    "takeover": Defect(
        "what was taken over is not signed by a commit",
        ((Worker, "_take_over", _take_over_silently),),
    ),
    "refused": Defect(
        "after a refused commit the folds are kept",
        ((Worker, "_refused", _nothing_dropped),),
    ),
    "take-over-snapshot": Defect(
        "any commit is a moment for a snapshot, that of a take-over too (found by the simulator)",
        ((Worker, "commit", _commit_and_snapshot),),
    ),
    "states": Defect(
        "rows are committed although no published state covers them",
        ((LearningPartition, "position", property(_learned_position)),),
    ),
    "experts": Defect(
        "what each expert said of the tail is made anew, not read back",
        ((Scorer, "serve_again", _serve_again_without_experts),),
    ),
    "decide-anew": Defect(
        "the silent replay decides on triggers by other scores than those served",
        ((Scorer, "fold_batch", _fold_deciding_anew),),
    ),
    "who-is-in": Defect(
        "a restored fold has forgotten who is in",
        ((Scorer, "restore", _restore_without_triggers),),
    ),
    "told": Defect(
        "a restored fold has forgotten what was published last",
        ((Scorer, "restore", _restore_without_told),),
    ),
    "contacts": Defect(
        "a restored fold has forgotten how often customers entered",
        ((Scorer, "restore", _restore_without_contacts),),
    ),
    "seen": Defect(
        "a restored fold has forgotten which events it has seen",
        ((Scorer, "restore", _restore_without_seen),),
    ),
    "timers": Defect(
        "a restored fold has forgotten its timers",
        ((Scorer, "restore", _restore_without_timers),),
    ),
    "suppression": Defect(
        "a suppression is lost with the restore",
        ((Scorer, "restore", _restore_without_suppressions),),
    ),
    "outcomes": Defect(
        "a restored fold has forgotten when rows of arms are due",
        ((Scorer, "restore", _restore_without_outcomes),),
    ),
    "counted-again": Defect(
        "repeated rows of arms are counted again",
        ((Uplift, "take", _count_again),),
    ),
    "moments": Defect(
        "what timers served is looked for by the offset alone",
        ((Folded, "sources", _sources_by_offset),),
    ),
    "twice": Defect(
        "the replay up to the committed offset is not silent",
        ((Start, "sends_scores", _sends_all), (Start, "sends_rows", _sends_all)),
    ),
    "give-up": Defect(
        "what was produced for lost partitions is kept and committed later",
        ((Transactions, "give_up", _keeps_what_was_open),),
    ),
    "back": Defect(
        "a recovering partition commits where its replay stands",
        ((ScoringPartition, "position", property(_position_of_the_tail)),),
    ),
    "early-snapshot": Defect(
        "a snapshot is taken before its commit",
        ((Share, "step", _snapshot_whenever),),
    ),
    "ahead-loaded": Defect(
        "a snapshot would be loaded though it is ahead of the committed offset",
        ((Snapshots, "newest", _newest_of_all),),
    ),
    "unchanged": Defect(
        "rows that change no learner are not committed (found by the simulator)",
        ((Worker, "_learn", _learn_and_forget),),
    ),
} | CHANGES


def caught_at(name: str, first: int, seeds: int) -> tuple[int | None, int, str]:
    """The first seed that fails with a defect, how many were tried, and what it said."""
    quieten()
    tried = 0
    with DEFECTS[name].injected():
        for seed in range(first, first + seeds):
            tried += 1
            problem = judge(seed).problem
            if problem is not None:
                return seed, tried, problem.strip().splitlines()[-1]
    return None, tried, ""


def _row(arguments: tuple[str, int, int]) -> str:
    seed, tried, said = caught_at(*arguments)
    found = "not caught" if seed is None else str(seed)
    said = said.replace("|", "/")[:90]
    return f"| {DEFECTS[arguments[0]].sentence} | {found} | {tried} | {said} |"


def table_of_defects(first: int, seeds: int, jobs: int) -> Iterator[str]:
    """A Markdown table, a line as soon as it is known."""
    yield "| defect | caught at seed | seeds tried | what failed |"
    yield "|---|---|---|---|"
    arguments = [(name, first, min(seeds, SEEDS_MAX)) for name in DEFECTS]
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(_row, arguments)
