"""What is said of a customer, and how often, in the compiled loop.

Owns: which entry of a score is published, and whether a customer may be triggered once more.
Never: computes a score, or decides on a trigger but by the limit for all campaigns together.
Source: docs/campaigns.md, "Publishing changes only" and "A limit for all campaigns".
"""

from __future__ import annotations

from models.batch import NO_PERCENTILE, STATUSES, EventColumns, ScoreColumns
from models.compiled import inlined
from models.kernel_record import BAND_HIGH_FROM, BAND_MEDIUM_FROM
from models.kernel_said import UNSAID, key_of, said_before
from models.told_states import Telling, Told
from models.trigger_states import Triggers

STATUS_COUNT = len(STATUSES)


@inlined
def is_limited(telling: Telling, told: Told, slot: int, at_ms: int) -> bool:
    """Whether a customer has entered as often as may be within the window up to a moment.

    What is later than the moment, since events may come late, counts as within it.
    """
    if telling.contacts_max == 0:
        return False
    first_ms = told.contacts[slot, 0]
    for place in range(1, telling.contacts_max):
        first_ms = min(first_ms, told.contacts[slot, place])
    return bool(at_ms - first_ms < telling.within_ms)


@inlined
def note_contact(telling: Telling, told: Told, slot: int, at_ms: int) -> None:
    """Remember that a customer entered, in place of the earliest that is remembered."""
    if telling.contacts_max == 0:
        return
    first = 0
    for place in range(1, telling.contacts_max):
        if told.contacts[slot, place] < told.contacts[slot, first]:
            first = place
    told.contacts[slot, first] = at_ms


@inlined
def forget_told(telling: Telling, told: Told, slot: int) -> None:
    """Remember nothing of what was said of the customer of a slot."""
    for place in range(telling.contacts_max):
        told.contacts[slot, place] = 0
    for place in range(telling.share.shape[0]):
        told.served[slot, place] = 0.0
        told.words[slot, place] = 0


@inlined
def words_of(percentile: float, status: int) -> int:
    """Band and status of a score as one number above 0."""
    band = 0
    if percentile != NO_PERCENTILE:
        band = 1 + int(percentile >= BAND_MEDIUM_FROM) + int(percentile >= BAND_HIGH_FROM)
    return 1 + band * STATUS_COUNT + int(status)


@inlined
def publish(
    triggers: Triggers,
    campaign: int,
    slot: int,
    events: EventColumns,
    row: int,
    scores: ScoreColumns,
    m: int,
    needed: bool,
    catching_up: bool,
) -> bool:
    """Whether an entry leaves, whose customer is then told what it says.

    One that is `needed` does, as its example or its trigger is made again from it. Folded again,
    what was published in its time was told; and of history nothing is.
    """
    telling, told = triggers.telling, triggers.told
    place = telling.of_campaign[campaign]
    if place < 0:
        return True
    served, words = scores.served[m], words_of(scores.percentile[m], scores.status[m])
    if triggers.is_again:
        before = triggers.before
        found = said_before(before, key_of(events.score_hash[row, 0], campaign))
        if found == UNSAID:
            return True
        served = before.served[found]
        words = words_of(before.percentile[found], before.status[found])
    elif catching_up:
        return True
    elif not needed and told.words[slot, place] == words:
        last = told.served[slot, place]
        if abs(served - last) <= telling.share[place] * abs(last):
            scores.published[m] = 0
            return False
    told.served[slot, place] = served
    told.words[slot, place] = words
    return True
