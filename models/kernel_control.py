"""Control facts in the compiled loop: who is left alone, and who is forgotten.

Owns: what each control fact changes in the state, at its offset.
Never: moves the clock or closes a row; a control fact is no event of its customer.
Source: docs/contract.md, "Control facts".
"""

from __future__ import annotations

from models.batch import EventColumns, Texts
from models.compiled import compiled, inlined
from models.kernel_examples import leave_chain, put_aside
from models.kernel_fold import keep_listed, welcome
from models.kernel_queues import is_told_of, order_remove, see
from models.kernel_slots import NO_SLOT, free_slot, slot_of
from models.kernel_triggers import leave, leave_no_state
from models.plan import PlanArrays
from models.state import (
    CONTROLS,
    I8,
    NEVER_MS,
    WITHDRAWN,
    Examples,
    Profiles,
    Queues,
)
from models.trigger_states import NO_CONSENT, SILENCED, Triggers

SILENCE, SPEAK, REFUSE, GRANT, FORGET = 0, 1, 2, 3, 4
REPEATED = -2


@inlined
def withdraw(
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    registers: I8,
    plan: PlanArrays,
    slot: int,
    outcomes: bool,
) -> None:
    """Take open examples of a customer to the closed ones, with no answer: they are no rows.

    Rows of arms only with the `outcomes`: who does not want to be told again may say so because
    somebody acted, and without those customers acting would look better than it is.
    """
    for campaign in range(plan.lost_mask.shape[0]):
        place = profiles.first_example[slot, campaign]
        while place >= 0:
            behind, is_outcome = examples.next[place], examples.triggered[place] != 0
            if outcomes or not is_outcome:
                if plan.lost_mask[campaign] != 0 and not is_outcome:
                    order_remove(queues, examples, campaign, place)
                leave_chain(profiles, examples, registers, place)
                put_aside(examples, queues, registers, place)
                registers[WITHDRAWN] += 1
            place = behind


@compiled
def obey(
    profiles: Profiles,
    examples: Examples,
    queues: Queues,
    registers: I8,
    plan: PlanArrays,
    triggers: Triggers,
    events: EventColumns,
    texts: Texts,
    row: int,
    what: int,
    until_ms: int,
) -> int:
    """Obey the control fact in a row, before which every closed row has been read.

    Gives the slot of its customer, NO_SLOT where there was nothing to do, or REPEATED. Who is not
    known gets a slot if there is something to be remembered of them.
    """
    one, two = events.customer_hash[row, 0], events.customer_hash[row, 1]
    if see(queues, registers, events.event_hash[row], plan.seen_ms, plan.seen_ids_max):
        return REPEATED
    registers[CONTROLS] += 1
    slot = slot_of(profiles, queues.slot_table, one, two)
    if slot == NO_SLOT:
        if what not in (SILENCE, REFUSE):
            return NO_SLOT
        slot = welcome(profiles, queues, registers, plan, triggers, events, texts, row)
    if what == SILENCE:
        profiles.suppressed_until[slot] = until_ms
        withdraw(profiles, examples, queues, registers, plan, slot, False)
        leave(triggers, slot, SILENCED)
    elif what == SPEAK:
        profiles.suppressed_until[slot] = NEVER_MS
    elif what == REFUSE:
        profiles.consent_refused[slot] = 1
        leave(triggers, slot, NO_CONSENT)
    elif what == GRANT:
        profiles.consent_refused[slot] = 0
    else:
        withdraw(profiles, examples, queues, registers, plan, slot, True)
        leave_no_state(triggers, slot)
        free_slot(profiles, queues, registers, slot)
        return int(slot)
    if not is_told_of(profiles, slot):
        keep_listed(profiles, registers, slot)
    return int(slot)
