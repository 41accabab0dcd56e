"""Rows as bytes: the text that the compiled loop writes is the schema's own.

Owns: the shape and the numbers of a written row, whatever texts its sender uses.
Never: which features are right; tests/property/test_features.py asks that.
Source: schemas.example.TrainingExample.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from models.batch import STATUSES
from models.intake import Intake
from models.kernel_row_text import SEGMENTS
from models.layout import COUNT_BY_VALUES_MAX
from models.plan import Plan, compile_plan
from models.row_text import segments_of
from models.rows import ROWS_AT_ONCE, Rows, RowWriter, customer_hash, exact_units
from models.state import Examples, new_examples, new_queues, new_registers, reserve_examples
from schemas.campaign import EXPERTS, Campaign, CampaignFile, CountBy, Features
from schemas.clauses import Clause, Goal
from schemas.example import TrainingExample, decode_example, encode_example
from schemas.times import format_time

KEY = b"key"
TEXTS = st.text(min_size=1, max_size=20)
AT_MS = 1_795_428_930_123


def plan_of(prop: str, name: str = 'buy "now"') -> Plan:
    """Two campaigns, of a conversion and of a value, whose texts are awkward in JSON."""
    features = Features(
        half_lives_ms=(None,),
        count_by=(CountBy("view", prop),),
        categories=(prop,),
        crosses=((prop, "channel"),),
    )
    buy = Campaign(
        name=name,
        goal=Goal((Clause("büy"),)),
        horizon_ms=1000,
        score_on=(Clause("view"),),
        example_interval_ms=0,
        features=features,
    )
    value = replace(buy, name="value", predict="value", learner="bayesian_linear")
    return compile_plan(CampaignFile(1, {name: buy, "value": value}))


def closed_examples(plan: Plan, count: int, seed: int, codes: int) -> Examples:
    """Closed examples with random contents."""
    draw = np.random.default_rng(seed)
    records = new_examples(plan)
    reserve_examples(records, new_queues(plan), new_registers(), count)
    examples, room = records.view, records.rows
    examples.campaign[:] = -1 - draw.integers(0, 2, room)
    units = draw.integers(-2_000_000, 2_000_000, examples.units.shape)
    examples.units[:] = np.where(draw.random(units.shape) < 0.5, units, 0)
    examples.category_a[:] = draw.integers(0, codes, examples.category_a.shape)
    examples.category_b[:] = draw.integers(0, codes, examples.category_b.shape)
    examples.served[:] = draw.random(room)
    examples.experts[:] = np.round(draw.random(examples.experts.shape), 12)
    examples.experts[draw.random(room) < 0.3] = np.nan  # Served while warming, say.
    examples.version[:] = draw.integers(0, 2**40, room)
    examples.status[:] = draw.integers(0, len(STATUSES), room)
    examples.at_ms[:] = AT_MS - draw.integers(0, 2**38, room)
    examples.closed_ms[:] = AT_MS
    examples.offset[:] = draw.integers(0, 2**62, room)
    examples.closed_offset[:] = draw.integers(0, 2**62, room)
    examples.closed_index[:] = draw.integers(0, 64, room)
    examples.candidates[:] = draw.integers(1, 15, room)
    examples.weight[:] = draw.choice((1.0, 2.0, 1.1, 7.3), room)
    examples.answer[:] = draw.choice((0.0, 1.0, 49.9, 0.1 + 0.2, 1e22, -3.0), room)
    return examples


def features_of(plan: Plan, examples: Examples, place: int, texts: list[str]) -> dict[str, float]:
    """The features of an example, one by one."""
    own = plan.layout.campaigns[-1 - int(examples.campaign[place])]
    found: dict[str, float] = {}
    for column, (name, units) in enumerate(
        zip(own.names, examples.units[place].tolist(), strict=False)
    ):
        if units:
            counted = column == len(own.names) - COUNT_BY_VALUES_MAX
            found[f"{name}={texts[1]} 90d" if counted else name] = units / 100_000
    for category, first, second in zip(
        own.categories, examples.category_a[place], examples.category_b[place], strict=True
    ):
        if first:
            parts = plan.layout.categories[category]
            text = texts[first] if len(parts) == 1 else f"{texts[first]}×{texts[second]}"
            found[f"{'×'.join(parts)}={text}"] = 1.0
    return found


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=5), TEXTS, st.integers(0, 2**32))
@example('quoted "and" \\', ["a\nb", "×", "\u2028", "\x7f"], 'e "1" \\', 1)
def test_a_row_is_what_the_schema_writes(
    prop: str, values: list[str], event_id: str, seed: int
) -> None:
    """A written row has the fields, their order and the numbers of its schema."""
    plan = plan_of(prop)
    intake = Intake(plan)
    codes = [intake.vocabulary.code(value) for value in values]
    for _ in range(2):
        intake.count_by[0].place(codes[0])
    texts = intake.vocabulary.texts
    count = 5
    examples = closed_examples(plan, count, seed, len(texts))
    widest = max(len(own.names) for own in plan.layout.campaigns)
    examples.units[:, widest - 63 :] = 0  # Counters that no value has yet are never above 0.
    rows = Rows()
    places = np.arange(count, dtype=np.int32)[::-1].copy()
    ids = [f"{event_id}{place}" for place in places]
    customers = [f"c{place}" for place in places]
    RowWriter(plan, intake, 7, KEY).write(examples, places, customers, ids, rows)
    assert len(rows) == count
    for place, key, value, campaign, converted in zip(
        places, rows.keys, rows.values, rows.campaigns, rows.converted, strict=True
    ):
        row = decode_example(value)
        assert shape(json.loads(value)) == shape(json.loads(encode_example(row)))
        assert row.campaign.encode() == key == plan.campaigns[campaign].encode()
        assert row.event_id == f"{event_id}{place}"
        assert row.customer == customer_hash(KEY, f"c{place}")
        assert (row.as_of, row.closed_at) == tuple(
            format_time(int(at[place])) for at in (examples.at_ms, examples.closed_ms)
        )
        assert (row.source.partition, row.source.offset) == (7, examples.offset[place])
        assert row.closed_by.offset == examples.closed_offset[place]
        assert row.closed_by.index == examples.closed_index[place]
        assert row.features == features_of(plan, examples, int(place), texts)
        assert_numbers(row, examples, int(place), value=campaign == 1)
        assert converted == (row.label > 0.0)
        assert row.model.version == examples.version[place]
        assert row.model.features == plan.features[campaign]
        assert row.lineage == row.model.lineage == plan.lineages[campaign]
        assert row.status == STATUSES[examples.status[place]]


def shape(record: object) -> Any:
    """The names of a record, in their order, and the kinds of what they hold."""
    if isinstance(record, dict):
        return [(name, shape(held)) for name, held in record.items()]
    return float if isinstance(record, int | float) else type(record)


def assert_numbers(row: TrainingExample, examples: Examples, place: int, *, value: bool) -> None:
    """Numbers are those of the example, to the bit."""
    served = float(examples.served[place])
    assert (row.probability, row.expected_value) == ((None, served) if value else (served, None))
    answer = float(examples.answer[place])
    assert row.label == (max(answer, 0.0) if value else float(answer > 0.0))
    assert row.weight == min(int(examples.candidates[place]), 10) * float(examples.weight[place])
    said = dict(zip(EXPERTS, examples.experts[place].tolist(), strict=True))
    assert row.experts == ({} if value or math.isnan(said["slow"]) else said)


def test_a_row_may_have_no_feature() -> None:
    """An example of which nothing was known is a row all the same."""
    plan = plan_of("dept")
    examples = closed_examples(plan, 1, 5, 1)
    examples.units[:] = 0
    rows = Rows()
    place = np.zeros(1, np.int32)
    RowWriter(plan, Intake(plan), 0, KEY).write(examples, place, ["c"], ["e"], rows)
    assert decode_example(rows.values[0]).features == {}


def test_more_rows_than_fit_the_buffer_are_written_in_pieces() -> None:
    """However many close at once, each row is whole."""
    plan = plan_of("dept")
    count = 2 * ROWS_AT_ONCE + 3
    examples = closed_examples(plan, count, 5, 1)
    rows, places = Rows(), np.arange(count, dtype=np.int32)
    names = [str(place) for place in places]
    RowWriter(plan, Intake(plan), 0, KEY).write(examples, places, names, names, rows)
    assert [decode_example(value).event_id for value in rows.values] == names


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
@example([-0.0, 0.0, 0.1, 1e-12, 9007.0, 1e-13, 0.1 + 0.2])
def test_numbers_off_the_grid_have_a_text(numbers: list[float]) -> None:
    """Every number comes back to the bit, by its steps or by its text."""
    units, spans, text = exact_units(np.array([numbers]))
    for place, number in enumerate(numbers):
        start, stop = spans[0, place]
        found = msgspec.json.decode(text[start:stop]) if stop > start else units[0, place] / 1e12
        assert np.array(found).tobytes() == np.array(number).tobytes()


def test_a_row_has_as_many_pieces_as_its_kernel_counts() -> None:
    """The pieces of two campaigns lie where the compiled loop looks for them."""
    assert {len(segments_of(plan_of("dept"), index)) for index in (0, 1)} == {SEGMENTS}
