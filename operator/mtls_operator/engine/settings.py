"""From the configuration file to the values that the domain decides with."""

from __future__ import annotations

from mtls_operator.configuration import AllowedUse, Configuration, VerificationSettings
from mtls_operator.domain.authority_assessment import OperatorCredentials
from mtls_operator.domain.consent import Grant
from mtls_operator.domain.marks import Installation
from mtls_operator.domain.sources import CredentialKey, SourceKey, SourceKind
from mtls_operator.domain.zone_places import Timing
from mtls_operator.outside.addresses import ANY, Directory, Place
from mtls_operator.outside.visits import Visitor


def predecessors_of(configuration: Configuration) -> frozenset[Installation]:
    """The installations whose marks become ours."""
    return frozenset(Installation(each.owner_id, each.cluster_uid) for each in configuration.takeover)


def timing_of(configuration: Configuration) -> Timing:
    """How long things take at Cloudflare."""
    cloudflare = configuration.cloudflare
    return Timing(window=cloudflare.consistency_window_seconds, settle=cloudflare.settle_seconds)


def visitor_of(settings: VerificationSettings) -> Visitor:
    """Who asks from outside."""
    known = {ANY: Place(*settings.edge)} if settings.edge else {}
    directory = Directory(settings.allow_private_addresses, known)
    return Visitor(directory, settings.ca_bundle, settings.timeout_seconds)


def operator_credentials(configuration: Configuration, release_namespace: str) -> OperatorCredentials:
    """The operator's own token and whom it serves; where nothing is said, its own namespace."""
    reference = configuration.cloudflare.token_secret_ref
    key = None
    if reference is not None:
        key = CredentialKey(SourceKey(SourceKind.SECRET, release_namespace, reference.name), reference.key)
    allowed = configuration.operator_credentials.allowed
    if allowed is None:
        return OperatorCredentials(key, (Grant(namespaces=frozenset({release_namespace})),))
    return OperatorCredentials(key, tuple(_grant(use) for use in allowed))


def _grant(use: AllowedUse) -> Grant:
    return Grant(
        namespaces=None if use.namespaces is None else frozenset(use.namespaces),
        accounts=None if use.accounts is None else frozenset(use.accounts),
        zones=None if use.zones is None else frozenset(use.zones),
        hostnames=use.hostnames,
    )
