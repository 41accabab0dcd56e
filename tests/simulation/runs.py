"""One seed, from its draws to the verdict; and many of them.

Owns: the two phases of a life, the verdict, and running seeds in several processes.
Never: prints.
Source: phases of safety and of liveness as in TigerBeetle's VOPR.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import structlog

from consumer.errors import WorldError
from consumer.transactions import TransactionFault
from tests.simulation.checks import Checks
from tests.simulation.group_life import QUIET_TICKS_MAX, GroupLife
from tests.simulation.reference import reference_of
from tests.simulation.watch import Watch

SEEDS_FILE = Path(__file__).parent / "seeds.txt"
CHUNK = 8
WRONG = (AssertionError, WorldError, TransactionFault, LookupError, ValueError, TypeError)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a seed; `problem` is None if everything held."""

    seed: int
    problem: str | None
    trace: list[str]


def quieten() -> None:
    """Let workers log nothing: a seed says a thousand things."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))


def live(life: GroupLife) -> None:
    """Play a life to its end and hold it to everything; raises what is wrong."""
    reference = reference_of(life.traffic)
    watch = Watch(life, reference)
    while life.is_faulty:
        life.turn()
        watch.look()
    life.heal()
    for _ in range(QUIET_TICKS_MAX):
        life.at_least_one()
        life.turn()
        watch.look()
        if life.is_done():
            break
    assert life.is_done(), "what was sent is not done within the time it may take"
    life.stop_all()
    watch.look()
    Checks(life, reference, watch).hold()


def judge(seed: int) -> Verdict:
    """Play a seed."""
    life = GroupLife(seed)
    try:
        live(life)
    except WRONG as error:
        life.note(f"FAILS: {error!r}")
        return Verdict(seed, "".join(traceback.format_exception(error)), life.trace)
    return Verdict(seed, None, life.trace)


def verdicts(seeds: Iterable[int], jobs: int) -> Iterator[Verdict]:
    """Play many seeds, in their order."""
    quieten()
    if jobs < 2:
        yield from map(judge, seeds)
        return
    with get_context("spawn").Pool(jobs, initializer=quieten) as pool:
        yield from pool.imap(judge, seeds, chunksize=CHUNK)


def seeds_that_failed() -> list[int]:
    """The seeds that failed once: they are played first ever after."""
    if not SEEDS_FILE.exists():
        return []
    lines = SEEDS_FILE.read_text(encoding="utf-8").splitlines()
    return [int(line.split("#")[0]) for line in lines if line.split("#")[0].strip()]
