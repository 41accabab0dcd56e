"""The trigger section of a campaign file: what it means, and what is refused.

Owns: defaults, levels, and how the parts fit each other and the campaign.
Never: what a trigger does; tests/unit/test_triggers.py asks that.
Source: docs/campaigns.md, "Triggers".
"""

from __future__ import annotations

import pytest

from schemas.campaign_file import parse_campaigns
from schemas.times import DAY_MS, HOUR_MS
from schemas.trigger_policy import TriggerPolicy
from tests.unit.test_campaign_file import SHORT, only, only_campaign, with_keys

VALUE = "predict: value\n    "


def policy(text: str, before: str = "") -> TriggerPolicy:
    """What the section says."""
    trigger = only_campaign(with_keys(f"{before}trigger: {text}")).trigger
    assert trigger is not None
    return trigger


def test_a_level_is_enough() -> None:
    """Who is in leaves below `when`, and what was decided is of use until the horizon is over."""
    assert policy("{when: {percentile: 95}}") == TriggerPolicy(
        measure="percentile", when=95.0, clear=95.0, expires_after_ms=7 * DAY_MS
    )


def test_everything_can_be_said() -> None:
    """Levels of each measure, durations and a share."""
    text = "{when: {probability: 3%}, clear: {probability: 0.01}, cooldown: 7d, hold_out: 10%, "
    assert policy(text + "expires_after: 1h}") == TriggerPolicy(
        measure="probability",
        when=0.03,
        clear=0.01,
        expires_after_ms=HOUR_MS,
        cooldown_ms=7 * DAY_MS,
        hold_out=0.1,
    )
    assert policy("{when: {expected_value: 12.5}}", VALUE).when == 12.5


@pytest.mark.parametrize(
    ("text", "key", "found", "allowed"),
    [
        ("{}", "when", "nothing", "{percentile: 95}"),
        ("{clear: {percentile: 5}}", "when", "nothing", "{percentile: 95}"),
        ("{when: 95}", "when", "number 95", "keys: percentile"),
        ("{when: {}}", "when", "0 of them", "one level"),
        ("{when: {percentile: 9, probability: 3%}}", "when", "2 of them", "one level"),
        ("{when: {percentil: 9}}", "when.percentil", "unknown key", "percentile"),
        ("{when: {percentile: 101}}", "when.percentile", "number 101", "at most 100"),
        ("{when: {percentile: 0}}", "when.percentile", "number 0", "above 0"),
        ("{when: {percentile: high}}", "when.percentile", "`high`", "a number"),
        ("{when: {percentile: .nan}}", "when.percentile", "nan", "a number"),
        ("{when: {probability: 2}}", "when.probability", "number 2", "below 1"),
        ("{when: {expected_value: 2}}", "when.expected_value", "`expected_value`",
         "percentile or probability"),
        ("{when: {percentile: 9}, clear: {probability: 3%}}", "clear", "`probability`",
         "`percentile`, as in `when`"),
        ("{when: {percentile: 9}, clear: {percentile: 10}}", "clear", "10", "at most 9"),
        ("{when: {percentile: 9}, cooldown: 7}", "cooldown", "number 7", "30s, 5m, 1h or 7d"),
        ("{when: {percentile: 9}, expires_after: 0s}", "expires_after", "`0s`", "from 1s"),
        ("{when: {percentile: 9}, hold_out: 100%}", "hold_out", "`100%`", "below 1"),
        ("{when: {percentile: 9}, cool_down: 7d}", "cool_down", "unknown key", "cooldown"),
    ],
)  # fmt: skip
def test_mistakes(text: str, key: str, found: str, allowed: str) -> None:
    """A mistake names its line, its key, what was found and what is allowed."""
    problem = only(with_keys(f"trigger: {text}"))
    assert problem.line == 7
    assert problem.key == f"campaigns.a.trigger.{key}"
    assert found in problem.found
    assert allowed in problem.allowed


def test_a_measure_has_to_be_in_the_scores() -> None:
    """A learner without a probability has no level of one."""
    text = VALUE + "learner: bayesian_linear\n    trigger: {when: {probability: 3%}}"
    assert "percentile or expected_value" in only(with_keys(text)).allowed


def test_a_trigger_begins_no_lineage() -> None:
    """What was learned stays, and a file without a trigger is what it was before there were any."""
    plain, triggered = (
        parse_campaigns(text) for text in (SHORT, with_keys("trigger: {when: {percentile: 95}}"))
    )
    assert plain.campaigns["a"].lineage == triggered.campaigns["a"].lineage
    assert plain.digest != triggered.digest
