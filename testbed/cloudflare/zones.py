"""Zones: look-up by name and by id."""

from __future__ import annotations

from testbed.cloudflare.access import allows
from testbed.cloudflare.calls import Call, Outcome, page_of
from testbed.cloudflare.envelope import timestamp
from testbed.cloudflare.state import State, Zone

_CREATED = 1_577_836_800.0  # 2020: no zone of a test is younger than its certificates


def list_zones(call: Call) -> Outcome:
    """GET /zones: only those that the token may read, so an empty answer proves nothing about existence."""
    wanted = {
        "name": call.request.parameter("name"),
        "account.id": call.request.parameter("account.id"),
        "status": call.request.parameter("status"),
    }
    visible = [
        zone_json(call.truth, zone)
        for zone in sorted(call.truth.zones.values(), key=lambda zone: zone.name)
        if allows(call.token, call.truth, "zone:read", zone.id) and _matches(zone, wanted)
    ]
    page, info = page_of(call, visible, default=20, largest=50)
    return Outcome(page, info=info)


def get_zone(call: Call) -> Outcome:
    """GET /zones/{zone_id}."""
    return Outcome(zone_json(call.truth, call.zone))


def zone_json(state: State, zone: Zone) -> object:
    """A zone as the API shows it."""
    account = state.accounts[zone.account_id]
    return {
        "id": zone.id,
        "name": zone.name,
        "status": zone.status,
        "paused": False,
        "type": "full",
        "development_mode": 0,
        "name_servers": ["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"],
        "original_name_servers": None,
        "original_registrar": None,
        "original_dnshost": None,
        "created_on": timestamp(_CREATED),
        "modified_on": timestamp(_CREATED),
        "activated_on": timestamp(_CREATED),
        "meta": {"step": 2, "custom_certificate_quota": 1, "page_rule_quota": 3, "phishing_detected": False},
        "owner": {"id": None, "type": "organization", "name": account.name},
        "account": {"id": account.id, "name": account.name},
        "plan": {"id": zone.plan, "name": f"{zone.plan.capitalize()} Website", "legacy_id": zone.plan},
    }


def _matches(zone: Zone, wanted: dict[str, str | None]) -> bool:
    facts = {"name": zone.name, "account.id": zone.account_id, "status": zone.status}
    return all(value is None or facts[name] == value for name, value in wanted.items())
