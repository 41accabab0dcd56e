"""The trigger section of a campaign: when to act on a customer, and when not.

Owns: what the section says, once it is read and valid.
Never: decides about a customer; models.kernel_triggers does.
Source: docs/campaigns.md, "Triggers".
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Final, Literal

from schemas.customer_clauses import CustomerClause

Measure = Literal["percentile", "probability", "expected_value"]
MEASURES: Final[tuple[Measure, ...]] = ("percentile", "probability", "expected_value")


@dataclass(frozen=True, slots=True)
class TriggerPolicy:
    """When a customer enters, and leaves; durations in milliseconds of event time.

    `clear` is at most `when`, of the same measure; `hold_out` is a share from 0 to below 1. Nobody
    enters of whom a clause of `unless` holds.
    """

    measure: Measure
    when: float
    clear: float
    expires_after_ms: int
    wait_ms: int = 0
    cooldown_ms: int = 0
    hold_out: float = 0.0
    unless: tuple[CustomerClause, ...] = ()

    @property
    def digest(self) -> str:
        """16 hex digits of the whole section, as records name it."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return sha256(text.encode("ascii")).hexdigest()[:16]
