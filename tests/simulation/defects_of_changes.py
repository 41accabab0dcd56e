"""Defects in what is done when the campaign file changes or a log loses something.

Owns: each as a change of one class, like those of `defects`.
Never: touches a file of the production code.
Source: ARCHITECTURE.md, "One campaign, two files" and "Recovery".
"""

from __future__ import annotations

from typing import Any

from consumer import positions, recovery
from consumer.folded_under import KeptFiles
from consumer.learning import LearningPartition
from consumer.learning_recovery import LearningRecovery
from consumer.recovery import Recovery
from consumer.score_tail import ScoreTail
from consumer.transport import Outgoing
from models.campaign_learner import CampaignLearner
from models.lifted import Lifted
from models.lineages import Lineages
from models.migration import shape_of
from models.scorer import Scorer
from models.trainer import Trainer
from schemas.example import TrainingExample
from schemas.model_record import ModelRecord
from tests.simulation.defect import Defect


def _take_of_any_lineage(learner: CampaignLearner, row: TrainingExample) -> str:
    if learner.is_repeated(row.source.partition, row.closed_by.offset, row.closed_by.index):
        return "repeated"
    learner.learn(row)
    return "learned"


def _drop_in_silence(learner: CampaignLearner, row: TrainingExample) -> str:
    taken = _TAKE(learner, row)
    return "learned" if taken == "superseded" else taken


_TAKE = Trainer._take


def _publish_without_the_absent(
    self: LearningPartition, *, states: bool = True
) -> tuple[list[Outgoing], list[ModelRecord]]:
    absent = sorted(self._trainer.changed - set(self._meters))
    outgoing, records = _PUBLISH(self, states=states)
    keys: list[bytes | None] = [f"{name}/champion".encode() for name in absent]
    gone = Outgoing(self._topics.states, self.partition.index, keys, [None] * len(keys))
    return [*outgoing, *([gone] if keys else [])], records


_PUBLISH = LearningPartition.publish


def _restore_and_mark_the_absent(self: LearningPartition, states: dict[bytes, bytes]) -> None:
    _RESTORE_STATES(self, states)
    self._trainer.changed |= set(self._trainer._lineages._ahead) - set(self._meters)


_RESTORE_STATES = LearningPartition.restore


def _restore_only_the_same_file(self: Scorer, lifted: Lifted) -> dict[str, int]:
    return _RESTORE(self, lifted) if lifted.facts["shape"] == shape_of(self.plan) else {}


_RESTORE = Scorer.restore


def _begin_behind_what_is_lost(self: Recovery) -> None:
    offset, low = self.scoring.next_offset, self._transport.bounds(self.partition).low
    self.scoring.next_offset = max(offset, low)


def _nothing(*_arguments: Any, **_named: Any) -> None:
    return None


CHANGES: dict[str, Defect] = {
    "superseded": Defect(
        "rows of a superseded lineage are learned",
        ((Trainer, "_take", staticmethod(_take_of_any_lineage)),),
    ),
    "silent-drop": Defect(
        "rows of a superseded lineage are left out and not counted",
        ((Trainer, "_take", staticmethod(_drop_in_silence)),),
    ),
    "absent": Defect(
        "a campaign that is absent from one file loses its state",
        (
            (LearningPartition, "publish", _publish_without_the_absent),
            (LearningPartition, "restore", _restore_and_mark_the_absent),
        ),
    ),
    "unknown-left-out": Defect(
        "rows of a campaign that one file does not have are left out, not waited for",
        ((Lineages, "is_removed", lambda self, campaign: campaign not in self._own),),
    ),
    "forgotten-lineage": Defect(
        "a state does not say which lineages it supersedes",
        ((Lineages, "superseded", lambda _self, _campaign: []),),
    ),
    "profiles-anew": Defect(
        "after a change of the file, profiles begin anew",
        ((Scorer, "restore", _restore_only_the_same_file),),
    ),
    "tail-anew": Defect(
        "a tail is folded again under the present file, whichever it was committed under",
        ((KeptFiles, "_plan_of", lambda self, _digest, **_told: self._plan),),
    ),
    "lost-history": Defect(
        "history that is lost is not missed",
        ((recovery, "refuse_lost_start", _nothing),),
    ),
    "lost-tail": Defect(
        "what came between a snapshot and the beginning of the log is not missed",
        ((Recovery, "_pass_over_lost_tail", _begin_behind_what_is_lost),),
    ),
    "lost-unread": Defect(
        "records that are gone unread are not missed",
        ((recovery, "refuse_gap", _nothing),
         (Recovery, "_pass_over_lost_tail", _begin_behind_what_is_lost)),
    ),
    "lost-rows": Defect(
        "rows that are gone before anybody learned them are not missed",
        ((LearningRecovery, "_refuse_gap", _nothing),),
    ),
    "lost-scores": Defect(
        "scores of a tail that are gone are not missed",
        ((ScoreTail, "refuse_lost", _nothing),),
    ),
    "other-topic": Defect(
        "nobody asks whether the topic is still the same",
        ((positions, "refuse_other_topic", _nothing),),
    ),
}  # fmt: skip
