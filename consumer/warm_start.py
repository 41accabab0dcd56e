"""A learner that begins with the rows of a replay, not with nothing.

Owns: turning `examples.parquet` back into rows, and what is published of who learned them.
Never: judges scores: a replay served them to nobody.
Source: the contract, "Files of a replay" and "Commands".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from consumer.errors import WorldError
from consumer.example_table import ENVELOPE, ROWS_PER_BLOCK
from consumer.learning import read_state, state_key
from consumer.partitioner import partition_of
from consumer.transport import Outgoing, Partition, Transport
from models.plan import Plan
from models.rows import customer_hash
from models.scorer import HASH_KEY
from models.trainer import Trainer, refuse_unlearnable
from schemas.campaign import CHAMPION
from schemas.example import ClosedBy, ExampleSource, TrainingExample
from schemas.learner_state import LearnerState, encode_learner_state
from schemas.model_record import ModelRecord, encode_model_record
from schemas.score import ModelRef
from schemas.settings import Topics
from schemas.times import format_time

FEATURE = "feature:"


class Learned(NamedTuple):
    """What a learner became: its state, the model, and of how many rows how many converted."""

    state: LearnerState
    record: ModelRecord
    rows: int
    converted: int


def rows_of(path: Path, plan: Plan, campaign: str, source: str) -> Iterator[TrainingExample]:
    """The rows of the campaign `source` in `examples.parquet`, as rows of `campaign`.

    They say `catching_up`: nobody was served what stands in them.

    Raises
    ------
    WorldError: the file cannot be read, is no such table, or holds no row of it.
    """
    index = plan.campaigns.index(campaign)
    model = ModelRef(plan.lineages[index], CHAMPION, 0, plan.features[index])
    by_value = plan.file.campaigns[campaign].predict == "value"
    found, names = False, set[str]()
    try:
        table = pq.ParquetFile(path)
        missing = [name for name in ENVELOPE.names if name not in table.schema_arrow.names]
        if missing:
            raise WorldError(
                f"{path} is no table of examples: it lacks {', '.join(missing)}",
                "Name the `examples.parquet` of a `propensity replay`",
            )
        for batch in table.iter_batches(ROWS_PER_BLOCK):
            for record in batch.to_pylist():
                names.add(record["campaign"])
                if record["campaign"] == source:
                    found = True
                    yield _row(record, campaign, model, by_value=by_value)
    except (OSError, pa.ArrowException) as error:
        raise WorldError(
            f"{path} cannot be read: {error}", "Name the `examples.parquet` of a replay"
        ) from error
    if not found:
        there = ", ".join(sorted(names)) or "no campaign"
        raise WorldError(
            f"{path} holds no row of {source}; it has {there}",
            "Say with `--rows-of` whose rows are meant",
        )


def _row(
    record: dict[str, Any], campaign: str, model: ModelRef, *, by_value: bool
) -> TrainingExample:
    features = {
        name.removeprefix(FEATURE): float(number)
        for name, number in record.items()
        if name not in ENVELOPE.names and number  # 0.0 is what is left out.
    }
    row = TrainingExample(
        campaign=campaign,
        lineage=model.lineage,
        customer=customer_hash(HASH_KEY, record["customer_id"]),
        event_id=record["event_id"],
        as_of=format_time(record["as_of_ms"]),
        closed_at=format_time(record["closed_at_ms"]),
        source=ExampleSource(0, 0),
        closed_by=ClosedBy(0, 0),
        label=record["label"],
        weight=record["weight"],
        acted="none",
        features=features,
        probability=None if by_value else record["probability"],
        expected_value=record["expected_value"] if by_value else None,
        experts={},
        model=model,
        status="catching_up",
    )
    try:
        refuse_unlearnable(row)
    except ValueError as error:
        raise WorldError(
            f"A row of {record['campaign']} as of {row.as_of} cannot be learned: {error}",
            "Name the `examples.parquet` of a replay, as it was written",
        ) from error
    return row


def learn(
    plan: Plan, campaign: str, rows: Iterator[TrainingExample], before: LearnerState | None
) -> Learned:
    """Let a new learner learn rows, in their order; `before` is the state that it supersedes.

    Raises
    ------
    WorldError: `before` is of the same definition and has learned, or is of a newer one.
    """
    trainer = Trainer(plan)
    if before is not None:
        if before.version and before.lineage == plan.lineages[plan.campaigns.index(campaign)]:
            raise WorldError(
                f"{campaign} has learned {before.version} rows already, which would be lost",
                "Say `propensity campaigns remove` first, or leave it as it is",
            )
        trainer.restore([before])
    trainer.begin([campaign])
    learner = trainer.learners.get(campaign)
    if learner is None:
        raise WorldError(
            f"The campaign file holds an older definition of {campaign} than was learned last",
            "Use the campaign file that the workers have",
        )
    converted = 0
    for row in rows:
        learner.learn(row)
        converted += row.label > 0.0
    (state, *_), (record,) = trainer.states(), trainer.records()  # Challengers begin with workers.
    return Learned(state, record, learner.version, converted)


def held_state(transport: Transport, topics: Topics, campaign: str) -> LearnerState | None:
    """The newest state of a campaign's learner."""
    key, newest = state_key(campaign, CHAMPION), None
    for records in transport.read(_place(transport, topics, campaign)):
        for found, value in zip(records.keys, records.values, strict=True):
            if found == key:
                newest = value
    return None if newest is None else read_state(key, newest, topics)


def publish(transport: Transport, topics: Topics, learned: Learned) -> None:
    """Put state and model where trainers and scorers look for them, and wait for it."""
    campaign = learned.state.campaign
    topic, index = _place(transport, topics, campaign)
    key, state = state_key(campaign, CHAMPION), encode_learner_state(learned.state)
    transport.produce(Outgoing(topic, index, [key], [state]))
    model = encode_model_record(learned.record)
    transport.produce(Outgoing(topics.models, 0, [campaign.encode()], [model]))
    transport.commit({})


def _place(transport: Transport, topics: Topics, campaign: str) -> Partition:
    """States lie where the rows of their campaign do."""
    count = transport.partition_count(topics.examples)
    return Partition(topics.states, partition_of(campaign.encode(), count))
