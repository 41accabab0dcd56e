"""What left a worker last, for people who look at it: scores, triggers, why records were refused.

Owns: one score of each of the last batches, the last triggers, and the reasons of dead letters.
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
TRIGGERS_KEPT: Final = 8


class Lately:
    """Written by the loop, read by other threads: each call is one step of the interpreter."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._scores: deque[bytes | None] = deque(maxlen=SCORES_KEPT)
        self._letters: deque[Headers] = deque(maxlen=LETTERS_KEPT)
        self._triggers: deque[tuple[str, bytes]] = deque(maxlen=TRIGGERS_KEPT)

    def note(self, outgoing: Sequence[Outgoing]) -> None:
        """Remember the last score, letter and triggers of a batch."""
        acting = (self._topics.triggers, self._topics.held_out)
        for out in outgoing:
            if out.topic == self._topics.scores:
                self._scores.append(out.values[-1])
            elif out.topic == self._topics.dead_letters and out.headers:
                self._letters.append(out.headers[-1])
            elif out.topic in acting:
                for value in out.values[-TRIGGERS_KEPT:]:
                    self._triggers.append((out.topic, value or b""))

    def scores(self) -> list[bytes]:
        """Scores as they left, the oldest first."""
        return [value for value in self._scores.copy() if value is not None]

    def letters(self) -> list[Headers]:
        """The headers of letters, the oldest first."""
        return list(self._letters.copy())

    def triggers(self) -> list[tuple[str, bytes]]:
        """Topics and values of triggers as they left, the oldest first."""
        return list(self._triggers.copy())
