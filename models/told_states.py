"""What was said to customers and to whoever acts on them, as arrays: the last scores, the contacts.

Owns: the shapes of what a plan asks of publishing, and of what is kept of each customer for it.
Never: a decision; models.kernel_told has those.
Source: a slot is a row of the profiles and of these; P campaigns publish changes only, and a
    customer has n triggers at most within a window.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.plan import F8, I4, I8, Plan
from models.records import Records
from models.state import B1


class Telling(NamedTuple):
    """What a campaign file says of publishing, as the compiled loop reads it."""

    of_campaign: I4  # [campaign] position among those that publish changes only, or -1
    share: F8  # [P] the relative change of a prediction beyond which it is published
    contacts_max: int  # n; 0 where there is no limit
    within_ms: int


class Told(NamedTuple):
    """One row per customer slot. A row of zeros was told nothing and never entered."""

    contacts: I8  # [slot, n] when the customer entered, the last n times, in no order; 0 is never
    served: F8  # [slot, P] probability (or value) that was published last
    words: B1  # [slot, P] its band and status as one number; 0 where nothing was published


def telling_of(plan: Plan) -> Telling:
    """What a plan asks, in the order of its campaigns."""
    campaigns, limit = list(plan.file.campaigns.values()), plan.file.contact_limit
    quiet = [index for index, each in enumerate(campaigns) if each.publish_change is not None]
    of_campaign = np.full(len(campaigns), -1, np.int32)
    of_campaign[quiet] = np.arange(len(quiet))
    return Telling(
        of_campaign=of_campaign,
        share=np.array([campaigns[index].publish_change for index in quiet], np.float64),
        contacts_max=0 if limit is None else limit.triggers,
        within_ms=0 if limit is None else limit.within_ms,
    )


def is_kept(telling: Telling) -> bool:
    """Whether anything has to be kept of a customer."""
    return len(telling.share) > 0 or telling.contacts_max > 0


def new_told(telling: Telling) -> Records[Told]:
    """An empty store for the customers of one partition; it stays small where nothing is kept."""
    width = (max(1, len(telling.share)),)
    return Records(
        Told,
        {
            "contacts": (np.int64, (max(1, telling.contacts_max),)),
            "served": (np.float64, width),
            "words": (np.int8, width),
        },
    )
