"""What left a worker last, for people who look at it: a few scores, and why records were refused.

Owns: one score of each of the last batches, and the reasons of the last dead letters.
Never: does anything for an event: a batch is one reference more.
Source: docs/page.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from consumer.transport import Headers, Outgoing
from schemas.settings import Topics

SCORES_KEPT: Final = 32
LETTERS_KEPT: Final = 20


class Lately:
    """Written by the loop, read by other threads: each call is one step of the interpreter."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._scores: deque[bytes | None] = deque(maxlen=SCORES_KEPT)
        self._letters: deque[Headers] = deque(maxlen=LETTERS_KEPT)

    def note(self, outgoing: Sequence[Outgoing]) -> None:
        """Remember the last score and the last letter of a batch."""
        for out in outgoing:
            if out.topic == self._topics.scores:
                self._scores.append(out.values[-1])
            elif out.topic == self._topics.dead_letters and out.headers:
                self._letters.append(out.headers[-1])

    def scores(self) -> list[bytes]:
        """Scores as they left, the oldest first."""
        return [value for value in self._scores.copy() if value is not None]

    def letters(self) -> list[Headers]:
        """The headers of letters, the oldest first."""
        return list(self._letters.copy())
