"""Codecs of our own records: what is written is read again, bit for bit, by both readers.

Owns: the round trips of scores, examples, model records and learner states.
Never: needs a broker.
Source: the contract, "Records".
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from schemas.example import (
    CUSTOMER_PATTERN,
    INDEX_MAX,
    LABEL_MAX,
    OFFSET_MAX,
    PARTITION_MAX,
    WEIGHT_MAX,
    ClosedBy,
    Example,
    ExampleSource,
    TrainingExample,
    decode_example,
    encode_example,
)
from schemas.learner_state import (
    LearnerState,
    PackedArray,
    State,
    decode_learner_state,
    encode_learner_state,
    pack_array,
    unpack_array,
)
from schemas.model_record import (
    ExpertWeights,
    Model,
    ModelRecord,
    ValueWeights,
    decode_model_record,
    encode_model_record,
)
from schemas.score import (
    ModelRef,
    Reason,
    Score,
    ScoreEntry,
    ScoreRecord,
    Source,
    decode_score,
    encode_score,
)
from schemas.times import TIME_MAX_MS, TIME_MIN_MS, format_time

finite = st.floats(allow_nan=False, allow_infinity=False)
probabilities = st.floats(0, 1)
texts = st.text(max_size=12)
names = st.text(min_size=1, max_size=12)
counts = st.integers(0, 2**62)
offsets = st.integers(0, OFFSET_MAX)
times = st.integers(TIME_MIN_MS, TIME_MAX_MS)

model_refs = st.builds(ModelRef, lineage=texts, learner=names, version=counts, features=texts)
scores = st.builds(
    ScoreRecord,
    score_id=texts,
    customer_id=st.text(min_size=1, max_size=20),
    event_id=st.none() | texts,
    cause=st.sampled_from(["event", "timer"]),
    as_of=times.map(format_time),
    source=st.builds(Source, topic=texts, partition=st.integers(0, 9999), offset=counts),
    scores=st.lists(
        st.builds(
            ScoreEntry,
            campaign=names,
            horizon_ms=st.integers(1, 2**45),
            probability=st.none() | probabilities,
            percentile=st.none() | st.floats(0, 100),
            band=st.sampled_from([None, "low", "medium", "high"]),
            expected_value=st.none() | finite,
            status=st.sampled_from(["warming", "ready", "unreliable", "paused", "catching_up"]),
            reasons=st.lists(st.builds(Reason, source=texts, contribution=finite), max_size=3),
            other_reasons=finite,
            baseline=finite,
            model=model_refs,
            experts=st.dictionaries(names, probabilities, max_size=2),
        ),
        max_size=3,
    ),
)
examples = st.builds(
    TrainingExample,
    campaign=names,
    lineage=texts,
    customer=st.from_regex(CUSTOMER_PATTERN, fullmatch=True),
    event_id=st.none() | texts,
    as_of=times.map(format_time),
    closed_at=times.map(format_time),
    source=st.builds(ExampleSource, partition=st.integers(0, PARTITION_MAX), offset=offsets),
    closed_by=st.builds(ClosedBy, offset=offsets, index=st.integers(0, INDEX_MAX)),
    label=st.floats(-LABEL_MAX, LABEL_MAX),
    weight=st.floats(0.5, WEIGHT_MAX),
    acted=st.sampled_from(["none", "acted", "held_out"]),
    features=st.dictionaries(names, finite, max_size=5),
    probability=st.none() | probabilities,
    expected_value=st.none() | finite,
    experts=st.dictionaries(names, probabilities, max_size=3),
    model=model_refs,
    status=st.sampled_from(["warming", "ready", "unreliable", "paused", "catching_up"]),
)


@st.composite
def model_records(draw: st.DrawFn) -> ModelRecord:
    """Model records whose lists have one length."""
    columns = draw(st.lists(names, max_size=6, unique=True))
    numbers = st.lists(finite, min_size=len(columns), max_size=len(columns))
    quantiles = st.lists(probabilities, min_size=101, max_size=101) | st.just(list[float]())
    return ModelRecord(
        campaign=draw(names),
        lineage=draw(texts),
        learner=draw(names),
        version=draw(counts),
        features=draw(texts),
        status=draw(st.sampled_from(["warming", "ready", "unreliable", "paused"])),
        rate=draw(probabilities),
        predict=draw(st.sampled_from(["conversion", "value"])),
        bias=draw(finite),
        columns=columns,
        weights=draw(numbers),
        means=draw(numbers),
        quantiles=draw(quantiles),
        experts=draw(
            st.dictionaries(
                names, st.builds(ExpertWeights, bias=finite, weights=numbers, share=probabilities)
            )
        ),
        value=draw(
            st.just(msgspec.UNSET)
            | st.builds(ValueWeights, bias=finite, weights=numbers, factor=finite)
        ),
        covered=draw(counts),
        quality=draw(st.dictionaries(names, st.none() | finite, max_size=4)),
    )


dtypes = st.sampled_from(["<f8", "<f4", "<i8", "<i4", "<u8", "|b1", ">f8", ">i4"])


def random_array(dtype: str, shape: list[int], seed: int) -> NDArray[Any]:
    """Numbers of any type and byte order."""
    numbers = np.asarray(np.random.default_rng(seed).normal(0, 1e3, shape))
    return numbers.astype(dtype)


arrays = st.builds(
    random_array,
    st.sampled_from(["<f8", "<f4", "<i8", "<i4", "|b1", ">f8", ">i4"]),
    st.lists(st.integers(0, 4), max_size=3),
    st.integers(0, 2**32),
)


@given(scores)
def test_scores_come_back(record: ScoreRecord) -> None:
    """A score record's bytes decode to it, and the contract reads the same fields."""
    value = encode_score(record)
    assert decode_score(value) == record
    contract = Score.model_validate_json(value)
    assert contract.model_dump(exclude_unset=True) == json.loads(value)
    assert list(Score.model_fields) == list(json.loads(value))


