"""Hashes of texts in the compiled loop.

Owns: 128 bits of a text, for identities.
Never: a defence against somebody who chooses texts; identities that must not be guessed are keyed.
Source: Austin Appleby's MurmurHash3, `MurmurHash3_x64_128`; tests hold it to another one.
"""

from __future__ import annotations

import numpy as np

from models.compiled import compiled, inlined
from models.plan import U1

ONE = np.uint64(0x87C37B91114253D5)
TWO = np.uint64(0x4CF5AD432745937F)
FIVE = np.uint64(5)
ADD_ONE = np.uint64(0x52DCE729)
ADD_TWO = np.uint64(0x38495AB5)


@inlined
def rotated(value: np.uint64, bits: int) -> np.uint64:
    """The value with its bits rotated to the left."""
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


@inlined
def avalanche(value: np.uint64) -> np.uint64:
    """Let every bit depend on every bit."""
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@inlined
def word_at(text: U1, at: int, length: int) -> np.uint64:
    """Up to eight bytes as a number, the first one lowest."""
    word, first = np.uint64(0), np.uint64(at)
    for index in range(np.uint64(length)):
        word |= np.uint64(text[first + index]) << (index << np.uint64(3))
    return word


@compiled
def hash_of(
    text: U1, start: int, stop: int, first: np.uint64, second: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """128 bits of `text[start:stop]`; with both seeds 0, those of MurmurHash3.

    Seeds that are the hash of another text give the hash of the pair.
    """
    length = stop - start
    blocks_stop = start + length // 16 * 16
    for at in range(start, blocks_stop, 16):
        low, high = word_at(text, at, 8), word_at(text, at + 8, 8)
        first ^= rotated(low * ONE, 31) * TWO
        first = (rotated(first, 27) + second) * FIVE + ADD_ONE
        second ^= rotated(high * TWO, 33) * ONE
        second = (rotated(second, 31) + first) * FIVE + ADD_TWO
    left = stop - blocks_stop
    if left > 8:
        high = word_at(text, blocks_stop + 8, left - 8)
        second ^= rotated(high * TWO, 33) * ONE
    if left > 0:
        low = word_at(text, blocks_stop, min(left, 8))
        first ^= rotated(low * ONE, 31) * TWO
    first ^= np.uint64(length)
    second ^= np.uint64(length)
    first += second
    second += first
    first, second = avalanche(first), avalanche(second)
    first += second
    second += first
    return first, second
