"""When dead letters are too many, by the defaults.

Owns: which record hits a limit, what is said, and what comes after.
Never: where batches are cut; tests/property does.
Source: models/letter_limits.py; the contract, "Settings file".
"""

from __future__ import annotations

import pytest

from models.letter_limits import LetterLimits
from schemas.settings import Limits, load_settings


def take(limits: LetterLimits, refused: list[bool]) -> tuple[int, str] | None:
    """Offset and rule of the hit, if there is one."""
    rows = [row for row, bad in enumerate(refused) if bad]
    hit = limits.take(range(len(refused)), rows)
    return None if hit is None else (hit.offset, hit.rule)


def test_a_hundred_in_a_row_are_too_many() -> None:
    """After good records the hundredth refused in a row hits; ninety-nine do not."""
    limits = LetterLimits()
    assert take(limits, [False] * 2_000 + [True] * 99 + [False] + [True] * 99) is None
    assert take(limits, [True]) == (0, "consecutive")


def test_more_than_half_are_too_many() -> None:
    """Of the last thousand, 500 refused are still allowed, and 501 are not."""
    limits = LetterLimits()
    assert take(limits, [False, True] * 700) is None
    assert take(limits, [False, True, True]) == (2, "share")


def test_few_records_say_nothing_yet() -> None:
    """A share counts from the hundredth record on, be it refused or not."""
    limits = LetterLimits()
    assert take(limits, [True] * 60 + [False] * 39) is None
    assert take(limits, [False, False]) == (0, "share")


def test_after_a_hit_somebody_has_to_look() -> None:
    """No more records are taken in until `forget`; then counting begins anew."""
    limits = LetterLimits(consecutive_max=3)
    assert take(limits, [True] * 9) == (2, "consecutive")
    with pytest.raises(AssertionError, match="forget"):
        limits.take([10], [])
    limits.forget()
    assert take(limits, [True, True, False, True, True]) is None


def test_it_is_said_in_a_sentence() -> None:
    """A hit says how many of how many, and where."""
    few = LetterLimits(consecutive_max=5).take([40, 42, 43, 44, 50], range(5))
    assert str(few) == "The last 5 records up to offset 50 are dead letters."
    many = LetterLimits(window=4).take([1, 2, 3, 4, 5], [0, 2, 3])
    assert str(many) == "3 of the last 4 records up to offset 4 are dead letters."


def test_an_empty_batch_changes_nothing() -> None:
    """A poll that brings nothing neither hits nor forgets."""
    limits = LetterLimits(consecutive_max=2)
    assert take(limits, [True]) is None
    assert take(limits, []) is None
    assert take(limits, [True]) == (0, "consecutive")


def test_a_narrower_window_keeps_the_newest() -> None:
    """After a change of the settings the newest records of a state count."""
    wide = LetterLimits()
    assert take(wide, [True] * 40 + [False] * 40) is None
    narrow = LetterLimits(window=10, share_max=0.0)
    narrow.from_state(*wide.to_state())
    assert take(narrow, [False]) is None


def test_the_settings_are_the_defaults() -> None:
    """What the settings say without a word is what the limits say."""
    given = load_settings(None).limits
    assert given == Limits()
    limits = LetterLimits(
        given.dead_letters_consecutive_max,
        given.dead_letters_window,
        given.dead_letters_share_max,
    )
    assert vars(limits)["_consecutive_max"] == 100
    assert (limits._window, limits._share_max) == (1_000, 0.5)
