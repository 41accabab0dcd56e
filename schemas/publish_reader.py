"""Reading what a campaign file says of publishing: which scores, and how many triggers.

Owns: what may stand under `publish` and `contact_limit`.
Never: stops at the first mistake.
Source: docs/campaigns.md, "Publishing changes only" and "A limit for all campaigns".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas import campaign_grammar as grammar
from schemas.campaign import Campaign
from schemas.campaign_reader import Reader, join, misspelt
from schemas.contact_limit import ContactLimit
from schemas.yaml_source import Located

DEFAULT_CHANGE: Final = 0.1
_A_LIMIT: Final = "a limit such as {triggers: 3, within: 7d}"


def read_publish(reader: Reader, section: Mapping[str, Located], key: str) -> float | None:
    """The relative change of a prediction that is worth publishing; None: all are."""
    if "publish" not in section:
        return None
    node, path = section["publish"], join(key, "publish")
    if node.mapping is None:
        word = reader.word(node, path, grammar.PUBLISH, "every")
        return DEFAULT_CHANGE if word == "changed" else None
    keys = reader.section(node, path, "publish")
    if "changed" not in keys:
        if not misspelt(node, "changed"):
            reader.wrong(node, path, "every, changed or {changed: 20%}")
        return None
    return reader.rate(keys["changed"], join(path, "changed"))


def read_contact_limit(
    reader: Reader, section: Mapping[str, Located], campaigns: Mapping[str, Campaign]
) -> ContactLimit | None:
    """The limit of the file; None where there is none, or it has mistakes."""
    if "contact_limit" not in section:
        return None
    known_problems, node = len(reader.problems), section["contact_limit"]
    keys = reader.section(node, "contact_limit", "contact_limit")
    for word in grammar.KEYS["contact_limit"]:
        if word not in keys and node.mapping is not None and not misspelt(node, word):
            reader.wrong(node, join("contact_limit", word), _A_LIMIT, found="nothing")
    triggers = keys["triggers"].scalar if "triggers" in keys else None
    is_count = isinstance(triggers, int) and not isinstance(triggers, bool)
    if "triggers" in keys and not (is_count and triggers in range(1, grammar.CONTACTS_MAX + 1)):
        allowed = f"a whole number from 1 to {grammar.CONTACTS_MAX}"
        reader.wrong(keys["triggers"], "contact_limit.triggers", allowed)
    within_ms = None
    if "within" in keys:
        within_ms = reader.duration_ms(keys["within"], "contact_limit.within", min_ms=1_000)
    if not reader.problems and all(each.trigger is None for each in campaigns.values()):
        reader.wrong(node, "contact_limit", "`contact_limit` only where a campaign has a `trigger`")
    if len(reader.problems) > known_problems:
        return None
    assert isinstance(triggers, int)
    assert within_ms is not None
    return ContactLimit(triggers, within_ms)
