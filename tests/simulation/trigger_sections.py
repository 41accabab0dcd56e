"""The trigger sections of a seed's campaigns.

Owns: which seeds have triggers, and with which policies.
Never: knows what they decide.
Source: docs/campaigns.md, "Triggers".
"""

from __future__ import annotations

import random
import re

SHARE = 0.7
HELD = "hold_out"
SECTIONS = (
    "{when: {percentile: 30}, clear: {percentile: 20}}",
    "{when: {percentile: 15}, cooldown: 30m, hold_out: 50%}",
    "{when: {percentile: 10}, wait: 20m, unless: [{event: refusal, within: 1h}]}",
    "{when: {probability: 8%}, clear: {probability: 6%}, hold_out: 20%, expires_after: 10m}",
)


LIMITS = {
    SECTIONS[0]: "contact_limit: {triggers: 1, within: 2h}\n",
    SECTIONS[2]: "contact_limit: {triggers: 2, within: 6h}\n",
}
"""What stands beside some of them: a limit for all campaigns."""


def section_of(seed: int) -> str:
    """The trigger section of a seed's campaigns; nothing if they have none."""
    draws = random.Random(f"{seed}/triggers")
    return draws.choice(SECTIONS) if draws.random() < SHARE else ""


def changed_section(seed: int) -> str:
    """That of the file that comes after it: another one, none, or in most seeds the same."""
    draws = random.Random(f"{seed}/changed triggers")
    return draws.choice(("", *SECTIONS)) if draws.random() < SHARE else section_of(seed)


def with_triggers(text: str, section: str) -> str:
    """A campaign file with this trigger section in every campaign."""
    if not section:
        return text
    line = rf"\g<0>\n    trigger: {section}"
    return re.sub(r"^    goal: .*$", line, text, flags=re.MULTILINE) + LIMITS.get(section, "")
