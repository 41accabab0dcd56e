"""Recorded events from files, as the records that a topic would have carried.

Owns: which files can be read, their lines and rows in the order of `occurred_at`, their origin.
Never: refuses a record: what cannot be read keeps its place and becomes a dead letter later.
Source: the contract's replay: NDJSON (plain, .gz, .zst), CSV, Parquet; order by time, stable.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, cast

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from consumer.errors import WorldError
from consumer.event_rows import InvalidRowError, RowEncoder, parquet_rows
from schemas.errors import InvalidRecord
from schemas.event import EventDecoder, InputMapping, occurred_at_ms
from schemas.times import TIME_MIN_MS

_COMPRESSIONS = (".gz", ".zst")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_REMEDY_ENDING = (
    "Name the file by what it holds: .ndjson, .jsonl or .csv (also with .gz or .zst), or .parquet"
)
_CSV_FIELD_CHARACTERS_MAX = 1 << 24


class Origin(NamedTuple):
    """Where a record stands: its file and its line (or row), counted from 1."""

    path: str
    line: int


class _Record(NamedTuple):
    """A record's bytes and its line."""

    value: bytes
    line: int


@dataclass(frozen=True)
class EventFile:
    """All records of one or more files in the order in which they are folded.

    `values` holds each record's bytes, `times_ms` (int64) where it was sorted, `path_index`
    (int32) and `lines` (int64) where it came from.
    """

    values: list[bytes]
    times_ms: NDArray[np.int64]
    path_index: NDArray[np.int32]
    lines: NDArray[np.int64]
    paths: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.values)

    def origin(self, index: int) -> Origin:
        """Return the file and line of the record at `index`."""
        return Origin(self.paths[self.path_index[index]], int(self.lines[index]))


def read_event_files(
    paths: Sequence[Path],
    mapping: InputMapping | None = None,
    *,
    tick: Callable[[int], None] | None = None,
) -> EventFile:
    """Read every record of `paths` and sort them by time; equal times keep the order given.

    A record without a readable time takes the time of the last good one before it in its file,
    so that it stays where it was found. `tick` is told the number of records now and then.

    Raises
    ------
    WorldError: a file is missing, cannot be read, or is of no kind that we know.
    """
    decode = EventDecoder(mapping).decode
    values: list[bytes] = []
    times = array("q")
    lines = array("q")
    counts: list[int] = []
    for path in paths:
        before = len(values)
        time_ms = TIME_MIN_MS
        for value, line in _records(path, mapping or InputMapping()):
            with contextlib.suppress(InvalidRecord):
                time_ms = occurred_at_ms(decode(value))
            values.append(value)
            times.append(time_ms)
            lines.append(line)
            if tick is not None and len(values) % 10_000 == 0:
                tick(len(values))
        counts.append(len(values) - before)
    return _sorted(values, times, lines, counts, tuple(str(path) for path in paths))


def _sorted(
    values: list[bytes],
    times: array[int],
    lines: array[int],
    counts: list[int],
    paths: tuple[str, ...],
) -> EventFile:
    times_ms = np.array(times, dtype=np.int64)
    line_numbers = np.array(lines, dtype=np.int64)
    path_index = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    if len(values) > 1 and bool((times_ms[1:] < times_ms[:-1]).any()):
        order = np.argsort(times_ms, kind="stable")
        values = [values[index] for index in order.tolist()]
        times_ms, line_numbers, path_index = (
            times_ms[order],
            line_numbers[order],
            path_index[order],
        )
    return EventFile(values, times_ms, path_index, line_numbers, paths)


def _records(path: Path, mapping: InputMapping) -> Iterator[_Record]:
    """Yield the records of one file, whatever its kind; the world's faults become WorldError."""
    kind, _ = _kind(path)
    if not path.is_file():
        problem = f"{path} is a folder" if path.is_dir() else f"There is no file {path}"
        raise WorldError(problem, "Give the files of recorded events")
    readers = {"ndjson": _ndjson, "csv": _csv, "parquet": _parquet}
    try:
        yield from readers[kind](path, mapping)
    except (OSError, EOFError, zstandard.ZstdError, zlib.error) as error:
        raise WorldError(
            f"{path} cannot be read: {error}", "Check its rights, and that it is complete"
        ) from error


def _kind(path: Path) -> tuple[str, str]:
    """Return what the file holds and how it is compressed, by its name."""
    name = path.name.lower()
    compression = next((ending for ending in _COMPRESSIONS if name.endswith(ending)), "")
    inner = Path(name.removesuffix(compression)).suffix
    if inner in (".ndjson", ".jsonl", ".json"):
        return "ndjson", compression
    if inner == ".csv":
        return "csv", compression
    if inner == ".parquet" and not compression:
        return "parquet", compression
    raise WorldError(f"{path}: this kind of file is not known", _REMEDY_ENDING)


def _open(path: Path) -> IO[bytes]:
    compression = _kind(path)[1]
    if compression == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if compression == ".zst":
        stream = zstandard.ZstdDecompressor().stream_reader(
            path.open("rb"), read_across_frames=True, closefd=True
        )
        return cast("IO[bytes]", io.BufferedReader(cast("io.RawIOBase", stream), 1 << 20))
    return path.open("rb", buffering=1 << 20)


def _ndjson(path: Path, _: InputMapping) -> Iterator[_Record]:
    with _open(path) as file:
        for line, text in enumerate(file, 1):
            value = text.rstrip(b"\r\n")
            if line == 1:
                value = value.removeprefix(_BYTE_ORDER_MARK)
            if value and not value.isspace():
                yield _Record(value, line)


def _csv(path: Path, mapping: InputMapping) -> Iterator[_Record]:
    csv.field_size_limit(_CSV_FIELD_CHARACTERS_MAX)
    with _open(path) as file:
        # Bytes that are not UTF-8 survive as surrogates, and come out again untouched.
        text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
        rows = csv.reader(text)
        header = [name.removeprefix("\ufeff").strip() for name in next(rows, [])]
        encoder = RowEncoder(header, mapping, untyped=True)
        _check_columns(path, header, mapping)
        line = rows.line_num + 1
        while True:
            try:
                row = next(rows, None)
            except csv.Error as error:
                yield _Record(f"{path.name}: {error}".encode(), line)
                line = rows.line_num + 1
                continue
            if row is None:
                return
            if row:
                yield _Record(_encoded(encoder, row), line)
            line = rows.line_num + 1


def _encoded(encoder: RowEncoder, row: list[str]) -> bytes:
    """Return the row as a JSON object, or as it stood where that is not possible."""
    try:
        return encoder.encode(row)
    except (InvalidRowError, UnicodeEncodeError, msgspec.EncodeError):
        cells = io.StringIO()
        csv.writer(cells, lineterminator="").writerow(row)
        return cells.getvalue().encode("utf-8", errors="surrogateescape")


def _parquet(path: Path, mapping: InputMapping) -> Iterator[_Record]:
    names, rows = parquet_rows(path)
    _check_columns(path, names, mapping)
    encoder = RowEncoder(names, mapping)
    for line, row in enumerate(rows, 1):
        yield _Record(encoder.encode(row), line)


def _check_columns(path: Path, header: Sequence[str], mapping: InputMapping) -> None:
    """Refuse a table that lacks a column without which no row can be an event."""
    for field in ("customer_id", "type", "occurred_at"):
        if mapping.path(field) not in header:
            columns = ", ".join(f"`{name}`" for name in header) or "none"
            raise WorldError(
                f"{path} has no column `{mapping.path(field)}` for `{field}`; it has {columns}",
                f"Say under `input` of the campaign file which column holds `{field}`",
            )
