"""Records as they once were written: they can be read for ever, and newer formats are refused.

Owns: one example of each format of our records, in tests/golden; none is ever changed.
Never: what the numbers in them mean.
Source: the contract, "Formats".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from pydantic import BaseModel

from consumer.errors import WorldError
from consumer.transport import Outgoing
from models.campaign_learner import CampaignLearner
from schemas.campaign import LearnerName
from schemas.example import Example, decode_example, encode_example
from schemas.formats import NewerFormatError
from schemas.learner_state import (
    State,
    decode_learner_state,
    encode_learner_state,
    unpack_array,
)
from schemas.model_record import Model, decode_model_record, encode_model_record
from schemas.score import Score, decode_score, encode_score
from tests.unit.test_trainer import plan_of
from tests.world import World

GOLDEN = Path(__file__).parent.parent / "golden"
FORMATTED: dict[str, Callable[[bytes], Any]] = {
    "learner_state": decode_learner_state,
    "model_record": decode_model_record,
    "training_example": decode_example,
}


def golden(name: str) -> bytes:
    """A record as it stands in its file."""
    return (GOLDEN / f"{name}.json").read_bytes().strip()


@pytest.mark.parametrize(
    ("name", "decode", "encode", "contract"),
    [
        ("learner_state", decode_learner_state, encode_learner_state, State),
        ("model_record", decode_model_record, encode_model_record, Model),
        ("training_example", decode_example, encode_example, Example),
        ("score_record", decode_score, encode_score, Score),
        ("learner_state_hedged", decode_learner_state, encode_learner_state, State),
        ("model_record_hedged", decode_model_record, encode_model_record, Model),
        ("training_example_hedged", decode_example, encode_example, Example),
        ("score_record_hedged", decode_score, encode_score, Score),
    ],
)
def test_a_golden_record_is_read(
    name: str,
    decode: Callable[[bytes], Any],
    encode: Callable[[Any], bytes],
    contract: type[BaseModel],
) -> None:
    """All that stands in it is found again, by both readers; newer fields may have come since."""
    written = json.loads(golden(name))
    again = json.loads(encode(decode(golden(name))))
    assert {field: again[field] for field in written} == written
    read = contract.model_validate_json(golden(name)).model_dump(mode="json", exclude_unset=True)
    assert {field: read[field] for field in written} == written


@pytest.mark.parametrize(
    ("name", "kind"),
    [("learner_state", "bayesian_logistic"), ("learner_state_hedged", "hedged_logistic")],
)
def test_a_golden_state_is_learned_on_from(name: str, kind: LearnerName) -> None:
    """A learner takes the state up and has the same numbers, arrays and columns.

    An expert that came since stands behind the others, and takes a part of their shares.
    """
    state = decode_learner_state(golden(name))
    learner = CampaignLearner(plan_of(kind), 0)
    assert learner.lineage == state.lineage
    learner.restore(state)
    again = learner.state()
    assert again.numbers.items() >= state.numbers.items()
    for array in state.arrays:
        was, held = unpack_array(state.arrays[array]), unpack_array(again.arrays[array])
        held = held[: was.size]
        if array == "learner.shares":
            assert np.allclose(held / held.sum(), was, rtol=0, atol=1e-15)
        else:
            assert held.tobytes() == was.tobytes()
    for field in ("columns", "version", "covered", "closed_by"):
        assert getattr(again, field) == getattr(state, field)
    assert state.version > 3


@pytest.mark.parametrize("name", FORMATTED)
def test_a_newer_format_is_refused(name: str) -> None:
    """Of a format that is greater than ours nothing is read, whatever else stands in the record."""
    fields = {**json.loads(golden(name)), "format": 2}
    for value in (fields, {"format": 2, "campaign": 7}, {"format": 2}):
        with pytest.raises(NewerFormatError, match="a newer version wrote it"):
            FORMATTED[name](json.dumps(value).encode())


@pytest.mark.parametrize("name", FORMATTED)
@pytest.mark.parametrize("found", ['"2"', "0", "-1", "1.5", "null", "[2]"])
def test_a_format_that_is_none_is_refused(name: str, found: str) -> None:
    """A record whose format is no format of anybody's is broken, not newer."""
    fields = json.dumps({**json.loads(golden(name)), "format": "?"}).replace('"?"', found)
    with pytest.raises(msgspec.DecodeError) as caught:
        FORMATTED[name](fields.encode())
    assert not isinstance(caught.value, NewerFormatError)


def test_a_worker_stops_at_a_model_of_a_newer_format() -> None:
    """A model record that a newer version wrote stops a start, with what to do about it."""
    world = World()
    value = golden("model_record").replace(b'"format":1', b'"format":2')
    world.log.append(Outgoing(world.settings.topics.models, 0, [b"buy"], [value]))
    with pytest.raises(WorldError, match=r"a newer version wrote it.*Run the version"):
        world.start()
