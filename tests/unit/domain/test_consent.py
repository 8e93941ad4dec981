"""Who may use whose CA, and whom the operator's own token serves."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mtls_operator.api.certificate_authority import AllowedBindings
from mtls_operator.domain.consent import (
    Grant,
    asks_for_labels,
    is_granted_to_authority,
    is_granted_to_binding,
    refusal_of_binding,
)
from mtls_operator.domain.records import ResourceKey
from tests.unit.domain.binding_records import ACCOUNT

CA = ResourceKey("pki", "ca")
LABELS = {"team": "payments", "tier": "front"}
BY_NAMESPACE = (
    "the CA pki/ca does not admit bindings of namespace apps: its spec.allowedBindings.namespaces would have to"
)


def refusal(allowed: Mapping[str, object] | None, namespace: str = "apps", *hostnames: str) -> str | None:
    parsed = None if allowed is None else AllowedBindings.model_validate(allowed)
    return refusal_of_binding(parsed, CA, namespace, LABELS, hostnames)


def selecting(selector: Mapping[str, object]) -> Mapping[str, object]:
    return {"namespaces": {"from": "Selector", "selector": selector}}


def expression(key: str, operator: str, *values: str) -> Mapping[str, object]:
    return selecting({"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]})


@pytest.mark.parametrize("allowed", [None, {}, {"namespaces": {"from": "Same"}}], ids=["absent", "empty", "Same"])
def test_a_ca_admits_its_own_namespace_alone_unless_told_otherwise(allowed: Mapping[str, object] | None) -> None:
    assert refusal(allowed, "pki") is None
    assert refusal(allowed, "apps") == BY_NAMESPACE


def test_from_all_admits_every_namespace() -> None:
    assert refusal({"namespaces": {"from": "All"}}) is None


@pytest.mark.parametrize(
    "allowed",
    [
        selecting({}),
        selecting({"matchLabels": {"team": "payments"}}),
        selecting({"matchLabels": {"team": "payments", "tier": "front"}}),
        expression("team", "In", "billing", "payments"),
        expression("team", "NotIn", "billing"),
        expression("region", "NotIn", "eu"),
        expression("team", "Exists"),
        expression("region", "DoesNotExist"),
    ],
    ids=str,
)
def test_a_selector_admits_the_namespaces_whose_labels_meet_all_of_it(allowed: Mapping[str, object]) -> None:
    assert refusal(allowed) is None


@pytest.mark.parametrize(
    "allowed",
    [
        selecting({"matchLabels": {"team": "billing"}}),
        selecting({"matchLabels": {"team": "payments", "region": "eu"}}),
        selecting(
            {"matchLabels": {"team": "payments"}, "matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}
        ),
        expression("team", "In", "billing"),
        expression("region", "In", "eu"),
        expression("team", "NotIn", "payments"),
        expression("region", "Exists"),
        expression("team", "DoesNotExist"),
        {"namespaces": {"from": "Selector"}},
    ],
    ids=str,
)
def test_a_selector_admits_nobody_else(allowed: Mapping[str, object]) -> None:
    assert refusal(allowed) == BY_NAMESPACE


def test_an_operator_that_is_not_known_selects_nothing() -> None:
    unknown = AllowedBindings.model_validate(expression("team", "In", "payments"))
    assert unknown.namespaces is not None
    assert unknown.namespaces.selector is not None
    requirement = unknown.namespaces.selector.match_expressions[0].model_copy(update={"operator": "Gt"})
    selector = unknown.namespaces.selector.model_copy(update={"match_expressions": (requirement,)})
    namespaces = unknown.namespaces.model_copy(update={"selector": selector})

    allowed = unknown.model_copy(update={"namespaces": namespaces})

    assert refusal_of_binding(allowed, CA, "apps", LABELS, []) == BY_NAMESPACE


@pytest.mark.parametrize(
    ("allowed", "asks"),
    [(None, False), ({}, False), ({"namespaces": {"from": "All"}}, False), (selecting({}), True)],
    ids=str,
)
def test_labels_matter_only_to_a_selector(*, allowed: Mapping[str, object] | None, asks: bool) -> None:
    parsed = None if allowed is None else AllowedBindings.model_validate(allowed)

    assert asks_for_labels(parsed) is asks


def test_hostnames_that_no_pattern_permits_are_refused_by_name() -> None:
    allowed = {"hostnames": ["*.example.com", "example.org"]}

    assert refusal(allowed, "pki", "api.example.com", "example.org") is None
    assert refusal(allowed, "pki", "api.example.com", "example.com", "www.example.org") == (
        "the CA pki/ca does not admit example.com, www.example.org: its spec.allowedBindings.hostnames would have to"
    )


@pytest.mark.parametrize(
    ("grant", "granted"),
    [
        (Grant(), True),
        (Grant(namespaces=frozenset({"pki"})), True),
        (Grant(namespaces=frozenset({"apps"})), False),
        (Grant(accounts=frozenset({ACCOUNT})), True),
        (Grant(accounts=frozenset({"f" * 32})), False),
        (Grant(zones=frozenset({"example.com"}), hostnames=("*.example.com",)), True),
    ],
)
def test_the_operators_token_serves_the_cas_that_a_grant_names(*, grant: Grant, granted: bool) -> None:
    assert is_granted_to_authority([grant], "pki", ACCOUNT) is granted


@pytest.mark.parametrize(
    ("grant", "granted"),
    [
        (Grant(), True),
        (Grant(namespaces=frozenset({"other"})), False),
        (Grant(accounts=frozenset({"f" * 32})), False),
        (Grant(zones=frozenset({"example.com"})), True),
        (Grant(zones=frozenset({"0" * 32})), True),
        (Grant(zones=frozenset({"example.org"})), False),
        (Grant(hostnames=("*.example.com",)), True),
        (Grant(hostnames=("api.example.com",)), False),
    ],
)
def test_the_operators_token_serves_the_bindings_that_a_grant_names(*, grant: Grant, granted: bool) -> None:
    zone = frozenset({"0" * 32, "example.com"})

    assert is_granted_to_binding([grant], "apps", ACCOUNT, zone, ["api.example.com", "www.example.com"]) is granted


def test_zones_are_not_looked_at_before_the_zone_is_known() -> None:
    grant = Grant(zones=frozenset({"example.org"}))

    assert is_granted_to_binding([grant], "apps", ACCOUNT, None, ["api.example.com"])


def test_one_entry_has_to_admit_everything() -> None:
    grants = [
        Grant(namespaces=frozenset({"apps"}), accounts=frozenset({"f" * 32})),
        Grant(namespaces=frozenset({"pki"})),
    ]

    assert not is_granted_to_authority(grants, "apps", ACCOUNT)
    assert not is_granted_to_binding(grants, "apps", ACCOUNT, None, [])


def test_without_an_entry_nobody_is_served() -> None:
    assert not is_granted_to_authority([], "apps", ACCOUNT)
    assert not is_granted_to_binding([], "apps", ACCOUNT, None, [])