@given(examples)
def test_examples_come_back(record: TrainingExample) -> None:
    """An example's bytes decode to it, and the contract reads the same fields."""
    value = encode_example(record)
    assert decode_example(value) == record
    assert Example.model_validate_json(value).model_dump(exclude_unset=True) == json.loads(value)
    assert format_time(record.as_of_ms) == record.as_of
    assert format_time(record.closed_at_ms) == record.closed_at


@given(model_records())
def test_model_records_come_back(record: ModelRecord) -> None:
    """A model record's bytes decode to it bit for bit, and the contract reads the same fields."""
    value = encode_model_record(record)
    assert decode_model_record(value) == record
    assert Model.model_validate_json(value).model_dump(exclude_unset=True) == json.loads(value)


@given(
    st.dictionaries(names, finite, max_size=5),
    st.dictionaries(names, arrays.map(pack_array), max_size=3),
    st.dictionaries(st.integers(0, 99).map(str), st.tuples(counts, counts), max_size=3),
)
def test_learner_states_come_back(
    numbers: dict[str, float],
    packed: dict[str, PackedArray],
    closed_by: dict[str, tuple[int, int]],
) -> None:
    """A state's bytes decode to it bit for bit, and the contract reads the same fields."""
    record = LearnerState(
        campaign="c", lineage="l", learner="bayesian_logistic", covered=7, version=3,
        closed_by=closed_by, numbers=numbers, arrays=packed,
    )  # fmt: skip
    value = encode_learner_state(record)
    assert decode_learner_state(value) == record
    assert State.model_validate_json(value).model_dump(mode="json") == json.loads(value)


@given(arrays)
def test_arrays_come_back(array: NDArray[Any]) -> None:
    """An array comes back with its bits and its shape, and can be written to."""
    again = unpack_array(pack_array(array))
    assert again.shape == array.shape
    assert np.array_equal(again, array)
    assert again.flags.writeable


def test_special_floats_come_back() -> None:
    """Not-a-number, infinities and minus zero survive inside an array."""
    array = np.array([math.nan, math.inf, -math.inf, -0.0, 5e-324])
    assert unpack_array(pack_array(array)).tobytes() == array.tobytes()
