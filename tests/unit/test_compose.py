"""The files under ops/, docker-compose.yml and the Dockerfile, held to the code.

Owns: that what an operator starts from still fits the program.
Never: starts a container.
Source: https://github.com/compose-spec/compose-spec
"""

import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from consumer.cli import propensity
from consumer.topics import topic_specs
from schemas.campaign_file import load_campaigns
from schemas.settings import Settings, load_settings
from tests.prometheus import promtool

ROOT = Path(__file__).parents[2]
OURS = ("topics", "worker", "shop")


def read(path: str) -> dict[str, Any]:
    """Read one YAML file of the checkout."""
    content = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


@pytest.fixture
def services() -> dict[str, Any]:
    found = read("docker-compose.yml")["services"]
    assert isinstance(found, dict)
    return found


def known_variables(section: type[BaseModel], prefix: str) -> set[str]:
    """Every environment variable that a section of the settings reads."""
    names: set[str] = set()
    for name, field in section.model_fields.items():
        variable = prefix + name.upper()
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names |= known_variables(kind, variable + "__")
        else:
            names.add(variable)
    return names


def test_the_file_is_compose() -> None:
    """The file follows the schema of the Compose specification."""
    vendored = resources.files("check_jsonschema.builtin_schemas.vendor")
    schema = json.loads((vendored / "compose-spec.json").read_text(encoding="utf-8"))
    jsonschema.validate(read("docker-compose.yml"), schema)


@pytest.mark.parametrize("service", OURS)
def test_every_variable_is_a_setting(services: dict[str, Any], service: str) -> None:
    """A variable that the program does not know would be ignored without a word."""
    known = known_variables(Settings, "PROPENSITY_")
    for variable in services[service]["environment"]:
        # Below PROPENSITY_KAFKA any name of librdkafka is good.
        assert variable in known or variable.startswith("PROPENSITY_KAFKA__"), variable


@pytest.mark.parametrize("service", OURS)
def test_our_containers_can_read_their_settings(
    services: dict[str, Any], service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Environment and mounted file together are settings that the program takes."""
    for variable, value in services[service]["environment"].items():
        monkeypatch.setenv(variable, str(value))
    settings = load_settings(ROOT / "ops/compose/propensity.yaml")
    assert settings.kafka["bootstrap.servers"] == "kafka:19092"
    assert load_campaigns(settings.campaigns).campaigns
    if service == "worker":
        assert settings.http.listen == "0.0.0.0:8080"


@pytest.mark.parametrize("service", OURS)
def test_our_containers_run_commands_that_exist(services: dict[str, Any], service: str) -> None:
    """The command of a container is a command of the program."""
    group: click.Command | None = propensity
    for word in services[service]["command"]:
        assert isinstance(group, click.Group)
        group = group.get_command(click.Context(group), word)
        assert group is not None, word


def test_the_worker_waits_for_its_topics(services: dict[str, Any]) -> None:
    """Topics are made when the broker is well, and the worker starts when they are made."""
    assert services["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    made = {"condition": "service_completed_successfully"}
    assert services["worker"]["depends_on"] == {"topics": made}
    assert services["topics"]["restart"] == "no"


def test_one_broker_holds_what_the_topics_ask() -> None:
    """The job creates the topics of the code, under the names of the mounted settings."""
    settings = load_settings(ROOT / "ops/compose/propensity.yaml")
    named = {spec.name for spec in topic_specs(settings, events_partitions=4)}
    assert named >= set(Settings().topics.model_dump().values())


def test_the_broker_has_all_it_needs(services: dict[str, Any]) -> None:
    """Any variable drops the defaults of the image, so what Kafka cannot do without is there."""
    given = services["kafka"]["environment"]
    listeners = {part.split("://")[0] for part in given["KAFKA_LISTENERS"].split(",")}
    mapped = {
        part.split(":")[0] for part in given["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    }
    advertised = dict(part.split("://") for part in given["KAFKA_ADVERTISED_LISTENERS"].split(","))
    assert listeners == mapped == {"INSIDE", "OUTSIDE", "CONTROLLER"}
    assert advertised == {"INSIDE": "kafka:19092", "OUTSIDE": "localhost:9092"}
    for name in ("OFFSETS_TOPIC", "TRANSACTION_STATE_LOG", "SHARE_COORDINATOR_STATE_TOPIC"):
        assert given[f"KAFKA_{name}_REPLICATION_FACTOR"] == 1


def test_only_this_machine_can_connect(services: dict[str, Any]) -> None:
    """Nothing of it is offered to the network."""
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_mounted_files_are_there(services: dict[str, Any]) -> None:
    """Docker would make an empty folder of a path that is mistyped."""
    mounts = [mount for service in services.values() for mount in service.get("volumes", [])]
    local = [mount.split(":")[0] for mount in mounts if mount.startswith(".")]
    assert local
    assert all((ROOT / path).is_dir() for path in local)


def test_prometheus_finds_every_worker(services: dict[str, Any]) -> None:
    """It scrapes the service that serves metrics, at the port it listens at."""
    (job,) = read("ops/prometheus/prometheus.yml")["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    assert found["names"] == ["worker"]
    listen = services["worker"]["environment"]["PROPENSITY_HTTP__LISTEN"]
    assert listen == f"0.0.0.0:{found['port']}"


def test_grafana_asks_that_prometheus(services: dict[str, Any]) -> None:
    """The data source is the service of the same file."""
    (source,) = read("ops/grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in services


def test_prometheus_accepts_its_configuration() -> None:
    """Prometheus's own checker finds nothing."""
    said = promtool("check", "config", ROOT / "ops/prometheus/prometheus.yml")
    assert said.count("rules found") == len(list((ROOT / "ops/prometheus/rules").glob("*.yml")))


def test_the_image_holds_the_lock_and_no_root() -> None:
    """The image installs what the lock pins, and runs as a user without rights."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(lines)
    assert "--require-hashes --requirement /requirements.lock" in text
    assert all("slim" in line for line in lines if line.startswith("FROM"))
    user = lines.index("USER propensity")
    assert not any(line.startswith("COPY") for line in lines[user:])
    later = [line.partition(" python ")[2] for line in lines[user:] if line.startswith("RUN")]
    assert later == ["-m consumer demo --seconds 5"], "loops are compiled, and nothing else is done"
    packages = read_packages()
    assert all(f"COPY {package} /opt/propensity/{package}" in lines for package in packages)


def test_a_container_takes_the_compiled_loops_along(tmp_path: Path) -> None:
    """What was compiled for the image is copied to where the container may write, once."""
    compiled, cache = tmp_path / "compiled", tmp_path / "cache"
    (compiled / "propensity").mkdir(parents=True)
    (compiled / "propensity" / "loop").write_text("compiled", encoding="utf-8")
    told = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PROPENSITY_COMPILED": str(compiled),
        "XDG_CACHE_HOME": str(cache),
    }
    command = ["sh", str(ROOT / "ops/container/start.sh"), "--version"]
    for text in ("compiled", "of this container"):
        said = subprocess.run(
            command, cwd=ROOT, env=told, check=True, capture_output=True, text=True
        )
        assert "propensity" in said.stdout
        assert (cache / "propensity" / "loop").read_text(encoding="utf-8") == text
        (cache / "propensity" / "loop").write_text("of this container", encoding="utf-8")


def read_packages() -> list[str]:
    import tomllib

    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = table["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert isinstance(packages, list)
    return packages
