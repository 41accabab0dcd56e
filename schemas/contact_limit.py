"""How many triggers a customer may have, of all campaigns together.

Owns: what the section says, once it is read and valid.
Never: decides about a customer; models.kernel_told does.
Source: docs/campaigns.md, "A limit for all campaigns".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ContactLimit:
    """At most so many `entered` triggers of a customer within any so many milliseconds."""

    triggers: int
    within_ms: int
