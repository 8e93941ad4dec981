"""Two CAs associated with one hostname, under both semantics that the real edge may have."""

from __future__ import annotations

import pytest

from testbed.cloudflare.edge.settings import EdgeSettings, SeveralCas
from tests.contract.cloudflare_simulation.world import ZONE
from tests.contract.edge.clients import authority, identity
from tests.contract.edge.world import HOSTNAME, EdgeWorld, edge_world

OLD, NEW, MANAGED = authority("Old root"), authority("New root"), authority("Cloudflare-managed CA")


def _in_turn(world: EdgeWorld) -> str:
    """Associate the older one, a minute later the newer one; the id of the newer one."""
    world.trust(OLD)
    world.cloudflare.clock.advance(60)
    return world.trust(NEW)


@pytest.mark.parametrize(("several", "statuses"), [(SeveralCas.ALL, [200, 200]), (SeveralCas.MOST_RECENT, [403, 200])])
def test_whether_the_older_of_two_uploaded_cas_counts_is_a_choice(several: SeveralCas, statuses: list[int]) -> None:
    with edge_world(EdgeSettings(several_cas=several)) as world:
        _in_turn(world)
        world.guard()

        answers = [world.get(HOSTNAME, identity("client", issuer)) for issuer in (OLD, NEW)]

    assert [answer.status_code for answer in answers] == statuses


@pytest.mark.parametrize("several", SeveralCas)
def test_a_bundle_of_both_is_right_under_either(several: SeveralCas) -> None:
    with edge_world(EdgeSettings(several_cas=several)) as world:
        world.trust(OLD)
        world.cloudflare.clock.advance(60)
        world.trust(NEW, OLD)
        world.guard(OLD, NEW)

        answers = [world.get(HOSTNAME, identity("client", issuer)) for issuer in (OLD, NEW)]

    assert [answer.status_code for answer in answers] == [200, 200]


@pytest.mark.parametrize("several", SeveralCas)
def test_the_older_one_counts_again_when_the_newer_one_goes(several: SeveralCas) -> None:
    with edge_world(EdgeSettings(several_cas=several)) as world:
        newer = _in_turn(world)
        world.cloudflare.associate(newer)
        world.guard()

        answers = [world.get(HOSTNAME, identity("client", issuer)) for issuer in (OLD, NEW)]

    assert [answer.status_code for answer in answers] == [200, 403]


@pytest.mark.parametrize("several", SeveralCas)
def test_the_cloudflare_managed_ca_counts_beside_an_uploaded_one(several: SeveralCas) -> None:
    with edge_world(EdgeSettings(several_cas=several, managed_ca=MANAGED.pem)) as world:
        world.trust(OLD)
        world.cloudflare.simulation.put_foreign_hostnames(ZONE, None, [HOSTNAME])
        world.guard()

        answers = [world.get(HOSTNAME, identity("client", issuer)) for issuer in (OLD, MANAGED)]

    assert [answer.status_code for answer in answers] == [200, 200]


def test_a_pinned_rule_keeps_out_the_clients_of_the_cloudflare_managed_ca() -> None:
    with edge_world(EdgeSettings(managed_ca=MANAGED.pem)) as world:
        world.trust(OLD)
        world.cloudflare.simulation.put_foreign_hostnames(ZONE, None, [HOSTNAME])
        world.guard(OLD)

        answer = world.get(HOSTNAME, identity("client", MANAGED))

    assert answer.status_code == 403


def test_the_managed_list_alone_asks_for_certificates_that_nobody_has(world: EdgeWorld) -> None:
    world.cloudflare.simulation.put_foreign_hostnames(ZONE, None, [HOSTNAME])
    world.block("cf.tls_client_auth.cert_presented and not cf.tls_client_auth.cert_verified")

    answer = world.get(HOSTNAME, identity("client", OLD))

    assert answer.status_code == 403


@pytest.mark.parametrize(("serial", "status"), [(7, 403), (8, 200)])
def test_a_certificate_that_the_managed_ca_has_revoked_says_so_and_is_still_verified(serial: int, status: int) -> None:
    settings = EdgeSettings(managed_ca=MANAGED.pem, managed_revoked=frozenset({7}))
    with edge_world(settings) as world:
        world.cloudflare.simulation.put_foreign_hostnames(ZONE, None, [HOSTNAME])
        world.block("cf.tls_client_auth.cert_verified and cf.tls_client_auth.cert_revoked")

        answer = world.get(HOSTNAME, identity("client", MANAGED, serial=serial))

    assert answer.status_code == status


def test_a_serial_that_the_managed_ca_has_revoked_is_nothing_to_an_uploaded_ca() -> None:
    settings = EdgeSettings(managed_ca=MANAGED.pem, managed_revoked=frozenset({7}))
    with edge_world(settings) as world:
        world.trust(OLD)
        world.cloudflare.simulation.put_foreign_hostnames(ZONE, None, [HOSTNAME])
        world.block("cf.tls_client_auth.cert_revoked")

        answer = world.get(HOSTNAME, identity("client", OLD, serial=7))

    assert answer.status_code == 200


def test_a_revoked_certificate_of_the_managed_ca_is_just_a_strangers_where_that_is_not_associated() -> None:
    settings = EdgeSettings(managed_ca=MANAGED.pem, managed_revoked=frozenset({7}))
    with edge_world(settings) as world:
        world.trust(OLD)
        world.block("cf.tls_client_auth.cert_revoked")

        answer = world.get(HOSTNAME, identity("client", MANAGED, serial=7))

    assert answer.status_code == 200
