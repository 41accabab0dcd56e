"""Short texts written in whole vectors and words, in the compiled loop.

Owns: writing that may go beyond its end, where there is room and what stands there comes later.
Never: checks for room.
Source: LLVM Language Reference, `load` and `store` of vectors. Byte by byte, and asking first
    whether source and target overlap, a text of twenty letters takes three times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from numba import types
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

cgutils: Any = untyped_cgutils
COPY_BYTES = 32  # Room that must be behind the target and behind the source.


def _copy_wide(
    _typing: object,
    buffer: types.Array,
    at: types.Integer,
    source: types.Array,
    start: types.Integer,
    stop: types.Integer,
) -> tuple[Any, Callable[..., Any]]:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word, byte = cgutils.intp_t, cgutils.voidptr_t
        vector = cgutils.ir.VectorType(cgutils.int8_t, COPY_BYTES).as_pointer()
        target, text = (
            builder.bitcast(
                context.make_array(signature.args[which])(context, builder, arguments[which]).data,
                byte,
            )
            for which in (0, 2)
        )
        at_word, start_word, stop_word = (
            builder.sext(arguments[which], word) for which in (1, 3, 4)
        )
        count = builder.sub(stop_word, start_word)
        step = word(COPY_BYTES)
        with cgutils.for_range_slice(builder, word(0), count, step, word) as (done, _):
            read = builder.gep(text, [builder.add(start_word, done)])
            written = builder.gep(target, [builder.add(at_word, done)])
            taken = builder.load(builder.bitcast(read, vector), align=1)
            builder.store(taken, builder.bitcast(written, vector), align=1)
        return builder.add(at_word, count)

    return types.int64(buffer, at, source, start, stop), build


def _write_word(
    _typing: object, buffer: types.Array, at: types.Integer, word: types.Integer
) -> tuple[Any, Callable[..., Any]]:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(held.data, [builder.sext(arguments[1], cgutils.intp_t)])
        written = builder.bitcast(place, cgutils.ir.IntType(64).as_pointer())
        builder.store(arguments[2], written, align=1)
        return context.get_dummy_value()

    return types.void(buffer, at, word), build


copy_wide = cast("Callable[..., int]", intrinsic(_copy_wide))
"""Copy `source[start:stop]` to `buffer[at:]`, give where it ends; what follows is overwritten."""

write_word = cast("Callable[..., None]", intrinsic(_write_word))
"""Write the eight bytes of a uint64 to `buffer[at:]`, the lowest first."""
