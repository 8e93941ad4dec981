"""A cluster's side with a few resources in it, for tests of what the engine makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import httpx

from mtls_operator.api.metadata import Metadata
from mtls_operator.domain.authority_assessment import OperatorCredentials
from mtls_operator.domain.consent import Grant
from mtls_operator.domain.records import AuthorityRecord, BindingRecord
from mtls_operator.domain.sources import CredentialKey, SourceKey, SourceKind
from mtls_operator.engine.clock import Clock
from mtls_operator.engine.credentials import Credentials
from mtls_operator.engine.situation import Situation
from mtls_operator.observability.metrics import Metrics

OPERATORS_OWN = CredentialKey(SourceKey(SourceKind.SECRET, "system", "token"), "token")
OF_THE_TEAM = CredentialKey(SourceKey(SourceKind.SECRET, "apps", "own"), "token")
CONTENTS = {
    OPERATORS_OWN.source: {"token": b"the-operators-own-token-0123456789"},
    OF_THE_TEAM.source: {"token": b"the-token-of-the-team-0123456789"},
}


def situation_of(
    clock: Clock, authorities: Sequence[AuthorityRecord], bindings: Sequence[BindingRecord] = ()
) -> Situation:
    """These resources, the operator's own token for everybody, and a token of namespace `apps`."""
    situation = Situation(OperatorCredentials(OPERATORS_OWN, (Grant(),)), CONTENTS, lambda _: {}, clock)
    for authority in authorities:
        situation.authorities.put(replace(authority, metadata=_seen(authority.metadata)))
    for binding in bindings:
        situation.bindings.put(replace(binding, metadata=_seen(binding.metadata)))
    return situation


def _seen(metadata: Metadata) -> Metadata:
    return metadata.model_copy(update={"resource_version": "1"})


def credentials_of(situation: Situation) -> Credentials:
    """The clients of these tokens; nothing is sent."""
    return Credentials(httpx.AsyncClient(), situation.contents, situation.clock, Metrics())
