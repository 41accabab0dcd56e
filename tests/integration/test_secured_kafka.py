"""`propensity run` on a real Kafka that asks for TLS and a password.

Owns: that the settings of docs/deploy.md connect, and what is said where they are wrong.
Never: a certificate that outlives the test.
Source: docs/deploy.md, "A broker that asks who you are".
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from consumer.shoppers import DEMO_CAMPAIGNS
from tests.broker import NoBrokerError, own_broker, skip_or_fail
from tests.integration.live import Site

USER, PASSWORD, WRONG = "propensity", "s3cret-of-ours", "s3cret-of-nobody"
EVENTS = 400
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
LISTENERS = "PLAINTEXT://127.0.0.1:{{port}},SASL_SSL://127.0.0.1:{{more_port}}"
LISTENER = f"""
listeners={LISTENERS},CONTROLLER://127.0.0.1:{{{{controller_port}}}}
advertised.listeners={LISTENERS}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config={PLAIN} user_{USER}="{PASSWORD}";
ssl.keystore.type=PEM
ssl.keystore.location={{keystore}}
"""

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


class Secured(NamedTuple):
    """A broker behind TLS and a password, and the authority that its certificate is of."""

    bootstrap: str
    authority: Path

    def kafka(self, *, password: str = PASSWORD, authority: Path | None = None) -> dict[str, str]:
        """What a client is told to be let in."""
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": USER,
            "sasl.password": password,
            "ssl.ca.location": str(authority or self.authority),
        }


def written_authority(folder: Path) -> tuple[trustme.CA, Path]:
    """A certificate authority of nobody, and its certificate in a file."""
    authority, path = trustme.CA(), folder / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return authority, path


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    if shutil.which("kcat") is None:
        skip_or_fail("kcat is not installed")
    folder = tmp_path_factory.mktemp("secured")
    authority, path = written_authority(folder)
    keystore = folder / "broker.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(keystore))
    rewritten(keystore)
    listener = LISTENER.format(keystore=keystore)
    try:
        with own_broker(more_properties=listener) as broker:
            yield Secured(broker.more_bootstrap, path)
    except NoBrokerError as error:
        skip_or_fail(str(error))


def rewritten(keystore: Path) -> None:
    """Kafka reads private keys in the form of PKCS 8 only."""
    from cryptography.hazmat.primitives import serialization

    text = keystore.read_bytes()
    key = serialization.load_pem_private_key(text, None)
    form = serialization.PrivateFormat.PKCS8
    plain = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    chain = text[text.index(b"-----BEGIN CERTIFICATE") :]
    keystore.write_bytes(plain + chain)


def site_of(secured: Secured, folder: Path, **wrong: str | Path) -> Site:
    """Topics of one test's own, behind TLS and the password."""
    campaigns = folder / "campaigns.yaml"
    campaigns.write_text(DEMO_CAMPAIGNS, encoding="utf-8")
    kafka = secured.kafka(**wrong)  # type: ignore[arg-type]
    return Site(secured.bootstrap, folder, campaigns, folder.name, kafka)


def test_events_in_and_scores_out(secured: Secured, tmp_path: Path) -> None:
    """Topics are made, events read and scores written by who knows the password, over TLS."""
    site = site_of(secured, tmp_path)
    created = site.propensity("topics", "create", "--partitions", "2")
    assert created.returncode == 0, created.stderr
    try:
        worker = site.worker()
        worker.await_ready()
        sent = site.propensity("shoppers", "--events", str(EVENTS))
        assert sent.returncode == 0, sent.stderr
        scores = site.await_records("SCORES", 1)
        assert json.loads(scores[0].value)["scores"]
        examined = site.propensity("doctor", "--json", PROPENSITY_INSTANCE="one")
        assert PASSWORD not in examined.stdout + examined.stderr
        assert worker.stop()[0] == 0
        assert PASSWORD not in json.dumps(worker.entries())
    finally:
        site.close()


@pytest.mark.parametrize("wrong", ["password", "authority"])
def test_who_is_not_let_in_is_told_why(secured: Secured, tmp_path: Path, wrong: str) -> None:
    """A sentence and a remedy, exit 2, and no secret in it."""
    _, stranger = written_authority(tmp_path)
    given: dict[str, str | Path] = {"password": WRONG, "authority": stranger}
    site = site_of(secured, tmp_path, **{wrong: given[wrong]})
    refused = site.propensity("run")
    assert refused.returncode == 2, refused.stderr
    assert {"password": "sasl.", "authority": "ssl."}[wrong] in refused.stderr
    assert "Traceback" not in refused.stderr
    assert PASSWORD not in refused.stderr
    assert WRONG not in refused.stderr
