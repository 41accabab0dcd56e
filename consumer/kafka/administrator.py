"""What an administrator asks: brokers, how topics are set up, who is in a group, and our rights.

Owns: the questions of `propensity doctor` that need an AdminClient, each with a deadline.
Never: changes anything, or joins a group.
Source: https://kafka.apache.org/protocol#protocol_api_keys; a client that debugs `feature` logs
    what each broker answers to ApiVersions, and nobody else tells.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource

from consumer.clock import Clock
from consumer.deadline import Patience
from consumer.doctor.facts import Cluster, GroupSeen, Member, TopicSeen
from consumer.kafka.asker import ask
from consumer.kafka.configuration import KafkaConfiguration, Scalar
from consumer.kafka.errors import FORBIDDEN, LOGIN_REFUSED, MISSING, NamedError, in_words
from consumer.kafka.topics import id_of
from consumer.transport import TopicIdentity, TransportError

ANSWER_MAX_S: Final = 5.0

_VERSIONS = re.compile(r"ApiKey \S+ \((\d+)\) Versions -?\d+\.\.(-?\d+)")
REQUESTS: Final[Mapping[str, str]] = {"3": "Metadata", "9": "OffsetFetch", "28": "TxnOffsetCommit"}
"""The requests whose versions somebody wants to know, by their number in the protocol."""


class _Versions(logging.Handler):
    """Notes which versions brokers have said that they speak; the oldest broker counts."""

    def __init__(self) -> None:
        super().__init__()
        self.newest: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        found = _VERSIONS.search(record.getMessage())
        if found is not None and found[1] in REQUESTS:
            name, version = REQUESTS[found[1]], int(found[2])
            self.newest[name] = min(version, self.newest.get(name, version))


class Administrator:
    """Asks the cluster of these settings; every answer comes within seconds, or raises.

    Raises
    ------
    TransportError: here, a setting is refused; from each question, nobody answers, or the login or
        the right is refused.
    """

    def __init__(
        self, kafka: Mapping[str, Scalar], *, group: str, instance: str, clock: Clock
    ) -> None:
        self._patience = Patience(clock)
        configuration = KafkaConfiguration(kafka, group=group, instance=instance)
        self._bootstrap = configuration.bootstrap
        self._refused: NamedError | None = None
        self._versions = _Versions()
        heard = logging.getLogger("kafka.versions")
        heard.setLevel(logging.DEBUG)
        heard.propagate = False
        heard.handlers = [self._versions]
        told: dict[str, Any] = {"debug": "feature", "log_level": 7}
        told |= {"logger": heard, "error_cb": self._on_error}
        try:
            self._admin = AdminClient({**configuration.client(), **told})
        except KafkaException as error:  # A setting that the client does not know.
            raise self._error(error.args[0], "") from error

    def cluster(self) -> Cluster:
        """The brokers that the cluster has, and what those that we are connected to speak."""
        try:
            asked = self._admin.describe_cluster(request_timeout=ANSWER_MAX_S)
            found: Any = asked.result(2 * ANSWER_MAX_S)
        except KafkaException as error:
            raise self._error(self._refused or error.args[0], "") from error
        self._admin.poll(0)  # Lets the log through that has gathered.
        addresses = tuple((str(node.host), int(node.port)) for node in found.nodes)
        return Cluster(addresses, dict(self._versions.newest))

    def topics(self, names: Sequence[str]) -> dict[str, TopicSeen]:
        """The topics that are there, by name; those that we may not see have 0 partitions."""
        asked = self._admin.describe_topics(
            TopicCollection(list(names)),
            include_authorized_operations=True,
            request_timeout=ANSWER_MAX_S,
        )
        seen: dict[str, TopicSeen] = {}
        for name, future in asked.items():
            try:
                found: Any = future.result(2 * ANSWER_MAX_S)
            except KafkaException as error:
                kind = error.args[0].name()
                if kind in FORBIDDEN:
                    seen[name] = TopicSeen(TopicIdentity(name), 0, None, frozenset())
                elif kind not in MISSING:
                    raise self._error(error.args[0], name) from error
                continue
            identity = TopicIdentity(name, id_of(found), len(found.partitions))
            copies = min(len(partition.replicas) for partition in found.partitions)
            seen[name] = TopicSeen(identity, copies, self._config(name), _operations(found))
        return seen

    def group(self, group: str) -> GroupSeen:
        """The group: one that nobody ever joined, or that we may not see, has no members."""
        try:
            found: Any = ask(
                lambda: self._describe_group(group).result(2 * ANSWER_MAX_S),
                self._patience,
                ANSWER_MAX_S,
            )
        except KafkaException as error:
            if error.args[0].name() not in FORBIDDEN:
                raise self._error(error.args[0], group) from error
            return GroupSeen((), frozenset())
        members = tuple(Member(each.client_id, each.host.lstrip("/")) for each in found.members)
        return GroupSeen(members, _operations(found))

    def _config(self, topic: str) -> dict[str, str] | None:
        """The settings of a topic; None where we may not see them."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        (asked,) = self._admin.describe_configs([resource], request_timeout=ANSWER_MAX_S).values()
        try:
            found: Any = asked.result(2 * ANSWER_MAX_S)
        except KafkaException as error:
            if error.args[0].name() not in FORBIDDEN:
                raise self._error(error.args[0], topic) from error
            return None
        return {key: str(entry.value) for key, entry in found.items() if entry.value is not None}

    def _describe_group(self, group: str) -> Any:
        asked = self._admin.describe_consumer_groups(
            [group], include_authorized_operations=True, request_timeout=ANSWER_MAX_S
        )
        return asked[group]

    def _error(self, error: NamedError, subject: str) -> TransportError:
        return in_words(error, bootstrap=self._bootstrap, subject=subject)

    def _on_error(self, error: NamedError) -> None:
        """A refused login shows as a silent broker; what the client noted says more."""
        if error.name() in LOGIN_REFUSED:
            self._refused = error


def _operations(found: Any) -> frozenset[str] | None:
    allowed = found.authorized_operations
    return None if allowed is None else frozenset(each.name for each in allowed)
