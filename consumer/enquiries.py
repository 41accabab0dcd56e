"""What other threads may ask of a worker: customers and quality, as the folds have them now.

Owns: where a customer is looked for, and what is said of one who is not here.
Never: puts anything into words, or asks the broker.
Source: docs/contract.md, "HTTP".
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Literal

from consumer.partitioner import partition_of
from consumer.questions import Questions
from consumer.scoring import ScoringPartition
from consumer.share import Share
from models.portrait import Portrait
from models.quality_report import Report, curves_of
from schemas.score import ScoreEntry

CURVES_DAYS: Final = 28


@dataclass(frozen=True, slots=True)
class Found:
    """A customer of ours: where, at which offset of the log, and what is known."""

    partition: int
    next_offset: int
    portrait: Portrait
    scores: list[ScoreEntry]


@dataclass(frozen=True, slots=True)
class Absent:
    """A customer who is not known here.

    `partition` is where Java's default partitioner puts the id, None while nothing is ours. Nobody
    knows an `unknown` one; `elsewhere`, another worker has that partition; `not_yet`, it is being
    recovered.
    """

    partition: int | None
    reason: Literal["unknown", "elsewhere", "not_yet"]


class Enquiries:
    """Asks the folds of one worker."""

    def __init__(self, questions: Questions, share: Share) -> None:
        self._questions = questions
        self._share = share

    def customer(self, customer: str, terms_max: int = 0) -> Future[Found | Absent]:
        """A customer's scores and all that is known, with so many features one by one."""
        return self._questions.ask(lambda: self._look_for(customer, terms_max))

    def curves(self) -> Future[dict[str, Report]]:
        """Deciles and reliability of each campaign that is learned here, over 28 days."""
        return self._questions.ask(self._curves)

    def _look_for(self, customer: str, terms_max: int) -> Found | Absent:
        partitions = self._share.events_partitions
        if not partitions:
            return Absent(None, "not_yet")
        home = partition_of(customer.encode(), partitions)
        for scoring in self._from(home):
            found = None if scoring.rebuilds else scoring.portrait(customer, terms_max)
            if found is not None:
                portrait, scores = found
                return Found(scoring.partition.index, scoring.next_offset, portrait, scores)
        if any(partition.index == home for partition in self._share.rebuilding_events):
            return Absent(home, "not_yet")
        ours = any(partition.index == home for partition in self._share.scoring)
        return Absent(home, "unknown" if ours else "elsewhere")

    def _from(self, home: int) -> Iterator[ScoringPartition]:
        """Our partitions, the likeliest first: a sender may have another partitioner."""
        ours = list(self._share.scoring.values())
        yield from sorted(ours, key=lambda each: each.partition.index != home)

    def _curves(self) -> dict[str, Report]:
        found: dict[str, Report] = {}
        for learning in self._share.learning.values():
            for campaign, learner in learning.learners.items():
                contenders = learning.contenders.get(campaign)
                served = learner if contenders is None else contenders.served
                found[campaign] = curves_of(served.judgement, CURVES_DAYS)
        return found
