"""Which faults strike, when and whom: all of it from one seed.

Owns: the kinds of fault, and how often each comes.
Never: strikes; the storm does.
Source: what an operator's night brings.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What happens."""

    KILL = "SIGKILL, restarted soon"
    KILL_MEASURED = "SIGKILL, restarted after the takeover"
    FREEZE = "SIGSTOP beyond the session timeout"
    STOP = "SIGTERM, restarted"
    BROKER_STOP = "broker stopped and started"
    BROKER_KILL = "broker killed and started"


KILLS = (Kind.KILL, Kind.KILL_MEASURED)
WEIGHTS = {Kind.KILL: 60, Kind.KILL_MEASURED: 15, Kind.FREEZE: 8, Kind.STOP: 12}
BROKER_EVERY = 25


class Fault(NamedTuple):
    """One fault: `draw` chooses the worker, `lasts_s` passes until it is undone."""

    kind: Kind
    draw: float
    lasts_s: float
    quiet_s: float


def faults(seed: int, kills: int, *, broker: bool) -> Iterator[Fault]:
    """Faults until so many workers were killed; some come before the others have recovered."""
    generator = random.Random(seed)
    killed = number = 0
    while killed < kills:
        number += 1
        (kind,) = generator.choices(list(WEIGHTS), list(WEIGHTS.values()))
        if broker and number % BROKER_EVERY == BROKER_EVERY // 2:
            kind = Kind.BROKER_STOP if generator.random() < 0.5 else Kind.BROKER_KILL
        killed += kind in KILLS
        lasts_s = generator.uniform(7.0, 9.0) if kind is Kind.FREEZE else generator.uniform(0, 3.0)
        yield Fault(kind, generator.random(), lasts_s, generator.uniform(0.3, 2.0))
