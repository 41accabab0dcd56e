"""The rules for Prometheus: each alert fires when it should, and its reader knows what to do.

Owns: that rules, their tests, the runbook and the metrics hold together.
Never: a running Prometheus; tests/integration/test_live_prometheus.py has one.
Source: ops/prometheus and docs/runbook.md.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from consumer.cli import propensity
from tests.prometheus import promtool, unknown_names

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "ops/prometheus/rules").glob("*.yml"))
RULE_TESTS = sorted((ROOT / "ops/prometheus/tests").glob("*.yml"))
RUNBOOK = ROOT / "docs/runbook.md"
PARTS = ("What it means.", "How bad.", "Look at.", "Do.")


@cache
def rules(kind: str) -> dict[str, dict[str, Any]]:
    """Every rule that is an `alert` or is a `record`, by its name."""
    loaded = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES]
    every = [rule for file in loaded for group in file["groups"] for rule in group["rules"]]
    return {rule[kind]: rule for rule in every if kind in rule}


@cache
def sections() -> dict[str, str]:
    """The runbook's section of each alert."""
    pieces = re.split(
        r"^### (Propensity\w+)$", RUNBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def commands(text: str) -> list[str]:
    """Our commands, as they stand in a text's code."""
    code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^\$ (.*)$", text, re.MULTILINE)
    return [found for each in code for found in re.findall(r"^propensity ([^|>]*)", each)]


def test_prometheus_takes_the_rules() -> None:
    """Prometheus's own checker finds nothing, not even a rule that stands there twice."""
    assert "SUCCESS" in promtool("check", "rules", *RULES)


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should(path: Path) -> None:
    """Every series of every story gives the alerts that stand beside it, and no others."""
    promtool("test", "rules", path)


@pytest.mark.parametrize("alert", rules("alert"))
def test_each_alert_has_a_story_in_which_it_fires_and_one_in_which_not(alert: str) -> None:
    """A rule that never fires is no better than none, and one that always does is worse."""
    fires = set()
    for path in RULE_TESTS:
        for story in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for each in story["promql_expr_test"]:
                if f'alertname="{alert}"' in each["expr"]:
                    fires.add(bool(each["exp_samples"]))
    assert fires == {True, False}


@pytest.mark.parametrize("alert", rules("alert"))
def test_an_alert_says_what_is_wrong_and_where_to_look(alert: str) -> None:
    """Severity, one sentence of meaning, the runbook's section and a dashboard are there."""
    rule = rules("alert")[alert]
    assert rule["labels"] in ({"severity": "page"}, {"severity": "ticket"})
    texts = rule["annotations"]
    assert texts.keys() == {"summary", "description", "runbook_url", "dashboard"}
    assert texts["runbook_url"] == f"docs/runbook.md#{alert.lower()}"
    assert texts["dashboard"] in {"Operations", "Models"}
    assert texts["description"].endswith(".")
    if rule["labels"]["severity"] == "page":
        assert texts["dashboard"] == "Operations"
        assert "for" in rule, "a rolling restart would wake somebody"


def test_every_alert_has_a_section_and_every_section_an_alert() -> None:
    """Whoever is paged finds what it means, how bad it is, what to look at and what to do."""
    assert list(sections()) == list(rules("alert")), "in the order of the files"
    for alert, section in sections().items():
        assert [part for part in PARTS if f"**{part}**" in section] == list(PARTS), alert


@pytest.mark.parametrize("name", [*rules("alert"), *rules("record")])
def test_rules_ask_for_what_is_there(name: str) -> None:
    """No expression names a metric or a label that no worker has."""
    rule = rules("alert").get(name) or rules("record")[name]
    assert unknown_names(rule["expr"], frozenset(rules("record"))) == []


def test_the_runbook_asks_for_what_is_there() -> None:
    """Its PromQL names metrics and labels that workers have."""
    text = RUNBOOK.read_text(encoding="utf-8")
    expressions = re.findall(r"```promql\n(.*?)```", text, re.DOTALL) + re.findall(
        r"`([^`\n]+)`", text
    )
    asked = [each for each in expressions if "propensity_" in each]
    assert len(asked) > len(rules("alert"))
    recorded = frozenset(rules("record"))
    assert [found for each in asked for found in unknown_names(each, recorded)] == []


def test_the_runbook_says_commands_that_exist() -> None:
    """Every command and option in it is one of the program."""
    typed = commands(RUNBOOK.read_text(encoding="utf-8"))
    assert typed
    for line in typed:
        command: click.Command = propensity
        for word in line.split():
            if isinstance(command, click.Group):
                found = command.get_command(click.Context(command), word)
                assert found is not None, line
                command = found
            elif word.startswith("--"):
                assert any(word in option.opts for option in command.params), line


def test_the_drills_are_those_that_are_played() -> None:
    """The table of docs/drills.md is that of the tests, alert by alert."""
    from tests.integration.test_drills import DRILLS

    text = (ROOT / "docs/drills.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| .* \| `(Propensity\w+)`", text, re.MULTILINE)
    played = {drill: alert for drill, (_, alert) in DRILLS.items()}
    gone = {"worker-gone": "PropensityWorkerDown", "broker-down": "PropensityScoringStopped"}
    assert dict(rows) == played | gone
    assert set(dict(rows).values()) <= rules("alert").keys()
