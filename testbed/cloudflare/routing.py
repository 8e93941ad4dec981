"""The endpoints: method and path, the permission that each needs, and the function that answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from testbed.cloudflare import (
    access,
    access_rules,
    associations,
    dns_records,
    mtls_certificates,
    rulesets,
    zones,
)
from testbed.cloudflare.calls import Endpoint
from testbed.cloudflare.envelope import RefusalError
from testbed.cloudflare.identifiers import HEX, UUID

BASE = "/client/v4"

_FORMS: Mapping[str, re.Pattern[str]] = {
    "account_id": HEX,
    "zone_id": HEX,
    "ruleset_id": HEX,
    "rule_id": HEX,
    "certificate_id": UUID,
    "phase": re.compile(r"[a-z0-9_]+"),
}


@dataclass(frozen=True, slots=True)
class Route:
    """`permission` is looked up for the account or zone of the path; None: any usable token."""

    method: str
    pattern: str
    permission: str | None
    endpoint: Endpoint

    @property
    def verifies(self) -> bool:
        """Whether this is a token asking about itself, which also expired and fresh tokens may."""
        return self.pattern.endswith("/tokens/verify")


_CERTIFICATES = "/accounts/{account_id}/mtls_certificates"
_CERTIFICATE = f"{_CERTIFICATES}/{{certificate_id}}"
_LISTS = "/zones/{zone_id}/certificate_authorities/hostname_associations"
_ENTRY_POINT = "/zones/{zone_id}/rulesets/phases/{phase}/entrypoint"
_RULESET = "/zones/{zone_id}/rulesets/{ruleset_id}"
_RULE = f"{_RULESET}/rules/{{rule_id}}"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/user/tokens/verify", None, access.verify_user_token),
    Route("GET", "/accounts/{account_id}/tokens/verify", None, access.verify_account_token),
    Route("GET", "/zones", None, zones.list_zones),
    Route("GET", "/zones/{zone_id}", "zone:read", zones.get_zone),
    Route("POST", _CERTIFICATES, "ssl_certs:edit", mtls_certificates.upload_certificate),
    Route("GET", _CERTIFICATES, "ssl_certs:read", mtls_certificates.list_certificates),
    Route("GET", _CERTIFICATE, "ssl_certs:read", mtls_certificates.get_certificate),
    Route("DELETE", _CERTIFICATE, "ssl_certs:edit", mtls_certificates.delete_certificate),
    Route("GET", f"{_CERTIFICATE}/associations", "ssl_certs:read", mtls_certificates.list_uses),
    Route("GET", _LISTS, "zone_ssl:read", associations.get_hostnames),
    Route("PUT", _LISTS, "zone_ssl:edit", associations.put_hostnames),
    Route("GET", _ENTRY_POINT, "waf:read", rulesets.get_entry_point),
    Route("PUT", _ENTRY_POINT, "waf:edit", rulesets.put_entry_point),
    Route("POST", "/zones/{zone_id}/rulesets", "waf:edit", rulesets.create_ruleset),
    Route("GET", _RULESET, "waf:read", rulesets.get_ruleset),
    Route("POST", f"{_RULESET}/rules", "waf:edit", rulesets.create_rule),
    Route("PATCH", _RULE, "waf:edit", rulesets.edit_rule),
    Route("DELETE", _RULE, "waf:edit", rulesets.delete_rule),
    Route("GET", "/zones/{zone_id}/firewall/access_rules/rules", "firewall:read", access_rules.list_zone_rules),
    Route(
        "GET",
        "/accounts/{account_id}/firewall/access_rules/rules",
        "account_firewall:read",
        access_rules.list_account_rules,
    ),
    Route("GET", "/zones/{zone_id}/dns_records", "dns:read", dns_records.list_records),
)


@lru_cache(maxsize=4096)
def find_route(method: str, path: str) -> tuple[Route, Mapping[str, str]]:
    """The route and the ids of its path.

    Raises RefusalError for a path that does not exist, an id of the wrong form, or a method that a path does not have.
    """
    found = [(route, place) for route in ROUTES if (place := _match(route.pattern, path)) is not None]
    if not found:
        raise RefusalError(404, 7000, "No route for that URI")
    for name, value in found[0][1].items():
        if not _FORMS[name].fullmatch(value):
            raise no_such_object(path)
    for route, place in found:
        if route.method == method:
            return route, place
    raise RefusalError(405, 10405, "Method not allowed for this authentication scheme")


def no_such_object(path: str) -> RefusalError:
    """What Cloudflare says of an id that is malformed or of a zone or account that does not exist."""
    message = f"Could not route to {path.removeprefix(BASE)}, perhaps your object identifier is invalid?"
    return RefusalError(404, 7003, message)


def _match(pattern: str, path: str) -> Mapping[str, str] | None:
    parts, given = f"{BASE}{pattern}".split("/"), path.split("/")
    if len(parts) != len(given):
        return None
    place: dict[str, str] = {}
    for part, value in zip(parts, given, strict=True):
        if part.startswith("{"):
            place[part[1:-1]] = value
        elif part != value:
            return None
    return place
