"""The status of a binding: conditions from verdicts and from where its hostnames stand, and what is kept meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mtls_operator.api.conditions import Condition, ConditionType, find
from mtls_operator.api.host_binding import HostBindingStatus, HostnameStatus, ManagedHostnames
from mtls_operator.api.policies import Action
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.binding_assessment import BindingAssessment
from mtls_operator.domain.binding_status import binding_status, with_managed
from mtls_operator.domain.binding_view import BindingView
from mtls_operator.domain.records import BindingRecord, ResourceKey
from mtls_operator.domain.sources import CredentialKey, SourceKey, SourceKind
from mtls_operator.domain.verdicts import Verdict, blocked, ok, waiting
from mtls_operator.domain.zone_progress import HostProgress, HostStage
from tests.unit.domain.binding_records import CERTIFICATE, OTHER_CERTIFICATE, binding, metadata

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
UNTIL = datetime(2026, 3, 1, 12, 1, 30, tzinfo=UTC).timestamp()
LATER = datetime(2026, 3, 1, 12, 5, tzinfo=UTC).timestamp()
API, WWW = "api.example.com", "www.example.com"
TOKEN = CredentialKey(SourceKey(SourceKind.SECRET, "system", "token"), "token")
WELL = BindingAssessment(ok(Reason.ACCEPTED, "served"), ok(Reason.RESOLVED, "found"), TOKEN)
REFUSED = BindingAssessment(blocked(Reason.INVALID_SPEC, "no good."), waiting(Reason.PROGRESSING, "not looked at"))
OUTAGE = waiting(Reason.CLOUDFLARE_UNAVAILABLE, "Cloudflare does not answer.")
OTHER = "MtlsHostBinding web/older"
TWO = binding("binding", API, WWW)
Stages = Mapping[str, HostStage | HostProgress]


def view(
    stages: Stages | None = None, *, assessment: BindingAssessment = WELL, trouble: Verdict | None = None
) -> BindingView:
    """A view in which hostnames stand somewhere, without a time or with one."""
    progress = {
        name: stage if isinstance(stage, HostProgress) else HostProgress(stage)
        for name, stage in (stages or {}).items()
    }
    return BindingView(assessment, progress, trouble=trouble)


def both(stage: HostStage) -> dict[str, HostStage]:
    return {API: stage, WWW: stage}


def condition(conditions: Sequence[Condition], kind: ConditionType) -> tuple[str, str, str]:
    found = find(conditions, kind)
    assert found is not None
    return found.status, found.reason, found.message


def conditions(seen: BindingView, record: BindingRecord = TWO) -> tuple[Condition, ...]:
    return binding_status(record, seen, NOW).conditions


def known_before(record: BindingRecord, seen: BindingView) -> BindingRecord:
    """The record with the status that the view gives."""
    return replace(record, status=binding_status(record, seen, NOW))


def test_a_binding_whose_hostnames_are_all_enforced_is_ready() -> None:
    found = conditions(view(both(HostStage.ENFORCED)))

    assert condition(found, ConditionType.READY)[:2] == ("True", "Reconciled")


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        (both(HostStage.ENFORCED), ("True", "Associated", "2 hostname(s) associated, seen back and settled")),
        (both(HostStage.ASSOCIATED), ("True", "Associated", "2 hostname(s) associated, seen back and settled")),
        (
            {API: HostStage.ENFORCED, WWW: HostProgress(HostStage.ARRIVING, UNTIL)},
            ("False", "Arriving", f"claimed and settling: {WWW} (until 2026-03-01T12:01:30Z at least)"),
        ),
        (
            {WWW: HostProgress(HostStage.ARRIVING, UNTIL), API: HostProgress(HostStage.ARRIVING, LATER)},
            ("False", "Arriving", f"claimed and settling: {API}, {WWW} (until 2026-03-01T12:05:00Z at least)"),
        ),
        (both(HostStage.ARRIVING), ("False", "Arriving", f"claimed and settling: {API}, {WWW}")),
        (both(HostStage.PENDING), ("Unknown", "Progressing", "not associated yet")),
        ({API: HostStage.ENFORCED}, ("Unknown", "Progressing", "not associated yet")),
        ({}, ("Unknown", "Progressing", "not associated yet")),
        (
            {**both(HostStage.ENFORCED), "old.example.com": HostProgress(HostStage.LEAVING, UNTIL)},
            ("False", "Leaving", "being given up: old.example.com (until 2026-03-01T12:01:30Z at least)"),
        ),
        (
            {API: HostStage.ARRIVING, "old.example.com": HostStage.LEAVING},
            ("False", "Leaving", "being given up: old.example.com"),
        ),
    ],
    ids=[
        "enforced",
        "associated",
        "one arrives",
        "both arrive",
        "arriving without a time",
        "pending",
        "one is not known",
        "none is known",
        "one leaves",
        "one arrives and one leaves",
    ],
)
def test_associated_says_where_the_hostnames_stand(stages: Stages, told: tuple[str, str, str]) -> None:
    assert condition(conditions(view(stages)), ConditionType.ASSOCIATED) == told


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        (both(HostStage.ENFORCED), ("True", "Enforced", "2 hostname(s) covered by an enabled rule")),
        (
            {API: HostStage.ENFORCED, WWW: HostProgress(HostStage.ARRIVING, UNTIL)},
            (
                "False",
                "Arriving",
                f"the rule follows when the association has settled: {WWW} (until 2026-03-01T12:01:30Z at least)",
            ),
        ),
        (both(HostStage.ASSOCIATED), ("Unknown", "Progressing", "not covered by a rule yet")),
        ({}, ("Unknown", "Progressing", "not covered by a rule yet")),
    ],
    ids=["enforced", "one arrives", "associated", "none is known"],
)
def test_enforced_says_whether_a_rule_covers_every_hostname(stages: Stages, told: tuple[str, str, str]) -> None:
    assert condition(conditions(view(stages)), ConditionType.ENFORCED) == told


def test_revoked_certificates_that_do_not_fit_are_counted() -> None:
    stages = {API: HostProgress(HostStage.ENFORCED, unrevoked=7), WWW: HostProgress(HostStage.ENFORCED, unrevoked=3)}

    found = conditions(view(stages))

    status, reason, message = condition(found, ConditionType.ENFORCED)
    assert (status, reason) == ("True", "RevocationIncomplete")
    assert "7 revoked certificate(s) get through" in message
    assert condition(found, ConditionType.READY)[0] == "True"


def test_revoked_certificates_that_do_not_fit_are_counted_where_no_issuer_is_pinned_too() -> None:
    stages: Stages = {API: HostProgress(HostStage.ENFORCED, unrevoked=7), WWW: HostStage.ENFORCED}
    unpinned = binding("binding", API, WWW, spec={"enforcement": {"issuerPinning": "Never"}})

    found = conditions(view(stages), unpinned)

    _, reason, message = condition(found, ConditionType.ENFORCED)
    assert reason == "IssuerNotPinned"
    assert "7 revoked certificate(s) get through" in message


@pytest.mark.parametrize(("pending", "ready"), [(1, "CloudflareUnavailable"), (0, "Reconciled")])
def test_an_outage_is_told_of_a_binding_that_waits_for_revoked_certificates(pending: int, ready: str) -> None:
    stages = {name: HostProgress(HostStage.ENFORCED, to_revoke=pending) for name in (API, WWW)}

    assert condition(conditions(view(stages, trouble=OUTAGE)), ConditionType.READY)[1] == ready


def test_a_zone_without_a_rule_left_is_said_by_enforced_until_all_is_covered() -> None:
    full = waiting(Reason.QUOTA_EXHAUSTED, "no rule left")

    assert condition(conditions(view(both(HostStage.ASSOCIATED), trouble=full)), ConditionType.ENFORCED) == (
        "False",
        "QuotaExhausted",
        "no rule left",
    )
    assert condition(conditions(view(both(HostStage.ENFORCED), trouble=full)), ConditionType.ENFORCED)[0] == "True"


def test_a_hostname_that_somebody_else_has_is_a_conflict_that_names_who() -> None:
    lost = {WWW: OTHER, API: "installation first"}

    found = conditions(replace(view(both(HostStage.ARRIVING)), lost=lost))

    told = (
        "Conflicted",
        "held by somebody else with another CA or enforcement: api.example.com (installation first),"
        " www.example.com (MtlsHostBinding web/older)",
    )
    assert condition(found, ConditionType.ASSOCIATED) == ("False", *told)
    assert condition(found, ConditionType.STALLED) == ("True", *told)


def test_verdicts_become_the_conditions_accepted_and_resolved() -> None:
    found = conditions(view(assessment=REFUSED))

    assert condition(found, ConditionType.ACCEPTED) == ("False", "InvalidSpec", "no good.")
    assert condition(found, ConditionType.RESOLVED_REFS) == ("Unknown", "Progressing", "not looked at")
    assert condition(found, ConditionType.READY) == ("False", "InvalidSpec", "no good.")


@pytest.mark.parametrize(
    ("stages", "reason"),
    [
        (both(HostStage.ENFORCED), "Reconciled"),
        (both(HostStage.ASSOCIATED), "CloudflareUnavailable"),
        (both(HostStage.ARRIVING), "CloudflareUnavailable"),
        ({**both(HostStage.ENFORCED), "old.example.com": HostStage.LEAVING}, "CloudflareUnavailable"),
    ],
    ids=["all is in force", "not enforced", "arriving", "leaving"],
)
def test_an_outage_is_told_only_of_a_binding_that_waits_for_something(stages: Stages, reason: str) -> None:
    assert condition(conditions(view(stages, trouble=OUTAGE)), ConditionType.READY)[1] == reason


BLOCKED = (
    " Retried until it succeeds; annotate with apishield-mtls.io/force-orphan=true to let go and leave what is at"
    " Cloudflare behind."
)


@pytest.mark.parametrize(
    ("seen", "managed", "told"),
    [
        (
            view({API: HostProgress(HostStage.LEAVING, UNTIL)}),
            [API],
            ("Deleting", f"being removed: {API} (until 2026-03-01T12:01:30Z at least)"),
        ),
        (
            view({API: HostProgress(HostStage.LEAVING, UNTIL, heir=ResourceKey("shop", "three"))}),
            [API],
            (
                "DeletionBlocked",
                "another binding gets these hostnames with another CA, and both CAs are accepted until"
                f" 2026-03-01T12:01:30Z: {API} (to shop/three). Shorten spec.rotation.overlap of the other CA to end"
                " that sooner.",
            ),
        ),
        (view(), [], ("Deleting", "being removed: nothing left")),
        (
            view({API: HostStage.LEAVING}, trouble=OUTAGE),
            [API],
            ("DeletionBlocked", "Cloudflare does not answer." + BLOCKED),
        ),
        (
            view({API: HostStage.LEAVING}, assessment=REFUSED),
            [API],
            ("DeletionBlocked", "no good." + BLOCKED),
        ),
        (
            view({API: HostStage.LEAVING}, assessment=replace(REFUSED, credential=TOKEN)),
            [API],
            ("Deleting", f"being removed: {API}"),
        ),
        (view(assessment=REFUSED, trouble=OUTAGE), [], ("Deleting", "being removed: nothing left")),
    ],
    ids=[
        "leaving",
        "another binding gets it",
        "nothing left",
        "outage",
        "refused, and no token is known",
        "refused, with a token",
        "nothing is owned",
    ],
)
def test_a_deletion_says_what_it_waits_for(seen: BindingView, managed: Sequence[str], told: tuple[str, str]) -> None:
    owned = {CERTIFICATE: managed}
    record = binding("binding", API, managed=owned, meta=metadata("binding", deleting=True))

    found = conditions(seen, record)

    ready = find(found, ConditionType.READY)
    assert ready is not None
    assert (ready.reason, ready.message) == told


@pytest.mark.parametrize(
    ("wanted", "progress", "told"),
    [
        ("Block", HostProgress(HostStage.LOGGED), "Log"),
        ("Block", HostProgress(HostStage.MOVING, meanwhile=Action.LOG), "Log"),
        ("Log", HostProgress(HostStage.ENFORCED), "Block"),
        ("None", HostProgress(HostStage.MOVING, meanwhile=Action.BLOCK), "Block"),
    ],
)
def test_what_a_rule_does_that_is_not_what_the_spec_asks_for_is_not_said_to_be_that(
    wanted: str, progress: HostProgress, told: str
) -> None:
    record = binding("binding", API, spec={"enforcement": {"action": wanted}})

    assert condition(conditions(view({API: progress}), record), ConditionType.ENFORCED) == (
        "Unknown",
        "Progressing",
        f"spec.enforcement.action is {wanted}, and rules with another one cover still: {API} ({told})",
    )


def test_what_a_hostname_waits_for_is_said_of_associated_also_where_nothing_is_blocked() -> None:
    others = view({API: HostProgress(HostStage.LOGGED, waits_for=("east", "west")), WWW: HostStage.LOGGED})
    cramped = view({API: HostProgress(HostStage.MOVING, cramped=True, meanwhile=Action.BLOCK), WWW: HostStage.ENFORCED})

    told = [find(conditions(each, TWO), ConditionType.ASSOCIATED) for each in (others, cramped)]

    assert [each and each.reason for each in told] == ["WaitingForOthers", "Rotating"]
    assert told[0] is not None
    assert told[0].message.startswith("installation east, installation west must accept the same CAs")
    assert told[0].message.endswith(f": {API}.")
    assert told[1] is not None
    assert told[1].message.startswith(
        "no rule has room for the issuers that are in force and for those that are wanted"
    )
    assert f"stays: {API}. Name fewer" in told[1].message


def test_hostnames_are_told_one_by_one_sorted_also_those_that_leave() -> None:
    seen = view({WWW: HostProgress(HostStage.ARRIVING, UNTIL), "old.example.com": HostStage.LEAVING})

    assert binding_status(TWO, seen, NOW).hostnames == (
        HostnameStatus(name=API, state="Pending"),
        HostnameStatus(name="old.example.com", state="Leaving"),
        HostnameStatus(name=WWW, state="Arriving", message="until 2026-03-01T12:01:30Z at least"),
    )


def test_a_lost_hostname_says_who_has_it() -> None:
    seen = replace(view(both(HostStage.ENFORCED)), lost={WWW: OTHER})

    assert binding_status(TWO, seen, NOW).hostnames == (
        HostnameStatus(name=API, state="Enforced"),
        HostnameStatus(name=WWW, state="Conflicted", message="held by MtlsHostBinding web/older"),
    )


def test_hostnames_of_a_refused_binding_are_refused_but_for_those_in_force() -> None:
    seen = view({API: HostStage.ENFORCED}, assessment=REFUSED)

    assert binding_status(TWO, seen, NOW).hostnames == (
        HostnameStatus(name=API, state="Enforced"),
        HostnameStatus(name=WWW, state="Refused"),
    )


@pytest.mark.parametrize(
    ("stages", "ready"),
    [(both(HostStage.ENFORCED), "2/2"), ({API: HostStage.ENFORCED}, "1/2"), ({}, "0/2")],
    ids=["all", "one", "none"],
)
def test_hostnames_in_the_wanted_state_are_counted(stages: Stages, ready: str) -> None:
    assert binding_status(TWO, view(stages), NOW).hostnames_ready == ready


def test_a_status_answers_the_generation() -> None:
    assert binding_status(binding(meta=metadata("binding", generation=7)), view(), NOW).observed_generation == 7


def test_the_values_in_force_are_written_also_where_the_spec_is_silent() -> None:
    effective = binding_status(TWO, view(), NOW).effective

    assert effective is not None
    assert (effective.enforcement.action, effective.certificate_authority_namespace) == ("Block", "apps")


@pytest.mark.parametrize(
    "seen",
    [view(), view(both(HostStage.ENFORCED)), view(assessment=REFUSED), replace(view(), lost={API: OTHER})],
    ids=["nothing known", "enforced", "refused", "conflict"],
)
def test_equal_facts_later_give_an_equal_status(seen: BindingView) -> None:
    first = known_before(TWO, seen)

    assert binding_status(first, seen, NOW + timedelta(days=1)) == first.status


def test_what_is_owned_is_left_alone() -> None:
    record = binding("binding", API, managed={CERTIFICATE: [API]})

    assert binding_status(record, view(), NOW).managed == record.status.managed


def test_what_is_owned_is_recorded_sorted_and_without_empty_entries() -> None:
    managed = {
        OTHER_CERTIFICATE: frozenset({WWW, API}),
        CERTIFICATE: frozenset({WWW}),
    }

    assert with_managed(HostBindingStatus(), managed).managed == (
        ManagedHostnames(certificate_id=CERTIFICATE, hostnames=(WWW,)),
        ManagedHostnames(certificate_id=OTHER_CERTIFICATE, hostnames=(API, WWW)),
    )
    assert with_managed(HostBindingStatus(), {CERTIFICATE: frozenset()}).managed == ()


def test_a_rule_that_pins_no_issuers_yet_is_not_said_to_pin_them() -> None:
    seen = view({API: HostProgress(HostStage.ENFORCED, unpinned=True), WWW: HostStage.ENFORCED})

    status, reason, message = condition(conditions(seen), ConditionType.ENFORCED)

    assert (status, reason) == ("True", "IssuerNotPinned")
    assert message.endswith("that ends when what the spec asks for now can be put in force")
