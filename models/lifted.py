"""The state of a fold, lifted out of it: named arrays and small facts.

Owns: the form in which a fold hands its state over and takes it back.
Never: copies an array, or knows what one means.
Source: ARCHITECTURE.md, "Where a partition starts".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Lifted:
    """What a fold remembers at one offset.

    Parameters
    ----------
    arrays: by name, C-contiguous, of any dtype of fixed size, structured ones included. On the
        way out they are read-only views of the live state, so the fold stands still meanwhile.
    facts: what JSON holds without loss, and little of it.
    """

    arrays: Mapping[str, NDArray[Any]]
    facts: Mapping[str, Any]
