"""Campaigns summed side by side in the compiled loop: the terms of a run of columns.

Owns: the vector instructions that take a column's weights of LANES campaigns at once.
Never: adds two campaigns, or two terms of one in another order than that of the columns.
Source: LLVM Language Reference, vectors. A sum waits for each of its additions; four sums side by
    side wait together. LLVM may not find that out by itself: numba leaves that pass out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from numba import types
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

from models.layout import HINGE_KNOTS
from models.plan import LANES

cgutils: Any = untyped_cgutils
PIECES = len(HINGE_KNOTS) + 1  # Straight pieces of a column's hinges.
VECTOR = cgutils.ir.VectorType(cgutils.ir.DoubleType(), LANES)


class _Reader:
    """Reads numbers of the arrays that an intrinsic was given."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.builder = builder
        self.word = cgutils.intp_t
        self._arrays = [
            context.make_array(kind)(context, builder, value) if isinstance(kind, types.Array)
            else builder.sext(value, self.word)
            for kind, value in zip(signature.args, arguments, strict=True)
        ]  # fmt: skip

    def number(self, which: int) -> Any:
        """An argument that is a whole number."""
        return self._arrays[which]

    def at(self, which: int, place: Any) -> Any:
        """An element of an argument that is an array."""
        return self.builder.load(self.builder.gep(self._arrays[which].data, [place]))

    def lanes(self, which: int, row: Any) -> Any:
        """Where LANES neighbours of an array stand."""
        place = self.builder.mul(row, self.word(LANES))
        start = self.builder.gep(self._arrays[which].data, [place])
        return self.builder.bitcast(start, VECTOR.as_pointer())

    def wide(self, which: int, place: Any) -> Any:
        """An element in every lane."""
        empty = cgutils.ir.Constant(VECTOR, cgutils.ir.Undefined)
        first, every = cgutils.int32_t(0), cgutils.ir.VectorType(cgutils.int32_t, LANES)
        one = self.builder.insert_element(empty, self.at(which, place), first)
        return self.builder.shuffle_vector(one, empty, every([0] * LANES))


def _sum_of_run(reader: _Reader, term: Callable[[Any], Any]) -> None:
    """Add the terms of a run: its first place, last + 1, source and all sums are the first four."""
    builder, word = reader.builder, reader.word
    zero = cgutils.ir.Constant(VECTOR, [0.0] * LANES)
    total = cgutils.alloca_once_value(builder, zero)
    first, last, source = (reader.number(which) for which in range(3))
    with cgutils.for_range_slice(builder, first, last, word(1), word) as (place, _):
        builder.store(builder.fadd(builder.load(total), term(place)), total)
    sums = reader.lanes(3, source)
    added = builder.fadd(builder.load(sums, align=8), builder.load(total))
    builder.store(added, sums, align=8)


def _add_columns(
    _typing: object,
    first: types.Integer,
    last: types.Integer,
    source: types.Integer,
    sums: types.Array,
    columns: types.Array,
    x: types.Array,
    weights: types.Array,
) -> tuple[Any, Callable[..., Any]]:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        reader = _Reader(context, builder, signature, arguments)

        def term(place: Any) -> Any:
            column = builder.sext(reader.at(4, place), reader.word)
            weight = builder.load(reader.lanes(6, place), align=8)
            return builder.fmul(weight, reader.wide(5, column))

        _sum_of_run(reader, term)
        return context.get_dummy_value()

    return types.void(first, last, source, sums, columns, x, weights), build


def _add_bends(
    _typing: object,
    first: types.Integer,
    last: types.Integer,
    source: types.Integer,
    sums: types.Array,
    columns: types.Array,
    x: types.Array,
    passed: types.Array,
    slopes: types.Array,
    offsets: types.Array,
) -> tuple[Any, Callable[..., Any]]:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        reader = _Reader(context, builder, signature, arguments)

        def term(place: Any) -> Any:
            column = builder.sext(reader.at(4, place), reader.word)
            row = builder.mul(place, reader.word(PIECES))
            row = builder.add(row, builder.zext(reader.at(6, column), reader.word))
            slope, offset = (builder.load(reader.lanes(which, row), align=8) for which in (7, 8))
            return builder.fadd(builder.fmul(slope, reader.wide(5, column)), offset)

        _sum_of_run(reader, term)
        return context.get_dummy_value()

    return types.void(first, last, source, sums, columns, x, passed, slopes, offsets), build


add_columns = cast("Callable[..., None]", intrinsic(_add_columns))
"""Add `weights[place] * x[columns[place]]`, first to last, to the lanes of `sums[source]`."""
add_bends = cast("Callable[..., None]", intrinsic(_add_bends))
"""Add `slopes[place, passed] * x + offsets[place, passed]` of each column in the same way."""
