"""Everything the simulated Cloudflare holds, as one immutable value.

Rules of this file: nothing here is ever mutated. A write makes a new `State` that shares every part that did
not change, so keeping the state before a request, or a whole history of states, costs next to nothing. Times
are Unix time in seconds, ids are the strings Cloudflare would show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from testbed.cloudflare.messages import Request
from testbed.cloudflare.zone_records import DnsRecord

MANAGED_CA: None = None
"""Stands for the Cloudflare-managed CA as the certificate of a hostname list."""


@dataclass(frozen=True, slots=True)
class Account:
    """`ca_limit`: how many CAs can be uploaded; those of Gateway and Access do not count."""

    id: str
    name: str
    ca_limit: int = 5


@dataclass(frozen=True, slots=True)
class Zone:
    """`plan` is one of `free`, `pro`, `business`, `enterprise` and decides how many custom rules fit."""

    id: str
    name: str
    account_id: str
    plan: str = "enterprise"
    status: str = "active"


@dataclass(frozen=True, slots=True)
class Certificate:
    """An entry of an account's mTLS certificates.

    `pem` is the upload normalised. `fingerprints` are the SHA-256 digests of the certificates in it, in the
    order of the upload, lower-case hex. `type`: `custom` for uploads, `gateway_managed` or `access_managed`.
    """

    id: str
    name: str
    pem: str
    ca: bool
    fingerprints: tuple[str, ...]
    issuer: str
    serial_number: str
    signature: str
    expires_on: float
    uploaded_on: float
    type: str = "custom"


@dataclass(frozen=True, slots=True)
class Rule:
    """A custom rule. `action_parameters` is JSON as it was sent, for blocks `{"response": {...}}`."""

    id: str
    ref: str
    version: int
    action: str
    expression: str
    description: str
    enabled: bool
    last_updated: float
    action_parameters: Mapping[str, object] | None = None
    logging: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Ruleset:
    """A zone's entry point ruleset of `http_request_firewall_custom`, rules in the order of evaluation."""

    id: str
    name: str
    description: str
    version: int
    rules: tuple[Rule, ...]
    last_updated: float

    def rule(self, rule_id: str) -> Rule | None:
        """The rule with this id, None when there is none."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)


@dataclass(frozen=True, slots=True)
class AccessRule:
    """An IP Access rule. `mode`: `block`, `challenge`, `js_challenge`, `managed_challenge` or `whitelist` ("Allow").

    `target` is an address or a network in CIDR notation.
    """

    id: str
    mode: str
    target: str
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """An API token.

    `permissions` maps an account or zone id, or `*`, to permissions such as `ssl_certs:edit`.
    `owner` names the installation that uses it, for the monitor; None for people and other programs.
    It is refused with 403 until `usable_from`, as fresh tokens are, and is expired from `expires_on`.
    """

    id: str
    label: str
    permissions: Mapping[str, frozenset[str]]
    owner: str | None = None
    account_id: str | None = None
    usable_from: float = 0.0
    expires_on: float | None = None
    disabled: bool = False


ListKey = tuple[str, str | None]
"""(zone id, certificate id); `MANAGED_CA` in place of the certificate id for the Cloudflare-managed CA."""


@dataclass(frozen=True, slots=True)
class State:
    """The truth at one moment, without any consistency delay.

    `lists` has no entry for an empty list, `rulesets` none for a zone whose entry point was never created.
    `access_rules` are keyed by the id of the zone or account they are for. `tokens` is keyed by the secret itself:
    never print it.
    """

    accounts: Mapping[str, Account] = field(default_factory=dict)
    zones: Mapping[str, Zone] = field(default_factory=dict)
    certificates: Mapping[str, Mapping[str, Certificate]] = field(default_factory=dict)
    lists: Mapping[ListKey, frozenset[str]] = field(default_factory=dict)
    rulesets: Mapping[str, Ruleset] = field(default_factory=dict)
    access_rules: Mapping[str, tuple[AccessRule, ...]] = field(default_factory=dict)
    tokens: Mapping[str, Token] = field(default_factory=dict, repr=False)
    records: Mapping[str, tuple[DnsRecord, ...]] = field(default_factory=dict)
    """DNS records by the id of their zone."""

    def hostnames(self, zone_id: str, certificate_id: str | None) -> frozenset[str]:
        """The hostnames associated with a certificate in a zone, empty when there are none."""
        return self.lists.get((zone_id, certificate_id), frozenset())

    def token_of(self, request: Request) -> Token | None:
        """The token a request was sent with, None when Cloudflare does not know it."""
        return self.tokens.get(request.bearer or "")

    def zones_using(self, certificate_id: str) -> tuple[str, ...]:
        """Ids of the zones in which hostnames are associated with the certificate, sorted."""
        return tuple(sorted(zone for zone, certificate in self.lists if certificate == certificate_id))

    def with_account(self, account: Account) -> State:
        """This state with the account added or replaced."""
        certificates = {account.id: {}, **self.certificates}
        return replace(self, accounts={**self.accounts, account.id: account}, certificates=certificates)

    def with_zone(self, zone: Zone) -> State:
        """This state with the zone added or replaced."""
        return replace(self, zones={**self.zones, zone.id: zone})

    def without_zone(self, zone_id: str) -> State:
        """This state without a zone, its rules and its records."""
        return replace(
            self,
            zones={each: zone for each, zone in self.zones.items() if each != zone_id},
            rulesets={each: ruleset for each, ruleset in self.rulesets.items() if each != zone_id},
            records={each: records for each, records in self.records.items() if each != zone_id},
        )

    def with_records(self, zone_id: str, records: tuple[DnsRecord, ...]) -> State:
        """This state with all DNS records of the zone replaced."""
        return replace(self, records={**self.records, zone_id: records})

    def with_token(self, secret: str, token: Token) -> State:
        """This state with the token added or replaced."""
        return replace(self, tokens={**self.tokens, secret: token})

    def with_certificate(self, account_id: str, certificate: Certificate) -> State:
        """This state with the certificate in the account."""
        held = {**self.certificates[account_id], certificate.id: certificate}
        return replace(self, certificates={**self.certificates, account_id: held})

    def without_certificate(self, account_id: str, certificate_id: str) -> State:
        """This state without the certificate."""
        held = {key: value for key, value in self.certificates[account_id].items() if key != certificate_id}
        return replace(self, certificates={**self.certificates, account_id: held})

    def with_hostnames(self, zone_id: str, certificate_id: str | None, hostnames: frozenset[str]) -> State:
        """This state with the whole hostname list of (zone, certificate) replaced."""
        lists = {key: value for key, value in self.lists.items() if key != (zone_id, certificate_id)}
        if hostnames:
            lists[(zone_id, certificate_id)] = hostnames
        return replace(self, lists=lists)

    def with_ruleset(self, zone_id: str, ruleset: Ruleset) -> State:
        """This state with the zone's custom ruleset replaced."""
        return replace(self, rulesets={**self.rulesets, zone_id: ruleset})

    def with_access_rules(self, scope_id: str, rules: tuple[AccessRule, ...]) -> State:
        """This state with the IP Access rules of a zone or an account replaced."""
        return replace(self, access_rules={**self.access_rules, scope_id: rules})
