"""The campaign file as a whole: files that are none, limits, lineages, clauses at work.

Owns: what depends on more than one key.
Never: repeats the single keys of tests/unit/test_campaign_file.py.
Source: the contract, "Campaign file"; the design, "Words" (lineage).
"""

from __future__ import annotations

from math import nan
from pathlib import Path

import pytest

from schemas import campaign_grammar as grammar
from schemas.campaign import CampaignFile
from schemas.campaign_file import load_campaigns, parse_campaigns
from schemas.clauses import Clause, Condition
from schemas.durations import format_duration, parse_duration
from schemas.errors import CampaignFileError, Problem
from tests.unit.test_campaign_file import FULL, SHORT, only, only_campaign, problems, with_keys


def test_all_mistakes_at_once() -> None:
    """Every mistake is named in the order of the file, not only the first."""
    text = SHORT.replace("7d", "7days").replace("purchase", "$p") + "  b: {}\n"
    assert [(problem.line, problem.key) for problem in problems(text)] == [
        (4, "campaigns.a.goal.event"),
        (5, "campaigns.a.horizon"),
        (7, "campaigns.b.goal"),
        (7, "campaigns.b.horizon"),
        (7, "campaigns.b.score_on"),
    ]


def test_a_problem_is_one_line() -> None:
    """A problem prints as editors expect it: file, line, key, found, allowed, meant."""
    problem = Problem("f.yaml", 7, "a.predict", "`valu`", "conversion or value", "value")
    assert str(problem) == (
        "f.yaml:7: a.predict: found `valu`, allowed: conversion or value; did you mean `value`?"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1", 1),
        ("version: 1\n\tcampaigns: x", 2),
        ("version: 1\ncampaigns: 'x", 2),
        ("a: b: c", 1),
        ("a: &x [*x]", 1),
        ("a: *nowhere", 1),
        ("a: \x01", None),
        ("--- 1\n--- 2", 2),
    ],
)
def test_what_is_no_yaml(text: str, line: int | None) -> None:
    """A file that is not YAML is one problem with its line."""
    assert problems(text)[0].line == line


def test_aliases_are_no_bomb() -> None:
    """Aliases that multiply are cut off by a limit."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert any("at most 20000" in problem.allowed for problem in problems("\n".join(lines)))


def test_an_empty_file() -> None:
    """An empty file lacks its version and its campaigns."""
    assert [problem.key for problem in problems("")] == ["campaigns", "version"]
    assert problems("- a\n- b\n")[0].found == "a list"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, a file in another encoding and a huge file are problems, not crashes."""
    path = tmp_path / "c.yaml"
    for content, found in (
        (None, "no readable file"),
        (b"a: \xff", "not UTF-8"),
        (b"#" * 2_000_000, "2000000 bytes"),
    ):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(CampaignFileError) as caught:
            load_campaigns(path)
        assert found in caught.value.problems[0].found


def test_a_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    """Editors on Windows begin files with a mark: it is no mistake."""
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SHORT.replace("\n", "\r\n").encode())
    assert list(load_campaigns(path).campaigns) == ["a"]


def test_limits() -> None:
    """Campaigns, clauses and types of a file are bounded."""
    body = SHORT[SHORT.index("    goal") :]
    many = "version: 1\ncampaigns:\n" + "".join(
        f"  c{index}:\n{body}" for index in range(grammar.CAMPAIGNS_MAX + 1)
    )
    assert only(many).found == str(grammar.CAMPAIGNS_MAX + 1)
    clauses = [f"{{event: p, where: {{x: {index}}}}}" for index in range(grammar.LIST_MAX)]
    third = "version: 1\ncampaigns:\n" + "".join(
        f"  c{campaign}:\n{body}".replace(
            "[page_view]", f"[{', '.join(clauses)}]".replace("event: p", f"event: p{campaign}")
        )
        for campaign in range(3)
    )
    assert "distinct clauses" in only(third).found


