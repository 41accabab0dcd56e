"""`propensity dead-letters`: what its options refuse before anything is asked of Kafka.

Owns: mistakes in the command line, and asking before much is sent.
Never: needs a broker.
Source: consumer/commands/dead_letters.py.
"""

from __future__ import annotations

import click
import pytest

from consumer.cli import run
from consumer.commands import dead_letters
from consumer.errors import WorldError
from consumer.letters import LetterId
from consumer.redrive import Going, Plan
from consumer.transport import Partition


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["redrive"], "Say which: ids, --all, or a filter such as --reason"),
        (["redrive", "0:1", "--all"], "not both"),
        (["redrive", "0:1", "--reason", "x"], "not both"),
        (["redrive", "one"], "'one' is no id such as 0:17"),
        (["show", "17"], "'17' is no id such as 0:17"),
        (["show", "0:1", "--raw", "--json"], "--json and --raw exclude each other"),
        (["list", "--since", "yesterday"], "is not an RFC 3339 time with an offset, such as 2026"),
        (["list", "--limit", "0"], "0 is not in the range"),
    ],
)
def test_mistakes_are_said(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command line that means nothing could not run: exit 2."""
    assert run(["dead-letters", *arguments]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def plan_of(count: int) -> Plan:
    """So many letters that may go."""
    to = Partition("customer-events", 0)
    return Plan(going=[Going(LetterId(0, offset), to, 1) for offset in range(count)])


def test_one_letter_goes_unasked_and_many_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal a person is asked; elsewhere `--yes` has to be said."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert dead_letters._agreed(plan_of(1))
    with pytest.raises(WorldError, match="--yes"):
        dead_letters._agreed(plan_of(2))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for answer in (True, False):
        monkeypatch.setattr(click, "confirm", lambda *_, said=answer, **__: said)
        assert dead_letters._agreed(plan_of(2)) is answer


@pytest.mark.parametrize(
    ("number", "said"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd")]
)
def test_counts_are_said_as_people_do(number: int, said: str) -> None:
    """First, second, third, and all others with the same ending."""
    assert dead_letters._ordinal(number) == said
