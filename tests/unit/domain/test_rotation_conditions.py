"""What a CA says of a rotation: how far it is, what it waits for, and what keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from mtls_operator.api.certificate_authority import CertificateAuthorityStatus, Ownership
from mtls_operator.api.conditions import ConditionType, find
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.authority_assessment import AuthorityAssessment
from mtls_operator.domain.authority_status import (
    AuthorityView,
    authority_status,
    with_certificate,
    without_pending_upload,
)
from mtls_operator.domain.observed import Certificate
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.rotation import Retiring
from mtls_operator.domain.verdicts import ok, waiting
from tests.unit.domain.account_demands import MADE, ONE, TWO, US
from tests.unit.domain.binding_records import CERTIFICATE, OTHER_CERTIFICATE, authority

SOURCE = AuthorityAssessment(ok(Reason.ACCEPTED, "served"), ok(Reason.RESOLVED, "valid"), None, TWO)
VIEW = AuthorityView(SOURCE, limit=2)
OUTAGE = waiting(Reason.CLOUDFLARE_UNAVAILABLE, "Cloudflare does not answer.")
USERS = tuple(ResourceKey("apps", f"b{number}") for number in range(7))
IN_FORCE: Mapping[str, object] = {"certificateId": CERTIFICATE, "fingerprints": sorted(ONE.fingerprints)}


def rotating(phase: str) -> Mapping[str, object]:
    target, started = sorted(TWO.fingerprints), "2026-03-01T00:00:00Z"
    retiring = [{"fingerprints": sorted(ONE.fingerprints), "retireAfter": "2026-03-02T00:00:00Z"}]
    rotation = {"phase": phase, "target": target, "startedAt": started}
    return {**IN_FORCE, "rotation": rotation, "retiring": retiring}


def told(
    view: AuthorityView, fields: Mapping[str, object], kind: ConditionType = ConditionType.ROTATED
) -> tuple[str, ...]:
    found = find(authority_status(authority(status=fields), view, MADE).conditions, kind)
    assert found is not None
    return found.status, found.reason, found.message


@pytest.mark.parametrize(
    ("fields", "behind", "message"),
    [
        (IN_FORCE, (), "the new CA certificates are being put in force beside the previous ones"),
        (
            rotating("Widening"),
            USERS[:2],
            "the new CA certificates are being put in force beside the previous ones; hostnames are still on an earlier"
            " certificate, or another installation refuses the new one: MtlsHostBinding apps/b0, MtlsHostBinding"
            " apps/b1",
        ),
        (
            rotating("Overlap"),
            (),
            "clients of new and previous CA certificates are accepted until 2026-03-02T00:00:00Z at least",
        ),
        (rotating("Narrowing"), (), "the previous CA certificates are being withdrawn"),
    ],
    ids=["noticed", "widening", "overlap", "narrowing"],
)
def test_a_rotation_says_how_far_it_is(
    fields: Mapping[str, object], behind: tuple[ResourceKey, ...], message: str
) -> None:
    view = replace(VIEW, behind=behind)

    assert told(view, fields) == ("False", "Rotating", message)
    assert told(view, fields, ConditionType.READY) == ("False", "Rotating", message)
    assert told(view, fields, ConditionType.RECONCILING) == ("True", "Rotating", message)


def test_an_overlap_in_which_nothing_retires_names_no_moment() -> None:
    _, _, message = told(VIEW, {**rotating("Overlap"), "retiring": []})

    assert message == "clients of new and previous CA certificates are accepted"


def test_of_many_bindings_that_are_behind_some_are_named() -> None:
    _, _, message = told(replace(VIEW, behind=USERS), rotating("Narrowing"))

    assert message.endswith("MtlsHostBinding apps/b4, and others")


def test_a_bundle_that_cloudflare_does_not_take_needs_a_choice_of_the_user() -> None:
    view = replace(VIEW, bundle_refused="one at a time", trouble=OUTAGE)

    status, reason, message = told(view, rotating("Widening"))

    assert (status, reason) == ("False", "BundleRefused")
    assert "one at a time" in message
    assert "SideBySide" in message
    assert told(view, rotating("Widening"), ConditionType.STALLED)[1] == "BundleRefused"


def test_a_rotation_without_a_slot_says_so() -> None:
    view = replace(VIEW, without_slot=True)

    assert told(view, rotating("Widening"))[:2] == ("False", "QuotaExhausted")
    assert told(view, rotating("Widening"), ConditionType.READY)[1] == "QuotaExhausted"


def test_an_outage_explains_why_a_rotation_does_not_get_on() -> None:
    assert told(replace(VIEW, trouble=OUTAGE), rotating("Widening"), ConditionType.READY)[1] == "CloudflareUnavailable"


def test_without_a_source_to_act_on_what_is_in_force_is_current() -> None:
    gone = replace(SOURCE, source=waiting(Reason.SOURCE_MISSING, "not there"), bundle=None)

    assert told(replace(VIEW, assessment=gone), IN_FORCE)[:2] == ("True", "Current")


def test_certificates_with_our_mark_that_nobody_here_relies_on_are_named_as_unused() -> None:
    ours, theirs = (
        Certificate(CERTIFICATE, f"ca 01234567 (mtls-operator {US})", ""),
        Certificate(OTHER_CERTIFICATE, "x", ""),
    )
    view = replace(VIEW, without_slot=True, occupants=(ours, theirs), unused=frozenset({CERTIFICATE}))

    _, _, message = told(view, IN_FORCE, ConditionType.QUOTA_AVAILABLE)

    assert f"({CERTIFICATE}, unused: of this installation, and no resource of this cluster relies on it)" in message
    assert f"x ({OTHER_CERTIFICATE})" in message


def test_another_certificate_is_recorded_with_what_it_takes_the_place_of() -> None:
    from_before = Retiring(ONE.fingerprints, MADE.timestamp(), certificate_id=CERTIFICATE)

    recorded = with_certificate(CertificateAuthorityStatus(), OTHER_CERTIFICATE, Ownership.CREATED, TWO, (from_before,))

    assert [each.certificate_id for each in recorded.retiring] == [CERTIFICATE]
    assert recorded.key_identifiers == tuple(TWO.key_identifiers)


def test_an_announcement_can_be_struck() -> None:
    announced = CertificateAuthorityStatus(pending_upload=("ab" * 32,), certificate_id=CERTIFICATE)

    assert without_pending_upload(announced) == CertificateAuthorityStatus(certificate_id=CERTIFICATE)
