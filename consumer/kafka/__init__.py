"""The transport on Kafka: the one place that knows Kafka's client.

Owns: every use of confluent_kafka.
Never: imported by anything that must be quick to start; import it where a broker is needed.
Source: https://docs.confluent.io/platform/current/clients/confluent-kafka-python/html/
"""

from consumer.kafka.mock_cluster import MockCluster
from consumer.kafka.transport import KafkaTransport

__all__ = ["KafkaTransport", "MockCluster"]
