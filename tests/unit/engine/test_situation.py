"""What the cluster's resources mean for each other."""

from __future__ import annotations

import pytest

from mtls_operator.api.host_binding import HostBindingStatus
from mtls_operator.domain.observed import CertificateId
from tests.unit.domain.binding_records import ACCOUNT, CERTIFICATE, OTHER_CERTIFICATE, authority, binding, metadata
from tests.unit.engine.fixed_clock import FixedClock
from tests.unit.engine.situations import situation_of

OLD, NEW = CERTIFICATE, OTHER_CERTIFICATE
CONFLICTED = {
    "type": "Associated",
    "status": "False",
    "reason": "Conflicted",
    "message": "",
    "observedGeneration": 3,
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}
WIDENING_SIDE_BY_SIDE = {
    "certificateId": NEW,
    "fingerprints": ["b" * 64],
    "rotation": {"phase": "Widening", "target": ["b" * 64], "startedAt": "2026-01-01T00:00:00Z"},
    "retiring": [
        {"certificateId": OLD, "fingerprints": ["a" * 64], "retireAfter": "2026-01-02T00:00:00Z", "provisional": True}
    ],
}


@pytest.mark.parametrize(("state", "behind"), [("Moving", ["binding"]), ("Enforced", [])])
def test_a_rotation_waits_for_what_a_binding_has_and_not_for_what_somebody_else_has(
    state: str, behind: list[str]
) -> None:
    hostnames = [{"name": "api.example.com", "state": state}, {"name": "pay.example.com", "state": "Conflicted"}]
    status = HostBindingStatus.model_validate({"conditions": [CONFLICTED], "hostnames": hostnames})
    owned = {OLD: ["api.example.com"], NEW: ["api.example.com"]}
    ca = authority(status=WIDENING_SIDE_BY_SIDE)
    situation = situation_of(
        FixedClock(),
        [ca],
        [binding("binding", "api.example.com", "pay.example.com", status=status, managed=owned)],
    )

    assert [each.key.name for each in situation.behind(ca)] == behind


@pytest.mark.parametrize(
    ("phase", "state", "behind"),
    [("Widening", "Moving", ["binding"]), ("Widening", "Enforced", []), ("Narrowing", "Moving", [])],
)
def test_an_overlap_does_not_begin_while_a_binding_says_that_another_installation_refuses_the_new_ca(
    phase: str, state: str, behind: list[str]
) -> None:
    rotation = {"phase": phase, "target": ["b" * 64], "startedAt": "2026-01-01T00:00:00Z"}
    bundle = {**WIDENING_SIDE_BY_SIDE, "fingerprints": ["a" * 64, "b" * 64], "rotation": rotation}
    status = HostBindingStatus.model_validate({"hostnames": [{"name": "api.example.com", "state": state}]})
    ca = authority(status=bundle)
    situation = situation_of(
        FixedClock(), [ca], [binding("binding", "api.example.com", status=status, managed={NEW: ["api.example.com"]})]
    )

    assert [each.key.name for each in situation.behind(ca)] == behind


@pytest.mark.parametrize("phase", ["Widening", "Overlap", "Narrowing"])
def test_a_binding_that_lost_its_status_may_be_on_any_object_of_its_ca(phase: str) -> None:
    rotation = {"phase": phase, "target": ["b" * 64], "startedAt": "2026-01-01T00:00:00Z"}
    ca = authority(status={**WIDENING_SIDE_BY_SIDE, "rotation": rotation})
    of_another_ca = binding("another", spec={"certificateAuthorityRef": {"name": "another"}})
    situation = situation_of(FixedClock(), [ca], [binding("binding"), of_another_ca])

    assert [each.key.name for each in situation.behind(ca)] == ["binding"]
    assert situation.occupied(ca) == {OLD, NEW}


def test_a_binding_that_is_not_admitted_any_more_has_lost_nothing() -> None:
    ca = authority(status=WIDENING_SIDE_BY_SIDE, spec={"allowedBindings": {"hostnames": ["*.example.org"]}})
    situation = situation_of(FixedClock(), [ca], [binding("binding")])

    assert situation.behind(ca) == []


def test_a_binding_that_may_not_have_what_it_names_is_no_user_of_a_ca_that_is_deleted() -> None:
    conflicted = binding("binding", status=HostBindingStatus.model_validate({"conditions": [CONFLICTED]}))
    ca = authority(status=WIDENING_SIDE_BY_SIDE, meta=metadata("ca", deleting=True))

    assert situation_of(FixedClock(), [ca], [conflicted]).users_of(ca) == []
    assert len(situation_of(FixedClock(), [ca], [binding("binding")]).users_of(ca)) == 1


@pytest.mark.parametrize(("certificate", "known"), [(OLD, True), ("cccccccc-0000-4000-8000-000000000000", False)])
def test_the_issuers_of_a_cluster_are_known_where_every_binding_is_on_an_object_of_a_ca(
    certificate: str, known: bool
) -> None:
    ca = authority(status={"certificateId": OLD, "keyIdentifiers": ["AA01"]})
    situation = situation_of(
        FixedClock(), [ca], [binding("b", "a.example.com", managed={CertificateId(certificate): ["a.example.com"]})]
    )

    assert situation.issuers() == (frozenset({"AA01"}) if known else None)


@pytest.mark.parametrize(
    ("recorded", "reason"), [(ACCOUNT, "Resolved"), ("9" * 32, "ZoneNotInAccount"), (None, "Resolved")]
)
def test_the_account_of_a_recorded_zone_is_the_recorded_one(recorded: str | None, reason: str) -> None:
    status = HostBindingStatus(zone_id="f" * 32, zone_name="example.com", account_id=recorded)
    ours = binding("binding", status=status, managed={OLD: ["api.example.com"]})
    situation = situation_of(
        FixedClock(), [authority(status={"certificateId": OLD, "keyIdentifiers": ["AA01"]})], [ours]
    )

    assert situation.assess(ours).resolved.reason == reason


@pytest.mark.parametrize("lost", [True, False], ids=["CA's status lost", "CA not held"])
def test_who_refers_to_a_deleted_ca_that_lost_its_status_uses_it_unless_it_has_nothing(lost: bool) -> None:
    ca = authority(meta=metadata("ca", deleting=True, finalizer=lost))
    elsewhere = {"certificateAuthorityRef": {"name": "another"}}
    bindings = [
        binding("has", managed={OLD: ["api.example.com"]}),
        binding("forgot", "b.example.com"),
        binding("comes", "c.example.com", meta=metadata("comes", finalizer=False)),
        binding("goes", "d.example.com", meta=metadata("goes", deleting=True)),
        binding("elsewhere", "e.example.com", spec=elsewhere, managed={NEW: ["e.example.com"]}),
    ]
    users = situation_of(FixedClock(), [ca], bindings).users_of(ca)

    assert [each.key.name for each in users] == (["forgot", "has"] if lost else [])
