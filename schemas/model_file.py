"""A model that was trained elsewhere: a file, and the digest that says which one is meant.

Owns: reading the file, its limit of size, and the words for what is wrong with it.
Never: knows what is in it; reads a file whose digest nobody gave.
Source: docs/learners.md, "A model trained elsewhere".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

MODEL_FILE_BYTES_MAX = 64 * 1024 * 1024


class ModelFileError(ValueError):
    """A model file that cannot be used.

    Parameters
    ----------
    file: its path, as it was given.
    found: what is there.
    expected: what would have been taken.
    remedy: what to do about it, as one sentence without a final stop.
    """

    def __init__(self, file: str, found: str, expected: str, remedy: str) -> None:
        self.file = file
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(file, found, expected, remedy)

    def __str__(self) -> str:
        """Say the file, what was found, what is expected, and the remedy."""
        return f"{self.file}: found {self.found}, expected {self.expected}. {self.remedy}."


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file that was read and is the one that was meant."""

    path: str
    digest: str
    content: bytes = field(repr=False)


def read_model_file(path: Path, digest: str) -> ModelFile:
    """Return the file of that path, whose SHA-256 is `digest` (64 hex digits).

    Raises
    ------
    ModelFileError: there is none, it is too large, or it is another one.
    """
    if not path.is_file():
        raise ModelFileError(
            str(path),
            "no file",
            f"the model with the digest {digest}",
            "Put the file there, or correct its path",
        )
    size = path.stat().st_size
    if size > MODEL_FILE_BYTES_MAX:
        raise ModelFileError(
            str(path),
            f"{size} bytes",
            f"at most {MODEL_FILE_BYTES_MAX}",
            "Train a smaller model",
        )
    content = path.read_bytes()
    found = sha256(content).hexdigest()
    if found != digest.lower():
        raise ModelFileError(
            str(path),
            f"the digest {found}",
            digest,
            f"Put the file there that was meant, or give sha256: {found} for this one",
        )
    return ModelFile(str(path), found, content)
