"""What binds a goal to the event that was scored, in the compiled loop.

Owns: the values that the two must share and must not share, and how long a goal counts.
Never: which events are goals; their clauses say so.
Source: docs/campaigns.md, "The goal".
"""

from __future__ import annotations

from models.compiled import inlined
from models.plan import PlanArrays
from models.state import I8, U8


@inlined
def same_keys(plan: PlanArrays, campaign: int, scored: U8, keys: U8) -> bool:
    """Whether an event carries the `match` values of the scored one; absent never matches."""
    for index in range(plan.match.shape[1]):
        key = plan.match[campaign, index]
        if key < 0:
            break
        if keys[key] == 0 or keys[key] != scored[key]:
            return False
    return True


@inlined
def forbidden_same(plan: PlanArrays, campaign: int, scored: U8, keys: U8) -> bool:
    """Whether an event shares a value that a goal must not share with the scored one."""
    for index in range(plan.not_same.shape[1]):
        key = plan.not_same[campaign, index]
        if key < 0:
            break
        if keys[key] != 0 and keys[key] == scored[key]:
            return True
    return False


@inlined
def deadline_of(plan: PlanArrays, campaign: int, at_ms: int, deadlines: I8) -> int:
    """The last moment at which a goal counts for an event that is scored."""
    deadline = at_ms + plan.horizon_ms[campaign]
    until = plan.until[campaign]
    if until >= 0 and deadlines[until] < deadline:
        deadline = max(deadlines[until], at_ms)
    return int(deadline)
