"""What can be done for a CA before Cloudflare is asked: is its spec served, its source valid, its token there?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from mtls_operator.api.certificate_authority import CertificateAuthoritySpec
from mtls_operator.api.conditions import ConditionType, find
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.certificates import Bundle, CaCertificate, uploaded_bundle
from mtls_operator.domain.consent import Grant, is_granted_to_authority
from mtls_operator.domain.expiry import next_step, remark_on_expiry
from mtls_operator.domain.handling import is_idle
from mtls_operator.domain.records import AuthorityRecord
from mtls_operator.domain.revocation import NOT_KNOWN, InForce, RevocationAssessment, assess_revocation, in_force
from mtls_operator.domain.source_choice import SourceProblem, choose_bundle
from mtls_operator.domain.sources import (
    Contents,
    CredentialKey,
    SourceKey,
    Unreadable,
    credential_of,
    is_token,
    revocation_source_of,
    source_of,
)
from mtls_operator.domain.token_state import TokenRemarks, no_remark
from mtls_operator.domain.verdicts import Outcome, Verdict, blocked, ok, waiting


@dataclass(frozen=True, slots=True)
class OperatorCredentials:
    """The operator's own token, if it has one, and whom it serves."""

    key: CredentialKey | None
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class AuthorityAssessment:
    """The verdicts on a CA, and what is to be acted on: nothing, unless all of them are well."""

    accepted: Verdict
    source: Verdict
    credential: CredentialKey | None
    bundle: Bundle | None
    """The valid certificates of the source."""
    changes_at: datetime | None = None
    """When time alone changes the verdict: a certificate becomes valid, expires soon, or expires, or a revocation list
    is over."""
    revocation: RevocationAssessment = NOT_KNOWN

    @property
    def actionable(self) -> Bundle | None:
        """The bundle to bring about; None leaves in force what is in force."""
        return self.bundle if self.accepted.is_ok and self.source.is_ok else None

    @property
    def sources(self) -> Verdict:
        """The verdict on all that the CA refers to. Bad revocation lists keep no certificate from being uploaded."""
        return self.revocation.problem or self.source if self.source.is_ok else self.source


def assess_authority(
    record: AuthorityRecord,
    contents: Contents,
    operator: OperatorCredentials,
    now: datetime,
    remark_on_token: TokenRemarks = no_remark,
    *,
    uploaded: Mapping[str, CaCertificate] | None = None,
) -> AuthorityAssessment:
    """Judge a CA resource by its spec and by what it refers to. `uploaded` are certificates that were seen in the
    account, by fingerprint."""
    spec = record.spec
    if spec is None:
        problems = "; ".join(record.problems)
        return AuthorityAssessment(blocked(Reason.INVALID_SPEC, problems), _unjudged(), None, None)
    bundle = _bundle(spec, record.metadata.namespace, contents, now)
    problem = bundle if isinstance(bundle, SourceProblem) else None
    credential = _credential(spec, record.metadata.namespace, operator)
    found = bundle if isinstance(bundle, Bundle) else None
    revocation = _revocation(record, spec, contents, _signers(record, spec, contents, found, uploaded or {}), now)
    of_time = problem.valid_from if problem else next_step(found.not_after, now) if found else None
    changes = [of_time, revocation.changes_at]
    return AuthorityAssessment(
        accepted=ok(Reason.ACCEPTED, "the spec can be served"),
        source=_source_verdict(
            _judged(bundle), _credential_verdict(record, credential, contents, remark_on_token), now
        ),
        credential=credential if isinstance(credential, CredentialKey) else None,
        bundle=found,
        changes_at=min((each for each in changes if each is not None and each > now), default=None),
        revocation=revocation,
    )


def assess_revocation_lists(
    record: AuthorityRecord, contents: Contents, now: datetime, uploaded: Mapping[str, CaCertificate]
) -> RevocationAssessment:
    """The same of its revocation lists alone. Every binding asks, so a CA that names none is not parsed for it."""
    spec = record.spec
    if spec is None:
        return NOT_KNOWN
    if spec.revocation is None:
        return _revocation(record, spec, contents, InForce(frozenset(), complete=True), now)
    bundle = _bundle(spec, record.metadata.namespace, contents, now)
    found = bundle if isinstance(bundle, Bundle) else None
    return _revocation(record, spec, contents, _signers(record, spec, contents, found, uploaded), now)


def credential_verdict(credential: CredentialKey, contents: Contents) -> Verdict | None:
    """What is wrong with a token's Secret, None when the token is there."""
    if credential.source not in contents:
        return waiting(Reason.PROGRESSING, f"{credential.source} is being read")
    data = contents[credential.source]
    if isinstance(data, Unreadable):
        return unreadable(credential.source, data)
    if data is None:
        return waiting(Reason.CREDENTIALS_MISSING, f"{credential.source} with the API token does not exist")
    if not data.get(credential.key, b"").strip():
        return waiting(Reason.CREDENTIALS_MISSING, f"{credential.source} has no API token under key {credential.key}")
    if not is_token(data[credential.key]):
        return blocked(
            Reason.CREDENTIALS_INVALID,
            f"{credential} is no API token: it has characters that no token has; store the token alone",
        )
    return None


