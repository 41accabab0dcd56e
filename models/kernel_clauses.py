"""Clauses on a customer in the compiled loop: what is known to hold at a moment.

Owns: when the events of each clause last happened, and which clauses hold.
Never: what follows of it; `for` wants all of its clauses, who acts may want none of others.
Source: docs/campaigns.md, "Who is eligible".
"""

from __future__ import annotations

import numpy as np

from models.compiled import inlined
from models.plan import U8, PlanArrays
from models.state import NEVER_MS, Profiles

NEVER_HAPPENED = -1  # In place of a time within which.
LAST_VALUE = -1  # In place of a register.


@inlined
def note_clauses(
    profiles: Profiles, plan: PlanArrays, slot: int, mask: np.uint64, at_ms: int
) -> None:
    """Remember that an event happened, for the clauses that ask for it."""
    for register in range(plan.register_mask.shape[0]):
        asked = (plan.register_mask[register] & mask) != 0
        if asked and at_ms > profiles.happened_at[slot, register]:
            profiles.happened_at[slot, register] = at_ms


@inlined
def clauses_held(
    profiles: Profiles, plan: PlanArrays, code_clauses: U8, slot: int, at_ms: int
) -> np.uint64:
    """The bits of all clauses that hold for a customer at a moment, as the plan numbers them.

    `code_clauses` has, by the code of a value, the clauses on last known values that it meets.
    What happened after the moment, for a moment that is late, is not longer ago than anything.
    """
    held = np.uint64(0)
    for clause in range(plan.clause_register.shape[0]):
        bit = np.uint64(1) << np.uint64(clause)
        register, within_ms = plan.clause_register[clause], plan.clause_within_ms[clause]
        if register == LAST_VALUE:
            held |= code_clauses[profiles.remembered[slot, plan.clause_property[clause]]] & bit
            continue
        last = profiles.happened_at[slot, register]
        holds = last == NEVER_MS if within_ms == NEVER_HAPPENED else at_ms - last <= within_ms
        held |= bit if holds else np.uint64(0)
    return held


@inlined
def lowest_bit(bits: np.uint64) -> int:
    """The number of the first bit that is set; there is one."""
    number = 0
    while (bits >> np.uint64(number)) & np.uint64(1) == 0:
        number += 1
    return number
