"""What must have left of campaigns that publish changes only.

Owns: the same file with everything published, and finding what left and says nothing new.
Never: knows which models served: what was not published said what they alone know.
Source: docs/campaigns.md, "Publishing changes only".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from consumer.transport import Partition, Records
from models.folded import Folded
from models.plan import Plan, compile_plan
from models.scorer import Scorer
from models.served_again import ServedAgain
from models.trigger_states import States
from schemas.score import decode_score
from tests.simulation.reference import Due

if TYPE_CHECKING:
    from tests.simulation.group_life import GroupLife

_NAMES = ("contacts", "told served", "words", *States._fields)
Published = set[tuple[str, str]]


def quiet_of(plans: Iterable[Plan]) -> frozenset[str]:
    """The campaigns that publish changes only under any of the files."""
    found = (each for plan in plans for each in plan.file.campaigns.values())
    return frozenset(each.name for each in found if each.publish_change is not None)


def loud(plan: Plan) -> Plan:
    """The same plan with every score published."""
    if not quiet_of([plan]):
        return plan
    every = {name: replace(each, publish_change=None) for name, each in plan.file.campaigns.items()}
    return compile_plan(replace(plan.file, campaigns=every), plan.limits)


def heard(due: Iterable[Due], quiet: frozenset[str]) -> list[Due]:
    """What is due of the campaigns that publish everything; all of it, without a quiet one."""
    if not quiet:
        return list(due)
    found = [
        each._replace(campaigns=tuple(one for one in each.campaigns if one[0] not in quiet))
        for each in due
    ]
    return [each for each in found if each.campaigns]


def check_within(found: Iterable[Due], due: Iterable[Due]) -> None:
    """What left is of what is due, in its order, each once."""
    left = iter(due)
    for score in found:
        whole = next((each for each in left if each[:2] == score[:2]), None)
        assert whole is not None, f"the score of {score.offset} is not due"
        assert set(score.campaigns) <= set(whole.campaigns), f"entries of {score.offset}"


def check_published(life: GroupLife) -> None:
    """No entry of a quiet campaign left without saying something new, or being needed."""
    if not life.quiet or not life.is_exact:
        return
    if life.retention.has_stopped or life.histories.unknown_files:
        return  # As for triggers: docs/guarantees.md.
    for index in range(life.traffic.partitions):
        fold: Scorer | None = None
        partition = Partition(life.settings.topics.events, index)
        for file, first, stop in life.histories.committed_under(partition):
            going_on = Scorer(life.file.plans[file], index)
            if fold is not None:
                going_on.restore(fold.lift())
            fold = going_on
            records = life.histories.records(index)
            piece = records.cut(first, len(records) if stop is None else stop)
            _check_piece(life, fold, piece)


def _check_piece(life: GroupLife, fold: Scorer, piece: Records) -> None:
    topic, index = life.settings.topics.scores, piece.partition.index
    scores = [decode_score(value or b"") for _, value in life.log.everything(topic, index)]
    served = ServedAgain(fold.plan)
    served.add(scores)
    published = {(score.score_id, entry.campaign) for score in scores for entry in score.scores}
    for row in range(len(piece)):
        one = piece.cut(row, row + 1)
        before = [np.copy(column) for column in _columns(fold)]
        folded = fold.fold(
            one.offsets, one.timestamps_ms, one.keys, one.values, catching_up=True, served=served
        )
        if not folded.scores.admitted.any():  # Or a row was another customer's.
            _check_record(life, fold, folded, published, (before, _columns(fold)))


def _columns(fold: Scorer) -> list[NDArray[Any]]:
    """What customers were told, and who is in, by the names in `_NAMES`."""
    told: tuple[NDArray[Any], ...] = fold._told.view
    states: tuple[NDArray[Any], ...] = fold._triggers.view
    return [*told, *states]


def _check_record(
    life: GroupLife,
    fold: Scorer,
    folded: Folded,
    published: Published,
    columns: tuple[list[NDArray[Any]], list[NDArray[Any]]],
) -> None:
    """Hold the entries of one record to what was told, and who was in, before it."""
    before, after = (dict(zip(_NAMES, each, strict=True)) for each in columns)
    scores, count, events = folded.scores, folded.score_count, folded.batch.columns
    places = fold._telling.of_campaign[scores.campaign[:count]]
    slots = [
        int(events.slot[event]) if event < len(events.slot)
        else int(folded.moments.slot[event - len(events.slot)])
        for event in scores.event[:count].tolist()
    ]  # fmt: skip
    often = Counter(zip(slots, places.tolist(), strict=True))
    for m in np.flatnonzero(places >= 0).tolist():
        campaign, place, slot = int(scores.campaign[m]), int(places[m]), slots[m]
        event = int(scores.event[m]) - len(events.slot)
        named = events.score_hash[0] if event < 0 else folded.moments.score_hash[event]
        score_id = "".join(f"{int(half):016x}" for half in named)
        entry = score_id, fold.plan.campaigns[campaign]
        if entry not in published or often[slot, place] > 1:
            continue
        was, now = float(before["told served"][slot, place]), after["told served"][slot, place]
        words = before["words"][slot, place]
        policy = int(fold._policies.of_campaign[campaign])
        moved = policy >= 0 and any(
            before[name][slot, policy] != after[name][slot, policy]
            for name in ("phase", "score_one", "due_ms")
        )
        new = words == 0 or words != after["words"][slot, place]
        new |= abs(now - was) > fold._telling.share[place] * abs(was)
        assert new or moved or scores.place[m] >= 0, f"{entry} was published and says nothing new"
        life.seen.add("published what is new" if new else "published what is needed")
