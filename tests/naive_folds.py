"""What a scorer should give, said once more as slowly and plainly as possible.

Owns: rows and features as functions of a whole log held in a list; every question is asked anew.
Never: a counter that is updated, a queue, a heap or an array.
Source: docs/campaigns.md and ARCHITECTURE.md, the rules of time and of examples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.kernel_examples import one_in
from models.plan import Limits
from models.state import NEVER_MS
from models.wire import hash_text
from schemas.campaign import Campaign, CampaignFile
from schemas.clauses import Clause
from schemas.customer_clauses import CustomerClause
from schemas.times import DAY_MS, parse_time
from tests.event_logs import LoggedEvent
from tests.naive_controls import NEVER, NaiveControls, is_control

WEIGHT_MAX = 10


@dataclass(frozen=True)
class NaiveRow:
    """A row that should have left: of the event at `event`, closed by the event at `closed`."""

    campaign: str
    event: int
    closed: int
    index: int
    label: float
    weight: float


@dataclass
class Group:
    """The candidates of one interval: at which event each was chosen, and how many came."""

    start_ms: int
    chosen: list[int]
    candidates: int = 1

    def chosen_before(self, event: int) -> int | None:
        """The example of the group just before an event is scored."""
        earlier = [index for index in self.chosen if index < event]
        return earlier[-1] if earlier else None


def text_of(value: object) -> str | None:
    """A property as text: numbers that are equal have one text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    assert isinstance(value, (int, float))
    return f"{value:.15g}"


def deadline_of(value: object) -> float:
    """A deadline in milliseconds; what is no time is none."""
    if isinstance(value, str):
        try:
            return parse_time(value)
        except ValueError:
            return NEVER
    return value if isinstance(value, (int, float)) else NEVER


