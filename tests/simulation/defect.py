"""What a seeded defect is.

Owns: its sentence and its changes, and putting them in for a while.
Never: leaves one in.
Source: tests/simulation/defects.py and defects_of_changes.py list them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch


@dataclass(frozen=True, slots=True)
class Defect:
    """`changes`: class or module, name of its attribute, and what takes its place."""

    sentence: str
    changes: tuple[tuple[Any, str, Any], ...]

    @contextmanager
    def injected(self) -> Iterator[None]:
        """With the defect in the production code."""
        with ExitStack() as changed:
            for each in self.changes:
                changed.enter_context(patch.object(*each))
            yield
