"""Bindings of a zone by the token that acts for them."""

from __future__ import annotations

from mtls_operator.domain.marks import Installation
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.zone_plan import ZonePlan
from mtls_operator.domain.zone_stakes import Desired, Stake, Target
from mtls_operator.engine.parties import Party, barred_by
from tests.unit.domain.binding_records import CERTIFICATE, OTHER_CERTIFICATE

API, WEB = "api.example.com", "www.example.com"


def test_barred_is_what_another_installation_has_otherwise_whether_it_is_brought_in_or_moved() -> None:
    stake = Stake(ResourceKey("apps", "one"), wants=dict.fromkeys([API, WEB], Target(CERTIFICATE)))
    party = Party(None, Desired(Installation("us", "uid"), stakes=(stake,)))
    plan = ZonePlan((), None, {}, contradicted={API: "them"}, unwelcome=frozenset({(OTHER_CERTIFICATE, WEB)}))

    assert barred_by([(party, plan)]) == {(CERTIFICATE, API), (OTHER_CERTIFICATE, WEB)}
