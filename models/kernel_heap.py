"""A binary heap in three arrays, in the compiled loop: when, in which order, and what.

Owns: the order of entries: first what is due first, and of equal times the lower rank.
Never: knows what is due, or makes room.
Source: Cormen et al., Introduction to Algorithms, heaps.
"""

from __future__ import annotations

from models.compiled import inlined
from models.plan import I4, I8, U8


@inlined
def is_before(due: I8, rank: I8 | U8, one: int, other: int) -> bool:
    """Whether an entry comes before another."""
    if due[one] != due[other]:
        return bool(due[one] < due[other])
    return bool(rank[one] < rank[other])


@inlined
def swap(due: I8, rank: I8 | U8, item: I4, one: int, other: int) -> None:
    """Exchange two entries."""
    due[one], due[other] = due[other], due[one]
    rank[one], rank[other] = rank[other], rank[one]
    item[one], item[other] = item[other], item[one]


@inlined
def rise(due: I8, rank: I8 | U8, item: I4, entry: int) -> None:
    """Let an entry that was put behind all others find its place."""
    while entry > 0:
        parent = (entry - 1) // 2
        if not is_before(due, rank, entry, parent):
            break
        swap(due, rank, item, entry, parent)
        entry = parent


@inlined
def drop(due: I8, rank: I8 | U8, item: I4, count: int) -> None:
    """Take the first of so many entries out; it then stands behind those that are left."""
    last = count - 1
    swap(due, rank, item, 0, last)
    entry = 0
    while True:
        child = 2 * entry + 1
        if child >= last:
            break
        if child + 1 < last and is_before(due, rank, child + 1, child):
            child += 1
        if not is_before(due, rank, child, entry):
            break
        swap(due, rank, item, child, entry)
        entry = child
