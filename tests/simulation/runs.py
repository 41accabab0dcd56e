"""One seed, from its draws to the verdict; and many of them.

Owns: the two phases of a life, the verdict, and running seeds in several processes.
Never: prints.
Source: phases of safety and of liveness as in TigerBeetle's VOPR.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import structlog

from consumer.errors import WorldError
from consumer.transactions import TransactionFault
from models import campaign_learner
from models.distinct_counts import DistinctCounts
from schemas.score import decode_score
from tests.simulation.checks import Checks
from tests.simulation.group_life import QUIET_TICKS_MAX, GroupLife
from tests.simulation.lost_logs import STRANGER
from tests.simulation.progress import is_done
from tests.simulation.quiet_campaigns import loud
from tests.simulation.reference import reference_of
from tests.simulation.unknown_definitions import is_held_by_one
from tests.simulation.watch import Watch

SEEDS_FILE = Path(__file__).parent / "seeds.txt"
CHUNK = 8
READY_CUSTOMERS = 2
STOPPED = "stopped as promised"
OTHER_TOPIC_TICKS_MAX = 200  # A worker whose commit was refused leaves after 20 s, which are 80.
OTHER_TOPIC_STARTS = 3
WRONG = (AssertionError, WorldError, TransactionFault, LookupError, ValueError, TypeError)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a seed; `problem` is None if everything held.

    `seen` are the rarer things that happened in it; with `STOPPED` among them it ended early, its
    workers having stopped as they promise.
    """

    seed: int
    problem: str | None
    trace: list[str]
    seen: frozenset[str] = frozenset()


def quieten() -> None:
    """Let workers log nothing: a seed says a thousand things."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))


def live(life: GroupLife) -> None:
    """Play a life to its end and hold it to everything; raises what is wrong."""
    by_histories = life.is_by_histories
    reference = (
        life.histories.expected
        if by_histories
        else reference_of(life.traffic, loud(life.traffic.plan))
    )
    watch = Watch(life, reference)
    while life.is_faulty and not life.has_ended:
        life.turn()
        if life.other_topic.is_here:
            stop_for_another_topic(life)
            return
        watch.look()
    life.heal()
    for _ in range(QUIET_TICKS_MAX):
        life.at_least_one()
        life.turn()
        watch.look()
        if is_done(life) or life.has_ended:
            break
    if life.has_ended:
        life.seen.add(STOPPED)
        return
    if is_held_by_one(life):
        life.seen.add("held by a definition that nobody ran")
        return
    assert is_done(life), "what was sent is not done within the time it may take"
    life.stop_all()
    watch.look()
    if life.histories.labelled_twice:
        life.seen.add("labelled by two files")
    Checks(life, reference, watch).hold()


def stop_for_another_topic(life: GroupLife) -> None:
    """Everybody who lives and whoever comes stops, and nothing is made of the other topic."""
    life.heal()
    topics, started = life.settings.topics, 0
    for _ in range(OTHER_TOPIC_TICKS_MAX):
        if not life.living:
            if started == OTHER_TOPIC_STARTS:
                break
            started += 1
            life.join()
        life.turn()
    assert not life.living, "somebody goes on with another topic"
    for index in range(life.traffic.partitions):
        for _, value in life.log.everything(topics.scores, index):
            assert decode_score(value or b"").customer_id != STRANGER.decode(), "it was scored"
    life.seen.add(STOPPED)


def soon_ready(seed: int) -> AbstractContextManager[object]:
    """In most seeds few customers are enough to leave `warming`: lives are short."""
    if seed % 4 == 0:
        return nullcontext()
    counts = partial(DistinctCounts, customers_max=READY_CUSTOMERS)
    return patch.object(campaign_learner, "DistinctCounts", counts)


def judge(seed: int) -> Verdict:
    """Play a seed."""
    life = GroupLife(seed)
    try:
        with soon_ready(seed):
            live(life)
    except WRONG as error:
        life.note(f"FAILS: {error!r}")
        problem = "".join(traceback.format_exception(error))
        return Verdict(seed, problem, life.trace, frozenset(life.seen))
    return Verdict(seed, None, life.trace, frozenset(life.seen))


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
