"""Certificates and hostname lists: the client and Cloudflare understand each other."""

from __future__ import annotations

import pytest
from cryptography import x509

from mtls_operator.cloudflare import AlreadyExists, CertificateInUse, NotFound, QuotaExceeded, Rejected
from mtls_operator.domain.observed import CertificateId
from tests.contract.cloudflare_client.simulated import ACCOUNT, HOST, ZONE, World

NOBODY = CertificateId("00000000-0000-4000-8000-000000000000")


async def test_what_was_uploaded_is_listed_and_found() -> None:
    world = World()
    pem = world.authority()

    uploaded = await world.client.upload_certificate(ACCOUNT, name="mine (mtls-operator x)", pem=pem)

    assert await world.client.list_certificates(ACCOUNT) == (uploaded,)
    assert await world.client.get_certificate(ACCOUNT, uploaded.id) == uploaded
    assert uploaded.name == "mine (mtls-operator x)"
    assert not uploaded.belongs_to_cloudflare
    assert x509.load_pem_x509_certificate(uploaded.pem.encode()) == x509.load_pem_x509_certificate(pem.encode())


async def test_more_certificates_than_fit_on_a_page_are_listed() -> None:
    world = World(ca_limit=60)
    ids = {world.cloudflare.add_certificate(ACCOUNT, world.authority(f"CA {number}")) for number in range(53)}

    listed = await world.client.list_certificates(ACCOUNT)

    assert {entry.id for entry in listed} == ids
    assert len(listed) == 53


async def test_certificates_of_access_are_recognised() -> None:
    world = World()
    world.cloudflare.add_managed_certificate(ACCOUNT, world.authority())

    listed = await world.client.list_certificates(ACCOUNT)

    assert [entry.belongs_to_cloudflare for entry in listed] == [True]


async def test_an_identical_upload_exists_already() -> None:
    world = World()
    pem = world.authority()
    await world.uploaded(pem)

    with pytest.raises(AlreadyExists, match="1471"):
        await world.uploaded(pem)


async def test_a_ca_too_many_exceeds_the_quota() -> None:
    world = World(ca_limit=1)
    await world.uploaded()

    with pytest.raises(QuotaExceeded):
        await world.uploaded()


async def test_an_expired_ca_is_rejected() -> None:
    world = World()

    with pytest.raises(Rejected):
        await world.uploaded(world.authority(days=-1))


async def test_hostnames_are_replaced_and_read_back() -> None:
    world = World()
    uploaded = await world.uploaded()

    await world.client.put_hostnames(ZONE, uploaded.id, {HOST, "b.example.com"})
    first = await world.client.get_hostnames(ZONE, uploaded.id)
    await world.client.put_hostnames(ZONE, uploaded.id, {HOST})

    assert first == {HOST, "b.example.com"}
    assert await world.client.get_hostnames(ZONE, uploaded.id) == {HOST}


async def test_a_list_that_was_never_written_is_empty() -> None:
    world = World()
    uploaded = await world.uploaded()

    assert await world.client.get_hostnames(ZONE, uploaded.id) == frozenset()


async def test_a_hostname_outside_the_zone_is_rejected() -> None:
    world = World()
    uploaded = await world.uploaded()

    with pytest.raises(Rejected, match=r"api\.example\.org does not belong to the zone"):
        await world.client.put_hostnames(ZONE, uploaded.id, {"api.example.org"})


async def test_the_list_of_a_certificate_that_is_not_there_is_not_found() -> None:
    world = World()

    with pytest.raises(NotFound):
        await world.client.get_hostnames(ZONE, NOBODY)


async def test_a_certificate_with_hostnames_is_in_use() -> None:
    world = World()
    uploaded = await world.uploaded()
    assert not await world.client.is_certificate_used(ACCOUNT, uploaded.id)
    await world.client.put_hostnames(ZONE, uploaded.id, {HOST})

    assert await world.client.is_certificate_used(ACCOUNT, uploaded.id)
    with pytest.raises(CertificateInUse):
        await world.client.delete_certificate(ACCOUNT, uploaded.id)


async def test_a_certificate_whose_list_was_cleared_is_deleted() -> None:
    world = World()
    uploaded = await world.uploaded()
    await world.client.put_hostnames(ZONE, uploaded.id, {HOST})

    await world.client.clear_hostnames(ZONE, uploaded.id)
    await world.client.delete_certificate(ACCOUNT, uploaded.id)

    assert await world.client.list_certificates(ACCOUNT) == ()


async def test_a_certificate_that_is_gone_is_not_found() -> None:
    world = World()
    uploaded = await world.uploaded()
    await world.client.delete_certificate(ACCOUNT, uploaded.id)

    with pytest.raises(NotFound):
        await world.client.get_certificate(ACCOUNT, uploaded.id)
    with pytest.raises(NotFound):
        await world.client.delete_certificate(ACCOUNT, uploaded.id)
