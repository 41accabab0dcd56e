"""A real Apache Kafka from its Maven jars, for tests and bench.

Owns: the pinned versions, the jars' cache, and the life of every broker that tests start.
Never: leaves a broker behind, or ends a process that it did not start.
Source: https://kafka.apache.org/documentation/#kraft
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

KAFKA_VERSION = "4.4.0"
CLUSTER_ID = "cHJvcGVuc2l0eS10ZXN0cw"
STARTUP_MAX_S = 60.0
SHUTDOWN_MAX_S = 20.0
RESOLVE_MAX_S = 600

POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>propensity</groupId>
  <artifactId>kafka-jars</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/log
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=4194304
"""


class NoBrokerError(Exception):
    """Kafka cannot be started here; the message says why."""


@contextlib.contextmanager
def kafka_broker(*, heap_mib_max: int = 512) -> Iterator[str]:
    """Yield the bootstrap address of a Kafka: `KAFKA_BOOTSTRAP` if set, else one of our own."""
    given = os.environ.get("KAFKA_BOOTSTRAP")
    if given:
        yield given
        return
    with own_broker(heap_mib_max=heap_mib_max) as broker:
        yield broker.bootstrap


@contextlib.contextmanager
def own_broker(*, heap_mib_max: int = 512, more_properties: str = "") -> Iterator[Broker]:
    """Yield a running Kafka of our own, which may be harmed."""
    jars = kafka_jars()
    with tempfile.TemporaryDirectory(prefix="propensity-kafka-") as name:
        broker = Broker(jars, Path(name), heap_mib_max, more_properties)
        try:
            broker.start()
            yield broker
        finally:
            broker.stop()


class Broker:
    """A Kafka in a folder, which can be stopped, killed, frozen and started again there."""

    def __init__(
        self, jars: Path, folder: Path, heap_mib_max: int, more_properties: str = ""
    ) -> None:
        port, controller_port, more_port = free_ports(3)
        self.bootstrap = f"127.0.0.1:{port}"
        self.more_bootstrap = f"127.0.0.1:{more_port}"  # If `more_properties` have it listen there.
        self._log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        properties = folder / "server.properties"
        places = {"port": port, "controller_port": controller_port, "more_port": more_port}
        text = (PROPERTIES + more_properties).format(**places, folder=folder)
        properties.write_text(text, encoding="utf-8")
        java = ["java", "-cp", f"{jars}/*", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        storage = ["kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER_ID]
        subprocess.run(
            [*java, *storage, "-c", str(properties)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        heap = ["-Xms256m", f"-Xmx{heap_mib_max}m"]
        self._command = [*java, *heap, "kafka.Kafka", str(properties)]

    def start(self) -> None:
        """Start it on what its folder holds, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        _await_broker(self.bootstrap, self._process, self._log)

    def stop(self) -> None:
        """Let it close its log."""
        if self._process is not None:
            self.resume()
            _stop(self._process)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def suspend(self) -> None:
        """Let it answer nobody until `resume`."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)


def kafka_jars() -> Path:
    """Return the folder of Kafka's jars."""
    return _resolved("kafka", ["dependency:copy-dependencies", "-DincludeScope=runtime"])


def kafka_tools() -> str:
    """Return the class path of the tools that operators have, such as `kafka-topics.sh`."""
    tools = ["dependency:copy", f"-Dartifact=org.apache.kafka:kafka-tools:{KAFKA_VERSION}"]
    return f"{kafka_jars()}/*:{_resolved('kafka-tools', tools)}/*"


def _resolved(what: str, goal: list[str]) -> Path:
    """Return a folder of jars, resolved with Maven once and kept in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "propensity" / f"{what}-{KAFKA_VERSION}"
    if folder.is_dir():
        return folder
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            message = f"{program} is not installed; install it or set KAFKA_BOOTSTRAP"
            raise NoBrokerError(message)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        pom = Path(name) / "pom.xml"
        pom.write_text(POM, encoding="utf-8")
        jars = Path(name) / "jars"
        resolved = subprocess.run(
            ["mvn", "-q", "-B", "-f", str(pom), *goal, f"-DoutputDirectory={jars}"],
            check=False,
            capture_output=True,
            text=True,
            timeout=RESOLVE_MAX_S,
        )
        if resolved.returncode != 0:
            message = f"Maven could not fetch Kafka {KAFKA_VERSION}: {resolved.stdout[-500:]}"
            raise NoBrokerError(message)
        # Another session may have been quicker; either's jars will do.
        with contextlib.suppress(FileExistsError):
            jars.rename(folder)
    return folder


def skip_or_fail(reason: str) -> None:
    """Skip aloud on a developer's machine; in CI the real Kafka must be there."""
    message = f"no real Kafka: {reason}"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens at now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _await_broker(bootstrap: str, process: subprocess.Popen[bytes], log: Path) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    deadline_s = monotonic() + STARTUP_MAX_S
    while monotonic() < deadline_s:
        if process.poll() is not None:
            break
        try:
            admin.list_topics(timeout=1)
        except KafkaException:
            sleep(0.1)
        else:
            return
    message = f"Kafka did not start: {log.read_text(errors='replace')[-2000:]}"
    raise NoBrokerError(message)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(SHUTDOWN_MAX_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
