"""Every record is accounted for, and no input makes a number infinite or none at all.

Owns: one long log of whatever senders do wrong, run through a whole worker.
Never: which record is right or wrong; tests/property/test_record_codecs.py holds that.
Source: ARCHITECTURE.md, "What never happens".
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from consumer.metrics import CONTROL_FACTS, NOT_ELIGIBLE
from consumer.partitioner import partition_of
from consumer.telemetry import Telemetry
from consumer.transport import NO_TIMESTAMP, Outgoing
from models.plan import Plan, compile_plan
from schemas.campaign_file import parse_campaigns
from schemas.control import CONTROL_TYPES, OURS
from schemas.example import decode_example
from schemas.learner_state import decode_learner_state, unpack_array
from schemas.model_record import decode_model_record
from schemas.score import decode_score
from schemas.times import DAY_MS
from tests.mutated_events import HAND_PICKED, MUTATIONS, mutated
from tests.world import BEGIN_MS, World

RECORDS = 110_000
STEP_MS = 4_000
CAMPAIGNS = """\
version: 1
events: {count: [mail], remember: [country], ignore: [offer]}
campaigns:
  buy:
    goal: {event: buy, where: {$value: {gte: 1}}, not_same: [order]}
    horizon: 6h
    rate: 10%
    score_on: [view, cart]
    example_interval: 1h
    features:
      categories: [channel, country]
      crosses: [[channel, country]]
      numbers: [price, value]
      count_by: [{event: buy, by: dept}]
  answer:
    goal: {event: buy, match: [order], lost: {event: refund}, until: ends_at}
    horizon: 1d
    score_on: [cart]
    example_interval: 0s
    learner: river_logistic
    features: {numbers: [price]}
  spend:
    goal: {any_of: [{event: buy}, {event: refund}]}
    horizon: 12h
    predict: value
    score_on: [view]
    features: {numbers: [value], half_lives: [1h, all]}
  lapse:
    for:
      - {last: dept, is: [a, b, 3, true]}
      - {event: view, within: 2h}
      - {event: refund, where: {$value: {gte: 30}, channel: c}, never: true}
    goal: {none_of: [view, {event: cart}]}
    horizon: 1h
    rate: 30%
    score_on: [offer]
    example_interval: 0s
