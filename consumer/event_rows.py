"""Rows of tables as JSON records: the form in which CSV and Parquet enter the loop.

Owns: which column becomes which field, and how a cell is written as JSON.
Never: opens text files or knows an order.
Source: the contract: `input` names columns; other columns are properties; empty cells are absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from consumer.errors import WorldError
from schemas.event import InputMapping
from schemas.times import datetime_ms, format_time

_FIELDS = ("event_id", "customer_id", "type", "occurred_at", "value")
_TEXT_FIELDS = frozenset({"event_id", "customer_id", "type"})
_ROWS_PER_BATCH = 16_384
_BOOLEANS = {"true": True, "false": False}
_BOOLEAN_CHARACTERS_MAX = 5


class InvalidRowError(ValueError):
    """A row that does not fit its header."""


class RowEncoder:
    """Encodes rows of one table; a field's column keeps the name that `input` gives it.

    `untyped` tables have only texts: a property `true` or `False` is a boolean then. Numbers stay
    texts, which are read as numbers where one is declared; so a code like 007 stays what it is.
    """

    def __init__(
        self, header: Sequence[str], mapping: InputMapping, *, untyped: bool = False
    ) -> None:
        self._untyped = untyped
        self._columns = len(header)
        self._properties = mapping.properties or "properties"
        named = {getattr(mapping, field): field for field in _FIELDS}
        # For each column: its name, whether it is a field of its own, whether it is an id or type.
        self._plan = [(name, name in named, named.get(name) in _TEXT_FIELDS) for name in header]
        self._encode = msgspec.json.Encoder().encode

    def encode(self, row: Sequence[Any]) -> bytes:
        """Return the row as one JSON object.

        Raises
        ------
        InvalidRowError: it has more or fewer cells than the header.
        """
        if len(row) != self._columns:
            raise InvalidRowError
        record: dict[str, Any] = {}
        properties: dict[str, Any] = {}
        for (name, is_field, is_text), cell in zip(self._plan, row, strict=True):
            value = _json_value(cell)
            if value is None:
                continue
            if is_field:
                record[name] = str(value) if is_text and not isinstance(value, str) else value
            elif name == self._properties and isinstance(value, dict):
                properties.update(value)
            elif self._untyped and len(value) <= _BOOLEAN_CHARACTERS_MAX:
                properties[name] = _BOOLEANS.get(value.lower(), value)
            else:
                properties[name] = value
        if properties:
            record[self._properties] = properties
        return self._encode(record)


def _json_value(cell: Any) -> Any:
    """Return a cell as JSON holds it; None when it is empty."""
    if cell is None or isinstance(cell, bool | int):
        return cell
    if isinstance(cell, str):
        return cell or None
    if isinstance(cell, float):
        return cell if isfinite(cell) else None
    if isinstance(cell, datetime):
        return format_time(datetime_ms(cell))
    if isinstance(cell, Decimal):
        return float(cell) if cell.is_finite() else None
    if isinstance(cell, dict):
        return {str(name): _json_value(inner) for name, inner in cell.items()}
    if isinstance(cell, list | tuple):
        return [_json_value(inner) for inner in cell]
    if isinstance(cell, date | time | timedelta):
        return str(cell)
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)


def parquet_rows(path: Path) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """Return the column names of a Parquet file and its rows; times without a zone are UTC."""
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise WorldError(f"{path} is not a Parquet file: {error}", "Write it anew") from error
    names = list(file.schema_arrow.names)

    def rows() -> Iterator[tuple[Any, ...]]:
        for batch in file.iter_batches(batch_size=_ROWS_PER_BATCH):
            columns = [_column(column) for column in batch.columns]
            yield from zip(*columns, strict=True)

    return names, rows()


def _column(column: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz="UTC"), safe=False)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    cells: list[Any] = column.to_pylist()
    return cells
