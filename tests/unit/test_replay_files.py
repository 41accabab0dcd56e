"""What a replay writes: names, columns, and the same bytes for the same rows.

Owns: the examples of `consumer.replay_files` and `consumer.example_table`.
Never: runs a replay.
Source: the contract, "Files of a replay".
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from consumer import example_table
from consumer.errors import WorldError
from consumer.event_files import Origin
from consumer.replay_files import ReplayFiles
from schemas.errors import InvalidRecord
from schemas.example import ClosedBy, ExampleSource, TrainingExample
from schemas.score import ModelRef


def row(campaign: str, offset: int, features: dict[str, float]) -> TrainingExample:
    """Return a matured row of `campaign`, scored at `offset`."""
    return TrainingExample(
        campaign=campaign,
        lineage="l",
        customer="hash",
        event_id=f"e{offset}",
        as_of="2026-11-23T12:00:00.000Z",
        closed_at="2026-11-30T13:00:00.001Z",
        source=ExampleSource(0, offset),
        closed_by=ClosedBy(offset + 10, 0),
        label=float(offset % 2),
        weight=1.0,
        acted="none",
        features=features,
        probability=0.25,
        expected_value=None,
        experts={"slow": 0.25},
        model=ModelRef("l", "champion", offset, "digest"),
        status="ready",
    )


def rows(count: int) -> list[TrainingExample]:
    """Return rows of two campaigns whose columns differ, and grow with time."""
    return [
        row(
            "b" if offset % 3 else "a",
            offset,
            {"tenure": offset / 8, f"late {offset // 40}": 1.0, "only b" if offset % 3 else "x": 2},
        )
        for offset in range(count)
    ]


def write(out: Path, examples: list[TrainingExample], cut: int) -> Path:
    """Write `examples` in calls of `cut` rows."""
    files = ReplayFiles(out)
    for start in range(0, len(examples), cut):
        rows = examples[start : start + cut]
        files.add_examples(rows, [f"customer {row.source.offset}" for row in rows])
    files.close({})
    return out


def test_examples_have_the_envelope_and_the_union_of_features(tmp_path: Path) -> None:
    """A column of another campaign is null, one that was left out as zero is 0."""
    write(tmp_path, [row("a", 1, {"x": 1.5}), row("a", 2, {}), row("b", 3, {"y": 2.0})], 2)
    table = pd.read_parquet(tmp_path / "examples.parquet")
    assert list(table.columns) == [*example_table.ENVELOPE.names, "x", "y"]
    assert table["x"].tolist()[:2] == [1.5, 0.0]
    assert table["x"].isna().tolist() == [False, False, True]
    assert table["y"].dtype == "float32"
    assert table["customer_id"].tolist() == ["customer 1", "customer 2", "customer 3"]
    assert table["closed_at_ms"][0] - table["as_of_ms"][0] == (7 * 24 + 1) * 3_600_000 + 1
    assert table["model_version"].tolist() == [1, 2, 3]


def test_the_cut_of_calls_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks fill by rows, not by calls; later columns reach back into earlier blocks as 0."""
    monkeypatch.setattr(example_table, "ROWS_PER_BLOCK", 32)
    examples = rows(200)
    one = write(tmp_path / "one", examples, 1) / "examples.parquet"
    many = write(tmp_path / "many", examples, 77) / "examples.parquet"
    assert one.read_bytes() == many.read_bytes()
    table = pd.read_parquet(one).sort_values("model_version").reset_index(drop=True)
    assert len(table) == 200
    for index, example in enumerate(examples):
        kept = table.loc[index].iloc[len(example_table.ENVELOPE.names) :].dropna()
        assert {name: number for name, number in kept.items() if number} == {
            name: number for name, number in example.features.items() if number
        }
    first_b = table[table["campaign"] == "b"].iloc[0]
    assert first_b["late 4"] == 0.0
    assert first_b.isna()["x"]
    assert not list(one.parent.glob(".*"))


def test_a_feature_called_like_a_field_of_the_row_keeps_apart(tmp_path: Path) -> None:
    """A declared number `weight` is `feature:weight` in the table."""
    write(tmp_path, [row("a", 1, {"weight": 3.0})], 1)
    table = pd.read_parquet(tmp_path / "examples.parquet")
    assert (table["weight"][0], table["feature:weight"][0]) == (1.0, 3.0)


def test_a_replay_without_rows_leaves_an_empty_table(tmp_path: Path) -> None:
    """Every file of the contract is there, even when nothing matured."""
    write(tmp_path, [], 1)
    assert {path.name for path in tmp_path.iterdir()} == {
        "scores.ndjson",
        "triggers.ndjson",
        "triggers-held-out.ndjson",
        "dead-letters.ndjson",
        "examples.parquet",
        "quality.json",
    }
    assert pq.read_table(tmp_path / "examples.parquet").num_rows == 0


def test_lines_and_quality(tmp_path: Path) -> None:
    """Scores are lines as published; dead letters name file, line and reason; NaN is null."""
    files = ReplayFiles(tmp_path)
    files.add_scores([b'{"a":1}', b'{"a":2}'])
    files.add_scores([])
    files.add_scores([b'{"a":3}'])
    files.add_triggers([b'{"t":1}', b'{"t":2}'])
    files.add_triggers([b'{"t":3}'], held_out=True)
    reason = str(InvalidRecord("type", "nothing", "a text"))
    origin = Origin("events.ndjson", 7)
    files.add_dead_letter(b"{}", [("__connect.errors.exception.message", reason.encode())], origin)
    files.add_dead_letter(b"\xff", [], origin)
    files.close({"a": {"auc": float("nan"), "n": 3}})
    assert (tmp_path / "scores.ndjson").read_text() == '{"a":1}\n{"a":2}\n{"a":3}\n'
    assert (tmp_path / "triggers.ndjson").read_text() == '{"t":1}\n{"t":2}\n'
    assert (tmp_path / "triggers-held-out.ndjson").read_text() == '{"t":3}\n'
    lines = (tmp_path / "dead-letters.ndjson").read_text().splitlines()
    letters = [json.loads(line) for line in lines]
    assert letters[0]["file"] == "events.ndjson"
    assert letters[0]["line"] == 7
    assert letters[0]["value"] == "{}"
    assert letters[0]["headers"]["__connect.errors.exception.message"] == reason
    assert letters[1]["value_base64"] == "/w=="
    assert json.loads((tmp_path / "quality.json").read_text()) == {"a": {"auc": None, "n": 3}}


def test_a_fault_leaves_no_temporary_files(tmp_path: Path) -> None:
    """What was open is closed and the parts of the table are removed."""
    files = ReplayFiles(tmp_path)

    def break_off() -> None:
        with files:
            files.add_examples(rows(3), ["c"] * 3)
            raise KeyError

    with pytest.raises(KeyError):
        break_off()
    assert not list(tmp_path.glob(".*"))


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A file in the way of the folder is the world's fault."""
    (tmp_path / "out").write_text("")
    with pytest.raises(WorldError) as caught:
        ReplayFiles(tmp_path / "out")
    assert "--out" in caught.value.remedy
