"""Timers said once more, slowly and plainly: which moments are scored, and what comes of them.

Owns: the moments of a whole log, and the log in which each stands before the event that passed it.
Never: a heap, a slot or an array.
Source: docs/campaigns.md, "On a timer"; ARCHITECTURE.md, "Time".
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from models.kernel_examples import mix
from models.plan import Limits
from models.wire import hash_text
from schemas.campaign import Campaign, CampaignFile
from schemas.control import FORGET
from tests.event_logs import LoggedEvent
from tests.naive_controls import NEVER, NaiveControls, is_control
from tests.naive_folds import Group, NaiveFold


class Moment(NamedTuple):
    """A customer is scored as of a moment for some campaigns, just before an event is applied."""

    event: int
    customer: str
    at_ms: int
    campaigns: tuple[str, ...]


def last_before(customer: str, every_ms: int, now_ms: int) -> int:
    """The last moment before now on the grid of a customer."""
    phase = hash_text(customer)[0] % every_ms
    return (now_ms - 1 - phase) // every_ms * every_ms + phase


def moments_of(fold: NaiveFold) -> list[Moment]:
    """All moments of a log, in the order of scoring."""
    timed = [c for c in fold.campaigns if c.is_timed]
    due: dict[str, dict[str, int]] = {event.customer: {} for event in fold.events}
    moments: list[Moment] = []
    for j, event in enumerate(fold.events):
        if is_control(event):
            if j in fold.obeyed and event.type == FORGET:
                due[event.customer] = {}
            continue
        now_ms, own = fold.clock[j], event.customer
        others = sorted(
            (min(times.values()), hash_text(who)[0], who)
            for who, times in due.items()
            if who != own and any(at_ms < now_ms for at_ms in times.values())
        )
        moments += _fired(fold, timed, due[own], own, j)
        chosen = [who for _, _, who in others[: fold.limits.timers_per_event_max]]
        theirs = [moment for who in chosen for moment in _fired(fold, timed, due[who], who, j)]
        moments += sorted(theirs, key=lambda one: (one.at_ms, hash_text(one.customer)[0]))
        if j in fold.taken:
            for campaign in timed:
                next_ms = last_before(own, campaign.score_every_ms, now_ms + 1)
                due[own].setdefault(campaign.name, next_ms + campaign.score_every_ms)
    alone = fold.controls.suppresses
    return [each for each in moments if not alone(each.customer, each.event, each.at_ms)]


def _fired(
    fold: NaiveFold, timed: Sequence[Campaign], due: dict[str, int], who: str, j: int
) -> list[Moment]:
    """The moments of one customer that event `j` passes; `due` is brought up to date."""
    now_ms = fold.clock[j]
    fired: list[tuple[int, str]] = []
    for campaign in timed:
        if due.get(campaign.name, NEVER) >= now_ms:
            continue
        at_ms = last_before(who, campaign.score_every_ms, now_ms)
        events = fold.events
        since = range(fold.controls.forgotten(who, j) + 1, j)
        known = [k for k in since if k in fold.taken and events[k].customer == who]
        seen_ms = max(events[k].at_ms for k in known)
        if at_ms - seen_ms > campaign.idle_max_ms:
            del due[campaign.name]
            continue
        due[campaign.name] = at_ms + campaign.score_every_ms
        fired.append((at_ms, campaign.name))
    order = [campaign.name for campaign in timed]
    fired.sort(key=lambda one: (one[0], order.index(one[1])))
    return [
        Moment(j, who, at_ms, tuple(name for _, name in names))
        for at_ms, names in groupby(fired, key=lambda one: one[0])
    ]


class NaiveTimedFold(NaiveFold):
    """Rows of a log with timers: a moment stands in it as an event that changes nothing.

    `offsets` says of each entry where it stands in the log that was given.
    """

    def __init__(self, file: CampaignFile, events: Sequence[LoggedEvent], limits: Limits) -> None:
        plain = NaiveFold(file, events, limits)
        self.moments: dict[int, Moment] = {}
        self.offsets: list[int] = []
        moments = moments_of(plain)
        log, clock = list[LoggedEvent](), list[int]()
        taken, obeyed = list[int](), list[int]()
        for j, event in enumerate(events):
            for moment in [moment for moment in moments if moment.event == j]:
                self.moments[len(log)] = moment
                log.append(LoggedEvent(moment.customer, "$timer", moment.at_ms, ""))
            taken += [len(log)] if j in plain.taken else []
            obeyed += [len(log)] if j in plain.obeyed else []
            log.append(event)
            added = len(log) - len(self.offsets)
            self.offsets += [j] * added
            clock += [plain.clock[max(0, j - 1)]] * (added - 1) + [plain.clock[j]]
        super().__init__(file, log, limits)
        self.clock, self.taken, self.obeyed = clock, taken, obeyed
        self.controls = NaiveControls(log, obeyed)

    def is_scored(self, i: int) -> bool:
        """A moment always is."""
        return i in self.moments or super().is_scored(i)

    def learns(self, campaign: Campaign, i: int) -> bool:
        """A moment opens examples of its campaigns, unless they say what they learn on."""
        if i in self.moments:
            return campaign.name in self.moments[i].campaigns and campaign.learn_on is None
        return super().learns(campaign, i)

    def hash_of(self, i: int) -> int:
        """Of a moment, its customer and time decide."""
        if i not in self.moments:
            return super().hash_of(i)
        customer, _ = hash_text(self.events[i].customer)
        return int(mix(np.uint64(customer) ^ mix(np.uint64(self.events[i].at_ms))))

    def _leaves(self, campaign: Campaign, group: Group, groups: Sequence[Group]) -> float:
        leaves = super()._leaves(campaign, group, groups)
        while leaves in self.moments:  # Rows leave with events.
            leaves += 1
        return leaves
