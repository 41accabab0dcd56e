"""Learner states: what a trainer needs to go on exactly where it stopped.

Owns: the fields of a record of the state topic, arrays as text, and their bytes.
Never: pickles.
Source: the design, "Models" and "State and recovery".
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from schemas.decision import Contending, ContendingLearners
from schemas.formats import reader_of

STATE_FORMAT: Final = 1
SUPERSEDED_MAX: Final = 100
ARRAY_BYTES_MAX = 64 * 1024 * 1024

Dtype = Literal["<f8", "<f4", "<i8", "<i4", "<u8", "<u4", "|u1", "|i1", "|b1"]


class PackedArray(msgspec.Struct, frozen=True):
    """An array as text: little-endian, C order, base64."""

    dtype: Dtype
    shape: list[int]
    data: str


class LearnerState(msgspec.Struct, kw_only=True):
    """One learner at one example offset.

    `covered` is the offset after the last row learned; `closed_by` holds the last
    [offset, index] learned of every source partition; `superseded` the lineages that came before
    this one, newest last. `topic_ids` and `partition_counts` are those of the topics that these
    offsets are of: events and examples, by name, as far as the broker tells. `contending` is of
    all learners of a campaign, and in the champion's state alone, where there are challengers.
    """

    format: Literal[1] = STATE_FORMAT
    campaign: str
    lineage: str
    superseded: list[str] = []
    learner: str
    covered: int
    closed_by: dict[str, tuple[int, int]] = {}
    version: int
    topic_ids: dict[str, str] = {}
    partition_counts: dict[str, int] = {}
    columns: list[str] = []
    numbers: dict[str, float] = {}
    arrays: dict[str, PackedArray] = {}
    contending: Contending | None = None


encode_learner_state = msgspec.json.Encoder().encode
"""The bytes of a `LearnerState`; numbers come back bit for bit."""

decode_learner_state = reader_of(LearnerState, STATE_FORMAT)
"""A `LearnerState` from its bytes; raises `msgspec.DecodeError`."""


def pack_array(array: NDArray[Any]) -> PackedArray:
    """The array as text, whatever its byte order and strides."""
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    dtype: Any = little.dtype.str
    return PackedArray(dtype, list(array.shape), b64encode(little.tobytes()).decode("ascii"))


def unpack_array(packed: PackedArray) -> NDArray[Any]:
    """The array again, bit for bit, writable.

    Raises
    ------
    ValueError: the text is not an array of that type and shape.
    """
    dtype = np.dtype(packed.dtype)
    if any(length < 0 for length in packed.shape):
        message = "a shape holds no negative length"
        raise ValueError(message)
    data = b64decode(packed.data, validate=True)
    if len(data) > ARRAY_BYTES_MAX:
        message = f"an array of {len(data)} bytes, at most {ARRAY_BYTES_MAX} are read"
        raise ValueError(message)
    return np.frombuffer(data, dtype=dtype).reshape(packed.shape).copy()


class _Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class ArrayOfState(_Contract):
    """An array as text: little-endian, C order, base64."""

    dtype: Dtype
    shape: list[Annotated[int, Field(ge=0)]]
    data: Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})]


class State(_Contract):
    """One learner at one example offset."""

    format: Literal[1] = STATE_FORMAT
    campaign: str
    lineage: str
    superseded: Annotated[
        list[str],
        Field(
            max_length=SUPERSEDED_MAX,
            description="The lineages that came before this one, newest last.",
        ),
    ] = Field(default_factory=list)
    learner: str
    covered: Annotated[int, Field(ge=0, description="The next example offset to be learned.")]
    closed_by: Annotated[
        dict[str, tuple[int, int]],
        Field(description="The last [offset, index] learned, by source partition."),
    ] = Field(default_factory=dict)
    version: Annotated[int, Field(ge=0, description="Rows learned.")]
    topic_ids: Annotated[
        dict[str, str],
        Field(description="The ids of the topics that it was learned from, by name."),
    ] = Field(default_factory=dict)
    partition_counts: Annotated[
        dict[str, int],
        Field(description="How many partitions these topics had, by name."),
    ] = Field(default_factory=dict)
    columns: list[str] = Field(default_factory=list)
    numbers: dict[str, float] = Field(default_factory=dict)
    arrays: dict[str, ArrayOfState] = Field(default_factory=dict)
    contending: Annotated[
        ContendingLearners | None,
        Field(description="In the state of `champion`, where there are challengers."),
    ] = None
