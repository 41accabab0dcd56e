"""What a chaos run left in the topics, beside what a run without faults leaves.

Owns: the differences between the two, in words.
Never: knows which faults there were.
Source: ARCHITECTURE.md, "What never happens".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from consumer.snapshots.memory_store import MemoryStore
from consumer.trigger_output import TriggerEncoder
from models.folded import Folded
from models.scorer import Scorer
from models.served_again import ServedAgain
from schemas.dead_letter import explanation, parted
from schemas.example import TrainingExample, decode_example
from schemas.learner_state import decode_learner_state
from schemas.score import ScoreEntry, ScoreRecord, decode_score
from tests.chaos.crew import topic
from tests.chaos.traffic import Stored, read_all
from tests.chaos.workload import CAMPAIGNS
from tests.folded_states import wrong_states
from tests.world import World, plan

SHOWN_MAX = 20
PLAN: Final = plan(CAMPAIGNS)
Identity = tuple[str, int, int, str]


class Left(NamedTuple):
    """All that is in the topics, as a reader of committed records finds it."""

    events: list[Stored]
    scores: list[Stored]
    examples: list[Stored]
    states: list[Stored]
    dead_letters: list[Stored]
    triggers: list[Stored]
    held_out: list[Stored]

    @classmethod
    def read(cls, bootstrap: str, group: str) -> Left:
        """Read all of it."""
        return cls(*(read_all(bootstrap, topic(group, kind)) for kind in cls._fields))

    @property
    def outcomes(self) -> list[bytes]:
        """The rows of arms among the examples."""
        return _of_arms(each.value or b"" for each in self.examples)


def differences(left: Left, partitions: int) -> list[str]:
    """Every way in which a run differs from one without faults; none is what we want."""
    world = uninterrupted(left.events, partitions)
    decided = [_decided(left, index) for index in range(partitions)]
    return [
        *_scores(left.scores, world, partitions),
        *_rows(left, world, decided),
        *_outcomes(left, decided),
        *_states(left),
        *_letters(left.dead_letters, world),
        *_triggers(left, world, decided),
    ]


def uninterrupted(events: list[Stored], partitions: int) -> World:
    """One worker that nothing happens to, on the same log, in memory."""
    world = World(partitions=partitions, store=MemoryStore(), publish_from="start",
                  snapshots={"interval": "0s"})  # fmt: skip
    logs = world.log.topics[world.settings.topics.events]
    for event in events:
        log = logs[event.partition]
        assert event.offset == log.high, "the log of events has a gap"
        log.append([event.key], [event.value], [event.headers], [event.timestamp_ms])
    world.settle(world.start(given=PLAN))
    return world


def _scores(found: list[Stored], world: World, partitions: int) -> Iterable[str]:
    """Every due event is scored once, where and in the order in which it came."""
    for index in range(partitions):
        mine = [decode_score(each.value or b"") for each in found if each.partition == index]
        whole = world.scores(index)
        yield from _unequal(f"scores of {index}", Counter(map(_said, mine)),
                            Counter(map(_said, whole)))  # fmt: skip
        offsets = [score.source.offset for score in mine]
        if offsets != sorted(offsets):
            yield f"scores of {index} are not in the order of their events"


def _said(score: ScoreRecord) -> Any:
    """What does not depend on the model that happened to be there."""
    campaigns = tuple(entry.campaign for entry in score.scores)
    return (score.source.partition, score.source.offset, score.score_id, score.customer_id,
            score.event_id, score.cause, score.as_of, campaigns)  # fmt: skip


def _decided(left: Left, index: int) -> Folded:
    """What a fold of a partition makes of its events and the scores that were published."""
    served, fold = ServedAgain(PLAN), Scorer(PLAN, index)
    served.add(decode_score(each.value or b"") for each in left.scores if each.partition == index)
    events = [each for each in left.events if each.partition == index]
    return fold.fold(
        [each.offset for each in events], [each.timestamp_ms for each in events],
        [each.key for each in events], [each.value for each in events],
        catching_up=True, served=served,
    )  # fmt: skip


def _rows(left: Left, world: World, decided: list[Folded]) -> Iterable[str]:
    """Every example is one row, as it would be without faults, with what was served.

    Which arm it is of is what the published scores decide.
    """
    whole_log = [decode_example(each.value or b"") for each in left.examples]
    rows = [row for row in whole_log if not row.triggered]
    doubled = [key for key, count in Counter(map(_identity, rows)).items() if count > 1]
    yield from (f"row {key} is there more than once" for key in doubled)
    again = [row for folded in decided for row in map(decode_example, folded.rows.values)]
    arms = {_identity(row): row.acted for row in again if not row.triggered}
    found = Counter((_identity(row), _as_scored(row), row.acted) for row in rows)
    whole = Counter(
        (_identity(row), _as_scored(row), arms.get(_identity(row)))
        for row in world.rows()
        if not row.triggered
    )
    yield from _unequal("rows", found, whole)
    served = {
        (entry.campaign, score.source.partition, score.source.offset, score.as_of): entry
        for score in (decode_score(each.value or b"") for each in left.scores)
        for entry in score.scores
    }
    for row in rows:
        entry = served.get(_identity(row))
        said = entry and _prediction(entry)
        if said != _prediction(row):
            yield f"row {_identity(row)} is not what was served: {said}"


def _outcomes(left: Left, decided: list[Folded]) -> Iterable[str]:
    """Rows of arms are those that the published scores decide, to the byte, once each."""
    whole = _of_arms(value for folded in decided for value in folded.rows.values)
    yield from _unequal("rows of arms", Counter(left.outcomes), Counter(whole))


def _of_arms(rows: Iterable[bytes]) -> list[bytes]:
    return [row for row in rows if decode_example(row).triggered]


def _prediction(said: ScoreEntry | TrainingExample) -> Any:
    """What a row holds of a score: of a value what was expected, not how likely any was."""
    probability = said.probability if said.expected_value is None else None
    return (
        probability, said.expected_value, said.status, said.model,
        sorted((said.experts or {}).items()),
    )  # fmt: skip


def _identity(row: TrainingExample) -> Identity:
    """What a row is of: by its moment, since one event may let several timers fire."""
    return row.campaign, row.source.partition, row.source.offset, row.as_of


def _as_scored(row: TrainingExample) -> Any:
    return (tuple(sorted((name, value.hex()) for name, value in row.features.items())),
            row.label.hex(), row.weight.hex(), row.as_of, row.closed_at, row.closed_by.offset,
            row.closed_by.index, row.customer, row.event_id, row.lineage)  # fmt: skip


def _states(left: Left) -> Iterable[str]:
    """Every state is what a trainer makes of the rows that it covers, and the last of them all."""
    examples: dict[int, list[Stored]] = defaultdict(list)
    for each in left.examples:
        examples[each.partition].append(each)
    states: dict[int, list[bytes]] = defaultdict(list)
    last: dict[str, tuple[int, int]] = {}
    for stored in left.states:
        state = decode_learner_state(stored.value or b"")
        states[stored.partition].append(stored.value or b"")
        if state.covered < last.get(state.campaign, (0, 0))[0]:
            yield f"a state of {state.campaign} goes back to {state.covered}"
            continue
        last[state.campaign] = state.covered, state.version
    for index, values in states.items():
        mine = examples[index]
        yield from wrong_states(
            PLAN, values, [row.offset for row in mine], [row.value for row in mine]
        )
    ends, learned = dict[str, int](), Counter[str]()
    for stored in left.examples:
        row = decode_example(stored.value or b"")
        ends[row.campaign] = stored.offset + 1
        learned[row.campaign] += not row.triggered
    for campaign, end in ends.items():
        due = end, learned[campaign]
        if last.get(campaign) != due:
            yield f"{campaign} ended at {last.get(campaign)} (covered, rows), not at {due}"


def _triggers(left: Left, world: World, decided: list[Folded]) -> Iterable[str]:
    """Those that the published scores decide have left, once and in order, and no others."""
    topics = world.settings.topics
    for index, folded in enumerate(decided):
        due: dict[str, list[bytes]] = {topics.triggers: [], topics.held_out: []}
        for outgoing in TriggerEncoder(PLAN, topics, index).encode(folded):
            due[outgoing.topic] += [value or b"" for value in outgoing.values]
        for name, stored in ((topics.triggers, left.triggers), (topics.held_out, left.held_out)):
            found = [each.value or b"" for each in stored if each.partition == index]
            yield from _unequal(f"{name} of {index}", Counter(found), Counter(due[name]))
            if found != due[name]:
                yield f"{name} of {index} are not in the order in which they were decided"


def _letters(found: list[Stored], world: World) -> Iterable[str]:
    """Every record that cannot be read is there once."""
    mine = Counter(_letter(each.key, each.value, each.headers) for each in found)
    whole = Counter(_letter(*letter) for letter in world.dead_letters())
    yield from _unequal("dead letters", mine, whole)


def _letter(key: bytes | None, value: bytes | None, headers: Any) -> Any:
    said = explanation(parted(list(headers))[1])
    assert said is not None, headers
    return key, value, said.partition, said.offset, said.exception_message


def _unequal(of_what: str, found: Counter[Any], whole: Counter[Any]) -> Iterable[str]:
    for sign, more in (("too many", found - whole), ("missing", whole - found)):
        for each in more.elements():
            yield f"{of_what}: {sign}: {str(each)[:200]}"
