"""Which triggers a list of events and the scores that were served should fire, said plainly.

Owns: the rules of triggers as questions to what was fired so far and to the whole log.
Never: a state that is updated: who is in is asked of the triggers themselves.
Source: docs/campaigns.md, "Triggers".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from schemas.campaign import Campaign
from schemas.score import ScoreEntry, ScoreRecord
from schemas.trigger_policy import TriggerPolicy
from tests.naive_folds import NaiveFold


class NaiveTrigger(NamedTuple):
    """A trigger: `scored` is the event whose score caused it, `event` the one at which it left."""

    campaign: str
    customer: str
    kind: str
    event: int
    scored: int


class NaiveTriggers:
    """Triggers of a whole log, whose limits are never hit.

    Parameters
    ----------
    fold: the rules of time and of goals, on the same events.
    scores: what was served, by the position of its event.
    """

    def __init__(self, fold: NaiveFold, scores: Mapping[int, ScoreRecord]) -> None:
        self._fold = fold
        self._scores = scores
        self.fired: list[NaiveTrigger] = []
        campaigns = [each for each in fold.campaigns if each.trigger is not None]
        for k in filter(fold.is_scored, range(len(fold.events))):
            for campaign in campaigns:
                self._convert(campaign, k)
            for campaign in campaigns:
                self._move(campaign, k)

    def _fire(self, campaign: Campaign, kind: str, k: int, scored: int) -> None:
        customer = self._fold.events[k].customer
        self.fired.append(NaiveTrigger(campaign.name, customer, kind, k, scored))

    def _last(self, campaign: Campaign, k: int, *kinds: str) -> NaiveTrigger | None:
        customer = self._fold.events[k].customer
        own = [
            each
            for each in self.fired
            if (each.campaign, each.customer) == (campaign.name, customer) and each.kind in kinds
        ]
        return own[-1] if own else None

    def _entry_of_who_is_in(self, campaign: Campaign, k: int) -> NaiveTrigger | None:
        last = self._last(campaign, k, "entered", "exited")
        return last if last is not None and last.kind == "entered" else None

    def _convert(self, campaign: Campaign, k: int) -> None:
        entry = self._entry_of_who_is_in(campaign, k)
        if entry is None:
            return
        fold, lost, i = self._fold, campaign.goal.lost, entry.event
        answers = [
            j
            for j in range(i + 1, k + 1)
            if fold.is_scored(j)
            and (
                fold.is_goal(campaign, i, j)
                or (lost is not None and fold._within(campaign, i, j) and fold.meets([lost], j))
            )
        ]
        if answers == [k] and fold.is_goal(campaign, i, k) and not campaign.goal.absence:
            self._fire(campaign, "converted", k, i)

    def _move(self, campaign: Campaign, k: int) -> None:
        record, policy = self._scores.get(k), campaign.trigger
        said = [each for each in record.scores if each.campaign == campaign.name] if record else []
        if not said or said[0].status != "ready" or policy is None:
            return
        level = level_of(policy, said[0])
        if self._entry_of_who_is_in(campaign, k) is not None:
            if level < policy.clear:
                self._fire(campaign, "exited", k, k)
            return
        before, events = self._last(campaign, k, "entered"), self._fold.events
        rested = (
            before is None or events[k].at_ms - events[before.event].at_ms >= policy.cooldown_ms
        )
        busy = any(self._fold.holds(clause, k) for clause in policy.unless)
        if level >= policy.when and rested and not busy:
            self._fire(campaign, "entered", k, k)


def level_of(policy: TriggerPolicy, said: ScoreEntry) -> float:
    """What a score says of the measure; a score that is ready has it."""
    level = getattr(said, policy.measure)
    assert isinstance(level, float)
    return level
