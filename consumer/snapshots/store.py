"""The port to where snapshots are kept.

Owns: what is asked of a store, and which store an address means.
Never: knows what is in a file.
Source: the contract, "Settings file".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from consumer.errors import WorldError


class SnapshotStore(Protocol):
    """Named files. Names are words between slashes; a prefix ends with one.

    Every method may raise `OSError`, and nothing else for what the world does.
    """

    def list(self, prefix: str) -> list[str]:
        """The names that begin with the prefix, sorted; none if there is no such folder."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of a file; `FileNotFoundError` if there is none."""
        ...

    def write(self, name: str, pieces: Sequence[bytes]) -> None:
        """Put a file there, whole and durable or not at all; one of this name is replaced."""
        ...

    def delete(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        ...


def in_words(error: OSError) -> str:
    """What the world said, with the file it spoke of.

    >>> in_words(OSError(28, "No space left on device", "/state/part-0000.zst"))
    'No space left on device (/state/part-0000.zst)'
    """
    words = error.strerror or str(error) or type(error).__name__
    return f"{words} ({error.filename})" if error.filename else words


def open_store(url: str) -> SnapshotStore:
    """The store of `snapshots.url`: a folder, or `s3://bucket/prefix`; nothing is read yet.

    Raises
    ------
    WorldError: what S3 needs is not installed.
    """
    if not url.startswith("s3://"):
        from consumer.snapshots.local_folder import LocalFolder  # noqa: PLC0415 - one of the two

        return LocalFolder(Path(url))
    try:
        from consumer.snapshots.s3_store import S3Store  # noqa: PLC0415 - most have no S3
    except ImportError as error:
        raise WorldError(
            f"Snapshots are kept in {url}, and the package {error.name} is not installed",
            "Install it with `pip install 'propensity[s3]'`, or name a folder in `snapshots.url`",
        ) from error
    return S3Store(url)
