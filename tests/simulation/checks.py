"""What must hold at the end of a life, when all is scored, learned and committed.

Owns: comparing a life with the uninterrupted run, and states with the log they were learned from.
Never: changes anything.
Source: docs/contract.md; ARCHITECTURE.md, "What never happens".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from msgspec.structs import replace

from consumer import metrics
from consumer.transport import Partition
from models.plan import Plan
from schemas.example import TrainingExample, decode_example
from schemas.learner_state import LearnerState, decode_learner_state
from schemas.model_record import decode_model_record
from schemas.score import ScoreEntry, decode_score
from tests.folded_states import wrong_states, wrong_states_of
from tests.simulation.control_checks import ControlChecks
from tests.simulation.group_life import GroupLife
from tests.simulation.histories import Outputs
from tests.simulation.quiet_campaigns import check_published, check_within, heard
from tests.simulation.reference import (
    Due,
    Letter,
    Reference,
    RowKey,
    due_of,
    letters_of,
    row_facts,
    row_key,
    score_keys,
)
from tests.simulation.trigger_checks import check_triggers
from tests.simulation.watch import Watch


class Checks:
    """Everything that a life left, held to the uninterrupted run."""

    def __init__(self, life: GroupLife, reference: Reference, watch: Watch) -> None:
        self._life = life
        self._reference = reference
        self._publish = watch.publish
        topics = life.settings.topics
        self._logs = life.log.topics
        self._topics = topics
        self._said: dict[RowKey, list[ScoreEntry]] = defaultdict(list)
        self._rows: list[TrainingExample] = []  # Of scores.
        self._outcomes: list[TrainingExample] = []  # Of arms: counted, and not learned.
        self._countable: list[TrainingExample] = []
        self._learnable: list[TrainingExample] = []  # But for those that were gone unread.
        self._gone: set[tuple[Any, ...]] = set()  # Labels of those; the row may be there again.
        self._learnable_at: dict[int, list[tuple[int, bytes | None]]] = defaultdict(list)
        for index in range(len(self._logs[topics.examples])):
            covered = self._covered(index)
            for offset, value in life.log.everything(topics.examples, index):
                row = decode_example(value or b"")
                (self._outcomes if row.triggered else self._rows).append(row)
                is_gone = self._is_unlearned(index, offset, covered[row.campaign, row.lineage])
                if not is_gone:
                    self._learnable_at[index].append((offset, value))
                    (self._countable if row.triggered else self._learnable).append(row)
                elif not row.triggered:
                    self._gone.add(_label_of(row))
                if row.triggered:
                    life.seen.add("an arm: gone unread" if is_gone else f"an arm: {row.acted}")

    def _covered(self, index: int) -> dict[tuple[str, str], list[int]]:
        """Up to where the states of each definition go that were ever published."""
        covered: dict[tuple[str, str], list[int]] = defaultdict(list)
        for _, value in self._life.log.everything(self._topics.states, index):
            if value is not None:
                state = decode_learner_state(value)
                covered[state.campaign, state.lineage].append(state.covered)
        return covered

    def _is_unlearned(self, index: int, offset: int, covered: list[int]) -> bool:
        """Whether a row was gone before anybody learned it, and somebody was told or will be.

        A state that ends within what is gone was published before it went, and never committed.
        """
        partition = Partition(self._topics.examples, index)
        gone = self._life.retention.passed_over_with(partition, offset)
        position = self._life.group.committed.get(partition)
        low = self._logs[self._topics.examples][index].low
        if position is not None and position.offset <= offset < low:
            gone.append(range(position.offset, low))
        return any(not any(offset < end <= each.stop for end in covered) for each in gone)

    def hold(self) -> None:
        """Assert all of it."""
        for index in range(len(self._reference.due)):
            self._check_scores(index)
        check_triggers(self._life)
        check_published(self._life)
        self._check_controls()
        self._check_letters()
        self._check_rows()
        self._check_served()
        self._see_statuses()
        # Without transactions, a state that a worker thought dead publishes late hides the newer
        # one, and rows in between are learned by neither.
        if self._life.is_exact or not self._life.has_hung:
            self._check_states()
            self._check_versions()
            self._check_dropped()

    def _check_scores(self, index: int) -> None:
        """Every event and moment that is due has its score, by the same id; in order, and once."""
        found: list[Due] = []
        for _, value in self._life.log.everything(self._topics.scores, index):
            score = decode_score(value or b"")
            assert score.source.partition == index, "a score stands in its event's partition"
            found.append(due_of(score))
            self._life.seen.add(f"served by {score.cause}")
            for key, entry in zip(score_keys(score), score.scores, strict=True):
                self._said[key].append(entry)
        first = self._publish.get(index, 0)
        due = [each for each in self._reference.due[index] if each.offset >= first]
        quiet = self._life.quiet
        if self._life.is_exact:
            assert heard(found, quiet) == heard(due, quiet), f"scores of partition {index}"
            check_within(found, due)
        else:
            missing = set(heard(due, quiet)) - set(heard(found, quiet))
            assert not missing, f"scores of partition {index} are missing"
            possible = [*self._reference.due[index], *self._possible(lambda each: each.due)]
            more = set(heard(found, quiet)) - set(heard(possible, quiet))
            assert not more, f"scores of {index} not due"

    def _possible(self, what: Callable[[Outputs], list[Any]]) -> Iterator[Any]:
        """What somebody may have made who then failed to commit it."""
        return chain.from_iterable(what(each) for _, each in self._life.histories.possible)

    def _check_controls(self) -> None:
        """Nothing is said or learned of who is suppressed or forgotten."""
        for index in range(len(self._reference.due)):
            controls = ControlChecks(self._life, index)
            controls.check_scores()
            controls.check_rows([row for row in self._rows if row.source.partition == index])
            controls.check_outcomes([r for r in self._outcomes if r.source.partition == index])

    def _check_letters(self) -> None:
        letters = letters_of(self._logs[self._topics.dead_letters])
        if self._life.is_exact:
            assert letters == self._reference.letters, "dead letters"
            return
        assert set(self._reference.letters) <= set(letters), "dead letters are missing"
        possible: set[Letter] = {letter for _, letter in self._possible(lambda each: each.letters)}
        assert set(letters) <= possible | set(self._reference.letters), "dead letters"

    def _check_rows(self) -> None:
        """Every example has its row, and it says what it says without faults."""
        found = {row_key(row) for row in self._rows}
        missing = sorted(set(self._reference.rows) - found)
        assert not missing, f"rows are missing: {missing[:3]}"
        if self._life.is_exact:
            rows: dict[RowKey, list[tuple[Any, ...]]] = defaultdict(list)
            for row in self._rows:
                rows[row_key(row)].append(row_facts(row))
            for key, facts in rows.items():
                assert Counter(map(repr, facts)) == Counter(
                    map(repr, self._reference.rows.get(key, []))
                ), f"the row of {key}"
            return
        possible = {key: list(facts) for key, facts in self._reference.rows.items()}
        for _, key, facts in self._possible(lambda each: each.rows):
            possible.setdefault(key, []).append(facts)
        for row in self._rows:
            assert row_facts(row) in possible.get(row_key(row), []), f"the row of {row_key(row)}"

    def _see_statuses(self) -> None:
        """Note which statuses, and whether experts, were published: what was not is not tried."""
        entries = [entry for said in self._said.values() for entry in said]
        self._life.seen.update(f"served {entry.status}" for entry in entries)
        if any(entry.experts for entry in entries):
            self._life.seen.add("served experts")

    def _check_served(self) -> None:
        """A row holds what was published of its event, if anything was."""
        for row in self._rows:
            key = row_key(row)
            if row.source.offset < self._publish[row.source.partition]:
                continue
            said = [self._served(entry) for entry in self._said[key]]
            if not said and self._life.is_by_histories:  # Its campaign came to it in a tail.
                assert row.status == "catching_up", f"the row of {key} was served by nobody"
                continue
            if self._life.retention.has_stopped and row.status == "catching_up":
                continue  # Its score was gone, and somebody said to go on.
            held = self._served(row)
            assert held in said, f"the row of {key} holds {held}, published was {said}"

    def _served(self, said: ScoreEntry | TrainingExample) -> tuple[Any, ...]:
        """Of a model's columns, a row says how they are called in the file that closes it.

        Of a value it holds what was expected, not how likely any was.
        """
        model = said.model
        probability = said.probability if said.expected_value is None else None
        if self._life.file.is_planned:
            model = replace(model, features="")
        return probability, said.expected_value, said.experts, said.status, model

    def _check_states(self) -> None:
        """Every state that was ever published is the fold of the log up to where it says."""
        plans = self._life.file.plans
        for index in range(len(self._logs[self._topics.states])):
            published = self._life.log.everything(self._topics.states, index)
            kept = list(dict.fromkeys(value for _, value in published if value is not None))
            rows = self._learnable_at[index]
            offsets, values = [offset for offset, _ in rows], [value for _, value in rows]
            if len(plans) == 1:
                wrong = list(wrong_states(plans[0], kept, offsets, values))
            else:
                wrong = list(wrong_states_of(plans, kept, offsets, values))
                self._check_succession(kept)
            assert not wrong, "; ".join(wrong)

    def _check_succession(self, kept: list[bytes]) -> None:
        """Once a definition has followed another, no state of the other hides its own."""
        newest: dict[str, LearnerState] = {}
        for value in kept:
            state = decode_learner_state(value)
            before = newest.get(state.campaign)
            if before is not None and before.lineage != state.lineage:
                assert before.lineage in state.superseded, f"{state.campaign} forgot a lineage"
                assert state.lineage not in before.superseded, f"{state.campaign} went back"
            newest[state.campaign] = state

    def _check_versions(self) -> None:
        """Every row of a definition that is in use was learned, and once."""
        rows: dict[tuple[str, str], set[tuple[Any, ...]]] = defaultdict(set)
        for row in self._learnable:
            rows[row.campaign, row.lineage].add(_label_of(row))
        states = self._newest(self._topics.states)
        models = self._newest(self._topics.models)
        for campaign, lineage in self._definitions(self._life.file.plans[-1]):
            count = len(rows[campaign, lineage])
            if count == 0:
                continue
            state = decode_learner_state(states[f"{campaign}/champion".encode()])
            model = decode_model_record(models[campaign.encode()])
            assert (state.lineage, model.lineage) == (lineage, lineage), f"{campaign} is outdated"
            taken = self._taken(state)
            # At least once, rows that left under the file before may stand for those of this one.
            exact = self._life.is_exact or not self._life.file.is_planned
            # What was gone unread and left again comes too late where a later row was learned.
            least = len(rows[campaign, lineage] - self._gone) if exact else 0
            assert least <= taken <= count, f"{campaign}: {taken} of {count} rows"
            assert model.version == state.version, f"{campaign}: the model has {model.version} rows"
            self._check_counted(campaign, state)

    def _check_counted(self, campaign: str, state: LearnerState) -> None:
        """Every row of an arm was counted, and once, where every file counts them."""
        files = [plan.file.campaigns.get(campaign) for plan in self._life.file.plans]
        if not all(each is not None and each.is_measured for each in files):
            return
        mine = [row for row in self._countable if row.campaign == campaign]
        rows = {_label_of(row) for row in mine if row.lineage == state.lineage}
        exact = self._life.is_exact and len(self._countable) == len(self._outcomes)
        counted = self._counted(state)
        assert len(rows) * exact <= counted <= len(rows), (
            f"{campaign}: {counted} of {len(rows)} rows of arms"
        )

    def _check_dropped(self) -> None:
        """Rows of a definition that was followed by another are learned, or counted."""
        old, new = self._definitions(self._life.file.plans[0]), self._life.file.plans[-1]
        followed = {each for each in old - self._definitions(new) if each[0] in new.campaigns}
        both = chain(self._learnable, self._countable)
        rows = Counter((row.campaign, row.lineage) for row in both)
        learned: dict[tuple[str, str], int] = defaultdict(int)
        for index in range(len(self._logs[self._topics.states])):
            published = self._life.log.everything(self._topics.states, index)
            for state in (decode_learner_state(value) for _, value in published if value):
                key = state.campaign, state.lineage
                learned[key] = max(learned[key], self._taken(state) + self._counted(state))
        for campaign, lineage in sorted(followed):
            counted = sum(
                each.counter(metrics.EXAMPLES_DROPPED, campaign, "superseded").value
                for each in self._life.telemetry
            )
            lost = rows[campaign, lineage] - learned[campaign, lineage] - counted
            assert lost <= 0 or not self._life.is_exact, (
                f"{lost} rows of {campaign} went in silence"
            )

    @staticmethod
    def _taken(state: LearnerState) -> int:
        """How many rows were learned, or left out and counted while answers were silent."""
        return state.version + int(state.numbers["judgement.rows_silent"])

    @staticmethod
    def _counted(state: LearnerState) -> int:
        """How many rows of arms were counted."""
        return sum(
            int(state.numbers.get(f"arms.{arm}_customers", 0)) for arm in ("acted", "held_out")
        )

    @staticmethod
    def _definitions(plan: Plan) -> set[tuple[str, str]]:
        return set(zip(plan.campaigns, plan.lineages, strict=True))

    def _newest(self, topic: str) -> dict[bytes, bytes]:
        return {
            key: value
            for log in self._logs[topic]
            for key, value in zip(log.keys, log.values, strict=True)
            if key is not None and value is not None
        }


def _label_of(row: TrainingExample) -> tuple[Any, ...]:
    """What a row is the label of; the row may be there more than once."""
    return row_key(row), row.closed_by.offset, row.closed_by.index
