"""The calls that this operator makes to Cloudflare, and the permission each of them needs.

The whole list, so that a reader sees what a token is used for. There is none that replaces a ruleset, and
none that writes hostname associations and could be made without a certificate id: see `client.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SEGMENT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`template` is the path below the base URL with `{placeholders}`; it also labels metrics."""

    method: str
    template: str
    permission: str

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    def path(self, **ids: str) -> str:
        """The path with the ids filled in. Raises ValueError for what cannot be an id.

        An empty or odd id would address something else (`/zones//rulesets`), so it is refused here.
        """

        def fill(placeholder: re.Match[str]) -> str:
            value = ids[placeholder[1]]
            if not _SEGMENT.fullmatch(value):
                raise ValueError(f"{placeholder[1]} {value!r} is not a Cloudflare id")
            return value

        return _PLACEHOLDER.sub(fill, self.template)


_ACCOUNT_READ = "Account / SSL and Certificates: Read"
_ACCOUNT_WRITE = "Account / SSL and Certificates: Edit"
_ZONE_SSL_READ = "Zone / SSL and Certificates: Read"
_ZONE_SSL_WRITE = "Zone / SSL and Certificates: Edit"
_WAF_READ = "Zone / Zone WAF: Read"
_WAF_WRITE = "Zone / Zone WAF: Edit"
_ZONE_READ = "Zone / Zone: Read"
_DNS_READ = "Zone / DNS: Read"
_FIREWALL_READ = "Zone / Firewall Services: Read"
_ACCOUNT_FIREWALL_READ = "Account / Account Firewall Access Rules: Read"

_CERTIFICATES = "/accounts/{account_id}/mtls_certificates"
_ASSOCIATIONS = "/zones/{zone_id}/certificate_authorities/hostname_associations"
_RULES = "/zones/{zone_id}/rulesets/{ruleset_id}/rules"

PHASE = "http_request_firewall_custom"

LIST_CERTIFICATES = Endpoint("GET", _CERTIFICATES, _ACCOUNT_READ)
GET_CERTIFICATE = Endpoint("GET", _CERTIFICATES + "/{certificate_id}", _ACCOUNT_READ)
GET_CERTIFICATE_USES = Endpoint("GET", _CERTIFICATES + "/{certificate_id}/associations", _ACCOUNT_READ)
UPLOAD_CERTIFICATE = Endpoint("POST", _CERTIFICATES, _ACCOUNT_WRITE)
DELETE_CERTIFICATE = Endpoint("DELETE", _CERTIFICATES + "/{certificate_id}", _ACCOUNT_WRITE)

GET_HOSTNAMES = Endpoint("GET", _ASSOCIATIONS, _ZONE_SSL_READ)
PUT_HOSTNAMES = Endpoint("PUT", _ASSOCIATIONS, _ZONE_SSL_WRITE)

GET_ENTRYPOINT = Endpoint("GET", f"/zones/{{zone_id}}/rulesets/phases/{PHASE}/entrypoint", _WAF_READ)
CREATE_RULESET = Endpoint("POST", "/zones/{zone_id}/rulesets", _WAF_WRITE)
ADD_RULE = Endpoint("POST", _RULES, _WAF_WRITE)
UPDATE_RULE = Endpoint("PATCH", _RULES + "/{rule_id}", _WAF_WRITE)
DELETE_RULE = Endpoint("DELETE", _RULES + "/{rule_id}", _WAF_WRITE)

FIND_ZONES = Endpoint("GET", "/zones", _ZONE_READ)
GET_ZONE = Endpoint("GET", "/zones/{zone_id}", _ZONE_READ)

# What others have there that may let requests past our rules; nothing is ever written with these.
GET_MANAGED_HOSTNAMES = Endpoint("GET", _ASSOCIATIONS, _ZONE_SSL_READ)
LIST_ZONE_ACCESS_RULES = Endpoint("GET", "/zones/{zone_id}/firewall/access_rules/rules", _FIREWALL_READ)
LIST_ACCOUNT_ACCESS_RULES = Endpoint(
    "GET", "/accounts/{account_id}/firewall/access_rules/rules", _ACCOUNT_FIREWALL_READ
)
LIST_RECORDS = Endpoint("GET", "/zones/{zone_id}/dns_records", _DNS_READ)

VERIFY_USER_TOKEN = Endpoint("GET", "/user/tokens/verify", "none, only validity")
VERIFY_ACCOUNT_TOKEN = Endpoint("GET", "/accounts/{account_id}/tokens/verify", "none, only validity")
