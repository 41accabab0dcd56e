"""The manifest of a snapshot: what it is of, and which bytes are which array.

Owns: format 1 of snapshots, and the seal that shows a torn or changed manifest.
Never: pickles, wall time, or half of a format that this program does not know.
Source: ARCHITECTURE.md, "Snapshots".
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
from numpy.lib import format as numpy_format
from xxhash import xxh3_128_hexdigest

from consumer.errors import WorldError
from consumer.snapshots.names import generation_prefix

FORMAT: Final = 1


class UnusableSnapshotError(WorldError):
    """A snapshot is torn, incomplete or changed: an older one, or the log, takes its place.

    Parameters
    ----------
    name: the generation.
    problem: what is wrong with it, as part of a sentence.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(
            f"Snapshot {name} cannot be used: {problem}",
            "Recovery goes on with an older one, or reads the log; delete it if it stays",
        )


class NewerSnapshotError(WorldError):
    """A snapshot was written by a version that this one cannot read."""

    def __init__(self, name: str, found: int, program: str) -> None:
        super().__init__(
            f"Snapshot {name} was written by a newer version ({program}): its format is {found},"
            f" and this version reads up to {FORMAT}",
            "Run that version, or delete the snapshot to read the log again",
        )


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot is of: one partition at an offset that has just been committed.

    `note` is that of the commit, which says which topic it was; `configuration` the digest of
    what the state depends on, `clock_ms` the partition's clock (event time), `output_ends` the
    next offset of each topic written to.
    """

    topic: str
    partition: int
    next_offset: int
    note: str = ""
    configuration: str = ""
    clock_ms: int | None = None
    output_ends: dict[str, int] = {}


class StoredArray(msgspec.Struct, frozen=True):
    """An array: it begins in a part after so many uncompressed bytes, and may go on in the next.

    `descr` is the dtype as `numpy.lib.format.dtype_to_descr` gives it, tuples as lists.
    """

    name: str
    descr: str | list[Any]
    shape: list[int]
    part: int
    start_bytes: int
    size_bytes: int


class StoredPart(msgspec.Struct, frozen=True):
    """A file of compressed bytes: its size, what it unpacks to, and the xxh3_128 of the file."""

    name: str
    size_bytes: int
    raw_bytes: int
    digest: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a snapshot; written last, so that its presence says complete."""

    format: int = FORMAT
    program: str
    group: str
    moment: Moment
    facts: dict[str, Any]
    arrays: list[StoredArray]
    parts: list[StoredPart]

    @property
    def name(self) -> str:
        """The generation, as the store knows it."""
        moment = self.moment
        return generation_prefix(self.group, moment.topic, moment.partition, moment.next_offset)

    @property
    def size_bytes(self) -> int:
        """Bytes of all parts as they lie in the store."""
        return sum(part.size_bytes for part in self.parts)

    @property
    def raw_bytes(self) -> int:
        """Bytes of all arrays."""
        return sum(part.raw_bytes for part in self.parts)


class _Sealed(msgspec.Struct):
    """The file: the same in every format, so that a reader can always tell torn from newer."""

    digest: str
    manifest: msgspec.Raw


class _Head(msgspec.Struct):
    """What every format has."""

    format: int
    program: str


def encode_manifest(manifest: Manifest) -> bytes:
    """The bytes of the manifest's file: one line of JSON."""
    body = msgspec.json.encode(manifest)
    return msgspec.json.encode(_Sealed(xxh3_128_hexdigest(body), msgspec.Raw(body))) + b"\n"


def decode_manifest(data: bytes, name: str) -> Manifest:
    """The manifest of the generation `name`.

    Raises
    ------
    UnusableSnapshotError: torn or changed, or of another generation.
    NewerSnapshotError: intact, and of a format that this version does not know.
    """
    try:
        sealed = msgspec.json.decode(data, type=_Sealed)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnusableSnapshotError(name, f"its manifest is torn ({error})") from error
    body = bytes(sealed.manifest)
    # Compared whole: a change outside of what is sealed is a change as well.
    if xxh3_128_hexdigest(body) != sealed.digest or msgspec.json.encode(sealed) + b"\n" != data:
        raise UnusableSnapshotError(name, "its manifest is not as it was written (checksum)")
    try:
        head = msgspec.json.decode(body, type=_Head)
        if head.format > FORMAT:
            raise NewerSnapshotError(name, head.format, head.program)
        manifest = msgspec.json.decode(body, type=Manifest)
    except msgspec.DecodeError as error:
        raise UnusableSnapshotError(name, f"its manifest is no manifest ({error})") from error
    if manifest.name != name:
        raise UnusableSnapshotError(name, f"its manifest is that of {manifest.name}")
    return manifest


def descr_of(dtype: np.dtype[Any]) -> str | list[Any]:
    """A dtype as JSON; one that does not come back the same is a broken law.

    >>> descr_of(np.dtype([("when", "<i8"), ("units", "<i4", (2,))]))
    [['when', '<i8'], ['units', '<i4', [2]]]
    """
    assert not dtype.hasobject, f"{dtype} has no fixed size"
    descr = numpy_format.dtype_to_descr(dtype)
    listed: str | list[Any] = msgspec.json.decode(msgspec.json.encode(descr))
    assert dtype_of(listed) == dtype, f"{dtype} cannot be told as text"
    return listed


def dtype_of(descr: str | list[Any]) -> np.dtype[Any]:
    """The dtype again.

    Raises
    ------
    ValueError, TypeError: the text is no dtype of fixed size.
    """
    dtype: np.dtype[Any] = np.dtype(numpy_format.descr_to_dtype(_tuples(descr)))
    if dtype.hasobject:
        message = f"{dtype} has no fixed size"
        raise ValueError(message)
    return dtype


def _tuples(descr: str | list[Any]) -> Any:
    """The description with the tuples that JSON has made lists of."""
    if isinstance(descr, str):
        return descr
    fields = []
    for name, kind, *shape in descr:
        titled = tuple(name) if isinstance(name, list) else name
        fields.append((titled, _tuples(kind), *(tuple(sizes) for sizes in shape)))
    return fields
