"""The one way in which a function of the folds is compiled.

Owns: the settings under which compiled code gives the same bits everywhere.
Never: fastmath, BLAS, parallel loops or the power operator; each changes bits.
Source: numba's documentation of njit; IEEE 754 addition does not associate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Compile a function on its first call and keep the result on disk.

    Division by zero gives an infinity as in C, not an exception; the lock of the interpreter is
    released while it runs.
    """
    decorate = numba.njit(cache=True, error_model="numpy", nogil=True)
    return cast("Function", decorate(function))
