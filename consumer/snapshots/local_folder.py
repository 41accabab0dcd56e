"""Snapshots in a folder of this machine.

Owns: writing a file so that it is there whole, and still there after a power cut.
Never: leaves a half-written file under its own name.
Source: rename(2) and fsync(2).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn


class LocalFolder:
    """A store in a folder, which is made when the first file is written.

    Files on their way have names that begin with a dot; `list` names them as well, so that
    whoever sweeps sees what a crash has left.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def list(self, prefix: str) -> list[str]:
        def refuse(error: OSError) -> NoReturn:
            raise error

        names = []
        try:
            for folder, _, files in os.walk(self._root / prefix, onerror=refuse):
                names += [(Path(folder) / file).relative_to(self._root) for file in files]
        except FileNotFoundError:
            # Not there at all; or another worker has just removed a folder, and its files with it.
            pass
        return sorted(name.as_posix() for name in names)

    def read(self, name: str) -> bytes:
        return (self._root / name).read_bytes()

    def write(self, name: str, pieces: Sequence[bytes]) -> None:
        path = self._root / name
        _make_folder(path.parent)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # Of one of two writers.
        try:
            with temporary.open("wb") as file:
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            self._remove_empty(path.parent)
            raise
        _sync_folder(path.parent)

    def delete(self, name: str) -> None:
        path = self._root / name
        path.unlink(missing_ok=True)
        self._remove_empty(path.parent)

    def _remove_empty(self, folder: Path) -> None:
        """Remove a folder and those above it, up to the first that holds something."""
        with suppress(OSError):
            while folder != self._root:
                folder.rmdir()
                folder = folder.parent


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each surely in the one above."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
