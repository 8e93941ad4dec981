"""CA resources and what is known of their account as values, for tests of what is planned for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from mtls_operator.api.certificate_authority import Ownership
from mtls_operator.domain.account_demands import Demand
from mtls_operator.domain.account_knowledge import AccountKnowledge
from mtls_operator.domain.account_plan import AccountPlan, plan_account
from mtls_operator.domain.account_steps import (
    AccountStep,
    ReadCertificates,
    RecordCertificate,
    RecordPendingUpload,
    Upload,
)
from mtls_operator.domain.certificates import Bundle, read_bundle
from mtls_operator.domain.marks import certificate_name
from mtls_operator.domain.observed import Certificate, CertificateId
from mtls_operator.domain.records import RemoveFinalizer, ResourceKey
from mtls_operator.domain.rotation import Standing
from mtls_operator.domain.zone_places import Timing
from tests.certificates import make_ca
from tests.unit.domain.binding_records import CERTIFICATE

MADE = datetime(2026, 3, 1, tzinfo=UTC)
WINDOW = 90.0
NOW = 1000.0
US, OTHERS = "cluster-0", "cluster-1"
CA, TWIN = ResourceKey("pki", "ca"), ResourceKey("web", "twin")
USER = ResourceKey("apps", "binding")


ONE, TWO = (read_bundle(make_ca(name, now=MADE).pem.encode(), MADE) for name in ("One", "Two"))
BOTH = Bundle(ONE.certificates + TWO.certificates)
WANTED = Demand(CA, token="t", bundle=ONE, display_name="ca", has_finalizer=True)
ANNOUNCED = replace(WANTED, pending_upload=ONE.fingerprints)
HAS_ONE = replace(WANTED, certificate_id=CERTIFICATE, standing=Standing(in_force=ONE.fingerprints))
DELETED = replace(HAS_ONE, deleting=True)
DELETED_ANNOUNCED = replace(ANNOUNCED, deleting=True)
STARTED = AccountKnowledge(started=0.0)


def uploaded(
    bundle: Bundle = ONE, certificate_id: CertificateId = CERTIFICATE, *, owner: str | None = US
) -> Certificate:
    """A certificate of the account: ours, another installation's, or nobody's."""
    name = certificate_name("ca", bundle.fingerprint, owner) if owner else "by hand"
    return Certificate(certificate_id, name, bundle.pem)


def listed(*certificates: Certificate, begun: float = NOW - 1, known: AccountKnowledge = STARTED) -> AccountKnowledge:
    return known.with_listing("t", certificates, begun)


def plan(*demands: Demand, known: AccountKnowledge = STARTED, now: float = NOW, limit: int = 5) -> AccountPlan:
    return plan_account(demands, known, now, Timing(window=WINDOW, settle=WINDOW), limit=limit, owner=US)


def steps(*demands: Demand, known: AccountKnowledge = STARTED, now: float = NOW) -> tuple[AccountStep, ...]:
    return plan(*demands, known=known, now=now).steps


def sent(authority: ResourceKey, bundle: Bundle, display_name: str = "ca") -> Upload:
    """An upload under our name."""
    return Upload(authority, bundle, certificate_name(display_name, bundle.fingerprint, US))


def waits_until(moment: float) -> AccountPlan:
    return AccountPlan((), moment)


READ = (ReadCertificates(CA),)
SEND = (RecordPendingUpload(CA, ONE), sent(CA, ONE))
LET_GO = (RemoveFinalizer(CA),)
TAKE = (RecordCertificate(CA, CERTIFICATE, Ownership.CREATED, ONE),)
ADOPT = (RecordCertificate(CA, CERTIFICATE, Ownership.ADOPTED, ONE),)
