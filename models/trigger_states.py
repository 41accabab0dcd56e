"""What the scorer fold knows of triggers, as arrays: policies, who is in, what a batch decided.

Owns: the shapes of the policies of a plan, of the states of customers and of what was fired.
Never: a decision; models.kernel_triggers has those.
Source: a slot is a row of the profiles and of the states; T campaigns have a trigger.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from models.plan import F8, I4, I8, U1, U8, Plan
from models.records import Records
from models.state import B1
from models.told_states import Telling, Told
from schemas.campaign import digest
from schemas.trigger import TriggerKind
from schemas.trigger_policy import MEASURES, TriggerPolicy

OUT, IN, SETTLED, WAITING = 0, 1, 2, 3  # A settled one is in, and its goal was reached or lost.
ENTERED, EXITED, CONVERTED = 0, 1, 2
UNTOUCHED, ACTED, HELD_OUT = 0, 1, 2  # The arms, and the rows that no entry has touched.
KINDS: Final[tuple[TriggerKind, ...]] = ("entered", "exited", "converted")
PERCENTILE, PROBABILITY = 0, 1  # Positions among MEASURES; the third is the value served.
NOT_READY, COOLDOWN, UNLESS, ANSWERED, CLEARED, FORGOTTEN, SILENCED, NO_CONSENT = range(8)
CONTACT_LIMIT = 8
REASONS: Final = (
    *("not_ready", "cooldown", "unless", "answered", "cleared", "forgotten", "suppressed"),
    *("consent", "contact_limit"),
)
"""Why a customer did not enter whose score was high enough, by these numbers."""
WAITS_ENDED_MAX: Final = 64  # By one event, of one campaign; the rest follow with the next events.
APART: Final = np.uint64(0x9E3779B97F4A7C15)  # Tells apart what a score says of two campaigns.


class Policies(NamedTuple):
    """The trigger sections of a campaign file as the compiled loop reads them."""

    of_campaign: I4  # [campaign] position among those that have one, or -1
    campaign: I4  # [T] and back
    measure: I8  # [T] position among MEASURES
    when: F8  # [T]
    clear: F8  # [T]
    cooldown_ms: I8  # [T]
    wait_ms: I8  # [T]
    held_seed: U8  # [T] what makes the held-out customers of two campaigns independent
    held_below: U8  # [T] of 2^64: a customer whose hash is below is held out; 0: no arms


class States(NamedTuple):
    """One row per customer slot. A row of zeros is out, and never was in."""

    entered_at: I8  # [slot, T]
    due_ms: I8  # [slot, T] when a customer who waits enters
    score_at: I8  # [slot, T] of the score with which the customer entered, like all that follows
    deadline_ms: I8  # [slot, T] the last moment at which a goal counts
    score_one: U8  # [slot, T] 128 bits that name the score
    score_two: U8
    served: F8  # [slot, T]
    probability: F8
    percentile: F8
    version: I8
    keys: U8  # [slot, T, key] of the scored event
    after: I4  # [slot, T] slot + 1 of who waits behind, 0 where nobody does
    before: I4  # [slot, T] and of who waits in front
    phase: B1  # [slot, T] OUT, IN, SETTLED or WAITING


class Said(NamedTuple):
    """What a score said, and which one it is."""

    one: np.uint64
    two: np.uint64
    at_ms: int
    served: float
    probability: float
    percentile: float
    version: int


class SaidBefore(NamedTuple):
    """What was served of events that are folded again, by score and campaign.

    Of equal keys the last one said comes last.
    """

    key: U8  # sorted
    served: F8
    probability: F8
    percentile: F8
    version: I8
    status: U1


class Fired(NamedTuple):
    """The triggers of a batch, in the order in which they were decided."""

    total: I8  # [1] how many there are
    withheld: I8  # [T, reason] how many were not sent
    closed: I8  # [campaign] how many rows of arms the event in hand has closed so far
    policy: I4  # [n] position among the policies
    kind: I4  # ENTERED, EXITED or CONVERTED
    slot: I4  # of the customer
    held_out: B1
    at_ms: I8
    score_one: U8
    score_two: U8
    score_at: I8
    served: F8
    probability: F8
    percentile: F8
    version: I8


class Triggers(NamedTuple):
    """All that the compiled loop needs to decide whom to act on, and what is published."""

    policies: Policies
    states: States
    queues: I4  # [T, 2] slot + 1 of who waits first and last, 0 where nobody does
    before: SaidBefore
    is_again: bool  # Whether what was served before decides, and not the scores of the loop.
    fired: Fired
    telling: Telling
    told: Told


def policies_of(plan: Plan) -> Policies:
    """The policies of a plan, in the order of its campaigns."""
    found = [
        (index, campaign.name, campaign.trigger)
        for index, campaign in enumerate(plan.file.campaigns.values())
        if campaign.trigger is not None
    ]
    of_campaign = np.full(len(plan.campaigns), -1, np.int32)
    for place, (index, _, _) in enumerate(found):
        of_campaign[index] = place
    own: list[TriggerPolicy] = [policy for _, _, policy in found]
    return Policies(
        of_campaign=of_campaign,
        campaign=np.array([index for index, _, _ in found], np.int32),
        measure=np.array([MEASURES.index(policy.measure) for policy in own], np.int64),
        when=np.array([policy.when for policy in own], np.float64),
        clear=np.array([policy.clear for policy in own], np.float64),
        cooldown_ms=np.array([policy.cooldown_ms for policy in own], np.int64),
        wait_ms=np.array([policy.wait_ms for policy in own], np.int64),
        # By the name alone: who is held out stays so when the goal or the features change.
        held_seed=np.array([int(digest({"hold out of": name}), 16) for _, name, _ in found],
                           np.uint64),
        held_below=np.array([int(policy.hold_out * (1 << 64)) for policy in own], np.uint64),
    )  # fmt: skip


def new_states(plan: Plan, policies: Policies) -> Records[States]:
    """An empty store for the customers of one partition; it stays small without a trigger."""
    width = (max(1, len(policies.campaign)),)
    return Records(
        States,
        {
            **dict.fromkeys(("entered_at", "due_ms", "score_at", "deadline_ms"), (np.int64, width)),
            **dict.fromkeys(("score_one", "score_two"), (np.uint64, width)),
            **dict.fromkeys(("served", "probability", "percentile"), (np.float64, width)),
            "version": (np.int64, width),
            "keys": (np.uint64, (*width, max(1, len(plan.keys)))),
            **dict.fromkeys(("after", "before"), (np.int32, width)),
            "phase": (np.int8, width),
        },
    )


def new_waiting(policies: Policies) -> I4:
    """Nobody who waits, of any policy."""
    return np.zeros((len(policies.campaign), 2), np.int32)


def more_fired(triggers: Triggers, events: int, scores: int) -> Fired:
    """Room for so many events and scores more; what was fired stays.

    An event converts and ends waits, a score lets in or out. Somebody may wait since another
    campaign file.
    """
    policies, fired = triggers.policies, triggers.fired
    waits = (policies.wait_ms > 0) | (triggers.queues[:, 0] > 0)
    count, waiting, used = len(policies.campaign), int(waits.sum()), int(fired.total[0])
    room = used + events * (count + WAITS_ENDED_MAX * waiting) + scores if count else 0
    if room <= len(fired.slot):
        return fired
    more = new_fired(policies, room)
    for name in set(Fired._fields) - {"total", "withheld", "closed"}:
        getattr(more, name)[:used] = getattr(fired, name)[:used]
    return more._replace(total=fired.total, withheld=fired.withheld, closed=fired.closed)


def outcomes_room(policies: Policies, scores: int) -> int:
    """How many rows of arms to have room for beside so many scores: theirs, and of ended waits.

    That is more than one event can open: models.kernel_arms asks before each.
    """
    measured = int(np.count_nonzero(policies.held_below))
    return scores + WAITS_ENDED_MAX * 16 * measured if measured else 0


def new_fired(policies: Policies, room: int = 0) -> Fired:
    """Nothing fired, and room for so much."""
    count = len(policies.campaign)
    return Fired(
        total=np.zeros(1, np.int64),
        withheld=np.zeros((count, len(REASONS)), np.int64),
        closed=np.zeros(len(policies.of_campaign), np.int64),
        policy=np.empty(room, np.int32),
        kind=np.empty(room, np.int32),
        slot=np.empty(room, np.int32),
        held_out=np.empty(room, np.int8),
        at_ms=np.empty(room, np.int64),
        score_one=np.empty(room, np.uint64),
        score_two=np.empty(room, np.uint64),
        score_at=np.empty(room, np.int64),
        served=np.empty(room),
        probability=np.empty(room),
        percentile=np.empty(room),
        version=np.empty(room, np.int64),
    )


NOTHING_SAID: Final = SaidBefore(
    key=np.zeros(0, np.uint64),
    served=np.zeros(0),
    probability=np.zeros(0),
    percentile=np.zeros(0),
    version=np.zeros(0, np.int64),
    status=np.zeros(0, np.uint8),
)
