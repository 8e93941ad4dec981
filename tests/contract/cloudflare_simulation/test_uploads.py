"""What Cloudflare accepts as a CA, and what it makes of it."""

from __future__ import annotations

import cloudflare
import pytest

from testbed.cloudflare.settings import Duplicates, Settings
from tests.certificates import KeyKind, make_ca, make_intermediate, of_version
from tests.contract.cloudflare_simulation.world import ACCOUNT, NOW, OTHER_ACCOUNT, World, ca, code, make_world, pointer

ROOT = ca("Root A")
OTHER = ca("Root B")
GARBLED = "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("pem", "refusal"),
    [
        pytest.param("", 1464, id="nothing"),
        pytest.param("no certificate", 1464, id="no PEM"),
        pytest.param(of_version(ROOT.certificate, 2).decode(), 1464, id="a version that nobody knows"),
        pytest.param(GARBLED, 1464, id="PEM without a certificate in it"),
        pytest.param(ROOT.public_key_pem, 1464, id="bare public key"),
        pytest.param(ROOT.pem + ROOT.key_pem, 1464, id="private key beside the certificate"),
        pytest.param(make_ca("Leaf", is_ca=False, now=NOW).pem, 1465, id="CA:FALSE"),
        pytest.param(make_ca("Old", basic_constraints=False, now=NOW).pem, 1465, id="no basic constraints"),
        pytest.param(ROOT.pem + make_ca("Leaf", is_ca=False, now=NOW).pem, 1465, id="a leaf in the bundle"),
        pytest.param(ca("Edward", key="ed25519").pem, 1466, id="Ed25519"),
        pytest.param(ca("Pss", key="rsa-pss").pem, 1466, id="RSA-PSS"),
        pytest.param(ca("Expired", days=-1).pem, 1467, id="expired"),
        pytest.param(ROOT.pem + ca("Expired", days=-1).pem, 1467, id="an expired one in the bundle"),
    ],
)
def test_what_is_no_good_ca_is_refused(world: World, pem: str, refusal: int) -> None:
    with pytest.raises(cloudflare.BadRequestError) as refused:
        world.client.mtls_certificates.create(account_id=ACCOUNT, ca=True, certificates=pem)

    assert (code(refused.value), pointer(refused.value)) == (refusal, "/certificates")
    assert world.simulation.state.certificates[ACCOUNT] == {}


def test_the_refusal_of_a_public_key_is_worded_as_the_real_one(world: World) -> None:
    with pytest.raises(cloudflare.BadRequestError) as refused:
        world.client.mtls_certificates.create(account_id=ACCOUNT, ca=True, certificates=ROOT.public_key_pem)

    assert refused.value.errors[0].message == "Unable to parse certificate"


def test_a_ca_expires_by_the_clock_of_the_simulation(world: World) -> None:
    short = ca("Short", days=1)
    world.clock.advance(24 * 3600)

    with pytest.raises(cloudflare.BadRequestError) as refused:
        world.upload(short)

    assert code(refused.value) == 1467


@pytest.mark.parametrize(("key", "signature"), [("ec", "ECDSAWithSHA256"), ("rsa", "SHA256WithRSA")])
def test_a_good_ca_is_accepted(world: World, key: KeyKind, signature: str) -> None:
    good = ca("Good", key=key)

    created = world.client.mtls_certificates.create(account_id=ACCOUNT, ca=True, certificates=good.pem, name="mine")

    assert created is not None
    assert created.name == "mine"
    assert created.ca is True
    assert created.signature == signature
    assert created.serial_number == str(good.certificate.serial_number)
    assert created.expires_on == good.certificate.not_valid_after_utc
    assert created.uploaded_on == NOW


def test_the_pem_comes_back_normalised(world: World) -> None:
    text = "# our root\r\n" + ROOT.pem.replace("\n", "\r\n") + "\r\n\r\n"

    created = world.client.mtls_certificates.create(account_id=ACCOUNT, ca=True, certificates=text)

    assert created is not None
    assert created.certificates == ROOT.pem


def test_a_chain_is_one_upload(world: World) -> None:
    certificate_id = _upload(world, ROOT.pem + OTHER.pem)

    held = world.simulation.state.certificates[ACCOUNT][certificate_id]

    assert held.fingerprints == (ROOT.fingerprint, OTHER.fingerprint)


def test_an_intermediate_alone_is_accepted(world: World) -> None:
    _upload(world, make_intermediate(ROOT).pem)

    assert len(world.simulation.state.certificates[ACCOUNT]) == 1


def test_an_intermediate_alone_is_refused_where_only_roots_are_allowed() -> None:
    world = make_world(Settings(intermediates_alone=False))

    with pytest.raises(cloudflare.BadRequestError) as refused:
        _upload(world, make_intermediate(ROOT).pem)

    assert code(refused.value) == 1411


