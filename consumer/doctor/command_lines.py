"""Remedies as lines that can be pasted into a shell.

Owns: how Kafka's own tools and ours are called, with the addresses of these settings.
Never: runs one, or prints a password.
Source: https://kafka.apache.org/documentation/#basic_ops
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from shlex import join, quote

Scalar = str | int | float | bool

PLAIN = "PLAINTEXT"


class CommandLines:
    """Lines for one set of settings.

    Parameters
    ----------
    kafka: the settings under `kafka`.
    config, campaigns: the files that were named before the subcommand, if any were.
    """

    def __init__(
        self, kafka: Mapping[str, Scalar], *, config: Path | None, campaigns: Path | None
    ) -> None:
        given = {name: str(value) for name, value in kafka.items()}
        self.bootstrap = given.get("bootstrap.servers") or given.get("metadata.broker.list", "")
        self._secured = given.get("security.protocol", PLAIN).upper() != PLAIN
        self._user = given.get("sasl.username") or ("NAME" if self._secured else "ANONYMOUS")
        named = (("--config", config), ("--campaigns", campaigns))
        self._options = [text for name, path in named if path for text in (name, str(path))]

    def ours(self, *arguments: str) -> str:
        """A command of this program, with the files that were named."""
        return join(["propensity", *self._options, *arguments])

    def more_partitions(self, topic: str, partitions: int) -> str:
        """Give a topic so many partitions."""
        return self._kafka("topics", "--alter", "--topic", topic, "--partitions", str(partitions))

    def configure(self, topic: str, key: str, value: str) -> str:
        """Give a topic a setting of its own."""
        where = ("--alter", "--entity-type", "topics", "--entity-name", topic)
        return self._kafka("configs", *where, "--add-config", f"{key}={value}")

    def allow(self, kind: str, name: str, operations: Iterable[str]) -> str:
        """Grant us operations, called as Kafka's protocol does, on a `topic` or a `group`."""
        words = [word for each in operations for word in ("--operation", _word(each))]
        principal = f"User:{self._user}"
        where = (f"--{kind}", name)
        return self._kafka("acls", "--add", "--allow-principal", principal, *words, *where)

    def show_record(self, topic: str, partition: int, offset: int) -> str:
        """Print one record, key and value."""
        place = ("-t", topic, "-p", str(partition), "-o", str(offset))
        return join(["kcat", "-C", "-b", self.bootstrap, *place, "-c", "1", "-e", "-K", ": "])

    def set(self, variable: str, value: object) -> str:
        """Set a setting for this shell."""
        return f"export PROPENSITY_{variable}={quote(str(value))}"

    def _kafka(self, tool: str, *arguments: str) -> str:
        login = ["--command-config", "client.properties"] if self._secured else []
        words = [f"kafka-{tool}.sh", "--bootstrap-server", self.bootstrap]
        return join([*words, *login, *arguments])


def _word(operation: str) -> str:
    """`DESCRIBE_CONFIGS` as Kafka's tools write it.

    >>> _word("DESCRIBE_CONFIGS")
    'DescribeConfigs'
    """
    return operation.title().replace("_", "")
