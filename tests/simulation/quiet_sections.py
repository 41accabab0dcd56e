"""Which seeds have a campaign that publishes changes only.

Owns: the share of them, and the line in the campaign file.
Never: knows what is published; quiet_campaigns does.
Source: docs/campaigns.md, "Publishing changes only".
"""

from __future__ import annotations

import random
import re

SHARE = 0.3


def is_quiet(seed: int) -> bool:
    """Whether the first campaign of a seed's files publishes changes only."""
    return random.Random(f"{seed}/publish").random() < SHARE


def with_quiet(text: str, *, quiet: bool) -> str:
    """A campaign file whose first campaign does, if it should."""
    if not quiet:
        return text
    line = r"\g<0>\n    publish: changed"
    return re.sub(r"^    goal: .*$", line, text, count=1, flags=re.MULTILINE)
