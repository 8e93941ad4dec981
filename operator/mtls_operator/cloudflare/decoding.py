"""Cloudflare's JSON to our values and back.

Strict where a gap would be taken for absence: a list that is not there is not an empty list, because an empty
one is a reason to write. Lenient about the rules of others, which may have any shape that Cloudflare allows.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from mtls_operator.cloudflare.endpoints import PHASE
from mtls_operator.cloudflare.token import TokenStatus
from mtls_operator.domain.observed import (
    AccessRule,
    BlockResponse,
    Certificate,
    CertificateId,
    DnsRecord,
    Rule,
    RuleBody,
    Ruleset,
    Zone,
)

Fields = dict[str, object]


class Unexpected(ValueError):
    """A `result` that is not what the endpoint promises; the message says what is missing."""


def certificate(value: object) -> Certificate:
    fields = _object(value, "a certificate")
    return Certificate(
        id=_certificate_id(_text(fields, "id")),
        name=_optional_text(fields, "name") or "",
        pem=_text(fields, "certificates"),
        type=_optional_text(fields, "type"),
        ca=fields.get("ca") is not False,
    )


def certificates(value: object) -> list[Certificate]:
    return [certificate(entry) for entry in _list(value, "a list of certificates")]


def uses(value: object) -> int:
    """How many services of Cloudflare use a certificate; null for none."""
    return 0 if value is None else len(_list(value, "a list of uses"))


def hostnames(value: object) -> frozenset[str]:
    """`hostnames` may be null for none (D), but it must be there."""
    fields = _object(value, "hostname associations")
    if "hostnames" not in fields:
        raise Unexpected("no `hostnames`")
    names = fields["hostnames"]
    if names is None:
        return frozenset()
    return frozenset(_string(name, "a hostname") for name in _list(names, "a list of hostnames"))


def zone(value: object) -> Zone:
    fields = _object(value, "a zone")
    account = _object(fields.get("account"), "the zone's account")
    plan = fields.get("plan")
    return Zone(
        id=_text(fields, "id"),
        name=_text(fields, "name"),
        account_id=_text(account, "id"),
        plan=_optional_text(plan, "name") if isinstance(plan, dict) else None,
    )


def zones(value: object) -> list[Zone]:
    return [zone(entry) for entry in _list(value, "a list of zones")]


def ruleset(value: object) -> Ruleset:
    """A ruleset; without `rules` it has none, which is how Cloudflare shows an empty one."""
    fields = _object(value, "a ruleset")
    return Ruleset(
        id=_text(fields, "id"),
        version=_version(fields),
        rules=tuple(_rule(entry) for entry in _list(fields.get("rules") or [], "a list of rules")),
    )


def access_rules(value: object) -> list[AccessRule]:
    return [_access_rule(entry) for entry in _list(value, "a list of IP Access rules")]


def records(value: object) -> list[DnsRecord]:
    return [_record(entry) for entry in _list(value, "a list of DNS records")]


def token_status(value: object) -> TokenStatus:
    fields = _object(value, "a token's status")
    return TokenStatus(
        id=_text(fields, "id"),
        status=_text(fields, "status"),
        expires_on=_time(_optional_text(fields, "expires_on")),
    )


def rule_json(body: RuleBody, before: str | None = None) -> Fields:
    """The whole definition: an update drops every field that is left out (D)."""
    fields: Fields = {
        "ref": body.ref,
        "action": body.action,
        "expression": body.expression,
        "description": body.description,
        "enabled": body.enabled,
    }
    if body.response is not None:
        fields["action_parameters"] = {
            "response": {
                "status_code": body.response.status_code,
                "content_type": body.response.content_type,
                "content": body.response.content,
            }
        }
    if before is not None:
        fields["position"] = {"before": before}
    return fields


def hostnames_json(certificate_id: CertificateId, names: Collection[str]) -> Fields:
    return {"mtls_certificate_id": str(certificate_id), "hostnames": sorted(set(names))}


def _access_rule(value: object) -> AccessRule:
    fields = _object(value, "an IP Access rule")
    matched = _object(fields.get("configuration"), "what an IP Access rule matches")
    return AccessRule(_text(fields, "id"), _text(fields, "mode"), _text(matched, "target"), _text(matched, "value"))


def _record(value: object) -> DnsRecord:
    fields = _object(value, "a DNS record")
    return DnsRecord(
        id=_text(fields, "id"),
        name=_text(fields, "name").lower(),
        type=_text(fields, "type"),
        proxied=fields.get("proxied") is True,
    )


def _rule(value: object) -> Rule:
    fields = _object(value, "a rule")
    rule_id = _text(fields, "id")
    enabled = fields.get("enabled")
    return Rule(
        id=rule_id,
        body=RuleBody(
            ref=_optional_text(fields, "ref") or rule_id,
            action=_text(fields, "action"),
            expression=_optional_text(fields, "expression") or "",
            description=_optional_text(fields, "description") or "",
            enabled=enabled if isinstance(enabled, bool) else True,
            response=_response(fields),
        ),
        skips_the_rest=_skips_the_rest(fields),
    )


def _skips_the_rest(fields: Fields) -> bool:
    """Skip rules may also skip no more than other products, or later phases."""
    parameters = fields.get("action_parameters")
    if fields.get("action") != "skip" or not isinstance(parameters, dict):
        return False
    phases = parameters.get("phases")
    return "current" in {parameters.get("ruleset"), parameters.get("phase")} or (
        isinstance(phases, list) and PHASE in phases
    )


def _response(fields: Fields) -> BlockResponse | None:
    """Of blocks alone; other actions have parameters of their own. One without a status is Cloudflare's page."""
    parameters = fields.get("action_parameters")
    found = parameters.get("response") if isinstance(parameters, dict) else None
    if fields.get("action") != "block" or not isinstance(found, dict):
        return None
    status = found.get("status_code")
    if not isinstance(status, int) or isinstance(status, bool):
        return None
    return BlockResponse(
        status_code=status,
        content_type=_optional_text(found, "content_type") or "",
        content=_optional_text(found, "content") or "",
    )


def _certificate_id(text: str) -> CertificateId:
    try:
        return CertificateId(text)
    except ValueError as error:
        raise Unexpected(str(error)) from error


def _version(fields: Fields) -> int:
    """A decimal number that Cloudflare sends as a string."""
    text = str(fields.get("version"))
    if not text.isdecimal():
        raise Unexpected("a version of a ruleset that is no number")
    return int(text)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unexpected("a time in another form than RFC 3339") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _object(value: object, what: str) -> Fields:
    if not isinstance(value, dict):
        raise Unexpected(f"something else than {what}")
    return value


def _list(value: object, what: str) -> list[object]:
    if not isinstance(value, list):
        raise Unexpected(f"something else than {what}")
    return value


def _string(value: object, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise Unexpected(f"something else than {what}")
    return value


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise Unexpected(f"no `{name}`")
    return value


def _optional_text(fields: Fields, name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) else None
