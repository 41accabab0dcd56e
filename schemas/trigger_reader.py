"""Reading the trigger section of a campaign.

Owns: what may stand in the section, and how its parts fit each other and the campaign.
Never: stops at the first mistake.
Source: docs/campaigns.md, "Triggers".
"""

from __future__ import annotations

from math import isfinite
from typing import NamedTuple

from schemas import campaign_grammar as grammar
from schemas.campaign_reader import Reader, join
from schemas.customer_clause_reader import CustomerClauseReader
from schemas.trigger_policy import MEASURES, Measure, TriggerPolicy
from schemas.yaml_source import Located

PERCENTILE_MAX = 100.0
_A_LEVEL = "one level such as {percentile: 95}"


class _Level(NamedTuple):
    measure: Measure
    least: float


def read_trigger(
    reader: CustomerClauseReader,
    node: Located,
    key: str,
    *,
    measures: tuple[Measure, ...],
    horizon_ms: int,
) -> TriggerPolicy | None:
    """The trigger section; None where it has mistakes, which the reader then knows.

    `measures` are those that the campaign's scores have.
    """
    known_problems = len(reader.problems)
    section = reader.section(node, key, "trigger")

    def at(word: str) -> tuple[Located, str]:
        return section[word], join(key, word)

    def level(word: str) -> _Level | None:
        return _level(reader, *at(word), measures) if word in section else None

    when, clear = level("when"), level("clear")
    if "when" not in section and node.mapping is not None:
        reader.wrong(node, join(key, "when"), f"a trigger with its `when`: {_A_LEVEL}",
                     found="nothing")  # fmt: skip
    if when is not None and clear is not None:
        if clear.measure != when.measure:
            reader.wrong(
                *at("clear"), f"`{when.measure}`, as in `when`", found=f"`{clear.measure}`"
            )
        elif clear.least > when.least:
            reader.wrong(*at("clear"), f"at most {when.least:g}, which is `when`",
                         found=f"{clear.least:g}")  # fmt: skip
    wait_ms = reader.duration_ms(*at("wait")) if "wait" in section else 0
    cooldown_ms = reader.duration_ms(*at("cooldown")) if "cooldown" in section else 0
    expires_after_ms: int | None = horizon_ms
    if "expires_after" in section:
        expires_after_ms = reader.duration_ms(*at("expires_after"), min_ms=1_000)
    unless = reader.customer_clauses(*at("unless")) if "unless" in section else ()
    hold_out = reader.rate(*at("hold_out")) if "hold_out" in section else 0.0
    if len(reader.problems) > known_problems:
        return None
    assert when is not None
    return TriggerPolicy(
        measure=when.measure,
        when=when.least,
        clear=when.least if clear is None else clear.least,
        expires_after_ms=expires_after_ms or 0,
        wait_ms=wait_ms or 0,
        cooldown_ms=cooldown_ms or 0,
        hold_out=hold_out or 0.0,
        unless=unless,
    )


def _level(reader: Reader, node: Located, key: str, measures: tuple[Measure, ...]) -> _Level | None:
    """One measure with its least number."""
    section = reader.section(node, key, "level")
    if len(section) != 1:
        if node.mapping is not None and (section or not node.mapping):
            reader.wrong(node, key, _A_LEVEL, found=f"{len(section)} of them")
        return None
    measure = next(each for each in MEASURES if each in section)
    child, path = section[measure], join(key, measure)
    if measure not in measures:
        reader.wrong(child, path, f"{' or '.join(measures)}, which this campaign's scores have",
                     found=f"`{measure}`")  # fmt: skip
        return None
    if measure == "probability":
        least = reader.rate(child, path)
        return None if least is None else _Level(measure, least)
    most = PERCENTILE_MAX if measure == "percentile" else grammar.VALUE_LEVEL_MAX
    number = child.scalar
    if (
        isinstance(number, bool)
        or not isinstance(number, int | float)
        or not (isfinite(number) and 0 < number <= most)
    ):
        reader.wrong(child, path, f"a number above 0, at most {most:g}")
        return None
    return _Level(measure, float(number))
