"""What must hold at the end of a life, when all is scored, learned and committed.

Owns: comparing a life with the uninterrupted run, and states with the log they were learned from.
Never: changes anything.
Source: docs/contract.md; ARCHITECTURE.md, "What never happens".
"""

from __future__ import annotations

from collections import defaultdict

from schemas.example import TrainingExample, decode_example
from schemas.learner_state import decode_learner_state
from schemas.model_record import decode_model_record
from schemas.score import ScoreEntry, decode_score
from tests.folded_states import wrong_states
from tests.simulation.group_life import GroupLife
from tests.simulation.reference import Reference, RowKey, letters_of, row_facts, row_key
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
        self._rows: list[TrainingExample] = [
            decode_example(value)
            for log in self._logs[topics.examples]
            for value in log.values
            if value is not None
        ]

    def hold(self) -> None:
        """Assert all of it."""
        for index in range(len(self._reference.due)):
            self._check_scores(index)
        self._check_letters()
        self._check_rows()
        self._check_served()
        # Without transactions, a state that a worker thought dead publishes late hides the newer
        # one, and rows in between are learned by neither.
        if self._life.is_exact or not self._life.has_hung:
            self._check_states()
            self._check_versions()

    def _check_scores(self, index: int) -> None:
        """Every event that is due has its score, under the same id; in order, and once."""
        log = self._logs[self._topics.scores][index]
        found = []
        for value in log.values:
            score = decode_score(value or b"")
            assert score.source.partition == index, "a score stands in its event's partition"
            found.append((score.source.offset, score.score_id))
            for entry in score.scores:
                self._said[entry.campaign, index, score.source.offset].append(entry)
        first = self._publish.get(index, 0)
        due = [each for each in self._reference.due[index] if each[0] >= first]
        if self._life.is_exact:
            assert found == due, f"scores of partition {index}"
        else:
            assert set(due) <= set(found), f"scores of partition {index} are missing"
            assert set(found) <= set(self._reference.due[index]), f"scores of {index} not due"

    def _check_letters(self) -> None:
        letters = letters_of(self._logs[self._topics.dead_letters])
        if not self._life.is_exact:
            letters = letters_of([])
            letters.update(set(letters_of(self._logs[self._topics.dead_letters])))
        assert letters == self._reference.letters, "dead letters"

    def _check_rows(self) -> None:
        """Every example has its row, and it says what it says without faults."""
        found = {row_key(row) for row in self._rows}
        missing = sorted(set(self._reference.rows) - found)
        assert not missing, f"rows are missing: {missing[:3]}"
        if self._life.is_exact:
            assert len(found) == len(self._rows), "one row of each example"
        for row in self._rows:
            key = row_key(row)
            assert row_facts(row) == self._reference.rows.get(key), f"the row of {key}"

    def _check_served(self) -> None:
        """A row holds what was published of its event."""
        for row in self._rows:
            key = row_key(row)
            if row.source.offset < self._publish[row.source.partition]:
                continue
            said = [
                (entry.probability, entry.expected_value, entry.status, entry.model)
                for entry in self._said[key]
            ]
            held = (row.probability, row.expected_value, row.status, row.model)
            assert held in said, f"the row of {key} holds {held}, published was {said}"

    def _check_states(self) -> None:
        """Every state that was ever published is the fold of the log up to where it says."""
        for index, log in enumerate(self._logs[self._topics.states]):
            kept = {value for value in log.values if value is not None}
            examples = self._logs[self._topics.examples][index]
            wrong = wrong_states(self._life.traffic.plan, kept, examples.offsets, examples.values)
            assert list(wrong) == []

    def _check_versions(self) -> None:
        """Every row was learned, and once."""
        rows: dict[str, set[RowKey]] = defaultdict(set)
        for row in self._rows:
            rows[row.campaign].add(row_key(row))
        states = self._newest(self._topics.states)
        models = self._newest(self._topics.models)
        for campaign, keys in rows.items():
            state = decode_learner_state(states[f"{campaign}/champion".encode()])
            model = decode_model_record(models[campaign.encode()])
            assert state.version == len(keys), f"{campaign}: {state.version} of {len(keys)} rows"
            assert model.version == len(keys), f"{campaign}: the model has {model.version} rows"

    def _newest(self, topic: str) -> dict[bytes, bytes]:
        return {
            key: value
            for log in self._logs[topic]
            for key, value in zip(log.keys, log.values, strict=True)
            if key is not None and value is not None
        }
