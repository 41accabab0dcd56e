"""Which rows of arms there should be, and what rows should say of arms, said plainly.

Owns: the rules of arms as questions to a log and to the triggers that it fires.
Never: a state that is updated.
Source: docs/campaigns.md, "What acting is worth".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.kernel_arms import is_held_out
from models.plan import Plan
from models.trigger_states import policies_of
from models.wire import hash_text
from schemas.campaign import Campaign
from schemas.example import Acted
from tests.naive_folds import NaiveFold, NaiveRow, deadline_of, text_of
from tests.naive_triggers import NaiveTrigger, NaiveTriggers


class NaiveOutcome(NamedTuple):
    """The row of a customer's first trigger."""

    campaign: str
    customer: str
    at_ms: int
    acted: Acted
    label: float


class NaiveArms:
    """Arms of a whole log, at whose end everything has closed."""

    def __init__(self, plan: Plan, fold: NaiveFold, triggers: NaiveTriggers) -> None:
        self._plan, self._fold, self._triggers = plan, fold, triggers

    def arm(self, campaign: Campaign, customer: str) -> Acted:
        """The arm of a customer, whatever he does."""
        if campaign.trigger is None or not campaign.trigger.hold_out:
            return "none"
        policies = policies_of(self._plan)
        place = policies.of_campaign[self._plan.campaigns.index(campaign.name)]
        held = is_held_out(policies, place, np.uint64(hash_text(customer)[0]))
        return "held_out" if held else "acted"

    def entries(self, campaign: Campaign, customer: str) -> list[NaiveTrigger]:
        """How often a customer entered."""
        return [
            each
            for each in self._triggers.fired
            if (each.campaign, each.customer, each.kind) == (campaign.name, customer, "entered")
        ]

    @property
    def outcomes(self) -> list[NaiveOutcome]:
        """One row for each customer and campaign with arms; who was forgotten is somebody new.

        Of who is forgotten before it closes, there is none.
        """
        found: list[NaiveOutcome] = []
        for campaign in self._fold.campaigns:
            for customer in sorted({event.customer for event in self._fold.events}):
                arm = self.arm(campaign, customer)
                first: dict[int, NaiveTrigger] = {}
                for entry in self.entries(campaign, customer) if arm != "none" else ():
                    first.setdefault(self._forgotten(customer, self.event_of(entry)), entry)
                for forgotten, entry in first.items():
                    deadline = self._deadline(campaign, entry)
                    if self._forgotten(customer, self._closed(deadline)) == forgotten:
                        label = self._label(campaign, entry, deadline)
                        found.append(NaiveOutcome(campaign.name, customer, entry.at_ms, arm, label))
        return found

    def _forgotten(self, customer: str, k: int) -> int:
        return self._fold.controls.forgotten(customer, k)

    def _closed(self, deadline: float) -> int:
        """The event that closes a row."""
        due = deadline + self._fold.limits.lateness_ms
        return next(k for k, clock_ms in enumerate(self._fold.clock) if clock_ms > due)

    def _deadline(self, campaign: Campaign, entry: NaiveTrigger) -> float:
        fold, goal = self._fold, campaign.goal
        scored = fold.events[entry.scored]
        deadline = float(entry.at_ms + campaign.horizon_ms)
        if goal.until is not None:
            end = deadline_of(scored.properties.get(goal.until))
            bound = min(scored.at_ms + campaign.horizon_ms, max(end, scored.at_ms))
            if bound < scored.at_ms + campaign.horizon_ms:
                deadline = min(deadline, max(bound, entry.at_ms))
        return deadline

    def _label(self, campaign: Campaign, entry: NaiveTrigger, deadline: float) -> float:
        fold, goal = self._fold, campaign.goal
        total, answer = 0.0, None
        for k in range(self.event_of(entry), self._closed(deadline)):
            other = fold.events[k]
            inside = entry.at_ms <= other.at_ms <= deadline and k > entry.scored
            if not inside or other.type in fold.file.events.ignore or k not in fold.taken:
                continue
            if other.customer != entry.customer or not self._same(goal.match, entry, k):
                continue
            late_enough = other.at_ms - entry.at_ms >= goal.after_ms
            is_goal = late_enough and fold.meets(goal.clauses, k) and not any(
                self._same((key,), entry, k) for key in goal.not_same
            )  # fmt: skip
            if goal.lost is not None and answer is None:
                if is_goal or fold.meets([goal.lost], k):
                    answer = is_goal
            elif is_goal:
                total += (other.value or 0.0) if campaign.predict == "value" else 1.0
        if goal.lost is not None:
            return float(bool(answer))
        if campaign.predict == "value":
            return max(0.0, total)
        return float((total > 0.0) != goal.absence)

    def _same(self, keys: tuple[str, ...], entry: NaiveTrigger, k: int) -> bool:
        """Whether an event carries these values of the scored one."""
        scored, other = self._fold.events[entry.scored].properties, self._fold.events[k].properties
        return all(key in other and text_of(other[key]) == text_of(scored.get(key)) for key in keys)

    def event_of(self, entry: NaiveTrigger) -> int:
        """The event at which a customer entered: the scored one, or who let the wait end."""
        return self._triggers._entered_at(entry, len(self._fold.events) - 1)

    def acted(self, row: NaiveRow) -> Acted:
        """What a row says: of the last entry when it was scored, and of any while it was open."""
        campaign = self._fold.file.campaigns[row.campaign]
        scored = self._fold.events[row.event]
        forgotten = self._forgotten(scored.customer, row.event)
        entries = [each for each in self.entries(campaign, scored.customer)
                   if self.event_of(each) > forgotten]  # fmt: skip
        when = [self.event_of(each) for each in entries]
        before = [each for each, at in zip(entries, when, strict=True) if at <= row.event]
        # A wait ends before rows close, a score decides afterwards.
        since = [
            each
            for each, at in zip(entries, when, strict=True)
            if row.event < at < row.closed or (at == row.closed and each.scored != at)
        ]
        deadline = self._fold.deadline(campaign, row.event)
        touched = any(
            each.at_ms <= deadline and scored.at_ms <= each.at_ms + campaign.horizon_ms
            for each in (*before[-1:], *since)
        )
        return self.arm(campaign, scored.customer) if touched else "none"
