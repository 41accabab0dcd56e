"""The files that a replay leaves behind.

Owns: scores, triggers and dead letters as NDJSON, the quality report; their names and bytes.
Never: computes anything, or writes a time or a path that differs between two equal runs.
Source: the contract, "Files of a replay".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from consumer.errors import WorldError
from consumer.event_files import Origin
from consumer.example_table import ExampleTable
from schemas.example import TrainingExample

_BUFFER_BYTES = 1 << 20


class ReplayFiles:
    """Writes the output folder of a replay; the same calls give the same bytes.

    Parameters
    ----------
    out
        The folder; made if missing. Files of an earlier replay in it are replaced.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        try:
            out.mkdir(parents=True, exist_ok=True)
            self._scores = (out / "scores.ndjson").open("wb", buffering=_BUFFER_BYTES)
            self._triggers = (out / "triggers.ndjson").open("wb", buffering=_BUFFER_BYTES)
            self._held_out = (out / "triggers-held-out.ndjson").open("wb", buffering=_BUFFER_BYTES)
            self._dead_letters = (out / "dead-letters.ndjson").open("wb")
            self._examples = ExampleTable(out / "examples.parquet")
        except OSError as error:
            raise WorldError(
                f"{out} cannot be written: {error}", "Give another folder with --out"
            ) from error
        self._encode = msgspec.json.Encoder().encode

    def add_scores(self, scores: Sequence[bytes]) -> None:
        """Append score records as they would have been published."""
        if scores:
            self._scores.write(b"\n".join(scores))
            self._scores.write(b"\n")

    def add_triggers(self, triggers: Sequence[bytes], *, held_out: bool = False) -> None:
        """Append trigger records as they would have been published, those held out apart."""
        if triggers:
            file = self._held_out if held_out else self._triggers
            file.write(b"\n".join(triggers))
            file.write(b"\n")

    def add_dead_letter(
        self,
        value: bytes | None,
        headers: Iterable[tuple[str, bytes | None]],
        origin: Origin,
    ) -> None:
        """Append a record that could not be read, with the reason and its file and line."""
        self._dead_letters.write(
            self._encode(
                {
                    "file": origin.path,
                    "line": origin.line,
                    "headers": {
                        name: (header or b"").decode("utf-8", "replace") for name, header in headers
                    },
                    **_value_fields(value),
                }
            )
            + b"\n"
        )

    def add_examples(self, rows: Sequence[TrainingExample], customer_ids: Sequence[str]) -> None:
        """Append matured rows, with the customer of each: a row has only a keyed hash."""
        for row, customer_id in zip(rows, customer_ids, strict=True):
            self._examples.add(row, customer_id)

    def close(self, quality: Mapping[str, Any]) -> None:
        """Write the quality report and finish every file."""
        self._examples.close()
        text = json.dumps(_finite(quality), ensure_ascii=False, indent=2, allow_nan=False)
        (self.out / "quality.json").write_text(text + "\n", encoding="utf-8")
        self._close_streams()

    def abandon(self) -> None:
        """Let go of every file after a fault: what was written so far stays as it is."""
        self._examples.abandon()
        self._close_streams()

    def _close_streams(self) -> None:
        for stream in (self._scores, self._triggers, self._held_out, self._dead_letters):
            stream.close()

    def __enter__(self) -> Self:
        """Let a fault inside `with` abandon the files; a good end calls `close` itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.abandon()


def _value_fields(value: bytes | None) -> dict[str, str | None]:
    """Return the record's value as text, or as base64 where it is not UTF-8."""
    if value is None:
        return {"value": None}
    try:
        return {"value": value.decode("utf-8")}
    except UnicodeDecodeError:
        return {"value_base64": base64.b64encode(value).decode("ascii")}


def _finite(found: Any) -> Any:
    """Replace what JSON has no word for (NaN, infinity) by null."""
    if isinstance(found, Mapping):
        return {str(name): _finite(value) for name, value in found.items()}
    if isinstance(found, list | tuple):
        return [_finite(value) for value in found]
    if isinstance(found, float) and not isfinite(found):
        return None
    return found