"""
NUMBERS: tuple[object, ...] = (
    *(1, 2.5, 19.99, 7, 30, None, "12.5", "x", True),
    *(1e300, -1e300, 2**80, 1e9, -1e9, 5e-324, math.nan, math.inf, -math.inf, "nan", [1]),
)
TEXTS: tuple[object, ...] = (
    "a",
    "b",
    "c",
    "d" * 300,
    "",
    3,
    True,
    {"x": 1},
    "\ud800",
    "é×é=",
    None,
)

Record = tuple[bytes | None, bytes | None, int]


def plan() -> Plan:
    """Four campaigns that use every rule."""
    return compile_plan(parse_campaigns(CAMPAIGNS))


def ordinary(generator: random.Random, number: int, at_ms: int) -> dict[str, Any]:
    """An event whose envelope is in order, whatever stands in its value and properties."""
    odd = generator.random() < 0.2
    end_ms = at_ms + generator.randrange(DAY_MS)
    return {
        "customer_id": f"c{generator.randrange(300)}",
        "type": generator.choice(
            ("view", "view", "cart", "buy", "mail", "refund", "junk", "offer")
        ),
        "occurred_at": at_ms,
        "event_id": f"e{number}",
        "value": generator.choice(NUMBERS if odd else NUMBERS[:5]),
        "properties": {
            "price": generator.choice(NUMBERS if odd else NUMBERS[:5]),
            "order": f"o{generator.randrange(3)}",
            "dept": generator.choice(TEXTS if odd else TEXTS[:3]),
            "channel": generator.choice(TEXTS if odd else TEXTS[:3]),
            "country": generator.choice(TEXTS if odd else TEXTS[:3]),
            "ends_at": generator.choice((end_ms, "soon", 1e300, -1)),
        },
    }


def time_of(number: int) -> int:
    """Time goes on, stands still for three days, and then is only known by the day."""
    at_ms = BEGIN_MS + number * STEP_MS
    if number > RECORDS // 3:
        at_ms += 3 * DAY_MS
    return at_ms if number < 2 * RECORDS // 3 else at_ms - at_ms % DAY_MS


def one(generator: random.Random, number: int) -> Record:
    """A record in order, broken, forged, of another time, or nothing like a record."""
    at_ms, kind = time_of(number), generator.random()
    if kind < 0.15:
        value = mutated(generator)
        return key_of(value), value, at_ms
    if kind < 0.16:
        return b"key", generator.choice((*HAND_PICKED, None)), at_ms
    fields = ordinary(generator, number, at_ms)
    if kind < 0.2:
        fields["occurred_at"] += generator.choice((-DAY_MS, -3_600_001, 300_000, 300_001, 10**12))
        fields["occurred_at"] *= generator.choice((1, 1, 1, 0, -1, 0.001))
    if kind < 0.22:
        fields["customer_id"] = generator.choice((5, None, "", "x" * 129, ["a"], {}))
    value = json.dumps(fields).encode()
    if kind > 0.7:
        broken = bytearray(value)
        MUTATIONS[generator.randrange(len(MUTATIONS))](broken, generator)
        value = bytes(broken)
    key: bytes | None = key_of(value)
    if generator.random() < 0.02:
        key = generator.choice((None, b"c1", b"\xff", b""))
    return key, value, at_ms if generator.random() < 0.9 else NO_TIMESTAMP


def key_of(value: bytes) -> bytes:
    """The key that its sender gives a record."""
    try:
        fields = json.loads(value)
        return fields["customer_id"].encode() or b"key"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return b"key"


def log_records() -> Iterator[Record]:
    """The whole log; one in thirty is a repeat of something recent."""
    generator = random.Random(3)
    recent: list[Record] = []
    for number in range(RECORDS):
        if recent and generator.random() < 0.03:
            yield generator.choice(recent)
            continue
        recent = [*recent[-20:], one(generator, number)]
        # Unstamped records of another time would carry the clock away; they come last.
        if recent[-1][2] == NO_TIMESTAMP and number < RECORDS - 2_000:
            recent[-1] = (*recent[-1][:2], time_of(number))
        yield recent[-1]


@pytest.fixture(scope="module")
def world() -> World:
    """A worker that has folded the log, with models served as soon as they were learned."""
    # Most of these records are broken on purpose: no partition is to wait for that.
    world = World(
        limits={"dead_letters_consecutive_max": 10**9, "dead_letters_share_max": 1.0},
        publish_from="start",
    )
    worker = world.start(given=plan())
    for number, (key, value, stamp_ms) in enumerate(log_records()):
        index = 0 if key is None else partition_of(key, world.partitions)
        world.log.append(
            Outgoing(world.settings.topics.events, index, [key], [value], None, [stamp_ms])
        )
        if number % 10_000 == 0:
            world.settle(worker)
    world.settle(worker)
    return world


def telemetry_of(world: World) -> Telemetry:
    """What the only worker told."""
    (telemetry,) = world.telemetry.values()
    return telemetry


def test_consumed_is_taken_duplicate_or_dead_lettered(world: World) -> None:
    """Per partition every record is counted once, as taken, as a duplicate or as a dead letter."""
    topics, telemetry = world.settings.topics, telemetry_of(world)
    scored: Counter[int] = Counter(score.source.partition for score in world.scores())
    letters = 0
    for index, high in world.high(topics.events).items():
        meters = telemetry.partition(index)
        counted = (meters.taken.value, meters.duplicates.value, meters.dead_letters.value)
        assert sum(counted) == high
        assert min(counted) > 500
        rest = (meters.late.value, meters.not_scored.value, meters.not_eligible.value)
        facts = sum(
            telemetry.counter(CONTROL_FACTS, str(index), name.removeprefix(OURS)).value
            for name in CONTROL_TYPES
        )
        others = sum(rest) + meters.suppressed.value + facts
        assert meters.taken.value == meters.scored.value + others
        assert facts > 50
        assert min(rest) > 500
        assert meters.scored.value == scored[index]
        letters += int(meters.dead_letters.value)
    assert sum(world.high(topics.events).values()) == RECORDS
    assert len(world.dead_letters()) == letters
    assert world.committed(topics.events) == world.high(topics.events)


def test_dead_letters_are_records_of_the_log(world: World) -> None:
    """A dead letter holds the key and the bytes of a record, as they came."""
    came: Counter[tuple[bytes | None, bytes | None]] = Counter()
    for log in world.log.topics[world.settings.topics.events]:
        came.update(zip(log.keys, log.values, strict=True))
    left = Counter((key, value) for key, value, _ in world.dead_letters())
    assert not left - came


def assert_finite(found: object, path: str = "") -> None:
    """Every number in nested lists and objects is finite."""
    if isinstance(found, dict):
        for name, inner in found.items():
            assert_finite(inner, f"{path}.{name}")
    elif isinstance(found, (list, tuple)):
        for inner in found:
            assert_finite(inner, path)
    elif isinstance(found, float):
        assert math.isfinite(found), path


def test_every_number_that_leaves_is_finite(world: World) -> None:
    """Scores, rows, models and states hold no infinity, and no null where a number belongs."""
    topics = world.settings.topics
    values = {"spend"}
    for score in map(decode_score, world.values(topics.scores)):
        assert_finite(msgspec.to_builtins(score))
        for entry in score.scores:
            number = entry.expected_value if entry.campaign in values else entry.probability
            assert number is not None
            assert (entry.percentile is None) == (entry.band is None)
    learned: Counter[str] = Counter()
    for row in map(decode_example, world.values(topics.examples)):
        learned[row.campaign] += 1
        assert_finite(msgspec.to_builtins(row))
        assert (row.expected_value if row.campaign in values else row.probability) is not None
        assert all(abs(feature) <= 20.0 for feature in row.features.values())
    assert min(learned[name] for name in plan().campaigns) > 500
    for record in map(decode_model_record, world.values(topics.models)):
        assert_finite(msgspec.to_builtins(record))
        assert any(record.weights) or record.version == 0
    for state in map(decode_learner_state, world.values(topics.states)):
        assert_finite(msgspec.to_builtins(state))
        for packed in state.arrays.values():
            assert np.isfinite(unpack_array(packed).astype(np.float64)).all()


def test_models_were_served_while_records_were_broken(world: World) -> None:
    """The log is long enough for every campaign to leave the warming behind."""
    served = {(entry.campaign, entry.status) for score in world.scores() for entry in score.scores}
    assert {campaign for campaign, status in served if status != "warming"} == {*plan().campaigns}


def test_who_is_not_eligible_is_counted_by_clause(world: World) -> None:
    """Only `lapse` wants questions: each that nobody was eligible for counts under one clause."""
    telemetry = telemetry_of(world)
    clauses = [clause.name for clause in plan().clauses]
    counted = [telemetry.counter(NOT_ELIGIBLE, "lapse", clause).value for clause in clauses]
    assert min(counted) > 50
    events = (
        telemetry.partition(index).not_eligible.value
        for index in world.high(world.settings.topics.events)
    )
    assert sum(counted) == sum(events)
