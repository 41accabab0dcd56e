"""One field of one row of the state, as an array of its own, in the compiled loop.

Owns: looking at the numbers of a field without the distances that lie between rows.
Never: copies.
Source: fields are views of rows (models.records): numba has to believe that the numbers of a field
    lie apart, and takes them one by one; here it is told that they are neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from numba import types
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic
from numba.np import arrayobj as untyped_arrayobj

cgutils: Any = untyped_cgutils
arrayobj: Any = untyped_arrayobj


def _row_of(
    _typing: object, field: types.Array, row: types.Integer
) -> tuple[Any, Callable[..., Any]]:
    found = types.Array(field.dtype, 1, "C")

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = context.make_array(signature.args[0])(context, builder, arguments[0])
        word = held.itemsize.type
        strides = cgutils.unpack_tuple(builder, held.strides)
        count = word(1)
        for length in cgutils.unpack_tuple(builder, held.shape)[1:]:
            count = builder.mul(count, length)
        start = builder.mul(builder.sext(arguments[1], word), strides[0])
        address = builder.add(builder.ptrtoint(held.data, word), start)
        made = context.make_array(found)(context, builder)
        arrayobj.populate_array(
            made,
            data=builder.inttoptr(address, held.data.type),
            shape=[count],
            strides=[held.itemsize],
            itemsize=held.itemsize,
            meminfo=None,
        )
        return made._getvalue()  # noqa: SLF001 - numba's own name for it

    return found(field, row), build


row_of = cast("Callable[..., Any]", intrinsic(_row_of))
"""All numbers of a field in a row, one after the other."""
