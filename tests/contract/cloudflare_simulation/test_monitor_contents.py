"""Invariants 1 and 4: what no request may lack or carry."""

import pytest

from tests.contract.cloudflare_simulation.monitored import CERTIFICATES, LIST, ROOT, Monitored, make_monitored
from tests.contract.cloudflare_simulation.world import ca


@pytest.fixture
def world() -> Monitored:
    return make_monitored()


def test_an_association_request_that_names_the_certificate_is_fine(world: Monitored) -> None:
    world.east.http.get(LIST, params={"mtls_certificate_id": world.certificate})
    world.east.put(world.certificate, "a.example.com")

    assert world.violated == []


@pytest.mark.parametrize("body", [{"hostnames": []}, {"hostnames": [], "mtls_certificate_id": ""}, None])
def test_writing_a_list_without_naming_the_certificate_violates_invariant_1(
    world: Monitored, body: dict[str, object] | None
) -> None:
    world.east.http.put(LIST, json=body)

    assert world.violated == [1]


def test_writing_a_list_without_naming_the_certificate_violates_invariant_1_for_everybody(world: Monitored) -> None:
    world.person.http.put(LIST, json={"hostnames": []})

    assert world.violated == [1]


def test_reading_the_list_of_the_ca_that_cloudflare_manages_is_fine(world: Monitored) -> None:
    world.east.http.get(LIST)

    assert world.violated == []


def test_an_upload_of_certificates_is_fine(world: Monitored) -> None:
    chain = f"{ca('Root B').pem}\n{ca('Root C').pem}"

    world.east.upload(certificates=chain)

    assert world.violated == []


def test_a_private_key_in_an_upload_violates_invariant_4_without_being_repeated(world: Monitored) -> None:
    world.east.upload(certificates=ROOT.pem + ROOT.key_pem)

    assert set(world.violated) == {4, 7}
    assert "BEGIN" not in "".join(map(str, world.monitor.violations))


def test_a_private_key_that_json_escapes_hide_violates_invariant_4(world: Monitored) -> None:
    body = '{"ca": true, "certificates": "-----BEGIN \\u0050RIVATE KEY-----"}'

    world.east.http.post(CERTIFICATES, content=body)

    assert "a private key in the body of the request" in [item.message for item in world.monitor.violations]


def test_anything_else_than_certificates_in_an_upload_violates_invariant_4(world: Monitored) -> None:
    world.east.upload(certificates=f"# the root\n{ca('Root B').pem}")

    assert world.violated == [4]


def test_the_field_private_key_violates_invariant_4(world: Monitored) -> None:
    world.east.upload(ca("Root B"), private_key="secret")

    assert world.violated == [4]


@pytest.mark.parametrize(
    ("path", "parameters", "headers"),
    [
        ("/zones/PRIVATE KEY", {}, {}),
        ("/zones", {"name": "PRIVATE KEY"}, {}),
        ("/zones", {}, {"x-note": "PRIVATE KEY"}),
    ],
)
def test_a_private_key_anywhere_in_a_request_violates_invariant_4(
    world: Monitored, path: str, parameters: dict[str, str], headers: dict[str, str]
) -> None:
    world.person.http.get(path, params=parameters, headers=headers)

    assert world.violated == [4]
