"""What the log says of silence and drift: each change once, also across a restart.

Owns: the lines of consumer.verdicts, said by a learning partition.
Never: when answers are silent; tests/unit/test_judgement.py asks that.
Source: docs/quality.md, "Silence" and "`drift`".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO

import msgspec
import pytest

from consumer.clock import FixedClock
from consumer.learning import LearningPartition
from consumer.logs import configure_logs
from consumer.other_topics import LearnedFrom
from consumer.telemetry import Telemetry
from consumer.transport import Partition, Records
from consumer.verdicts import Verdicts
from models.trainer import Trainer
from schemas.example import encode_example
from schemas.settings import Topics
from tests.unit.test_trainer import plan_of, random_rows

PARTITION = Partition("training-examples", 0)
PLAN = plan_of()


@pytest.fixture
def said() -> Iterator[StringIO]:
    """What is logged, as lines of JSON."""
    stream = StringIO()
    configure_logs("info", stream)
    yield stream
    configure_logs()


def lines(said: StringIO) -> list[str]:
    """The log's events so far, and the campaign of each."""
    found = map(json.loads, said.getvalue().splitlines())
    return [f"{line['campaign']}: {line['event']} {line.get('kind', '')}".strip() for line in found]


def silent_rows() -> list[bytes]:
    """Rows of one campaign: converting ones, then none for long, then one."""
    rows = random_rows(PLAN, 900, texts=1, share=0.5)
    rows = [row for row in rows if row.campaign == "buy"][:400]
    for number, row in enumerate(rows):
        row.status, row.customer = "ready", f"{number:016x}"
        row.label = row.label if number < 300 else float(number == 399)
    return [encode_example(row) for row in rows]


def test_silence_and_its_end_are_said_once(said: StringIO) -> None:
    """Publishing again and again says nothing more; the metric counts the rows not learned."""
    telemetry = Telemetry(FixedClock(0))
    learning = LearningPartition(PARTITION, 0, PLAN, Topics(), telemetry, LearnedFrom())
    values = silent_rows()
    for first in range(0, 400, 10):
        offsets = list(range(first, first + 10))
        part = values[first : first + 10]
        learning.add(Records(PARTITION, offsets, [0] * 10, [None] * 10, list(part), []))
        learning.learn(10)
        learning.publish()
    silent = "buy: answers_silent"
    heard = "buy: answers_heard"
    assert [line for line in lines(said) if "answers" in line] == [silent, heard]
    exposition = telemetry.exposition()[0].decode()
    dropped = 'propensity_examples_dropped_total{campaign="buy",reason="silent"}'
    (line,) = (each for each in exposition.splitlines() if each.startswith(dropped))
    assert float(line.split()[-1]) > 80


def test_an_alarm_is_said_when_it_comes(said: StringIO) -> None:
    """What a restart finds is not said again, a further alarm is."""
    trainer = Trainer(PLAN)
    trainer.fold(range(40), random_rows(PLAN, 40))
    (record, *_) = trainer.records()
    verdicts = Verdicts()
    for alarms in (2.0, 2.0, 3.0, 3.0):
        quality = {**record.quality, "alarms_inputs": alarms}
        verdicts.say([msgspec.structs.replace(record, quality=quality)])
    assert lines(said) == ["buy: drift_alarm inputs"]