def unreadable(source: SourceKey, data: Unreadable) -> Verdict:
    """The verdict on an object that cannot be read."""
    return waiting(
        Reason.SOURCE_UNREADABLE,
        f"{source} cannot be read ({data.why}); rbac.secretNames and rbac.configMapNames of the operator's chart may"
        " have to name it",
    )


def _bundle(
    spec: CertificateAuthoritySpec, namespace: str, contents: Contents, now: datetime
) -> Bundle | SourceProblem | Verdict:
    source = source_of(spec, namespace)
    if source is None:
        return blocked(Reason.INVALID_SPEC, "spec.source names neither a Secret nor a ConfigMap")
    key, data_key = source
    if key not in contents:
        return waiting(Reason.PROGRESSING, f"{key} is being read")
    data = contents[key]
    if isinstance(data, Unreadable):
        return unreadable(key, data)
    return choose_bundle(str(key), data, data_key, now)


def _revocation(
    record: AuthorityRecord, spec: CertificateAuthoritySpec, contents: Contents, signers: InForce, now: datetime
) -> RevocationAssessment:
    """What its revocation lists say. Nothing changes for a CA that is laid aside."""
    if is_idle(record, owns_something=True):
        return NOT_KNOWN
    source = revocation_source_of(spec, record.metadata.namespace)
    before = find(record.status.conditions, ConditionType.SOURCE_RESOLVED)
    return assess_revocation(source, contents, signers, now, before)


def _signers(
    record: AuthorityRecord,
    spec: CertificateAuthoritySpec,
    contents: Contents,
    found: Bundle | None,
    uploaded: Mapping[str, CaCertificate],
) -> InForce:
    of_source = found.certificates if found else _still_in_force(record, spec, contents)
    return in_force(record.status, of_source, uploaded)


def _still_in_force(
    record: AuthorityRecord, spec: CertificateAuthoritySpec, contents: Contents
) -> Iterable[CaCertificate]:
    """What a source that is not valid (any more) holds of the certificates that are in force."""
    source = source_of(spec, record.metadata.namespace)
    data = contents.get(source[0]) if source else None
    values = data.values() if isinstance(data, Mapping) else ()
    bundles = [uploaded_bundle(each.decode("utf-8", errors="replace")) for each in values]
    found = {each.fingerprint: each for bundle in bundles if bundle for each in bundle.certificates}
    return [each for name, each in found.items() if name in record.status.fingerprints]


def _judged(bundle: Bundle | SourceProblem | Verdict) -> Bundle | Verdict:
    if not isinstance(bundle, SourceProblem):
        return bundle
    passes = bundle.valid_from is not None or bundle.reason in {Reason.SOURCE_MISSING, Reason.KEY_MISSING}
    return Verdict(Outcome.WAITING if passes else Outcome.BLOCKED, bundle.reason, bundle.message)


def _credential(
    spec: CertificateAuthoritySpec, namespace: str, operator: OperatorCredentials
) -> CredentialKey | Verdict:
    if own := credential_of(spec.credentials_ref, namespace):
        return own
    if operator.key is None:
        return waiting(
            Reason.CREDENTIALS_MISSING, "the operator has no API token of its own: name one in spec.credentialsRef"
        )
    if not is_granted_to_authority(operator.grants, namespace, spec.account_id):
        return blocked(
            Reason.REF_NOT_PERMITTED,
            f"the operator's own API token does not serve namespace {namespace} and account {spec.account_id}:"
            " name one in spec.credentialsRef, or let operatorCredentials.allowed of the operator's chart admit them",
        )
    return operator.key


def _credential_verdict(
    record: AuthorityRecord, credential: CredentialKey | Verdict, contents: Contents, remark_on_token: TokenRemarks
) -> Verdict | None:
    if isinstance(credential, Verdict):
        return credential
    before = find(record.status.conditions, ConditionType.SOURCE_RESOLVED)
    return credential_verdict(credential, contents) or remark_on_token(credential, before)


def _source_verdict(bundle: Bundle | Verdict, credential: Verdict | None, now: datetime) -> Verdict:
    if isinstance(bundle, Verdict):
        return bundle
    if credential is not None and not credential.is_ok:
        return credential
    expires = bundle.not_after.isoformat()
    return (
        remark_on_expiry(bundle.not_after, now)
        or credential
        or ok(Reason.RESOLVED, f"{len(bundle.certificates)} CA certificate(s); the first expires at {expires}")
    )


def _unjudged() -> Verdict:
    return waiting(Reason.PROGRESSING, "not looked at, because the spec cannot be read")
