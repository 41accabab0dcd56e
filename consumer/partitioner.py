"""Which partition a key goes to, as Java's default partitioner decides it.

Owns: murmur2 over key bytes.
Never: chooses for records without a key.
Source: org.apache.kafka.common.utils.Utils.murmur2; `toPositive(murmur2(key)) % partitions`.
"""

from __future__ import annotations

_MASK = 0xFFFFFFFF
_FACTOR = 0x5BD1E995
_SEED = 0x9747B28C


def murmur2(key: bytes) -> int:
    """Return the unsigned 32-bit hash.

    >>> murmur2(b"21") == -973932308 & 0xFFFFFFFF
    True
    """
    size = len(key)
    mixed = _SEED ^ size
    whole = size & ~3
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * _FACTOR & _MASK
        word = (word ^ word >> 24) * _FACTOR & _MASK
        mixed = mixed * _FACTOR & _MASK ^ word
    if size > whole:
        mixed = (mixed ^ int.from_bytes(key[whole:], "little")) * _FACTOR & _MASK
    mixed = (mixed ^ mixed >> 13) * _FACTOR & _MASK
    return mixed ^ mixed >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition index for a key, in 0..partitions-1."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
