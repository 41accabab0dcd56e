"""Which librdkafka we run on.

Owns: the version that the build-information metric shows.
Never: a connection.
Source: confluent_kafka.libversion.
"""

from __future__ import annotations

from confluent_kafka import libversion


def librdkafka_version() -> str:
    """The version of the linked library, as `2.16.0`."""
    return str(libversion()[0])
