"""Snapshots in memory, for tests and simulations, which may harm them.

Owns: files as bytes, and the ways in which a store can fail.
Never: more durable than its object.
Source: the promises of `consumer.snapshots.store`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence


class MemoryStore:
    """A store whose `files` anybody may change: cut one to tear it, remove one to lose it.

    Attributes
    ----------
    files: bytes by name.
    capacity_bytes: what it holds at most; None is no limit.
    unwritable, unreadable: the errors that writing and deleting, or listing and reading, raise.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.capacity_bytes: int | None = None
        self.unwritable: OSError | None = None
        self.unreadable: OSError | None = None

    def list(self, prefix: str) -> list[str]:
        _fail(self.unreadable)
        return sorted(name for name in self.files if name.startswith(prefix))

    def read(self, name: str) -> bytes:
        _fail(self.unreadable)
        if name not in self.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return self.files[name]

    def write(self, name: str, pieces: Sequence[bytes]) -> None:
        _fail(self.unwritable)
        data = b"".join(pieces)
        held_bytes = sum(len(other) for other in self.files.values())
        if self.capacity_bytes is not None and held_bytes + len(data) > self.capacity_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
        self.files[name] = data

    def delete(self, name: str) -> None:
        _fail(self.unwritable)
        self.files.pop(name, None)


def _fail(error: OSError | None) -> None:
    """Raise an error anew: one object raised twice would keep what its first callers held."""
    if error is not None:
        raise OSError(error.errno, error.strerror, error.filename)
