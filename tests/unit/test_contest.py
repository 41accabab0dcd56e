"""Contests: what is promoted, when it is looked at, and by chance how rarely.

Owns: the rule on chosen rows and on lives with known truth.
Never: a learner.
Source: bench/promotions.py for the lives; numpy for the variance.
"""

from __future__ import annotations

import numpy as np
import pytest

from bench.promotions import Case, live
from models.contest import Contest, ContestStateError, Look

DAY_MS = 86_400_000


def fill(contest: Contest, rows: int, seed: int = 3, *, per_customer: int = 1) -> list[Look]:
    """Let a calibrated champion meet a challenger who knows a little more; gives all looks."""
    draw = np.random.default_rng(seed)
    looks: list[Look] = []
    for row in range(rows):
        logit = draw.normal()
        look = contest.add(
            row * DAY_MS // 100,
            row // per_customer * 7919,
            converted=bool(draw.random() < 1 / (1 + np.exp(-logit))),
            weight=1.0,
            champion=0.5,
            challenger=float(1 / (1 + np.exp(-logit))),
        )
        looks += [look] if look is not None else []
    return looks


def test_the_better_challenger_is_found_at_the_first_look() -> None:
    """A clear gain needs no second look, and the look says what it saw."""
    look, *_ = fill(Contest(0, 1), 2_000)
    assert look.outcome == "better"
    assert look.positives == 500
    assert look.gain > 0.1
    assert look.gain > look.deviations * look.error


def test_it_is_looked_at_when_positives_have_doubled() -> None:
    """Seldom: at 500, 1,000, 2,000 and so on, each time with a stricter demand."""
    looks = fill(Contest(0, 1), 9_000)
    assert [look.positives for look in looks] == [500, 1_000, 2_000, 4_000]
    assert [look.number for look in looks] == [1, 2, 3, 4]
    demanded = [look.deviations for look in looks]
    assert demanded == sorted(demanded)
    assert demanded[0] == pytest.approx(1.96, abs=0.01)


def test_no_look_before_a_horizon_has_passed() -> None:
    """Rows of the first days may all be of one kind; what was missed is one look, not three."""
    looks = fill(Contest(50 * DAY_MS, 1), 9_000)
    assert [look.number for look in looks] == [3, 4]


def test_rows_of_one_customer_count_as_one_block() -> None:
    """Ten equal rows of each customer prove no more than one; the error says so."""
    apart, together = Contest(0, 1), Contest(0, 1)
    draw = np.random.default_rng(1)
    looks: dict[Contest, list[Look | None]] = {apart: [], together: []}
    for customer in range(300):
        gain = 0.1 * draw.normal()
        for row in range(10):
            for contest, who in ((apart, customer * 10 + row), (together, customer)):
                look = contest.add(
                    0, who * 104_729, converted=True, weight=1.0, champion=0.5,
                    challenger=0.5 + gain,
                )  # fmt: skip
                looks[contest].append(look)
    errors = [[look.error for look in of_one if look is not None] for of_one in looks.values()]
    assert len(errors[0]) == len(errors[1]) == 3
    assert errors[1][-1] / errors[0][-1] == pytest.approx(np.sqrt(10), rel=0.25)


def test_a_miscalibrated_challenger_is_not_better() -> None:
    """It ranks perfectly and gains, but its shares are wrong by more than chance."""
    contest = Contest(0, 1)
    looks = [
        contest.add(
            0, row, converted=row % 2 == 0, weight=1.0, champion=0.5,
            challenger=0.8 if row % 2 == 0 else 0.2,
        )
        for row in range(1_000)
    ]  # fmt: skip
    (look,) = [each for each in looks if each is not None]
    assert look.gain > 0.5
    assert look.outcome == "undecided"


def test_chance_rarely_promotes_and_merit_does() -> None:
    """Of lives without merit at most one in twenty is expected; of those with it, most win.

    With 60 lives at 5 %, seven or more promotions come in under 4 % of runs; the seeds are fixed.
    `python -m bench.promotions` shows more lives.
    """
    without = [live(Case(1, 0.0, 2_000), seed) for seed in range(60)]
    assert sum(look is not None for look in without) <= 6
    merited = [live(Case(1, 0.6, 2_000), seed) for seed in range(10)]
    assert sum(look is not None for look in merited) >= 9


def test_a_contest_goes_on_bit_for_bit_from_its_state() -> None:
    """Cut anywhere, it finds the same looks."""
    whole, first, second = Contest(0, 2), Contest(0, 2), Contest(0, 2)
    looks = fill(whole, 3_000)
    draw_rows = 1_234
    cut_looks = fill(first, draw_rows)
    second.from_state(*first.to_state())
    assert second.to_state()[0] == first.to_state()[0]
    draw = np.random.default_rng(3)
    for row in range(3_000):
        logit = draw.normal()
        converted = bool(draw.random() < 1 / (1 + np.exp(-logit)))
        if row < draw_rows:
            continue
        look = second.add(
            row * DAY_MS // 100, row * 7919, converted=converted, weight=1.0, champion=0.5,
            challenger=float(1 / (1 + np.exp(-logit))),
        )  # fmt: skip
        cut_looks += [look] if look is not None else []
    assert cut_looks == looks


def test_a_state_of_another_format_is_refused() -> None:
    """It says what was found."""
    numbers, arrays = Contest(0, 1).to_state()
    with pytest.raises(ContestStateError, match="format 2"):
        Contest(0, 1).from_state({**numbers, "format": 2.0}, arrays)
    with pytest.raises(ContestStateError, match="shapes"):
        Contest(0, 1).from_state(numbers, {**arrays, "weights": np.zeros(3)})
