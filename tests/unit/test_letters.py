"""Dead letters on the log in memory: which are found, and how they look.

Owns: filters, ids, words, JSON, and what a terminal gets to see.
Never: sends one again; test_redrive.py does.
Source: the contract, "Dead letter" and "Commands".
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter

import pytest

from consumer.errors import WorldError
from consumer.letter_words import as_json, kind_of, listing, showing, summary, whole_as_json
from consumer.letters import LetterId, LetterTopic, StoredLetter, Wanted
from consumer.memory_log import MemoryLog
from consumer.memory_transport import MemoryTransport
from consumer.transport import Headers, Outgoing
from schemas.dead_letter import CUT_HEADER, dead_letter, dead_letter_headers, parted
from schemas.errors import InvalidRecord
from schemas.redriven import (
    MARKER_HEADERS,
    REDRIVEN_HEADER,
    encode_marker,
    marked,
    times_redriven,
    with_count,
)

T0_MS = 1_764_000_000_000
NO_CUSTOMER = InvalidRecord("customer_id", "nothing", "a text", "missing_field")
NO_JSON = InvalidRecord("record", 'the text "{"', "an object", "not_json")


def explained(offset: int, error: InvalidRecord = NO_CUSTOMER, partition: int = 0) -> Headers:
    """Our headers."""
    return [*dead_letter_headers("customer-events", partition, offset, "decode", error)]


def topic(*rows: tuple[bytes | None, Headers], partitions: int = 1) -> LetterTopic:
    """A dead-letter topic with these values and headers, a second apart, by turns."""
    log = MemoryLog({"dead-letters": partitions})
    for number, (value, headers) in enumerate(rows):
        stamps_ms = [T0_MS + 1_000 * number]
        log.append(
            Outgoing("dead-letters", number % partitions, [b"k"], [value], [headers], stamps_ms)
        )
    return LetterTopic(MemoryTransport(log, group="g", instance="i"), "dead-letters")


def ids(letters: LetterTopic, wanted: Wanted) -> list[str]:
    """Which letters are found."""
    return [str(stored.id) for stored in letters.each(wanted)]


def stored_with(value: bytes | None, headers: Headers) -> StoredLetter:
    """One letter as it is read."""
    return topic((value, headers)).one(LetterId(0, 0))


def test_filters_say_which_letters_are_meant() -> None:
    """Reason, source and time each leave some out; all that is said must hold."""
    letters = topic(
        (b"a", explained(1)),
        (b"b", explained(2, NO_JSON)),
        (b"c", explained(3, partition=4)),
        (b"d", []),
    )
    assert ids(letters, Wanted()) == ["0:0", "0:1", "0:2", "0:3"]
    assert ids(letters, Wanted(reason="FOUND NOTHING")) == ["0:0", "0:2"]
    assert ids(letters, Wanted(partition=4)) == ["0:2"]
    assert ids(letters, Wanted(topic="customer-events", partition=0)) == ["0:0", "0:1"]
    assert ids(letters, Wanted(topic="others")) == []
    assert ids(letters, Wanted(since_ms=T0_MS + 2_000)) == ["0:2", "0:3"]
    assert ids(letters, Wanted(ids=frozenset([LetterId(0, 2), LetterId(7, 1)]))) == ["0:2"]


def test_all_partitions_are_read_up_to_where_they_ended() -> None:
    """What comes after the beginning is not of this reading."""
    letters = topic(*((b"x", explained(number)) for number in range(5)), partitions=2)
    assert ids(letters, Wanted()) == ["0:0", "0:1", "0:2", "1:0", "1:1"]
    letters._transport.produce(Outgoing("dead-letters", 0, [None], [b"late"], [[]]))
    assert len(ids(letters, Wanted())) == 5


def test_markers_are_no_letters() -> None:
    """They are left out and remembered; a letter that carries such a header stays a letter."""
    forged = [*MARKER_HEADERS, *explained(2)]
    letters = topic((b"a", explained(1)), (encode_marker([0]), forged),
                    (encode_marker([0]), MARKER_HEADERS), (b"no", MARKER_HEADERS))  # fmt: skip
    found = list(letters.each(Wanted()))
    assert [str(each.id) for each in found] == ["0:0", "0:1", "0:3"]
    assert letters.redriven == {LetterId(0, 0)}
    states = [as_json(each, letters.redriven)["state"] for each in found]
    assert states == ["redriven", "waiting", "foreign"]
    assert marked(encode_marker([1, 2]), MARKER_HEADERS) == [1, 2]
    with pytest.raises(WorldError, match="no letter 0:2 "):
        letters.one(LetterId(0, 2))


@pytest.mark.parametrize("missing", [LetterId(0, 1), LetterId(1, 0), LetterId(0, 10**17)])
def test_a_letter_that_is_not_there_is_named(missing: LetterId) -> None:
    """Beyond the end, and in a partition that does not exist."""
    with pytest.raises(WorldError, match=f"There is no letter {missing} in dead-letters"):
        topic((b"a", explained(1))).one(missing)


def test_headers_are_the_senders_or_ours() -> None:
    """Ours stand last: what a sender brings under our names stays the sender's."""
    theirs: Headers = [("__connect.errors.topic", b"elsewhere"), (CUT_HEADER, b"value: 0")]
    own = explained(7)
    assert parted([*theirs, *own]) == (theirs, own)
    ours = dead_letter_headers("customer-events", 0, 7, "decode", NO_CUSTOMER)
    cut = dead_letter(b"k", b"x" * 3_000, theirs, ours, bytes_max=2_500)
    assert parted(cut.headers) == (theirs, cut.headers[len(theirs) :])
    assert parted(theirs) == ([theirs[1]], [theirs[0]])
    assert parted([]) == ([], [])
    stored = stored_with(b"v", [*theirs, *own])
    assert stored.letter is not None
    assert (stored.letter.topic, stored.letter.cut) == ("customer-events", None)