@pytest.mark.parametrize(
    ("body", "where"),
    [
        pytest.param({"ca": True, "certificates": ROOT.pem, "surprise": 1}, "/surprise", id="unknown field"),
        pytest.param({"certificates": ROOT.pem}, "/ca", id="ca left out"),
        pytest.param({"ca": True}, "/certificates", id="certificates left out"),
        pytest.param({"ca": "true", "certificates": ROOT.pem}, "/ca", id="ca is no boolean"),
        pytest.param({"ca": True, "certificates": [ROOT.pem]}, "/certificates", id="certificates is a list"),
        pytest.param({"ca": True, "certificates": ROOT.pem, "name": None}, "/name", id="name is null"),
        pytest.param({"ca": False, "certificates": ROOT.pem}, "/private_key", id="a leaf without its key"),
        pytest.param([], "/", id="no object"),
    ],
)
def test_a_body_of_the_wrong_form_is_refused(world: World, body: object, where: str) -> None:
    answer = world.raw().post(f"/accounts/{ACCOUNT}/mtls_certificates", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["source"]["pointer"]) == (400, where)


@pytest.mark.parametrize(
    ("content_type", "body"), [("application/json", b"{not json"), ("text/plain", b'{"ca":true,"certificates":""}')]
)
def test_a_body_that_is_no_json_is_refused(world: World, content_type: str, body: bytes) -> None:
    answer = world.raw().post(
        f"/accounts/{ACCOUNT}/mtls_certificates", content=body, headers={"content-type": content_type}
    )

    assert answer.status_code == 400


def test_a_sixth_ca_is_refused(world: World) -> None:
    world.upload_several(5)

    with pytest.raises(cloudflare.BadRequestError) as refused:
        world.upload(ROOT)

    assert code(refused.value) == 1468


def test_the_limit_of_an_account_can_be_agreed_upon(world: World) -> None:
    world.simulation.add_account(ACCOUNT, ca_limit=1)
    world.upload(ROOT)

    with pytest.raises(cloudflare.BadRequestError):
        world.upload(OTHER)


def test_cas_of_access_do_not_count_towards_the_limit(world: World) -> None:
    world.simulation.add_account(ACCOUNT, ca_limit=1)
    world.simulation.add_managed_certificate(ACCOUNT, OTHER.pem)

    world.upload(ROOT)

    assert len(world.simulation.state.certificates[ACCOUNT]) == 2


def test_a_deleted_ca_makes_room(world: World) -> None:
    world.simulation.add_account(ACCOUNT, ca_limit=1)
    first = world.upload(ROOT)
    world.client.mtls_certificates.delete(first, account_id=ACCOUNT)

    world.upload(OTHER)

    assert len(world.simulation.state.certificates[ACCOUNT]) == 1


def test_identical_certificates_are_refused_in_any_order_and_layout(world: World) -> None:
    _upload(world, ROOT.pem + OTHER.pem)

    with pytest.raises(cloudflare.BadRequestError) as refused:
        _upload(world, "\n" + OTHER.pem + "\n" + ROOT.pem)

    assert code(refused.value) == 1471


def test_a_bundle_with_a_known_certificate_is_new_where_whole_uploads_are_compared(world: World) -> None:
    world.upload(ROOT)

    _upload(world, ROOT.pem + OTHER.pem)

    assert len(world.simulation.state.certificates[ACCOUNT]) == 2


def test_a_bundle_with_a_known_certificate_is_refused_where_each_certificate_is_compared() -> None:
    world = make_world(Settings(duplicates=Duplicates.ANY_CERTIFICATE))
    world.upload(ROOT)

    with pytest.raises(cloudflare.BadRequestError) as refused:
        _upload(world, ROOT.pem + OTHER.pem)

    assert code(refused.value) == 1471


def test_another_account_may_hold_the_same_certificate(world: World) -> None:
    world.upload(ROOT)

    world.client.mtls_certificates.create(account_id=OTHER_ACCOUNT, ca=True, certificates=ROOT.pem)

    assert len(world.simulation.state.certificates[OTHER_ACCOUNT]) == 1


def test_names_need_not_be_unique(world: World) -> None:
    world.upload(ROOT, "same")
    world.upload(OTHER, "same")

    assert len(world.simulation.state.certificates[ACCOUNT]) == 2


def test_a_name_is_refused_twice_where_names_are_unique() -> None:
    world = make_world(Settings(unique_names=True))
    world.upload(ROOT, "same")

    with pytest.raises(cloudflare.BadRequestError) as refused:
        world.upload(OTHER, "same")

    assert code(refused.value) == 1472


def _upload(world: World, pem: str) -> str:
    created = world.client.mtls_certificates.create(account_id=ACCOUNT, ca=True, certificates=pem)
    assert created is not None
    return str(created.id)
