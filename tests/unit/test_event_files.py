"""Recorded files become records in the order of their time, and say where each came from.

Owns: the examples of what `consumer.event_files` reads.
Never: needs a broker or a public data set.
Source: the contract's replay.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from consumer.errors import WorldError
from consumer.event_files import Origin, read_event_files
from schemas.event import EventDecoder, InputMapping
from schemas.times import parse_time

NOON_MS = parse_time("2026-11-23T12:00:00Z")
CSV_MAPPING = InputMapping(
    customer_id="userId", type="event", occurred_at="timestamp", value="properties.revenue"
)


def line(customer: str, minute: int, **more: object) -> bytes:
    """Return an event of `customer` so many minutes after noon."""
    event = {"customer_id": customer, "type": "t", "occurred_at": NOON_MS + minute * 60_000}
    return msgspec.json.encode({**event, **more})


def write(path: Path, *lines: bytes) -> Path:
    """Write `lines` and return the path."""
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_sources_are_merged_by_time_and_equal_times_keep_the_order_given(tmp_path: Path) -> None:
    """Two files with minutes 0 2 4 and 1 2 3 give 0 1 2 2' 3 4."""
    first = write(tmp_path / "a.ndjson", line("a", 0), line("a", 2), line("a", 4))
    second = write(tmp_path / "b.jsonl", line("b", 1), line("b", 2), line("b", 3))
    read = read_event_files([first, second])
    assert [((time - NOON_MS) // 60_000) for time in read.times_ms.tolist()] == [0, 1, 2, 2, 3, 4]
    assert read.values[2:4] == [line("a", 2), line("b", 2)]
    assert read.origin(1) == Origin(str(second), 1)
    assert read.origin(5) == Origin(str(first), 3)


def test_an_unreadable_line_stays_behind_the_good_line_before_it(tmp_path: Path) -> None:
    """Garbage, a year 2999 and wrong UTF-8 keep their place and their line number."""
    bad = [b"{", b'{"customer_id":"a","type":"t","occurred_at":"2999-01-01T00:00:00Z"}', b'"\xff"']
    path = write(tmp_path / "a.ndjson", line("a", 5), *bad, b"", line("a", 6), line("a", 1))
    read = read_event_files([path])
    assert read.values == [line("a", 1), line("a", 5), *bad, line("a", 6)]
    assert [read.origin(index).line for index in range(6)] == [7, 1, 2, 3, 4, 6]


def test_a_value_that_only_the_lenient_reader_takes_does_not_cost_the_place(
    tmp_path: Path,
) -> None:
    """`NaN` as a value is ignored, so such a record is sorted by its own time."""
    lenient = line("a", 1)[:-1] + b',"value":NaN}'
    path = write(tmp_path / "a.ndjson", line("a", 2), lenient)
    assert read_event_files([path]).values == [lenient, line("a", 2)]


def test_compressed_files_read_like_plain_ones(tmp_path: Path) -> None:
    """Plain, .gz and .zst (two frames) give the same records."""
    lines = [line("a", minute) for minute in range(3)]
    plain = write(tmp_path / "a.ndjson", *lines)
    data = plain.read_bytes()
    packed = tmp_path / "a.ndjson.gz"
    packed.write_bytes(gzip.compress(data))
    framed = tmp_path / "a.ndjson.zst"
    half = len(lines[0]) + 1
    compress = zstandard.ZstdCompressor().compress
    framed.write_bytes(compress(data[:half]) + compress(data[half:]))
    assert read_event_files([packed]).values == lines
    assert read_event_files([framed]).values == lines


def test_windows_line_ends_and_a_byte_order_mark_are_no_part_of_a_record(tmp_path: Path) -> None:
    """A file saved by an editor on Windows reads like any other."""
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"\xef\xbb\xbf" + line("a", 0) + b"\r\n" + line("a", 1))
    assert read_event_files([path]).values == [line("a", 0), line("a", 1)]


def test_a_csv_row_is_an_event_under_the_mapping(tmp_path: Path) -> None:
    """Mapped columns are fields, the others properties, empty cells absent."""
    path = write(
        tmp_path / "a.csv",
        b"userId,event,timestamp,properties.revenue,channel,new,note",
        b'17,order,2026-11-23T12:00:00Z,12.5,007,True,"two\nlines"',
        b"18,visit,2026-11-23T12:00:01Z,,,,",
    )
    read = read_event_files([path], CSV_MAPPING)
    explain = EventDecoder(CSV_MAPPING).explain
    order, visit = (explain(value) for value in read.values)
    assert (order.customer_id, order.type, order.occurred_at_ms) == ("17", "order", NOON_MS)
    assert order.value == 12.5
    assert order.properties == {"channel": "007", "new": True, "note": "two\nlines"}
    assert visit.value != visit.value
    assert visit.properties == {}
    assert [read.origin(index).line for index in range(2)] == [2, 4]


def test_a_csv_row_that_does_not_fit_its_header_is_passed_through(tmp_path: Path) -> None:
    """Too few cells and bytes that are not UTF-8 become dead letters, not failures."""
    path = write(
        tmp_path / "a.csv",
        b"customer_id,type,occurred_at,note",
        b"17,visit",
        b"18,visit,2026-11-23T12:00:00Z,caf\xe9",
        b"19,visit,2026-11-23T12:00:00Z,ok",
    )
    read = read_event_files([path])
    assert read.values[:2] == [b"17,visit", b"18,visit,2026-11-23T12:00:00Z,caf\xe9"]
    assert len(read) == 3


def test_a_parquet_row_is_an_event(tmp_path: Path) -> None:
    """Typed columns keep their type: numbers for ids become texts, timestamps RFC 3339."""
    path = tmp_path / "a.parquet"
    table = pa.table(
        {
            "customer_id": pa.array([17, 18]),
            "type": pa.array(["order", "visit"]).dictionary_encode(),
            "occurred_at": pa.array([NOON_MS + 1, NOON_MS], pa.timestamp("ms")),
            "value": pa.array([12.5, None]),
            "new": pa.array([True, None]),
            "score": pa.array([float("nan"), 2.0]),
        }
    )
    pq.write_table(table, path)
    read = read_event_files([path])
    visit, order = (EventDecoder().explain(value) for value in read.values)
    assert (order.customer_id, order.type, order.occurred_at_ms) == ("17", "order", NOON_MS + 1)
    assert (order.value, order.properties) == (12.5, {"new": True})
    assert (visit.customer_id, visit.properties) == ("18", {"score": 2.0})
    assert read.origin(0).line == 2


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.ndjson", None, "There is no file"),
        ("a.xlsx", b"", "kind of file is not known"),
        ("a.csv", b"id,what\n1,2\n", "no column `customer_id`"),
        ("a.csv", b"", "no column `customer_id`"),
        ("a.parquet", b"nothing", "is not a Parquet file"),
        ("a.ndjson.gz", gzip.compress(b"x" * 1000, mtime=0)[:-12], "cannot be read"),
        ("a.ndjson.zst", b"nothing", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    """The world's faults name the file and a remedy."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WorldError) as caught:
        read_event_files([path])
    assert says in caught.value.problem
    assert str(path) in caught.value.problem
    assert caught.value.remedy


def test_no_records_are_no_fault(tmp_path: Path) -> None:
    """An empty file gives an empty log."""
    assert len(read_event_files([write(tmp_path / "a.ndjson")])) == 0
