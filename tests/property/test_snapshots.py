"""Snapshots of any state: bit for bit, and no changed byte goes unseen.

Owns: arbitrary arrays, arbitrary harm, arbitrary orders of writing.
Never: a real fold.
Source: ARCHITECTURE.md, "Snapshots".
"""

from __future__ import annotations

from typing import Any

import hypothesis.extra.numpy as arrays_of
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray

from consumer.snapshots.manifest import UnusableSnapshotError
from consumer.snapshots.memory_store import MemoryStore
from consumer.snapshots.names import part_name
from consumer.snapshots.snapshots import Sizes
from consumer.snapshots.writing import Written
from models.lifted import Lifted
from tests.lifted_states import Kept, generation, same, state

SCALARS = st.one_of(
    arrays_of.boolean_dtypes(),
    arrays_of.integer_dtypes(endianness="?"),
    arrays_of.unsigned_integer_dtypes(endianness="?"),
    arrays_of.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    arrays_of.complex_number_dtypes(),
    arrays_of.datetime64_dtypes(),
    arrays_of.byte_string_dtypes(min_len=1, max_len=5),
    arrays_of.unicode_string_dtypes(min_len=1, max_len=5),
)
DTYPES = SCALARS | arrays_of.nested_dtypes(SCALARS, max_leaves=5)
FACTS = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=8,
    ),
    max_size=4,
)


@st.composite
def any_array(draw: st.DrawFn) -> NDArray[Any]:
    """Any bits of any type in any shape: every NaN is one of them."""
    dtype = draw(DTYPES.filter(lambda kind: kind.subdtype is None and kind.itemsize > 0))
    shape = draw(arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9))
    size_bytes = int(np.prod(shape)) * dtype.itemsize
    seed = draw(st.integers(0, 2**32 - 1))
    raw = np.random.default_rng(seed).integers(0, 256, size_bytes, dtype=np.uint8)
    found = np.empty(shape, dtype)
    if size_bytes:
        found.reshape(-1).view(np.uint8)[:] = raw
    return found


@given(
    st.dictionaries(st.text(max_size=9), any_array(), max_size=6),
    FACTS,
    st.sampled_from([(1, 1), (3, 6), (64, 256), (4_096, 8_192)]),
)
def test_any_state_comes_back(
    arrays: dict[str, NDArray[Any]], facts: dict[str, Any], cut: tuple[int, int]
) -> None:
    """Whatever the types, shapes and bits, and wherever chunks and parts are cut."""
    kept = Kept(MemoryStore(), sizes=Sizes(*cut))
    lifted = Lifted(arrays, facts)
    assert isinstance(kept.write(1, lifted), Written)
    assert same(kept.load(1), lifted)


@given(st.data())
def test_no_change_goes_unseen(data: st.DataObject) -> None:
    """One flipped bit, or a file cut anywhere: the snapshot is refused, the older one used."""
    store = MemoryStore()
    kept = Kept(store)
    kept.written(1, 2)
    names = [name for name in store.files if name.startswith(generation(2))]
    name = data.draw(st.sampled_from(names))
    content = store.files[name]
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        flipped = content[place] ^ (1 << data.draw(st.integers(0, 7)))
        store.files[name] = content[:place] + bytes([flipped]) + content[place + 1 :]
    else:
        store.files[name] = content[:place]
    if name.endswith("manifest.json"):
        assert kept.offsets() == [1]
        assert len(kept.reported) == 1
    else:
        with pytest.raises(UnusableSnapshotError, match=name.rsplit("/", 1)[1]):
            kept.load(2)
    assert same(kept.load(1), state(1))


@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=8),
    st.integers(2, 4),
    st.sets(st.integers(0, 7)),
    st.integers(0, 10**9),
)
def test_any_order_of_writing(
    offsets: list[int], keep: int, torn: set[int], not_after: int
) -> None:
    """The order is that of offsets; as many good ones stay as should, and the one just written."""
    store = MemoryStore()
    kept = Kept(store, keep=keep)
    for number, offset in enumerate(offsets):
        kept.written(offset)
        good = kept.offsets()
        assert good == sorted(set(good), reverse=True)
        assert offset in good
        assert min(keep, len(good)) <= len(good) <= keep + 1
        assert kept.offsets(offset)[0] == offset
        if number in torn:
            store.files.pop(generation(offset) + part_name(0))
    assert kept.offsets(not_after) == [offset for offset in kept.offsets() if offset <= not_after]
