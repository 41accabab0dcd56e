"""Which profile is whose: customers by their hash, in the compiled loop.

Owns: the table from hashes to slots, and who makes room when all profiles are taken.
Never: holds a name.
Source: Cormen et al., Introduction to Algorithms, open addressing with linear probing.
"""

from __future__ import annotations

import numpy as np

from models.compiled import compiled, inlined
from models.kernel_profile import reset_profile
from models.kernel_queues import choose_victim, unlist
from models.plan import PlanArrays
from models.state import EVICTED, FREE_SLOT, FREE_SLOTS, I4, I8, SLOT_COUNT, Profiles, Queues

NO_SLOT = -1


@inlined
def table_entry(profiles: Profiles, table: I4, first: np.uint64, second: np.uint64) -> int:
    """Where a customer stands in the table, or the empty entry where it belongs."""
    mask = table.shape[0] - 1
    entry = np.int64(first & np.uint64(mask))
    while table[entry] != 0:
        slot = table[entry] - 1
        if profiles.customer_hash[slot, 0] == first and profiles.customer_hash[slot, 1] == second:
            break
        entry = (entry + 1) & mask
    return int(entry)


@inlined
def slot_of(profiles: Profiles, table: I4, first: np.uint64, second: np.uint64) -> int:
    """The slot of a customer, or NO_SLOT."""
    return int(table[table_entry(profiles, table, first, second)]) - 1


@inlined
def remove_slot(profiles: Profiles, table: I4, slot: int) -> None:
    """Take a customer out of the table, moving back those that were displaced by it."""
    mask = table.shape[0] - 1
    hole = table_entry(
        profiles, table, profiles.customer_hash[slot, 0], profiles.customer_hash[slot, 1]
    )
    table[hole] = 0
    entry = (hole + 1) & mask
    while table[entry] != 0:
        home = np.int64(profiles.customer_hash[table[entry] - 1, 0] & np.uint64(mask))
        if ((hole - home) & mask) < ((entry - home) & mask):
            table[hole] = table[entry]
            table[entry] = 0
            hole = entry
        entry = (entry + 1) & mask


@inlined
def make_room(profiles: Profiles, queues: Queues, registers: I8, plan: PlanArrays) -> int:
    """A slot for a new customer: one that was freed, a new one, or that of the least active.

    Customers with open examples keep theirs; if all have some, the bound on those holds. So do
    those of whom a control fact is known.
    """
    if registers[FREE_SLOT] > 0:
        free = registers[FREE_SLOT] - 1
        registers[FREE_SLOT] = profiles.older[free]
        registers[FREE_SLOTS] -= 1
        return int(free)
    if registers[SLOT_COUNT] >= plan.profiles_max:
        victim = choose_victim(profiles, registers)
        if victim >= 0:
            remove_slot(profiles, queues.slot_table, victim)
            registers[EVICTED] += 1
            return victim
    slot = registers[SLOT_COUNT]
    registers[SLOT_COUNT] = slot + 1
    return int(slot)


@inlined
def free_slot(profiles: Profiles, queues: Queues, registers: I8, slot: int) -> None:
    """Know the customer of a slot no longer; a hash of zeros is of nobody."""
    unlist(profiles, registers, slot)
    remove_slot(profiles, queues.slot_table, slot)
    reset_profile(profiles, slot)
    profiles.customer_hash[slot] = 0
    profiles.name[slot] = 0
    profiles.older[slot] = registers[FREE_SLOT]
    registers[FREE_SLOT] = slot + 1
    registers[FREE_SLOTS] += 1


@inlined
def admit(
    profiles: Profiles,
    queues: Queues,
    registers: I8,
    plan: PlanArrays,
    first: np.uint64,
    second: np.uint64,
) -> int:
    """Give a customer who has none a slot."""
    slot = make_room(profiles, queues, registers, plan)
    reset_profile(profiles, slot)
    entry = table_entry(profiles, queues.slot_table, first, second)
    queues.slot_table[entry] = slot + 1
    profiles.customer_hash[slot, 0] = first
    profiles.customer_hash[slot, 1] = second
    return slot


@compiled
def fill_slot_table(profiles: Profiles, queues: Queues, registers: I8) -> None:
    """Fill an empty table from the profiles."""
    for slot in range(registers[SLOT_COUNT]):
        if profiles.customer_hash[slot, 0] == 0 and profiles.customer_hash[slot, 1] == 0:
            continue
        entry = table_entry(
            profiles,
            queues.slot_table,
            profiles.customer_hash[slot, 0],
            profiles.customer_hash[slot, 1],
        )
        queues.slot_table[entry] = slot + 1
