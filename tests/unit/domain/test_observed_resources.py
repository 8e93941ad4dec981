"""Resources with `managementPolicy: Observe`: what is planned for them, what is said of them, and how they go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mtls_operator.api.certificate_authority import CertificateAuthorityStatus
from mtls_operator.api.conditions import ConditionType, find
from mtls_operator.api.host_binding import HostBindingStatus
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.account_demands import Demand
from mtls_operator.domain.account_foresight import foresee
from mtls_operator.domain.account_knowledge import AccountKnowledge
from mtls_operator.domain.account_plan import AccountPlan
from mtls_operator.domain.account_steps import DeleteCertificate
from mtls_operator.domain.authority_assessment import AuthorityAssessment
from mtls_operator.domain.authority_status import AuthorityView, authority_status
from mtls_operator.domain.binding_assessment import BindingAssessment
from mtls_operator.domain.binding_status import binding_status
from mtls_operator.domain.binding_view import BindingView
from mtls_operator.domain.handling import is_idle, is_observed, retaining_field
from mtls_operator.domain.verdicts import Verdict, blocked, ok, waiting
from mtls_operator.domain.zone_places import Timing
from mtls_operator.domain.zone_progress import HostProgress, HostStage
from tests.unit.domain.account_demands import (
    CA,
    DELETED,
    HAS_ONE,
    LET_GO,
    NOW,
    ONE,
    OTHERS,
    READ,
    STARTED,
    TWIN,
    TWO,
    US,
    WANTED,
    WINDOW,
    listed,
    plan,
    sent,
    steps,
    uploaded,
)
from tests.unit.domain.binding_records import CERTIFICATE, OTHER_CERTIFICATE, authority, binding, metadata

MOMENT = datetime(2026, 3, 1, tzinfo=UTC)
OBSERVE: Mapping[str, object] = {"managementPolicy": "Observe"}
API = "api.example.com"
FINE = ok(Reason.ACCEPTED, "")
MISSING = waiting(Reason.CERTIFICATE_AUTHORITY_MISSING, "there is no MtlsCertificateAuthority apps/ca")
REFUSED = blocked(Reason.HOSTNAME_NOT_IN_ZONE, "not inside zone")
OUTAGE = waiting(Reason.CLOUDFLARE_UNAVAILABLE, "Cloudflare does not answer.")
OBSERVED = replace(WANTED, observed=True, idle=True, has_finalizer=False)
IN_FORCE = {API: HostProgress(HostStage.ENFORCED)}
UNMARKED = uploaded(owner=None)

# The account


def test_an_observed_ca_is_looked_at_and_nothing_else() -> None:
    assert plan(OBSERVED) == AccountPlan(READ, None)
    assert plan(OBSERVED, known=listed(begun=NOW - 299)) == AccountPlan((), None)
    assert plan(OBSERVED, known=listed(begun=NOW - 301)) == AccountPlan(READ, None)


def test_an_observed_ca_that_is_deleted_leaves_its_certificate() -> None:
    assert steps(replace(DELETED, observed=False, retains=True), known=listed(uploaded())) == LET_GO


def lines(
    demand: Demand = OBSERVED, *others: Demand, known: AccountKnowledge | None = None, limit: int = 5
) -> Sequence[str] | None:
    timing = Timing(window=WINDOW, settle=WINDOW)
    return foresee(demand, others, listed() if known is None else known, timing, limit=limit, owner=US)


def test_under_an_owner_id_that_is_used_twice_nothing_would_be_written() -> None:
    assert lines(replace(OBSERVED, halted=True)) == ("write nothing: another cluster uses our ownerId",)


def test_nothing_is_foreseen_before_the_account_was_listed() -> None:
    assert lines(known=STARTED) is None


def test_a_missing_certificate_would_be_uploaded_under_its_name() -> None:
    assert lines() == (f"upload 1 CA certificate(s), {ONE.subject}, as {sent(CA, ONE).name}",)


def test_a_changed_source_would_be_rotated_to() -> None:
    changed = replace(OBSERVED, certificate_id=CERTIFICATE, standing=HAS_ONE.standing, bundle=TWO)

    assert lines(changed, known=listed(uploaded())) == (
        "put the CA certificates of the source in force beside those of before, and withdraw these later",
    )


@pytest.mark.parametrize("owner", [US, OTHERS, None])
def test_an_identical_one_would_be_used(owner: str | None) -> None:
    certificate = uploaded(owner=owner)

    assert lines(known=listed(certificate)) == (
        f"use certificate {CERTIFICATE} ({certificate.name}), which holds the same",
    )


def test_an_unmarked_one_would_be_left_alone_by_who_adopts_nothing() -> None:
    (line,) = lines(replace(OBSERVED, adopts=False), known=listed(UNMARKED)) or ()

    assert line.startswith(f"leave certificate {CERTIFICATE} (by hand) alone")


def test_an_account_without_a_free_slot_would_be_waited_for() -> None:
    full = listed(uploaded(TWO, OTHER_CERTIFICATE, owner=None))

    assert lines(known=full, limit=1) == ("wait for a free slot: all 1 of the account are occupied",)


def test_nothing_would_be_done_for_what_is_in_force() -> None:
    assert lines(replace(HAS_ONE, observed=True, idle=True), known=listed(uploaded())) == ()


def test_a_certificate_that_would_go_is_named() -> None:
    certificate = uploaded()

    assert lines(replace(DELETED, observed=True, idle=True), known=listed(certificate)) == (
        f"delete certificate {CERTIFICATE} ({certificate.name})",
    )


def test_what_would_be_done_for_others_is_not_spoken_of() -> None:
    twin = replace(WANTED, authority=TWIN, bundle=TWO)
    deleted = replace(DELETED, authority=TWIN, certificate_id=OTHER_CERTIFICATE)
    known = listed(uploaded(TWO, OTHER_CERTIFICATE))

    assert DeleteCertificate(TWIN, OTHER_CERTIFICATE) in steps(deleted, known=known)
    assert lines(OBSERVED, twin) == lines(OBSERVED, deleted, known=known) == lines()


# What is said


def of_binding(
    view: BindingView, *, before: HostBindingStatus | None = None, deleting: bool = False, managed: bool = False
) -> HostBindingStatus:
    owned = {CERTIFICATE: [API]} if managed else None
    record = binding(spec=OBSERVE, managed=owned, status=before, meta=metadata("binding", deleting=deleting))
    return binding_status(record, view, MOMENT)


def of_authority(
    view: AuthorityView, *, has: bool = False, before: Sequence[str] = (), deleting: bool = False
) -> CertificateAuthorityStatus:
    fields: dict[str, object] = {"plan": list(before)}
    if has:
        fields |= {"certificateId": CERTIFICATE, "fingerprints": sorted(ONE.fingerprints)}
    return authority_status(
        authority(spec=OBSERVE, status=fields, meta=metadata("ca", deleting=deleting)), view, MOMENT
    )


def told(status: HostBindingStatus | CertificateAuthorityStatus) -> dict[str, tuple[str, str]]:
    return {each.type: (each.status, each.reason) for each in status.conditions}


def seen(
    plan: Sequence[str] | None, *, resolved: Verdict = FINE, accepted: Verdict = FINE, trouble: Verdict | None = None
) -> BindingView:
    return BindingView(BindingAssessment(accepted, resolved), {}, plan=plan, trouble=trouble)


def test_an_observed_binding_says_what_would_be_done_and_waits_for_nothing() -> None:
    status = of_binding(seen(["claim it", "associate it"]))

    assert status.plan == ("claim it", "associate it")
    assert told(status) == {
        "Ready": ("False", "Observed"),
        "Accepted": ("True", "Accepted"),
        "ResolvedRefs": ("True", "Accepted"),
        "Associated": ("False", "Observed"),
        "Enforced": ("False", "Observed"),
        "Verified": ("Unknown", "VerificationOff"),
    }
    ready = find(status.conditions, ConditionType.READY)
    assert ready is not None
    assert "2 step(s), the first: claim it" in ready.message


def test_an_observed_binding_for_which_nothing_would_be_done_is_ready() -> None:
    view = BindingView(BindingAssessment(FINE, FINE), IN_FORCE, plan=())

    assert told(of_binding(view, managed=True))["Ready"] == ("True", "Observed")


def test_an_observed_binding_of_which_nothing_is_foreseen_yet_keeps_its_plan() -> None:
    before = HostBindingStatus(plan=("claim it",))

    assert of_binding(seen(None), before=before).plan == ("claim it",)


def test_an_observed_binding_says_what_it_would_wait_for() -> None:
    status = of_binding(seen(None, resolved=MISSING))

    assert status.plan == ("wait: there is no MtlsCertificateAuthority apps/ca",)
    assert told(status)["Ready"] == ("False", "CertificateAuthorityMissing")


def test_what_is_wrong_with_an_observed_binding_is_said_as_always() -> None:
    assert told(of_binding(seen(None, accepted=REFUSED)))["Ready"] == ("False", "HostnameNotInZone")
    assert told(of_binding(seen(None, trouble=OUTAGE)))["Ready"] == ("False", "CloudflareUnavailable")


def test_the_plan_goes_when_the_binding_is_managed_again_or_deleted() -> None:
    before = HostBindingStatus(plan=("claim it",))
    managed = binding_status(binding(status=before), seen(None), MOMENT)

    assert managed.plan == ()
    assert of_binding(seen(["claim it"]), before=before, deleting=True, managed=True).plan == ()


def test_an_observed_binding_that_is_deleted_says_what_it_leaves() -> None:
    status = of_binding(seen(None), deleting=True, managed=True)
    ready = find(status.conditions, ConditionType.READY)

    assert ready is not None
    assert (ready.reason, "spec.managementPolicy is Observe" in ready.message) == ("Deleting", True)


def ca(plan: Sequence[str] | None, *, actionable: bool = True) -> AuthorityView:
    return AuthorityView(AuthorityAssessment(FINE, FINE, None, ONE if actionable else None), plan=plan)


def test_an_observed_ca_says_what_would_be_done_and_waits_for_nothing() -> None:
    status = of_authority(ca(["upload it"]))

    assert status.plan == ("upload it",)
    assert told(status) == {
        "Ready": ("False", "Observed"),
        "Accepted": ("True", "Accepted"),
        "SourceResolved": ("True", "Accepted"),
        "Uploaded": ("False", "Observed"),
        "Rotated": ("False", "Observed"),
        "QuotaAvailable": ("True", "QuotaAvailable"),
    }


def test_an_observed_ca_for_which_nothing_would_be_done_is_ready() -> None:
    assert told(of_authority(ca(()), has=True))["Ready"] == ("True", "Observed")


def test_an_observed_ca_keeps_its_plan_until_it_is_foreseen_anew() -> None:
    assert of_authority(ca(None), before=["upload it"]).plan == ("upload it",)


@pytest.mark.parametrize(("actionable", "deleting"), [(False, False), (True, True)])
def test_a_ca_without_valid_certificates_or_that_is_deleted_has_no_plan(*, actionable: bool, deleting: bool) -> None:
    assert of_authority(ca(["upload it"], actionable=actionable), before=["upload it"], deleting=deleting).plan == ()


@pytest.mark.parametrize(
    ("spec", "observed", "idle", "kept_by"),
    [
        (OBSERVE, True, True, "spec.managementPolicy is Observe"),
        ({**OBSERVE, "suspend": True}, False, True, None),
        ({**OBSERVE, "deletionPolicy": "Retain"}, True, True, "spec.deletionPolicy is Retain"),
        ({"managementPolicy": "Manage"}, False, False, None),
    ],
    ids=str,
)
def test_observed_is_laid_aside_and_suspended_goes_before(
    *, spec: Mapping[str, object], observed: bool, idle: bool, kept_by: str | None
) -> None:
    record = binding(spec=spec)

    assert is_observed(record.spec) is observed
    assert is_idle(record, owns_something=True) is idle
    assert retaining_field(record.spec) == kept_by