def test_digests_are_stable() -> None:
    """Digests are functions of the meaning: equal on every machine, whatever the layout."""
    file = parse_campaigns(FULL)
    again = parse_campaigns(FULL.replace("rate: 3%", "rate: 0.03  # as expected"))
    assert file.digest == again.digest
    assert only_campaign(SHORT).lineage == "26e41483a0115506"
    plain = only_campaign(with_keys("learner: bayesian_logistic"))
    assert plain.lineage == "a6475fc398c71e97"
    assert parse_campaigns(SHORT).digest == "98bae57cc317b1ad"


@pytest.mark.parametrize(
    "change",
    [
        ("{event: purchase}", "{event: order}"),
        ("{event: purchase}", "{event: purchase, after: 1h}"),
        ("7d", "8d"),
        ("  a:", "  b:"),
        ("score_on", "learner: river_logistic\n    score_on"),
        ("score_on", "features: {numbers: [price]}\n    score_on"),
        ("score_on", "predict: value\n    score_on"),
    ],
)
def test_what_begins_another_lineage(change: tuple[str, str]) -> None:
    """Another goal, horizon, learner or features begin another lineage."""
    assert only_campaign(SHORT.replace(*change)).lineage != only_campaign(SHORT).lineage


def test_what_keeps_the_lineage() -> None:
    """What is scored, the prior rate and how often examples are taken keep what was learned."""
    changed = with_keys("rate: 10%", "example_interval: 0s").replace("page_view", "visit")
    for other in (changed, with_keys("challengers: [river_ftrl]")):
        assert only_campaign(other).lineage == only_campaign(SHORT).lineage
        assert parse_campaigns(other).digest != parse_campaigns(SHORT).digest


def test_a_defaulted_file_equals_a_spelled_one() -> None:
    """Spelling out a default changes neither lineage nor digest."""
    spelled = with_keys("rate: 2%", "learner: hedged_logistic", "example_interval: 7d")
    file: CampaignFile = parse_campaigns(spelled)
    assert file == parse_campaigns(SHORT)
    assert file.digest == parse_campaigns(SHORT).digest


@pytest.mark.parametrize(
    ("condition", "holds", "fails"),
    [
        (Condition(("DELI", "SALAD")), ["DELI", "SALAD"], ["deli", None, 1, True]),
        (Condition((12.0,)), [12, 12.0, "12", "12.0"], ["twelve", 13, True, None]),
        (Condition((True,)), [True], [False, 1, "true", None]),
        (Condition(gte=10.0, lt=20.0), [10, "15", 19.9], [20, 9.9, "x", None, nan, True]),
        (Condition(gt=0.0, lte=1.0), [1, 0.5], [0, 1.1]),
    ],
)
def test_conditions(condition: Condition, holds: list[object], fails: list[object]) -> None:
    """A condition holds for its values or within its bounds, never for what is absent."""
    assert all(condition.holds(found) for found in holds)
    assert not any(condition.holds(found) for found in fails)


def test_clauses() -> None:
    """A clause asks for the type, every property, and the value as `$value`."""
    clause = Clause("purchase", {"channel": Condition(("app",)), "$value": Condition(gte=10.0)})
    assert clause.meets("purchase", 10.0, {"channel": "app"})
    assert not clause.meets("purchase", nan, {"channel": "app"})
    assert not clause.meets("purchase", 10.0, {})
    assert not clause.meets("refund", 10.0, {"channel": "app"})


@pytest.mark.parametrize("text", ["30s", "5m", "1h", "7d", "50ms", "90s", "0s"])
def test_durations_come_back(text: str) -> None:
    """A duration is written as it was read."""
    assert format_duration(parse_duration(text)) == text


@pytest.mark.parametrize("text", ["", "7", "d", "1.5h", "-1d", "1w", "1 h", "٣d", "9999999999s"])
def test_what_is_no_duration(text: str) -> None:
    """A duration needs a whole number and a unit that everybody knows."""
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)
