"""Who committed a position: the name that a worker writes under, kept in the commit's metadata.

Owns: that name, and its place in front of the note.
Never: reads what a note says.
Source: a successor must know whose open transaction may hide records; see `kafka/takeover.py`.
"""

from __future__ import annotations

from consumer.transport import Position

SEPARATOR = "\n"


def transactional_id(group: str, instance: str) -> str:
    """The name under which an instance writes; the same after a restart."""
    return f"{group}/{instance}"


def signed(position: Position, owner: str) -> Position:
    """A position whose note says who committed it."""
    return Position(position.offset, f"{owner}{SEPARATOR}{position.note}")


def unsigned(note: str) -> tuple[str, str]:
    """The owner (or nothing) and the note of a committed position."""
    owner, separator, rest = note.partition(SEPARATOR)
    return (owner, rest) if separator else ("", note)
