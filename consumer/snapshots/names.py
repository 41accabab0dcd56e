"""What the files of snapshots are called.

Owns: group, topic, partition and offset <-> the name of a generation, and of its files.
Never: opens a file.
Source: ARCHITECTURE.md, "Snapshots".
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from xxhash import xxh3_64_hexdigest

MANIFEST: Final = "manifest.json"

_WORD_LENGTH_MAX = 200  # Folders may have 255 bytes.
_OFFSET = re.compile(r"[0-9]{20}")


def part_name(number: int) -> str:
    """The file of a part.

    >>> part_name(3)
    'part-0003.zst'
    """
    return f"part-{number:04d}.zst"


def partition_prefix(group: str, topic: str, partition: int) -> str:
    """Where the generations of a partition are; the names of others never begin with it.

    >>> partition_prefix("shop/eu", "..", 3)
    'shop%2Feu/%2E%2E/3/'
    """
    return f"{topic_prefix(group, topic)}{partition}/"


def topic_prefix(group: str, topic: str) -> str:
    """Where the partitions of a topic are."""
    return f"{_word(group)}/{_word(topic)}/"


def partitions_among(names: list[str], prefix: str) -> list[int]:
    """The partitions that have files below a topic's prefix.

    >>> partitions_among(["a/b/10/00000000000000000007/manifest.json", "a/b/2/x", "a/b/y"], "a/b/")
    [2, 10]
    """
    folders = {name.removeprefix(prefix).partition("/")[0] for name in names}
    return sorted(int(folder) for folder in folders if folder.isascii() and folder.isdigit())


def generation_prefix(group: str, topic: str, partition: int, offset: int) -> str:
    """Where the files of one generation are; offsets sort as numbers do.

    >>> generation_prefix("shop", "events", 0, 42)
    'shop/events/0/00000000000000000042/'
    """
    return f"{partition_prefix(group, topic, partition)}{offset:020d}/"


def campaign_file_name(group: str, digest: str) -> str:
    """Where a campaign file of the group is kept; no partition is called like it.

    >>> campaign_file_name("shop", "0f1e2d3c4b5a6978")
    'shop/campaign-files/0f1e2d3c4b5a6978.json'
    """
    return f"{_word(group)}/campaign-files/{digest}.json"


def mark_name(group: str, instance: str) -> str:
    """Where `propensity doctor` leaves a mark beside a worker; no partition is called like it.

    >>> mark_name("shop", "worker/1")
    'shop/doctor-marks/worker%2F1.json'
    """
    return f"{marks_prefix(group)}{_word(instance)}.json"


def marks_prefix(group: str) -> str:
    """Where the marks of all instances are."""
    return f"{_word(group)}/doctor-marks/"


def by_offset(names: list[str], prefix: str) -> dict[int, set[str]]:
    """The files of each generation below a partition's prefix, newest generation first.

    Names of files are relative to their generation. What nobody here wrote is left out.

    >>> by_offset(["a/b/0/00000000000000000007/manifest.json", "a/b/0/notes"], "a/b/0/")
    {7: {'manifest.json'}}
    """
    found: dict[int, set[str]] = {}
    for name in names:
        folder, slash, file = name.removeprefix(prefix).partition("/")
        if name.startswith(prefix) and slash and _OFFSET.fullmatch(folder):
            found.setdefault(int(folder), set()).add(file)
    return dict(sorted(found.items(), reverse=True))


def _word(text: str) -> str:
    """A text as the name of a folder, different for different texts."""
    word = quote(text, safe="")
    if not word.strip("."):
        word = word.replace(".", "%2E")
    if len(word) > _WORD_LENGTH_MAX:
        # Longer than any word that was not cut, so no other text is called the same.
        word = f"{word[:_WORD_LENGTH_MAX]}~{xxh3_64_hexdigest(text.encode())}"
    return word
