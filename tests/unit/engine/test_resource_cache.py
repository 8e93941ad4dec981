"""The cache of resources: what is older is no news, in whatever order it comes."""

from __future__ import annotations

from mtls_operator.api.certificate_authority import CertificateAuthorityStatus
from mtls_operator.api.metadata import Metadata
from mtls_operator.domain.records import AuthorityRecord, Record, ResourceKey
from mtls_operator.engine.resource_cache import ResourceCache

KEY = ResourceKey("ns", "ca")


def seen(version: int, uid: str = "first") -> AuthorityRecord:
    metadata = Metadata(name="ca", namespace="ns", uid=uid, resource_version=str(version))
    return Record(metadata, None, CertificateAuthorityStatus())


def version_in(cache: ResourceCache[AuthorityRecord]) -> str | None:
    record = cache.get(KEY)
    return record.metadata.resource_version if record else None


def test_an_event_that_is_older_than_our_own_write_changes_nothing() -> None:
    cache: ResourceCache[AuthorityRecord] = ResourceCache()
    cache.put(seen(10))

    news = cache.put(seen(9))

    assert (news, version_in(cache)) == (False, "10")


def test_the_echo_of_our_own_write_is_no_news() -> None:
    cache: ResourceCache[AuthorityRecord] = ResourceCache()
    cache.put(seen(10))

    assert not cache.put(seen(10))


def test_versions_are_compared_as_numbers() -> None:
    cache: ResourceCache[AuthorityRecord] = ResourceCache()
    cache.put(seen(9))

    cache.put(seen(10))

    assert version_in(cache) == "10"


def test_the_late_news_of_a_deletion_does_not_remove_the_successor_of_the_same_name() -> None:
    cache: ResourceCache[AuthorityRecord] = ResourceCache()
    cache.put(seen(20, uid="second"))

    removed = cache.remove(seen(15, uid="first"))

    assert (removed, version_in(cache)) == (False, "20")
