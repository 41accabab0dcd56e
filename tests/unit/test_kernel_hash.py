"""Hashes of texts.

Owns: known answers.
Never: whether the hash is a good one; its author showed that.
Source: answers of the reference implementation of MurmurHash3_x64_128 with seed 0.
"""

from __future__ import annotations

import pytest

from models.wire import hash_text

ANSWERS = {
    "": "00000000000000000000000000000000",
    "a": "85555565f6597889e6b53a48510e895a",
    "hello": "cbd8a7b341bd9b025b1e906a48ae1d19",
    "c000017": "668913336bedd4c4567561676c7eca5e",
    "0123456789abcdef": "4be06d94cf4ad1a787c35b5c63a708da",
    "a customer's id of more than 16 bytes": "6c28fff2adbd644eff42b6b18be91ee0",
    "münchen": "9f411e16ad056420a51495938998dbdb",
}


@pytest.mark.parametrize(("text", "answer"), ANSWERS.items())
def test_known_answers(text: str, answer: str) -> None:
    """Texts shorter than a block, of a block, and longer hash as the reference does."""
    first, second = hash_text(text)
    assert f"{first:016x}{second:016x}" == answer


def test_a_pair_is_not_its_parts() -> None:
    """The hash of an event depends on its customer, and not on where one text ends."""
    assert hash_text("bc", *hash_text("a")) != hash_text("c", *hash_text("ab"))
    assert hash_text("b", *hash_text("a")) != hash_text("a", *hash_text("b"))
