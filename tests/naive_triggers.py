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
from tests.naive_controls import is_control
from tests.naive_folds import NaiveFold

MOVES = ("entered", "exited", "waits", "dropped")


class NaiveTrigger(NamedTuple):
    """A trigger that the score of the event at `scored` caused, or who begins or ends to wait."""

    campaign: str
    customer: str
    kind: str
    at_ms: int
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
        self._happened: list[NaiveTrigger] = []
        campaigns = [each for each in fold.campaigns if each.trigger is not None]
        for k in range(len(fold.events)):
            if is_control(fold.events[k]):
                for campaign in campaigns:
                    self._silence(campaign, k)
                continue
            for campaign in campaigns:
                self._end_waits(campaign, k)
            for campaign in campaigns:
                self._answer(campaign, k)
            for campaign in campaigns:
                if fold.is_scored(k):
                    self._move(campaign, k)

    @property
    def happened(self) -> list[NaiveTrigger]:
        """What is sent, and who began or ended to wait."""
        return self._happened

    @property
    def fired(self) -> list[NaiveTrigger]:
        """What is sent, in its order."""
        return [each for each in self._happened if each.kind not in {"waits", "dropped"}]

    def _happens(
        self, campaign: Campaign, kind: str, customer: str, at_ms: int, scored: int
    ) -> None:
        self._happened.append(NaiveTrigger(campaign.name, customer, kind, at_ms, scored))

    def _silence(self, campaign: Campaign, k: int) -> None:
        """Let a control fact end what the customer is in or waits for; nothing is sent."""
        event = self._fold.events[k]
        last = self._last(campaign, event.customer, *MOVES)
        is_in = last is not None and last.kind in {"entered", "waits"}
        if is_in and self._fold.controls.silences(k):
            self._happens(campaign, "dropped", event.customer, event.at_ms, k)

    def _last(self, campaign: Campaign, customer: str, *kinds: str) -> NaiveTrigger | None:
        own = [
            each
            for each in self._happened
            if (each.campaign, each.customer) == (campaign.name, customer) and each.kind in kinds
        ]
        return own[-1] if own else None

    def _end_waits(self, campaign: Campaign, k: int) -> None:
        policy, fold = campaign.trigger, self._fold
        assert policy is not None
        for waits in [each for each in self._happened if each.kind == "waits"]:
            due_ms = fold.clock[waits.scored] + policy.wait_ms
            mine = waits.campaign == campaign.name
            if mine and self._last(campaign, waits.customer, *MOVES) == waits:
                if fold.clock[k] <= due_ms:
                    return  # Who began later waits longer.
                busy = self._is_busy(policy, waits.customer, due_ms, k)
                busy |= self._is_limited(waits.customer, due_ms, k)
                kind = "dropped" if busy else "entered"
                self._happens(campaign, kind, waits.customer, due_ms, waits.scored)

    def _is_limited(self, customer: str, at_ms: int, k: int) -> bool:
        """Whether a customer may enter no more at a moment, before an event is over."""
        limit, forgotten = self._fold.file.contact_limit, self._fold.controls.forgotten(customer, k)
        if limit is None:
            return False
        entered = [
            each
            for each in self._happened
            if (each.customer, each.kind) == (customer, "entered") and each.scored > forgotten
        ]
        within = [each for each in entered if at_ms - each.at_ms < limit.within_ms]
        return len(within) >= limit.triggers

    def _is_busy(self, policy: TriggerPolicy, customer: str, at_ms: int, k: int) -> bool:
        """Whether a clause of `unless` holds at a moment, with all that is known before an event.

        The clauses are asked as of the customer's last event, and then how long ago things are.
        """
        fold = self._fold
        mine = [j for j in fold.taken if j < k and fold.events[j].customer == customer]
        for clause in policy.unless:
            if clause.event is None or clause.within_ms is None:
                if fold.holds(clause, mine[-1]):
                    return True
                continue
            times = [fold.events[j].at_ms for j in fold.history(mine[-1])
                     if fold.meets([clause.event], j)]  # fmt: skip
            if times and at_ms - max(times) <= clause.within_ms:
                return True
        return False

    def _answer(self, campaign: Campaign, k: int) -> None:
        fold, lost, customer = self._fold, campaign.goal.lost, self._fold.events[k].customer
        last = self._last(campaign, customer, *MOVES)
        if last is None or last.kind not in {"entered", "waits"}:
            return
        i = last.scored

        def answers(j: int) -> bool:
            if fold.events[j].type in fold.file.events.ignore:
                return False
            other = lost is not None and fold._within(campaign, i, j) and fold.meets([lost], j)
            return j > i and (fold.is_goal(campaign, i, j) or other)

        if last.kind == "waits":
            if answers(k):
                self._happens(campaign, "dropped", customer, fold.events[k].at_ms, i)
            return
        since = range(self._entered_at(last, k), k + 1)
        answered = [j for j in since if fold.is_scored(j) and answers(j)]
        if answered == [k] and fold.is_goal(campaign, i, k) and not campaign.goal.absence:
            self._happens(campaign, "converted", customer, fold.events[k].at_ms, i)

    def _entered_at(self, entered: NaiveTrigger, k: int) -> int:
        """The event from which on a customer is in: the scored one, or who let the wait end."""
        clock = self._fold.clock
        late = (j for j in range(entered.scored, k + 1) if clock[j] > entered.at_ms)
        began = self._fold.events[entered.scored].at_ms == entered.at_ms
        return entered.scored if began else next(late)

    def _move(self, campaign: Campaign, k: int) -> None:
        record, policy, event = self._scores.get(k), campaign.trigger, self._fold.events[k]
        said = [each for each in record.scores if each.campaign == campaign.name] if record else []
        if not said or said[0].status != "ready" or policy is None:
            return
        level, last = level_of(policy, said[0]), self._last(campaign, event.customer, *MOVES)
        if last is not None and last.kind in {"entered", "waits"}:
            if level < policy.clear:
                kind = "exited" if last.kind == "entered" else "dropped"
                self._happens(campaign, kind, event.customer, event.at_ms, k)
            return
        before = self._last(campaign, event.customer, "entered")
        anew = before is None or before.scored < self._fold.controls.forgotten_before(k)
        rested = anew or before is None or event.at_ms - before.at_ms >= policy.cooldown_ms
        busy = any(self._fold.holds(clause, k) for clause in policy.unless)
        if not policy.wait_ms:
            busy |= self._is_limited(event.customer, event.at_ms, k)
        refused = self._fold.controls.has_refused(k)
        if level >= policy.when and rested and not busy and not refused:
            kind = "waits" if policy.wait_ms else "entered"
            self._happens(campaign, kind, event.customer, event.at_ms, k)


def level_of(policy: TriggerPolicy, said: ScoreEntry) -> float:
    """What a score says of the measure; a score that is ready has it."""
    level = getattr(said, policy.measure)
    assert isinstance(level, float)
    return level
