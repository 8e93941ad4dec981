"""The status of a CA: conditions from verdicts and from what the account holds, counts, and what the steps record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mtls_operator.api.certificate_authority import CertificateAuthorityStatus, Ownership, Quota
from mtls_operator.api.conditions import Condition, ConditionType, find
from mtls_operator.api.constants import RECONCILE_REQUESTED_AT
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.authority_assessment import AuthorityAssessment
from mtls_operator.domain.authority_status import (
    AuthorityView,
    authority_status,
    with_certificate,
    with_pending_upload,
)
from mtls_operator.domain.certificates import Bundle, read_bundle
from mtls_operator.domain.observed import Certificate
from mtls_operator.domain.records import Record, ResourceKey
from mtls_operator.domain.verdicts import blocked, ok, waiting
from tests.certificates import make_ca
from tests.unit.domain.binding_records import CERTIFICATE, OTHER_CERTIFICATE, authority, metadata

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ROOT = make_ca("Root", now=NOW)
OTHER = make_ca("Other", now=NOW, days=100)
NAMELESS = make_ca("No id", now=NOW, subject_key_identifier=False)
WELL = AuthorityAssessment(ok(Reason.ACCEPTED, "served"), ok(Reason.RESOLVED, "valid"), None, None)
VIEW = AuthorityView(WELL, limit=5)
IN_FORCE: Mapping[str, object] = {"certificateId": CERTIFICATE, "ownership": "Created", "fingerprints": ["ab" * 32]}
OUTAGE = waiting(Reason.CLOUDFLARE_UNAVAILABLE, "Cloudflare does not answer.")
RIVALRY = blocked(Reason.MANAGEMENT_CONFLICT, "another cluster has rules.")
USERS = (ResourceKey("apps", "one"), ResourceKey("web", "two"))


def bundle(*pems: str) -> Bundle:
    return read_bundle("".join(pems).encode(), NOW)


def status(
    view: AuthorityView = VIEW, fields: Mapping[str, object] | None = None, *, deleting: bool = False
) -> CertificateAuthorityStatus:
    record = authority(status=fields, meta=metadata("ca", deleting=deleting))
    return authority_status(record, view, NOW)


def condition(conditions: Sequence[Condition], kind: ConditionType) -> tuple[str, str, str]:
    found = find(conditions, kind)
    assert found is not None
    return found.status, found.reason, found.message


def test_a_ca_with_its_certificate_is_ready() -> None:
    conditions = status(fields=IN_FORCE).conditions

    assert condition(conditions, ConditionType.READY)[:2] == ("True", "Reconciled")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, ("Unknown", "Progressing", "not uploaded yet")),
        (
            {"pendingUpload": ["ab" * 32]},
            ("False", "UploadPending", "an upload was begun and is being looked for in the account"),
        ),
        (IN_FORCE, ("True", "Uploaded", f"certificate {CERTIFICATE}")),
        (
            {**IN_FORCE, "ownership": "Adopted"},
            ("True", "Adopted", f"identical certificates were there already: {CERTIFICATE}"),
        ),
    ],
    ids=["nothing", "announced", "created", "adopted"],
)
def test_uploaded_says_how_far_the_certificate_is(fields: Mapping[str, object], told: tuple[str, str, str]) -> None:
    assert condition(status(fields=fields).conditions, ConditionType.UPLOADED) == told


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, ("Unknown", "Progressing", "nothing is in force yet")),
        (IN_FORCE, ("True", "Current", "no earlier certificates are accepted")),
    ],
    ids=["nothing in force", "in force"],
)
def test_rotated_says_whether_one_set_alone_is_in_force(
    fields: Mapping[str, object], told: tuple[str, str, str]
) -> None:
    assert condition(status(fields=fields).conditions, ConditionType.ROTATED) == told


def test_verdicts_become_the_conditions_accepted_and_source_resolved() -> None:
    refused = blocked(Reason.UNSUPPORTED_VALUE, "not served")
    missing = waiting(Reason.SOURCE_MISSING, "not there")

    conditions = status(AuthorityView(AuthorityAssessment(refused, missing, None, None))).conditions

    assert condition(conditions, ConditionType.ACCEPTED) == ("False", "UnsupportedValue", "not served")
    assert condition(conditions, ConditionType.SOURCE_RESOLVED) == ("False", "SourceMissing", "not there")
    assert condition(conditions, ConditionType.READY) == ("False", "UnsupportedValue", "not served")


def test_a_slot_is_there_or_not_needed_unless_the_plan_says_otherwise() -> None:
    told = condition(status().conditions, ConditionType.QUOTA_AVAILABLE)

    assert told == ("True", "QuotaAvailable", "a slot is there, or none is needed")


def test_without_a_slot_those_that_occupy_them_are_named_and_the_way_out() -> None:
    occupants = (Certificate(CERTIFICATE, "corporate", "pem"), Certificate(OTHER_CERTIFICATE, "", "pem"))

    conditions = status(replace(VIEW, without_slot=True, occupants=occupants, limit=2)).conditions

    assert condition(conditions, ConditionType.QUOTA_AVAILABLE) == (
        "False",
        "QuotaExhausted",
        "the account has 2 slots for CA certificates and all are occupied, by:"
        f" corporate ({CERTIFICATE}), without a name ({OTHER_CERTIFICATE}). Free one, or raise"
        " cloudflare.certificateLimit in the operator's chart if Cloudflare granted more.",
    )
    assert condition(conditions, ConditionType.READY)[1] == "QuotaExhausted"


def test_where_cloudflare_grants_fewer_slots_than_the_operator_is_told_its_refusal_says_so() -> None:
    refused = waiting(Reason.QUOTA_EXHAUSTED, "there is no place for one more")

    conditions = status(replace(VIEW, trouble=refused)).conditions

    assert condition(conditions, ConditionType.QUOTA_AVAILABLE) == ("False", "QuotaExhausted", refused.message)
    assert condition(conditions, ConditionType.READY) == ("False", "QuotaExhausted", refused.message)


def test_an_outage_explains_why_a_ca_without_its_certificate_does_not_get_on() -> None:
    ready = condition(status(replace(VIEW, trouble=OUTAGE)).conditions, ConditionType.READY)

    assert ready == ("False", "CloudflareUnavailable", OUTAGE.message)


def test_an_outage_says_nothing_of_a_ca_that_has_its_certificate() -> None:
    ready = condition(status(replace(VIEW, trouble=OUTAGE), IN_FORCE).conditions, ConditionType.READY)

    assert ready[:2] == ("True", "Reconciled")


@pytest.mark.parametrize("fields", [{}, IN_FORCE], ids=["nothing", "its certificate"])
def test_that_another_cluster_uses_our_owner_id_is_said_whatever_a_ca_has(fields: Mapping[str, object]) -> None:
    conditions = status(replace(VIEW, rivalry=RIVALRY, trouble=OUTAGE), fields).conditions

    assert condition(conditions, ConditionType.READY) == ("False", "ManagementConflict", RIVALRY.message)
    assert condition(conditions, ConditionType.STALLED)[1] == "ManagementConflict"


@pytest.mark.parametrize(
    ("view", "fields", "told"),
    [
        (
            replace(VIEW, rivalry=RIVALRY, trouble=OUTAGE),
            IN_FORCE,
            (
                "DeletionBlocked",
                "another cluster has rules. Retried until it succeeds; annotate with"
                " apishield-mtls.io/force-orphan=true to let go and leave the certificate behind.",
            ),
        ),
        (
            replace(VIEW, used_by=USERS, trouble=OUTAGE),
            IN_FORCE,
            (
                "InUse",
                "still used by MtlsHostBinding apps/one, MtlsHostBinding web/two; the CA goes with the last of them",
            ),
        ),
        (
            replace(VIEW, trouble=OUTAGE),
            IN_FORCE,
            (
                "DeletionBlocked",
                "Cloudflare does not answer. Retried until it succeeds; annotate with"
                " apishield-mtls.io/force-orphan=true to let go and leave the certificate behind.",
            ),
        ),
        (
            replace(VIEW, trouble=OUTAGE),
            {"pendingUpload": ["ab" * 32]},
            (
                "DeletionBlocked",
                "Cloudflare does not answer. Retried until it succeeds; annotate with"
                " apishield-mtls.io/force-orphan=true to let go and leave the certificate behind.",
            ),
        ),
        (
            replace(VIEW, trouble=OUTAGE),
            {},
            (
                "DeletionBlocked",
                "Cloudflare does not answer. Retried until it succeeds; annotate with"
                " apishield-mtls.io/force-orphan=true to let go and leave the certificate behind.",
            ),
        ),
        (VIEW, IN_FORCE, ("Deleting", "the certificate is being deleted at Cloudflare")),
    ],
    ids=[
        "ownerId used twice",
        "in use",
        "blocked",
        "blocked while an upload is looked for",
        "blocked where the status may be lost",
        "under way",
    ],
)
def test_a_deletion_says_what_it_waits_for(
    view: AuthorityView, fields: Mapping[str, object], told: tuple[str, str]
) -> None:
    conditions = status(view, fields, deleting=True).conditions

    assert condition(conditions, ConditionType.READY) == ("False", *told)
    assert condition(conditions, ConditionType.RECONCILING) == ("True", *told)


def test_nobody_has_to_mend_the_spec_of_a_ca_that_is_going() -> None:
    refused = AuthorityAssessment(blocked(Reason.UNSUPPORTED_VALUE, "not served"), WELL.source, None, None)

    conditions = status(replace(VIEW, assessment=refused), IN_FORCE, deleting=True).conditions

    assert condition(conditions, ConditionType.READY)[1] == "Deleting"
    assert condition(conditions, ConditionType.ACCEPTED) == ("False", "UnsupportedValue", "not served")
    assert find(conditions, ConditionType.STALLED) is None


def test_a_status_answers_the_generation_and_the_request_to_look_again() -> None:
    meta = metadata("ca", generation=7, annotations={RECONCILE_REQUESTED_AT: "now-please"})

    written = authority_status(authority(meta=meta), VIEW, NOW)

    assert (written.observed_generation, written.last_handled_reconcile_at) == (7, "now-please")


def test_a_request_to_look_again_is_not_answered_before_the_look() -> None:
    meta = metadata("ca", annotations={RECONCILE_REQUESTED_AT: "now-please"})

    written = authority_status(authority(meta=meta), replace(VIEW, is_doubted=True), NOW)

    assert written.last_handled_reconcile_at is None


def test_bindings_and_hostnames_are_counted() -> None:
    written = status(replace(VIEW, used_by=USERS, hostnames=12))

    assert (written.bindings, written.hostnames) == (2, 12)


def test_the_numbers_stay_as_they_were_while_it_cannot_be_told_who_uses_the_ca() -> None:
    written = status(replace(VIEW, counted=False), {"bindings": 3, "hostnames": 7})

    assert (written.bindings, written.hostnames) == (3, 7)


def test_the_quota_is_what_the_account_was_listed_with() -> None:
    written = status(replace(VIEW, occupants=[Certificate(CERTIFICATE, "corporate", "pem")]))

    assert written.quota == Quota(used=1, limit=5)


def test_the_quota_stays_as_it_was_while_the_account_was_not_listed() -> None:
    assert status(fields={"quota": {"used": 3, "limit": 5}}).quota == Quota(used=3, limit=5)


def test_the_values_in_force_are_written_also_where_the_spec_is_silent() -> None:
    effective = status().effective

    assert effective is not None
    assert (effective.display_name, effective.deletion_policy) == ("apps/ca", "Delete")


def test_the_values_in_force_stay_while_the_spec_cannot_be_read() -> None:
    before = status()

    after = authority_status(Record(metadata("ca"), None, before, ("no",)), VIEW, NOW)

    assert after.effective == before.effective


@pytest.mark.parametrize("fields", [{}, IN_FORCE], ids=["nothing", "in force"])
def test_equal_facts_later_give_an_equal_status(fields: Mapping[str, object]) -> None:
    first = status(fields=fields)

    again = authority_status(Record(metadata("ca"), authority().spec, first), VIEW, NOW + timedelta(days=1))

    assert again == first


def test_what_the_steps_recorded_is_left_alone() -> None:
    recorded = with_certificate(CertificateAuthorityStatus(), CERTIFICATE, Ownership.CREATED, bundle(ROOT.pem))

    written = authority_status(Record(metadata("ca"), authority().spec, recorded), VIEW, NOW)

    assert written.model_copy(update={name: getattr(recorded, name) for name in _WRITTEN_BY_STATUS}) == recorded


_WRITTEN_BY_STATUS = (
    "observed_generation",
    "conditions",
    "effective",
    "bindings",
    "hostnames",
    "quota",
    "last_handled_reconcile_at",
)


def test_an_upload_is_announced_by_its_fingerprints() -> None:
    announced = with_pending_upload(CertificateAuthorityStatus(), bundle(ROOT.pem, OTHER.pem))

    assert announced.pending_upload == tuple(sorted([ROOT.fingerprint, OTHER.fingerprint]))
    assert announced.certificate_id is None


def test_a_certificate_in_force_answers_the_announcement_and_is_described() -> None:
    both = bundle(ROOT.pem, OTHER.pem)
    announced = with_pending_upload(CertificateAuthorityStatus(), both)

    recorded = with_certificate(announced, CERTIFICATE, Ownership.ADOPTED, both)

    assert recorded == CertificateAuthorityStatus(
        certificate_id=CERTIFICATE,
        ownership="Adopted",
        pending_upload=(),
        fingerprints=(ROOT.fingerprint, OTHER.fingerprint),
        subject="CN=Root",
        not_after=OTHER.certificate.not_valid_after_utc,
        key_identifiers=tuple(sorted([ROOT.key_identifier, OTHER.key_identifier])),
    )


def test_one_certificate_without_an_identifier_leaves_nothing_to_pin_to() -> None:
    recorded = with_certificate(
        CertificateAuthorityStatus(), CERTIFICATE, Ownership.CREATED, bundle(ROOT.pem, NAMELESS.pem)
    )

    assert recorded.key_identifiers == ()
