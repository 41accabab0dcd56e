"""What is wrong with a record or a configuration, in words its author understands.

Owns: the two error classes of this package, and the wording of both.
Never: logs, counts or decides what happens next.
Source: the contract's rules for records and for configuration files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

FOUND_CHARACTERS_MAX = 80

Reason = Literal[
    "not_json",
    "not_an_object",
    "wrong_encoding",
    "too_large",
    "missing_field",
    "wrong_type",
    "wrong_length",
    "impossible_time",
    "foreign_key",
    "invalid",
]
"""Why a record was refused, in few enough words to be a label of a counter."""


class InvalidRecord(ValueError):  # noqa: N818 - the word of the contract
    """A record that its sender has to repair.

    Parameters
    ----------
    field: the field as the sender names it, or `record` when the whole is unreadable.
    found: what stands there, shortened.
    expected: what would have been accepted.
    reason: the same, as one of a few words.
    """

    def __init__(self, field: str, found: str, expected: str, reason: Reason = "invalid") -> None:
        self.field = field
        self.found = found
        self.expected = expected
        self.reason: Reason = reason
        super().__init__(field, found, expected, reason)

    def __str__(self) -> str:
        """One sentence: the field, what was found, what is expected."""
        return f"{self.field}: found {self.found}, expected {self.expected}."


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a configuration file, with everything needed to repair it."""

    file: str
    line: int | None
    key: str
    found: str
    allowed: str
    nearest: str | None = None

    def __str__(self) -> str:
        """`file:line: key: found …, allowed …; did you mean …?`."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        hint = "" if self.nearest is None else f"; did you mean `{self.nearest}`?"
        key = f" {shortened(self.key, 200)}:" if self.key else ""
        return f"{place}:{key} found {self.found}, allowed: {self.allowed}{hint}"


class ConfigurationError(ValueError):
    """A configuration with mistakes: all that were found, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        """One line a problem."""
        return "\n".join(str(problem) for problem in self.problems)


class CampaignFileError(ConfigurationError):
    """The campaign file has mistakes."""


class SettingsError(ConfigurationError):
    """The settings (flags, environment or file) have mistakes."""


def nearest(word: object, words: Iterable[str]) -> str | None:
    """The valid word that was probably meant, if any is near enough."""
    matches = get_close_matches(str(word).lower(), list(words), n=1, cutoff=0.6)
    return matches[0] if matches else None


def shortened(text: str, characters_max: int = FOUND_CHARACTERS_MAX) -> str:
    """The text in one line, cut to what a person will read."""
    text = "".join(" " if not character.isprintable() else character for character in text)
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"


def described(value: object) -> str:
    """What was found, in the sender's words rather than in Python's.

    Examples
    --------
    >>> described({"a": 1}), described(None), described(17), described("x")
    ('an object', 'null', 'the number 17', 'the text "x"')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = value[: 2 * FOUND_CHARACTERS_MAX].encode("utf-8", "backslashreplace").decode("utf-8")
        return f'the text "{shortened(text)}"' if value else "an empty text"
    if isinstance(value, int | float):
        return f"the number {shortened(_number(value))}"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    return shortened(str(value))


def _number(value: float) -> str:
    """The number's digits; a number too long to print is named by its size."""
    if isinstance(value, int) and value.bit_length() > 512:
        return f"with {value.bit_length()} bits"
    return repr(value)
