"""What a request tries to do, as far as the invariants care."""

from __future__ import annotations

import json
from dataclasses import dataclass

from testbed.cloudflare.messages import Request


@dataclass(frozen=True, slots=True)
class Association:
    """A call of the hostname list of (zone, certificate). `certificate_id` is None when the request names none."""

    zone_id: str
    certificate_id: str | None
    writes: bool


@dataclass(frozen=True, slots=True)
class Upload:
    """POST of a certificate. `pem` is None when the body cannot be read."""

    account_id: str
    pem: str | None
    has_private_key: bool


@dataclass(frozen=True, slots=True)
class CertificateDeletion:
    """DELETE of a certificate."""

    account_id: str
    certificate_id: str


@dataclass(frozen=True, slots=True)
class RulesetWrite:
    """A write to a ruleset as a whole: POST creates one, PUT and DELETE hit the rules of everybody."""

    zone_id: str
    method: str


@dataclass(frozen=True, slots=True)
class RuleWrite:
    """PATCH or DELETE of a rule; `rule_id` is None for POST."""

    zone_id: str
    method: str
    rule_id: str | None


Action = Association | Upload | CertificateDeletion | RulesetWrite | RuleWrite


def read_action(request: Request) -> Action | None:
    """The action of a request, None for one that the invariants say nothing about, such as a read."""
    parts = request.path.removeprefix("/client/v4").strip("/").split("/")
    match request.method, parts:
        case method, ["zones", zone, "certificate_authorities", "hostname_associations"]:
            return Association(zone, _certificate_id(request), method != "GET")
        case "POST", ["accounts", account, "mtls_certificates"]:
            return _upload(request, account)
        case "DELETE", ["accounts", account, "mtls_certificates", certificate]:
            return CertificateDeletion(account, certificate)
        case "POST" | "PATCH" | "PUT" | "DELETE" as method, ["zones", zone, "rulesets", *rest]:
            return _ruleset_action(method, zone, rest)
    return None


def _ruleset_action(method: str, zone: str, rest: list[str]) -> Action:
    match rest:
        case [_, "rules"]:
            return RuleWrite(zone, method, None)
        case [_, "rules", rule]:
            return RuleWrite(zone, method, rule)
    return RulesetWrite(zone, method)


def _certificate_id(request: Request) -> str | None:
    given = request.parameter("mtls_certificate_id")
    if request.method != "GET":
        given = _text(_body(request).get("mtls_certificate_id"))
    return given or None


def _upload(request: Request, account: str) -> Upload:
    body = _body(request)
    return Upload(account, _text(body.get("certificates")), bool(body.get("private_key")))


def _body(request: Request) -> dict[str, object]:
    try:
        body = json.loads(request.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