class NaiveFold:
    """Rows of a whole log. Limits are taken as never hit, but for the closings per event."""

    def __init__(self, file: CampaignFile, events: Sequence[LoggedEvent], limits: Limits) -> None:
        self.file, self.events, self.limits = file, events, limits
        self.campaigns = list(file.campaigns.values())
        times = [NEVER_MS if is_control(event) else event.at_ms for event in events]
        self.clock = [max(times[: i + 1]) for i in range(len(events))]
        self.taken: list[int] = []
        self.obeyed: list[int] = []  # Control facts; they are no events of their customers.
        for i, event in enumerate(events):
            if not self._seen(i):
                (self.obeyed if is_control(event) else self.taken).append(i)
        self.controls = NaiveControls(events, self.obeyed)

    def _seen(self, i: int) -> bool:
        """Whether an earlier event of this customer had the same id, less than a day before."""
        same = (self.events[i].customer, self.events[i].event_id)
        return any(
            (self.events[k].customer, self.events[k].event_id) == same
            and self.clock[k] >= self.clock[i] - self.limits.seen_ms
            for k in (*self.taken, *self.obeyed)
        )

    def is_scored(self, i: int) -> bool:
        """Whether an event is neither a duplicate nor late, and its customer not suppressed."""
        return i in self.taken and not self.is_late(i) and not self.controls.is_suppressed(i)

    def is_late(self, i: int) -> bool:
        """Whether an event is late."""
        return self.events[i].at_ms < self.clock[i] - self.limits.lateness_ms

    def history(self, i: int) -> list[int]:
        """The facts of a customer up to an event; what is ignored is a question, and no fact."""
        events, ignore = self.events, self.file.events.ignore
        first, customer = self.controls.forgotten_before(i), events[i].customer
        mine = (k for k in self.taken if first < k <= i and events[k].customer == customer)
        return [k for k in mine if events[k].type not in ignore]

    def last_known(self, name: str, i: int) -> str | None:
        """The last value of a property that a customer's facts had, up to an event."""
        known = [k for k in self.history(i) if text_of(self.events[k].properties.get(name))]
        last = max(known, key=lambda k: (self.events[k].at_ms, k), default=None)
        return None if last is None else text_of(self.events[last].properties[name])

    def holds(self, clause: CustomerClause, i: int) -> bool:
        """Whether a clause holds for the customer of an event, at its time, with all known then."""
        if clause.event is None:
            assert clause.last is not None
            return self.last_known(clause.last, i) in map(text_of, clause.values)
        happened = [k for k in self.history(i) if self.meets([clause.event], k)]
        if clause.within_ms is None:
            return not happened
        since_ms = self.events[i].at_ms - clause.within_ms
        return any(self.events[k].at_ms >= since_ms for k in happened)

    def is_wanted(self, campaign: Campaign, i: int) -> bool:
        """Whether a campaign wants a score for an event that is neither a duplicate nor late."""
        return self.is_scored(i) and self.is_asked_for(campaign, i)

    def is_asked_for(self, campaign: Campaign, i: int) -> bool:
        """Whether a campaign asks for an event, whatever is known of its customer."""
        return self.meets((*campaign.score_on, *(campaign.learn_on or ())), i)

    def is_eligible(self, campaign: Campaign, i: int) -> bool:
        """Whether all clauses of `for` hold."""
        return all(self.holds(clause, i) for clause in campaign.eligible)

    def learns(self, campaign: Campaign, i: int) -> bool:
        """Whether an event is scored as one from which a campaign takes examples."""
        return self.is_scored(i) and self.meets(campaign.learn_on or campaign.score_on, i)

    def hash_of(self, i: int) -> int:
        """What decides of an event's chances."""
        event = self.events[i]
        return hash_text(event.event_id, *hash_text(event.customer))[0]

    def meets(self, clauses: Sequence[Clause], i: int) -> bool:
        """Whether an event is meant by one of the clauses."""
        event = self.events[i]
        value = math.nan if event.value is None else float(event.value)
        return any(clause.meets(event.type, value, event.properties) for clause in clauses)

    def deadline(self, campaign: Campaign, i: int) -> float:
        """The last moment at which a goal counts for the example of an event."""
        event = self.events[i]
        deadline = float(event.at_ms + campaign.horizon_ms)
        if campaign.goal.until is not None:
            end = deadline_of(event.properties.get(campaign.goal.until))
            deadline = min(deadline, max(end, event.at_ms))
        return deadline

    def due(self, campaign: Campaign, i: int) -> float:
        """The clock beyond which the example of an event closes."""
        return self.deadline(campaign, i) + self.limits.lateness_ms

    def passed(self, campaign: Campaign, i: int) -> float:
        """The first event at which the clock has passed the example of event `i`."""
        due = self.due(campaign, i)
        return next((j for j in range(i + 1, len(self.events)) if self.clock[j] > due), NEVER)

    def _within(self, campaign: Campaign, i: int, k: int) -> bool:
        scored, other = self.events[i], self.events[k]
        return (
            k in self.taken
            and k < self.controls.withdrawn(i)
            and other.customer == scored.customer
            and scored.at_ms <= other.at_ms <= self.deadline(campaign, i)
            and all(
                text_of(other.properties.get(key)) == text_of(scored.properties.get(key))
                and key in other.properties
                for key in campaign.goal.match
            )
        )

    def is_goal(self, campaign: Campaign, i: int, k: int) -> bool:
        """Whether event `k`, later in the log, is the goal of the example of event `i`."""
        scored, other = self.events[i], self.events[k]
        return (
            self._within(campaign, i, k)
            and self.meets(campaign.goal.clauses, k)
            and other.at_ms - scored.at_ms >= campaign.goal.after_ms
            and not any(
                key in other.properties
                and text_of(other.properties[key]) == text_of(scored.properties.get(key))
                for key in campaign.goal.not_same
            )
        )

    def settled(self, campaign: Campaign, i: int) -> float:
        """The event that settles the example of event `i`."""
        passed = self.passed(campaign, i)
        if campaign.goal.lost is None:
            return passed
        answers = (
            k
            for k in range(i + 1, len(self.events))
            if self.is_goal(campaign, i, k)
            or (self._within(campaign, i, k) and self.meets([campaign.goal.lost], k))
        )
        return min(passed, next(answers, NEVER))

    def label(self, campaign: Campaign, i: int, closed: int) -> float:
        """What the goals between the scored event and the closing make of an example."""
        if campaign.goal.lost is not None:
            settled = int(self.settled(campaign, i))
            by_answer = settled < self.passed(campaign, i)
            return float(by_answer and self.is_goal(campaign, i, settled))
        hits = [k for k in range(i + 1, closed) if self.is_goal(campaign, i, k)]
        if campaign.predict == "value":
            return max(0.0, math.fsum(self.events[k].value or 0.0 for k in hits))
        return float(bool(hits) != campaign.goal.absence)

    def _joins(self, campaign: Campaign, group: Group, i: int) -> bool:
        chosen, event = group.chosen[-1], self.events[i]
        return (
            self.events[chosen].customer == event.customer
            and self.settled(campaign, chosen) > i
            and self.controls.withdrawn(chosen) > i
            and event.at_ms < group.start_ms + campaign.example_interval_ms
            and all(
                text_of(event.properties.get(key))
                == text_of(self.events[chosen].properties.get(key))
                for key in campaign.goal.match
            )
        )

    def groups(self, campaign: Campaign) -> list[Group]:
        """The intervals of a campaign, in the order in which they began."""
        groups: list[Group] = []
        seed = np.uint64(int(campaign.lineage, 16))
        for i, event in enumerate(self.events):
            if not self.learns(campaign, i):
                continue
            if not self.is_eligible(campaign, i):
                continue
            joined = [g for g in reversed(groups) if self._joins(campaign, g, i)]
            if not joined or campaign.example_interval_ms == 0:
                groups.append(Group(event.at_ms, [i]))
                continue
            group = joined[0]
            group.candidates += 1
            if one_in(np.uint64(self.hash_of(i)), seed, np.uint64(group.candidates)):
                group.chosen.append(i)
        return groups

    def _leaves(self, campaign: Campaign, group: Group, groups: Sequence[Group]) -> float:
        """The event at which a row leaves: of two reported answers, in the order of scoring."""
        mine = group.chosen[-1]
        first = self.settled(campaign, mine)
        gone = self.controls.withdrawn(mine)
        if campaign.goal.lost is None or first == NEVER:
            return first if first < gone else NEVER
        for j in range(int(first), int(min(gone, len(self.events)))):
            before = [g.chosen_before(j) for g in groups]
            waits = [i for i in before if i is not None and i < mine]
            done = [min(self.settled(campaign, i), self.controls.withdrawn(i)) <= j for i in waits]
            if all(done) and not is_control(self.events[j]):
                return j
        return NEVER

    @cached_property
    def rows(self) -> list[NaiveRow]:
        """All rows, in the order of leaving."""
        leaving: list[tuple[float, bool, tuple[float, ...], Campaign, Group]] = []
        for number, campaign in enumerate(self.campaigns):
            groups = self.groups(campaign)
            two = campaign.goal.lost is not None
            for group in groups:
                i = group.chosen[-1]
                order = (number, i) if two else (self.due(campaign, i), i, number)
                leaves = self._leaves(campaign, group, groups)
                leaving.append((leaves, two, order, campaign, group))
        rows: list[NaiveRow] = []
        waiting = sorted(leaving, key=lambda leave: leave[:3])
        assert self.limits.closes_per_event_max > len(waiting), "see `rows_one_by_one`"
        last, index = NEVER, 0
        for leaves, _, _, campaign, group in waiting:
            if leaves == NEVER:
                break
            index = index + 1 if leaves == last else 0
            last = leaves
            rows.append(self._row(campaign, group, int(leaves), index))
        return rows

    def _row(self, campaign: Campaign, group: Group, closed: int, index: int) -> NaiveRow:
        i = group.chosen[-1]
        label = self.label(campaign, i, closed)
        weight = float(min(group.candidates, WEIGHT_MAX))
        return NaiveRow(campaign.name, i, closed, index, label, weight)

    @cached_property
    def rows_queued(self) -> list[NaiveRow]:
        """All rows where an event closes only so many; every score is an example, no `lost`."""
        assert all(c.example_interval_ms == 0 and not c.goal.lost for c in self.campaigns)
        numbered = list(enumerate(self.campaigns))
        open_ones = [
            (self.due(c, g.chosen[-1]), g.chosen[-1], n, g) for n, c in numbered
            for g in self.groups(c)
        ]  # fmt: skip
        rows: list[NaiveRow] = []
        for j in range(len(self.events)):
            if is_control(self.events[j]):
                open_ones = [one for one in open_ones if self.controls.withdrawn(one[1]) != j]
                continue
            due = [one for one in open_ones if one[0] < self.clock[j] and one[1] < j]
            due.sort(key=lambda one: one[:3])
            for index, one in enumerate(due[: self.limits.closes_per_event_max]):
                open_ones.remove(one)
                rows.append(self._row(self.campaigns[one[2]], one[3], j, index))
        return rows


def decayed(age_ms: float, half_life_ms: int | None) -> float:
    """What is left of 1 after an age."""
    return 1.0 if half_life_ms is None else 0.5 ** (age_ms / half_life_ms)


def log_of(value: float) -> float:
    """The scale of counts and values."""
    return math.copysign(min(math.log1p(abs(value)), 20.0), value)


def days_of(duration_ms: float) -> float:
    """The scale of durations."""
    return math.log1p(min(duration_ms / DAY_MS, 400.0))
