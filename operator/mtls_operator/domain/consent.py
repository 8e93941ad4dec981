"""Who may use whose CA and whose token (safety invariant 12): by the CA's `allowedBindings`, or by the operator's
configuration for its own token. Pure look-ups; each refusal says what would have to allow it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtls_operator.api.certificate_authority import AllowedBindings, LabelSelectorRequirement, NamespaceSelector
from mtls_operator.api.policies import NamespacesFrom
from mtls_operator.domain.hostnames import is_permitted
from mtls_operator.domain.records import ResourceKey


@dataclass(frozen=True, slots=True)
class Grant:
    """One entry of the configuration's `operatorCredentials.allowed`; None stands for any."""

    namespaces: frozenset[str] | None = None
    accounts: frozenset[str] | None = None
    zones: frozenset[str] | None = None
    """Zone ids or names."""
    hostnames: tuple[str, ...] | None = None


def asks_for_labels(allowed: AllowedBindings | None) -> bool:
    """Whether the labels of a binding's namespace matter to the CA."""
    namespaces = allowed.namespaces if allowed else None
    return namespaces is not None and namespaces.from_ is NamespacesFrom.SELECTOR


def refusal_of_binding(
    allowed: AllowedBindings | None,
    authority: ResourceKey,
    namespace: str,
    labels: Mapping[str, str],
    hostnames: Sequence[str],
) -> str | None:
    """Why a CA does not admit a binding, None when it does. `labels` are those of the binding's namespace."""
    if not _namespace_is_admitted(allowed, authority, namespace, labels):
        return (
            f"the CA {authority} does not admit bindings of namespace {namespace}:"
            " its spec.allowedBindings.namespaces would have to"
        )
    patterns = allowed.hostnames if allowed else None
    refused = [name for name in hostnames if patterns is not None and not is_permitted(name, patterns)]
    if refused:
        return (
            f"the CA {authority} does not admit {', '.join(refused)}: its spec.allowedBindings.hostnames would have to"
        )
    return None


def is_granted_to_authority(grants: Sequence[Grant], namespace: str, account: str) -> bool:
    """Whether the operator's own token may be used for a CA."""
    return any(_admits(g.namespaces, namespace) and _admits(g.accounts, account) for g in grants)


def is_granted_to_binding(
    grants: Sequence[Grant], namespace: str, account: str, zone: frozenset[str] | None, hostnames: Sequence[str]
) -> bool:
    """Whether the operator's own token may be used for a binding. `zone`: id and name of its zone; None while only one
    of them is known, and the other has to be asked for: then zones are not looked at yet."""
    return any(
        _admits(grant.namespaces, namespace)
        and _admits(grant.accounts, account)
        and (grant.zones is None or zone is None or bool(grant.zones & zone))
        and (grant.hostnames is None or all(is_permitted(name, grant.hostnames) for name in hostnames))
        for grant in grants
    )


def _admits(allowed: frozenset[str] | None, value: str) -> bool:
    return allowed is None or value in allowed


def _namespace_is_admitted(
    allowed: AllowedBindings | None, authority: ResourceKey, namespace: str, labels: Mapping[str, str]
) -> bool:
    namespaces = allowed.namespaces if allowed else None
    if namespaces is None or namespaces.from_ is NamespacesFrom.SAME:
        return namespace == authority.namespace
    if namespaces.from_ is NamespacesFrom.ALL:
        return True
    return namespaces.selector is not None and _selects(namespaces.selector, labels)


def _selects(selector: NamespaceSelector, labels: Mapping[str, str]) -> bool:
    wanted = (selector.match_labels or {}).items()
    return all(labels.get(key) == value for key, value in wanted) and all(
        _meets(requirement, labels) for requirement in selector.match_expressions
    )


def _meets(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    return {
        "In": value in requirement.values,
        "NotIn": value not in requirement.values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }.get(requirement.operator, False)
