"""From the configuration to what the domain decides with."""

from __future__ import annotations

from mtls_operator.configuration import Configuration, VerificationSettings
from mtls_operator.domain.marks import Installation
from mtls_operator.engine.settings import operator_credentials, predecessors_of, timing_of, visitor_of
from mtls_operator.outside.addresses import Directory, Place

PREDECESSOR = {"ownerId": "gone", "clusterUID": "0f0e0d0c-0000-4000-8000-000000000000"}


def configured(**sections: object) -> Configuration:
    return Configuration.model_validate(sections, strict=False)


def test_who_asks_from_outside_is_as_the_configuration_says() -> None:
    settings = VerificationSettings(allow_private_addresses=True, timeout_seconds=2, connect_to="127.0.0.1:8443")

    visitor = visitor_of(settings)

    assert visitor.directory == Directory(allow_private=True, known={"*": Place("127.0.0.1", 8443)})
    assert (visitor.trusted, visitor.patience) == (None, 2)


def test_without_a_word_the_dns_is_asked_and_the_public_internet_alone_is_contacted() -> None:
    assert visitor_of(VerificationSettings()).directory == Directory(allow_private=False, known={})


def test_without_a_word_the_operators_token_serves_its_own_namespace_for_anything() -> None:
    credentials = operator_credentials(configured(), "operators")

    assert [grant.namespaces for grant in credentials.grants] == [frozenset({"operators"})]


def test_an_empty_list_serves_nobody() -> None:
    credentials = operator_credentials(configured(operatorCredentials={"allowed": []}), "operators")

    assert credentials.grants == ()


def test_the_operators_token_is_a_secret_of_its_own_namespace() -> None:
    configuration = configured(cloudflare={"tokenSecretRef": {"name": "api-token", "key": "token"}})

    assert str(operator_credentials(configuration, "operators").key) == "Secret operators/api-token, key token"


def test_the_settle_time_is_the_window_where_nothing_is_said() -> None:
    timing = timing_of(configured(cloudflare={"consistencyWindowSeconds": 30.0}))

    assert (timing.window, timing.settle) == (30.0, 30.0)


def test_installations_to_take_over_are_named_by_owner_and_cluster() -> None:
    configuration = configured(takeover=[PREDECESSOR])

    assert predecessors_of(configuration) == {Installation(PREDECESSOR["ownerId"], PREDECESSOR["clusterUID"])}
