"""IP Access rules: GET /zones/{zone_id}/firewall/access_rules/rules, and the same of an account.

The list of a zone also holds those of its account (observed: cf-terraforming #201). Pages: 20 rules unless `per_page`
says otherwise, which is 1 or a multiple of 5 (Cloudflare's API reference). Of the filters there are `mode`,
`configuration.target`, `configuration.value` and `notes`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_network

from testbed.cloudflare.calls import Call, Outcome, page_of
from testbed.cloudflare.envelope import RefusalError, timestamp
from testbed.cloudflare.settings import Kind
from testbed.cloudflare.state import AccessRule, State

MODES = ("whitelist", "block", "challenge", "js_challenge", "managed_challenge")
TARGETS = ("ip", "ip6", "ip_range", "asn", "country")
_ASN = re.compile(r"AS[0-9]+")
_COUNTRY = re.compile(r"[A-Z][A-Z0-9]")
_CREATED = 1_577_836_800.0
_LARGEST_PAGE = 1000


def list_zone_rules(call: Call) -> Outcome:
    """GET /zones/{zone_id}/firewall/access_rules/rules: the zone's own and its account's."""
    seen, zone = call.seen(Kind.ACCESS_RULES), call.zone
    own = [_shown(rule, {"id": zone.id, "name": zone.name, "type": "zone"}) for rule in _rules(seen, zone.id)]
    return _page(call, [*own, *_of_account(seen, zone.account_id)])


def list_account_rules(call: Call) -> Outcome:
    """GET /accounts/{account_id}/firewall/access_rules/rules."""
    return _page(call, _of_account(call.seen(Kind.ACCESS_RULES), call.account.id))


def configuration(target: str) -> dict[str, str]:
    """What a rule matches, as the API shows it.

    Raises ValueError for what is no address, network, AS number or country.
    """
    if _ASN.fullmatch(target):
        return {"target": "asn", "value": target}
    if _COUNTRY.fullmatch(target):
        return {"target": "country", "value": target}
    network = ip_network(target)
    if network.num_addresses > 1:
        return {"target": "ip_range", "value": str(network)}
    return {"target": "ip" if network.version == 4 else "ip6", "value": str(network.network_address)}


def _rules(state: State, scope_id: str) -> Iterable[AccessRule]:
    return state.access_rules.get(scope_id, ())


def _of_account(state: State, account_id: str) -> list[dict[str, object]]:
    scope = {"id": account_id, "name": state.accounts[account_id].name, "type": "organization"}
    return [_shown(rule, scope) for rule in _rules(state, account_id)]


def _shown(rule: AccessRule, scope: dict[str, str]) -> dict[str, object]:
    return {
        "id": rule.id,
        "paused": False,
        "modified_on": timestamp(_CREATED),
        "created_on": timestamp(_CREATED),
        "allowed_modes": list(MODES),
        "mode": rule.mode,
        "notes": rule.notes,
        "configuration": configuration(rule.target),
        "scope": scope,
    }


def _page(call: Call, rules: list[dict[str, object]]) -> Outcome:
    mode = _choice(call, "mode", MODES)
    target = _choice(call, "configuration.target", TARGETS)
    value, notes = call.request.parameter("configuration.value"), call.request.parameter("notes")
    chosen: list[object] = [
        rule
        for rule in rules
        if (mode is None or rule["mode"] == mode)
        and _is_configured(rule["configuration"], target, value)
        and (notes is None or notes.lower() in str(rule["notes"]).lower())
    ]
    size = call.request.parameter("per_page")
    if size is not None and (not size.isdecimal() or (size != "1" and int(size) % 5)):
        raise RefusalError(400, 10001, "per_page must be 1 or a multiple of 5")
    page, info = page_of(call, chosen, default=20, largest=_LARGEST_PAGE)
    return Outcome(page, info=info)


def _is_configured(shown: object, target: str | None, value: str | None) -> bool:
    wanted = {"target": target, "value": value}
    facts = shown if isinstance(shown, dict) else {}
    return all(each is None or facts[name] == each for name, each in wanted.items())


def _choice(call: Call, name: str, choices: tuple[str, ...]) -> str | None:
    given = call.request.parameter(name)
    if given is not None and given not in choices:
        raise RefusalError(400, 10001, f"{name} must be one of {', '.join(choices)}")
    return given
