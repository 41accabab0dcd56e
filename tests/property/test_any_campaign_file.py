"""Any text as campaign file or settings file: a result or a list of problems, nothing else.

Owns: that no text crashes the readers, and that problems lie inside the file.
Never: judges what a problem says.
Source: the contract, "Campaign file".
"""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.campaign_file import parse_campaigns
from schemas.campaign_warnings import warnings_of
from schemas.errors import CampaignFileError, Problem
from tests.unit.test_campaign_file import FULL

WORDS = (
    *("null", "true", "-1", "1e999", ".nan", "7d", "3%", "[]", "{}", "[[]]", "{a: b}", "$x", "''"),
    *(
        "x",
        "&a",
        "*a",
        "!!int x",
        "? x",
        "|",
        ">",
        "- x",
        "#",
        "none_of",
        "trigger",
        "\t",
        "é",
        ":",
    ),
)


def mutated(seed: int) -> str:
    """The full example with a few tokens or lines replaced, removed or doubled."""
    generator = random.Random(seed)
    text = FULL
    for _ in range(generator.randrange(1, 4)):
        lines = text.split("\n")
        place = generator.randrange(len(lines))
        line = lines[place]
        kind = generator.randrange(5)
        if kind == 0:
            del lines[place]
        elif kind == 1:
            lines.insert(place, line)
        elif kind == 2 and ":" in line:
            lines[place] = f"{line.partition(':')[0]}: {generator.choice(WORDS)}"
        elif kind == 3 and line:
            cut = generator.randrange(len(line))
            lines[place] = line[:cut] + generator.choice(WORDS) + line[cut + 1 :]
        else:
            lines[place] = "  " * generator.randrange(4) + line.lstrip()
        text = "\n".join(lines)
    return text


def assert_result_or_problems(text: str) -> None:
    """The text is read, or refused with problems that name lines of it."""
    problems: tuple[Problem, ...] = ()
    try:
        file = parse_campaigns(text)
    except CampaignFileError as error:
        problems = error.problems
    else:
        assert len(file.digest) == 16
        warnings_of(file)
        return
    assert problems
    for problem in problems:
        assert problem.line is None or 1 <= problem.line <= len(text.splitlines()) + 1
        assert problem.found
        assert problem.allowed
        assert len(str(problem).splitlines()) == 1


@given(st.integers(0, 2**64))
@settings(max_examples=300, deadline=None)
def test_mutated_files(seed: int) -> None:
    """A file with mutated lines is read or refused in words."""
    assert_result_or_problems(mutated(seed))


@given(st.text(max_size=80))
@settings(deadline=None)
def test_any_text(text: str) -> None:
    """Any text is read or refused in words."""
    assert_result_or_problems(text)
