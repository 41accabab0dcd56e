"""The campaign file that comes after a seed's own, and how it comes to every worker.

Owns: drawing the change, and the rollout: one worker after the other, stopped or killed for it.
Never: knows what a change does to folds or learners; `histories` and `checks` do.
Source: docs/contract.md, "Changing the campaign file".
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from consumer.campaign_topics import known_learners, remove
from consumer.memory_transport import MemoryTransport
from models.plan import Plan
from tests.simulation.quiet_sections import with_quiet
from tests.simulation.traffic import FILES, Traffic, compiled
from tests.simulation.trigger_sections import changed_section, with_triggers

if TYPE_CHECKING:
    from tests.simulation.group_life import GroupLife

CHANGES_SHARE = 0.3
CHANGED_TIMERS_SHARE = 0.3
WAITS_TICKS = 3
ADDED = """\
  carts:
    goal: {event: cart_add}
    horizon: 2h
    rate: 20%
    score_on: [page_view, purchase]
    example_interval: 0s
    features: {half_lives: [6h, all], categories: [coupon]}
"""
Edits = tuple[tuple[str, str], ...]
EDITS: tuple[dict[str, Edits], ...] = (
    {
        "goal": (("horizon: 4h", "horizon: 5h"),),
        "features": (("[1h, 1d, all]", "[1h, 6h, all]"),),
        "harmless": (("page_view, cart_add]", "page_view]"), ("2h", "1h"), ("10%", "10%  # so")),
        "eligible": (("within: 2h", "within: 3h"), ("is: [app, web]", "is: [app]")),
        "removed": ((FILES[0][FILES[0].index("  click-1h") :], ""),),
        "added": (),
    },
    {
        "goal": (("after: 2m", "after: 3m"),),
        "features": (("{event: page_view, by: channel}", "{event: page_view, by: coupon}"),),
        "harmless": (("score_on: [page_view, offer]", "score_on: [page_view, cart_add]"),),
        "eligible": (("purchase, within: 1d", "page_view, within: 4h"), ("B,", "A,")),
        "removed": ((FILES[1][FILES[1].index("  redeem") :], ""),),
        "added": (),
    },
    {
        "goal": (("any_of: [{event: purchase}, {event: email_click}]", "event: purchase"),),
        "features": (("categories: [channel], half_lives: [1h, all]", "half_lives: [1h, 1d]"),),
        "harmless": (
            ("[page_view]\n    learn", "[page_view, cart_add]\n    learn"),
            ("1h\n", "2h\n"),
        ),
        "eligible": (("last: coupon, is: A", "event: refusal, within: 2h"),),
        "removed": ((FILES[2][FILES[2].index("  buy-2h") :], ""),),
        "added": (),
    },
)


def changed(file: int, draws: random.Random) -> str:
    """The text of a campaign file after one or two changes."""
    text = FILES[file]
    kinds = draws.sample(sorted(EDITS[file]), draws.choice((1, 1, 2)))
    for kind in kinds:
        for old, new in EDITS[file][kind]:
            text = text.replace(old, new)
    return text + ADDED if "added" in kinds or text.endswith("campaigns:\n") else text


class ChangedFile:
    """The change of a seed's campaign file, if it has one.

    `plans` are the file before and, if there is a change, after it. Whoever starts is given the
    newer one as soon as it has come to his host.
    """

    def __init__(self, seed: int, traffic: Traffic, names: tuple[str, ...]) -> None:
        self._draws = draws = random.Random(f"{seed}/changed file")
        self.plans: list[Plan] = [traffic.plan]
        self._left = draws.sample(names, len(names))
        self._from_tick = draws.randrange(traffic.records[-1].tick + 20)
        self._odds = draws.choice((0.05, 0.2, 1.0))
        self._kills = draws.choice((0.0, 0.3, 1.0))
        self._done_at: int | None = None
        if draws.random() < CHANGES_SHARE:
            text = with_triggers(
                traffic.with_timers(changed(traffic.file, draws)), changed_section(seed)
            )
            if random.Random(f"{seed}/changed timers").random() < CHANGED_TIMERS_SHARE:
                text = text.replace("score_every: 40m", "score_every: 25m")
            text = with_quiet(text, quiet=traffic.quiet)
            self.plans.append(compiled(text, tight=traffic.tight))
        self.removed: set[str] = set()  # Of the campaigns, by the operator, when all is rolled out.

    @property
    def is_planned(self) -> bool:
        """Whether the file changes in this seed."""
        return len(self.plans) > 1

    def of(self, name: str) -> int:
        """Which of `plans` a worker of this name starts with."""
        return int(self.is_planned and name not in self._left)

    def turn(self, life: GroupLife) -> None:
        """Between two ticks: perhaps the file comes to the next host."""
        if not self.is_planned or life.ticks < self._from_tick:
            return
        if self._left and self._draws.random() < self._odds:
            self._roll_out(life, kills=self._draws.random() < self._kills)
        if not self._left and self._done_at is None:
            self._done_at = life.ticks
        if self._done_at is not None and life.ticks >= self._done_at + WAITS_TICKS:
            self._remove(life)

    def complete(self, life: GroupLife) -> None:
        """Bring the file to everybody who does not have it."""
        self._from_tick = 0
        while self.is_planned and self._left:
            self._roll_out(life, kills=False)

    def _roll_out(self, life: GroupLife, *, kills: bool) -> None:
        name = self._left.pop()
        life.note(f"the newer campaign file comes to {name}")
        life.seen.add("changed file")
        if name in life.living:
            (life.bury if kills else life.stop)(name)

    def _remove(self, life: GroupLife) -> None:
        """What `propensity campaigns remove` does, once nobody has the campaigns any more."""
        gone = set(self.plans[0].campaigns) - set(self.plans[1].campaigns) - self.removed
        topics = life.settings.topics
        for campaign in sorted(gone):
            self.removed.add(campaign)
            transport = MemoryTransport(
                life.log, group=life.settings.group, instance="operator", clock=life.clock
            )
            known = known_learners(transport, topics)
            records = [held for each in known if each.campaign == campaign for held in each.records]
            with life.odds.none():
                remove(transport, topics, records, whole=True)
            life.note(f"{campaign} is removed")
            life.seen.add("removed campaign")
