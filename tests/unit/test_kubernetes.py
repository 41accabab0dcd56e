"""The manifests under ops/kubernetes, held to Kubernetes' schemas and to the code.

Owns: that what a cluster is told still fits the program and its image.
Never: asks a cluster.
Source: https://kubernetes.io/docs/reference/kubernetes-api/ in the package kubernetes-validate.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumer.deadline import STOP_MAX_S, STORE_MAX_S
from schemas.campaign_file import parse_campaigns
from schemas.settings import Settings, load_settings
from tests.unit.test_compose import known_variables

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "ops/kubernetes"
KUBERNETES = "1.34"
MANIFESTS = [
    each
    for path in sorted(FOLDER.glob("*.yaml"))
    for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))
]


def of_kind(kind: str) -> dict[str, Any]:
    """The one manifest of a kind."""
    (found,) = [each for each in MANIFESTS if each["kind"] == kind]
    assert isinstance(found, dict)
    return found


@pytest.fixture
def pod() -> dict[str, Any]:
    template = of_kind("StatefulSet")["spec"]["template"]["spec"]
    assert isinstance(template, dict)
    return template


@pytest.fixture
def worker(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["containers"]
    assert isinstance(container, dict)
    return container


def judged(path: Path) -> subprocess.CompletedProcess[str]:
    """What Kubernetes' schemas say of a file."""
    program = Path(sys.executable).parent / "kubernetes-validate"
    return subprocess.run(
        [program, "--kubernetes-version", KUBERNETES, "--strict", path],
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("name", ["worker.yaml", "settings.yaml"])
def test_every_manifest_follows_its_schema(name: str) -> None:
    """No word is misspelt, and none is missing."""
    said = judged(FOLDER / name)
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_mistake_would_be_found(tmp_path: Path) -> None:
    """The schemas refuse a word that is none of theirs."""
    text = (FOLDER / "worker.yaml").read_text(encoding="utf-8")
    (tmp_path / "worker.yaml").write_text(text.replace("replicas:", "replica:"), encoding="utf-8")
    assert judged(tmp_path / "worker.yaml").returncode != 0


def test_what_scales_names_what_is_scaled() -> None:
    """KEDA's own kind has no schema among them; what it names is ours."""
    target = of_kind("ScaledObject")["spec"]["scaleTargetRef"]
    workers = of_kind("StatefulSet")
    assert target["name"] == workers["metadata"]["name"]
    assert (target["apiVersion"], target["kind"]) == (workers["apiVersion"], workers["kind"])


def test_the_settings_are_ours(worker: dict[str, Any], tmp_path: Path) -> None:
    """Files and variables are those that the program reads."""
    data = of_kind("ConfigMap")["data"]
    path = tmp_path / "propensity.yaml"
    path.write_text(data["propensity.yaml"], encoding="utf-8")
    settings = load_settings(path)
    mount = next(each for each in worker["volumeMounts"] if each["name"] == "settings")
    assert str(settings.campaigns) == f"{mount['mountPath']}/campaigns.yaml"
    assert worker["args"] == ["--config", f"{mount['mountPath']}/propensity.yaml", "run"]
    assert parse_campaigns(data["campaigns.yaml"]).campaigns
    known = known_variables(Settings, "PROPENSITY_")
    names = [each["name"] for each in worker["env"]]
    assert all(name in known or name.startswith("PROPENSITY_KAFKA__") for name in names)
    (trigger,) = of_kind("ScaledObject")["spec"]["triggers"]
    assert trigger["metadata"]["consumerGroup"] == settings.group
    assert trigger["metadata"]["topic"] == settings.topics.events
    assert trigger["metadata"]["bootstrapServers"] == settings.kafka["bootstrap.servers"]


def test_a_worker_keeps_its_name(worker: dict[str, Any]) -> None:
    """Partitions are given to names in their order, so a name is the pod's."""
    (instance,) = [each for each in worker["env"] if each["name"] == "PROPENSITY_INSTANCE"]
    assert instance["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_probes_look_at_the_process_alone(worker: dict[str, Any]) -> None:
    """What restarts a worker is its loop, never a broker or a store that is away."""
    assert worker["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert worker["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert worker["readinessProbe"]["httpGet"]["path"] == "/readyz"
    patience_s = (
        worker["startupProbe"]["periodSeconds"] * worker["startupProbe"]["failureThreshold"]
    )
    assert patience_s >= 300, "a first start may compile for so long"


def test_a_worker_has_time_to_stop(pod: dict[str, Any]) -> None:
    """It is not killed while it commits and keeps its state."""
    assert pod["terminationGracePeriodSeconds"] > 2 * (STOP_MAX_S + STORE_MAX_S)


def test_a_worker_has_no_right_that_it_does_not_need(
    pod: dict[str, Any], worker: dict[str, Any]
) -> None:
    """Nobody's user, nothing to write but what is mounted, and the user of the image."""
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert pod["securityContext"]["runAsNonRoot"]
    assert f"--uid {pod['securityContext']['runAsUser']} " in dockerfile
    assert worker["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {each["mountPath"] for each in worker["volumeMounts"] if not each.get("readOnly")}
    cache = "/var/lib/propensity/cache"
    assert f"XDG_CACHE_HOME={cache}" in dockerfile
    assert writable == {"/tmp", cache, "/var/lib/propensity/state"}  # noqa: S108 - in the container


def test_one_worker_at_a_time_is_taken() -> None:
    """A drained node leaves the others scoring."""
    budget, labels = of_kind("PodDisruptionBudget")["spec"], of_kind("Service")["spec"]["selector"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"] == labels
    assert of_kind("StatefulSet")["spec"]["selector"]["matchLabels"] == labels
