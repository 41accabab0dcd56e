"""Matured rows as one Parquet table whose feature columns are only known at the end.

Owns: `examples.parquet`: its columns, its row groups, the files it grows in meanwhile.
Never: holds more than one block of rows per campaign in memory.
Source: the contract, "Files of a replay"; Arrow's IPC and Parquet formats.

Each campaign fills blocks of float32 rows of its own width. A full block goes to a temporary
file; `close` gives all blocks the union of the columns and writes each as a row group. A column
that a campaign never had is null in its rows; one that it had is 0.0 where it was left out.
"""

from __future__ import annotations

import shutil
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schemas.example import TrainingExample

ROWS_PER_BLOCK = 16_384
_WIDTH_STEP = 32
_ROWS_PENDING = 512
_TEXTS = ("campaign", "customer_id", "event_id")
ENVELOPE = pa.schema(
    [
        pa.field("campaign", pa.string()),
        pa.field("customer_id", pa.string()),
        pa.field("event_id", pa.string()),
        pa.field("as_of_ms", pa.int64()),
        pa.field("closed_at_ms", pa.int64()),
        pa.field("label", pa.float64()),
        pa.field("weight", pa.float64()),
        pa.field("probability", pa.float64()),
        pa.field("expected_value", pa.float64()),
        pa.field("model_version", pa.int64()),
    ]
)


class _Block:
    """Rows of one campaign that are still in memory; `position` outlives it."""

    def __init__(self) -> None:
        self.position: dict[str, int] = {}
        self.envelope: list[tuple[Any, ...]] = []
        self._features: NDArray[np.float32] = np.zeros((ROWS_PER_BLOCK, _WIDTH_STEP), np.float32)
        self._pending: list[dict[str, float]] = []

    def add(self, envelope: tuple[Any, ...], features: dict[str, float]) -> None:
        self.envelope.append(envelope)
        self._pending.append(features)
        if len(self._pending) == _ROWS_PENDING:
            self._settle()

    def _settle(self) -> None:
        """Move pending rows into the array, all their numbers in one assignment."""
        position = self.position
        names = list(chain.from_iterable(self._pending))
        for name in names:
            if name not in position:
                position[name] = len(position)
        missing = len(position) - self._features.shape[1]
        if missing > 0:
            self._features = np.pad(self._features, ((0, 0), (0, missing + _WIDTH_STEP)))
        first = len(self.envelope) - len(self._pending)
        rows = np.repeat(
            np.arange(first, len(self.envelope)), [len(features) for features in self._pending]
        )
        numbers = list(chain.from_iterable(features.values() for features in self._pending))
        self._features[rows, [position[name] for name in names]] = numbers
        self._pending.clear()

    def take(self) -> pa.Table:
        """Return the rows as a table, and begin anew with the same columns."""
        self._settle()
        rows = len(self.envelope)
        columns = list(zip(*self.envelope, strict=True))
        arrays = [
            pa.array(column, field.type) for column, field in zip(columns, ENVELOPE, strict=True)
        ]
        # A row is contiguous while it is filled; a column has to be to become Arrow's.
        arrays += [
            pa.array(np.ascontiguousarray(self._features[:rows, column]))
            for column in range(len(self.position))
        ]
        self._features[:] = 0.0
        self.envelope = []
        return pa.Table.from_arrays(arrays, names=[*ENVELOPE.names, *self.names])

    @property
    def names(self) -> list[str]:
        """The features' columns; one that is called like a field of the row says what it is."""
        taken = frozenset(ENVELOPE.names)
        return [f"feature:{name}" if name in taken else name for name in self.position]


class ExampleTable:
    """Writes `examples.parquet`: `add` each row in the order of closing, then `close`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._spill = path.with_name(f".{path.name}.parts")
        shutil.rmtree(self._spill, ignore_errors=True)
        self._spill.mkdir()
        path.unlink(missing_ok=True)
        self._open: dict[str, _Block] = {}
        self._parts: list[tuple[str, Path]] = []

    def add(self, row: TrainingExample, customer_id: str) -> None:
        """Append one matured row."""
        block = self._open.get(row.campaign)
        if block is None:
            block = self._open[row.campaign] = _Block()
        envelope = (
            row.campaign,
            customer_id,
            row.event_id,
            row.as_of_ms,
            row.closed_at_ms,
            row.label,
            row.weight,
            row.probability,
            row.expected_value,
            row.model.version,
        )
        block.add(envelope, row.features)
        if len(block.envelope) == ROWS_PER_BLOCK:
            self._write_part(row.campaign, block)

    def close(self) -> None:
        """Write the table and remove the temporary files."""
        for campaign, block in self._open.items():
            if block.envelope:
                self._write_part(campaign, block)
        names = sorted(set(chain.from_iterable(block.names for block in self._open.values())))
        features = [pa.field(name, pa.float32()) for name in names]
        schema = pa.schema([*ENVELOPE, *features])
        with pq.ParquetWriter(
            self._path, schema, compression="zstd", use_dictionary=list(_TEXTS)
        ) as writer:
            for campaign, part in self._parts:
                known = frozenset(self._open[campaign].names)
                writer.write_table(_widened(_read(part), schema, known), ROWS_PER_BLOCK)
                part.unlink()
        self.abandon()

    def abandon(self) -> None:
        """Remove the temporary files."""
        shutil.rmtree(self._spill, ignore_errors=True)

    def _write_part(self, campaign: str, block: _Block) -> None:
        part = self._spill / f"{len(self._parts):06}.arrow"
        table = block.take()
        with pa.OSFile(str(part), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        self._parts.append((campaign, part))


def _read(part: Path) -> pa.Table:
    with pa.OSFile(str(part), "rb") as file:
        return pa.ipc.open_file(file).read_all()


def _widened(table: pa.Table, schema: pa.Schema, known: frozenset[str]) -> pa.Table:
    """Give a block all columns: 0.0 where its campaign had the column later, else null."""
    rows = table.num_rows
    have = set(table.column_names)
    columns = []
    for field in schema:
        if field.name in have:
            columns.append(table.column(field.name))
        elif field.name in known:
            columns.append(pa.array(np.zeros(rows, np.float32)))
        else:
            columns.append(pa.nulls(rows, field.type))
    return pa.Table.from_arrays(columns, schema=schema)