@pytest.mark.parametrize(
    ("content", "times"), [(b"2", 2), (None, 0), (b"-1", 0), (b"9" * 40, 0), (b"\xff", 0)]
)
def test_counts_that_others_write_are_read_with_care(content: bytes | None, times: int) -> None:
    """What is no small number counts as never redriven; the newest of several counts."""
    headers: Headers = [(REDRIVEN_HEADER, b"7"), (REDRIVEN_HEADER, content)]
    assert times_redriven(headers) == times
    assert with_count([*headers, ("a", None)], 5) == [("a", None), (REDRIVEN_HEADER, b"5")]


@pytest.mark.parametrize("text", ["", "1", "1:", ":1", "1:2:3", "-1:2", "1:x", "²:1", "1: 2"])
def test_what_is_no_id(text: str) -> None:
    """An id is two whole numbers with a colon between."""
    assert LetterId.of(text) is None


def test_nothing_that_a_terminal_obeys_is_shown() -> None:
    """Control characters of senders are escaped, wherever they stand."""
    evil = "\x1b]0;owned\x07\x9b31m\u202e\r"
    error = InvalidRecord(f"f{evil}", "x", "y")
    headers: Headers = [(f"h{evil}", evil.encode()), *explained(1, error)]
    stored = stored_with(f'{{"a":\n"{evil}"}}'.encode(), headers)
    lines = [*showing(stored), *listing([stored], (), None), *summary(Counter([kind_of(stored)]))]
    assert all(line.isprintable() for line in lines)
    assert any(r"\x1b]0;owned\x07\x9b31m\u202e\r" in line for line in lines)
    assert '  {"a":' in lines


def test_bytes_that_are_no_text_are_dumped() -> None:
    """Sixteen bytes a line, with their place and what is readable of them."""
    shown = list(showing(stored_with(b"\xffabc" + bytes(14), [("raw", b"\xfe"), *explained(1)])))
    row = "ff 61 62 63 00 00 00 00 00 00 00 00 00 00 00 00"
    assert f"  00000000  {row}  .abc............" in shown
    assert f"  00000010  {'00 00':<47}  .." in shown
    assert "  raw: hex fe" in shown


def test_nothing_is_told_from_empty() -> None:
    """A value that is absent is not one of no bytes."""
    assert "value      none" in list(showing(stored_with(None, explained(1))))
    assert "value      0 bytes" in list(showing(stored_with(b"", explained(1))))


def test_a_list_fits_the_terminal() -> None:
    """Reasons are shortened to its width, and are whole where there is none."""
    long = InvalidRecord("customer_id", "x" * 300, "a text")
    letters = topic((b"a", explained(1, long)), (b"b", []))
    found = list(letters.each(Wanted()))
    narrow, whole = list(listing(found, (), 120)), list(listing(found, (), None))
    assert max(map(len, narrow)) <= 120
    assert narrow[1].endswith("…")
    assert "x" * 300 in whole[1]
    assert whole[0].split() == ["ID", "TIME", "SOURCE", "STAGE", "STATE", "SIZE", "REASON"]
    assert whole[1].split()[:6] == [
        "0:0", "2025-11-24T16:00:00.000Z", "customer-events[0]@1", "decode", "waiting", "1",
    ]  # fmt: skip
    assert "foreign" in whole[2]


def test_json_holds_every_byte() -> None:
    """Key, value and headers come back from the JSON of one letter."""
    headers: Headers = [("trace", b"\x00\xff"), ("none", None), *explained(1)]
    stored = stored_with(b"\xff\x00", headers)
    read = json.loads(json.dumps(whole_as_json(stored)))
    assert (b64decode(read["key"]), b64decode(read["value"])) == (b"k", b"\xff\x00")
    assert [
        (each["name"], None if each["value"] is None else b64decode(each["value"]))
        for each in read["headers"]
    ] == headers
    assert read["reason"] == "customer_id: found nothing, expected a text."
    assert (read["id"], read["topic"], read["offset"]) == ("0:0", "customer-events", 1)


def test_a_summary_counts_by_what_is_wrong() -> None:
    """What was found differs from record to record; field and expectation make the kind."""
    errors = [InvalidRecord("customer_id", f"the number {n}", "a text") for n in range(3)]
    letters = topic(
        (b"a", explained(0, NO_JSON)),
        *((b"b", explained(n, error)) for n, error in enumerate(errors)),
        (b"c", []),
    )
    lines = list(summary(Counter(kind_of(stored) for stored in letters.each(Wanted()))))
    assert [line.split(maxsplit=3)[:3] for line in lines] == [
        ["COUNT", "STAGE", "FIELD"],
        ["3", "decode", "customer_id"],
        ["1", "-", "-"],
        ["1", "decode", "record"],
    ]
    assert lines[1].endswith("a text")


def test_strange_times_are_no_reason_to_stop() -> None:
    """A producer may stamp a record with any number."""
    log = MemoryLog({"dead-letters": 1})
    for at_ms in (-1, 1 << 62):
        log.append(Outgoing("dead-letters", 0, [None], [b""], [explained(1)], [at_ms]))
    letters = LetterTopic(MemoryTransport(log, group="g", instance="i"), "dead-letters")
    assert [as_json(each, ())["timestamp"] for each in letters.each(Wanted())] == [None, None]
