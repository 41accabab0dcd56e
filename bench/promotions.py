"""`python -m bench.promotions`: how often chance promotes a challenger, and how soon merit does.

Owns: lives of champions and challengers with known truth, and the shares that are promoted.
Never: a learner; what both say is the truth with an error of their own.
Source: models/contest.py for the rule; customers have an inclination and errors that all of their
    rows share, so that rows are not independent.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.contest import Contest, Look
from models.kernels_learner import Floats

CUSTOMERS: Final = 20_000
INCLINATION: Final = 0.8
BASE_LOGIT: Final = -2.5
ERROR: Final = 0.15
CHUNK: Final = 4_000
HOUR_MS: Final = 3_600_000


@dataclass(frozen=True)
class Case:
    """So many challengers, whose errors are smaller than the champion's by a share."""

    challengers: int
    merit: float
    positives_max: int


CASES: Final = (
    Case(1, 0.0, 8_000),
    Case(3, 0.0, 8_000),
    Case(1, 0.3, 8_000),
    Case(1, 0.6, 8_000),
)


def _probability(logit: Floats) -> Floats:
    found: Floats = 1.0 / (1.0 + np.exp(-logit))
    return found


def live(case: Case, seed: int) -> Look | None:
    """Let challengers contend until one is promoted, or enough have converted; gives that look."""
    draw = np.random.default_rng(seed)
    inclination = INCLINATION * draw.normal(size=CUSTOMERS)
    sizes = np.array([ERROR, *[ERROR * (1.0 - case.merit)] * case.challengers])
    habits = sizes[:, None] * draw.normal(size=(len(sizes), CUSTOMERS))
    hashes = draw.integers(1 << 63, size=CUSTOMERS, dtype=np.uint64)
    contests = [Contest(0, case.challengers) for _ in range(case.challengers)]
    hour = 0
    while contests[0].positives < case.positives_max:
        people = draw.integers(CUSTOMERS, size=CHUNK)
        truth = BASE_LOGIT + inclination[people] + 0.5 * draw.normal(size=CHUNK)
        converted = draw.random(CHUNK) < _probability(truth)
        moods = sizes[:, None] * draw.normal(size=(len(sizes), CHUNK))
        said = _probability(truth + habits[:, people] + moods)
        for row in range(CHUNK):
            hour += 1
            for number, contest in enumerate(contests):
                look = contest.add(
                    hour * HOUR_MS,
                    int(hashes[people[row]]),
                    converted=bool(converted[row]),
                    weight=1.0,
                    champion=float(said[0, row]),
                    challenger=float(said[number + 1, row]),
                )
                if look is not None and look.outcome == "better":
                    return look
    return None


def main() -> None:
    """Print, for each case, the share of lives in which a challenger was promoted."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--lives", type=int, default=200, help="of each case")
    lives = asked.parse_args().lives
    print("| challengers | smaller errors by | lives | promoted | median positives by then |")
    print("|---|---|---|---|---|")
    for case in CASES:
        looks = [look for seed in range(lives) if (look := live(case, seed)) is not None]
        median = f"{np.median([look.positives for look in looks]):,.0f}" if looks else "–"
        print(
            f"| {case.challengers} | {case.merit:.0%} | {lives} | {len(looks) / lives:.1%} "
            f"| {median} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
