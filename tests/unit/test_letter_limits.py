"""When dead letters are too many, by the defaults.

Owns: which record hits a limit, what is said, and what comes after.
Never: where batches are cut; tests/property does.
Source: models/letter_limits.py; the contract, "Settings file".
"""

from __future__ import annotations

from models.letter_limits import LetterLimits
from models.lifted import Lifted
from schemas.settings import Limits, load_settings


def take(limits: LetterLimits, refused: list[bool]) -> list[tuple[int, str]]:
    """Offsets and rules of the hits."""
    rows = [row for row, bad in enumerate(refused) if bad]
    return [(hit.offset, hit.rule) for hit in limits.take(range(len(refused)), rows)]


def test_a_hundred_in_a_row_are_too_many() -> None:
    """After good records the hundredth refused in a row hits; ninety-nine do not."""
    limits = LetterLimits()
    assert take(limits, [False] * 2_000 + [True] * 99 + [False] + [True] * 99) == []
    assert take(limits, [True]) == [(0, "consecutive")]


def test_more_than_half_are_too_many() -> None:
    """Of the last thousand, 500 refused are still allowed, and 501 are not."""
    limits = LetterLimits()
    assert take(limits, [False, True] * 700) == []
    assert take(limits, [False, True, True]) == [(2, "share")]


def test_few_records_say_nothing_yet() -> None:
    """A share counts from the hundredth record on, be it refused or not."""
    limits = LetterLimits()
    assert take(limits, [True] * 60 + [False] * 39) == []
    assert take(limits, [False, False]) == [(0, "share")]


def test_behind_a_hit_counting_begins_anew() -> None:
    """The rest of the batch, and what comes later, is judged by a new window."""
    limits = LetterLimits(consecutive_max=3)
    assert take(limits, [True] * 8) == [(2, "consecutive"), (5, "consecutive")]
    assert take(limits, [False, True, True]) == []
    assert take(limits, [True]) == [(0, "consecutive")]
    assert take(limits, [True, True, False, True, True]) == []


def test_it_is_said_in_a_sentence() -> None:
    """A hit says how many of how many, and where."""
    (few,) = LetterLimits(consecutive_max=5).take([40, 42, 43, 44, 50], range(5))
    assert str(few) == "The last 5 records up to offset 50 are dead letters."
    (many,) = LetterLimits(window=4).take([1, 2, 3, 4, 5], [0, 2, 3])
    assert str(many) == "3 of the last 4 records up to offset 4 are dead letters."


def test_an_empty_batch_changes_nothing() -> None:
    """A poll that brings nothing neither hits nor forgets."""
    limits = LetterLimits(consecutive_max=2)
    assert take(limits, [True]) == []
    assert take(limits, []) == []
    assert take(limits, [True]) == [(0, "consecutive")]


def test_a_narrower_window_keeps_the_newest() -> None:
    """After a change of the settings the newest records of a state count."""
    wide = LetterLimits()
    assert take(wide, [True] * 40 + [False] * 40) == []
    narrow = LetterLimits(window=10, share_max=0.0)
    narrow.restore(wide.lift())
    assert take(narrow, [False]) == []


def test_an_older_snapshot_has_no_window() -> None:
    """What was written before windows were kept is read as an empty one."""
    limits = LetterLimits(consecutive_max=2)
    limits.restore(Lifted({}, {}))
    assert take(limits, [True]) == []
    assert take(limits, [True]) == [(0, "consecutive")]


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
