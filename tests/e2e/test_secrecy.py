"""Private keys and API tokens never leave the cluster, nor enter a log, an event or a status."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

import httpx
import pytest

from tests.certificates import Ca, make_ca
from tests.e2e.tenant import RESOURCES, Tenant
from tests.e2e.world import OWNER, TOKEN

CLOUDFLARE = {"name": "cloudflare", "key": "token"}


def fragments_of_key(ca: Ca) -> list[str]:
    """Pieces of a private key as a leak would show them: lines of its PEM, its base64 as in a Secret at each of the
    three alignments, its DER and its secret number in hex."""
    pem = ca.key_pem
    lines = [line for line in pem.splitlines() if not line.startswith("-----")]
    body = "".join(lines)
    der = base64.b64decode(body).hex()
    encoded = [base64.b64encode(pem[shift:].encode()).decode() for shift in range(3)]
    return [*lines, *(text[60:100] for text in encoded), body[20:60], der[60:100], der[60:100].upper(), "PRIVATE KEY"]


def fragments_of_token(token: str) -> list[str]:
    """The same of a token."""
    encoded = [base64.b64encode(token[shift:].encode()).decode() for shift in range(3)]
    return [token, token[:20], token[-20:], *(text[:24] for text in encoded)]


def found(fragments: Sequence[str], text: str) -> list[str]:
    """The fragments that a text holds."""
    return [fragment for fragment in fragments if fragment in text]


def sent(tenant: Tenant) -> str:
    """Everything that reached Cloudflare, but for the header that carries the token."""
    return "\n".join(
        f"{entry.method} {entry.path} {entry.query} {entry.request_body}" for entry in tenant.world.simulation.log
    )


def logged(tenant: Tenant) -> str:
    """The operator's log, which is at DEBUG here, with line ends of quoted texts as they were."""
    return tenant.world.pod.log_text().replace("\\n", "\n")


def events(tenant: Tenant) -> str:
    return json.dumps(tenant.events()).replace("\\n", "\n")


def statuses(tenant: Tenant) -> str:
    """The resources as anybody may read them."""
    return tenant.kubectl("get", RESOURCES, "--output=json").replace("\\n", "\n")


def metrics(tenant: Tenant) -> str:
    url = httpx.URL(tenant.world.pod.liveness_url).copy_with(path="/metrics")
    return httpx.get(url, trust_env=False).raise_for_status().text


PLACES = {
    "requests": sent,
    "log": logged,
    "events": events,
    "statuses": statuses,
    "metrics": metrics,
}


@pytest.fixture
def careless(tenant: Tenant) -> Tenant:
    """A user with a private key in every place where one can be, whose resources are in force, and were in trouble
    before: with nothing but a key in the source, and with a token that Cloudflare does not know."""
    tenant.apply(
        tenant.secret(**{"ca.crt": tenant.ca.key_pem, "tls.key": tenant.ca.key_pem}),
        tenant.secret("cloudflare", token=f"unknown-{tenant.token}"),
        tenant.authority(credentialsRef=CLOUDFLARE),
        tenant.binding("api"),
    )
    tenant.wait_condition("mtlsca/partners", "SourceResolved", "False", "InvalidCertificate")
    mixed = f"{tenant.ca.key_pem}\nkey above, certificate below\n{tenant.ca.pem}{tenant.ca.key_pem}"
    tenant.apply(tenant.secret(**{"ca.crt": mixed, "tls.key": tenant.ca.key_pem}))
    tenant.wait_condition("mtlsca/partners", "Ready", "False", "CredentialsInvalid")
    tenant.world.simulation.add_token(tenant.token, owner=OWNER)
    tenant.apply(tenant.secret("cloudflare", token=tenant.token))
    tenant.wait_ready()
    return tenant


@pytest.mark.parametrize("place", PLACES)
def test_no_piece_of_a_private_key_or_of_a_token_is_found_anywhere(careless: Tenant, place: str) -> None:
    secrets = [
        *fragments_of_key(careless.ca),
        *fragments_of_token(careless.token),
        *fragments_of_token(f"unknown-{careless.token}"),
        *fragments_of_token(TOKEN),
    ]

    text = PLACES[place](careless)

    assert careless.namespace in text or careless.account in text or place == "metrics"
    assert found(secrets, text) == []


def test_what_is_uploaded_is_the_certificate_alone(careless: Tenant) -> None:
    (upload,) = [
        each.entry
        for each in careless.history
        if each.entry.path.endswith("/mtls_certificates") and each.entry.method == "POST" and each.entry.status == 200
    ]

    assert json.loads(upload.request_body)["certificates"].strip() == careless.ca.pem.strip()


def test_the_pieces_that_are_looked_for_are_those_of_the_secret() -> None:
    ca = make_ca("Looked for")
    data = base64.b64encode(ca.key_pem.encode()).decode()

    assert found(fragments_of_key(ca), ca.key_pem) != []
    assert found(fragments_of_key(ca), data) != []
    assert found(fragments_of_token("some-token-of-somebody"), "Bearer some-token-of-somebody") != []
