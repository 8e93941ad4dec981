"""What tests and demos put into a simulated Cloudflare from outside the API, and what other people did there.

`settled` says that something has been there for ever; without it, it happens now and replicas see it with their
delay.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_network

from testbed.cloudflare.access import ALL_PERMISSIONS, grants
from testbed.cloudflare.identifiers import HEX, Identifiers
from testbed.cloudflare.rate import RateMeter
from testbed.cloudflare.settings import RULES_BY_PLAN, Settings
from testbed.cloudflare.state import AccessRule, Account, Certificate, Rule, Ruleset, State, Token, Zone
from testbed.cloudflare.uploads import read_upload
from testbed.cloudflare.zone_records import DnsRecord, dns_record, everything_proxied

ACCESS_MODES = frozenset({"block", "challenge", "js_challenge", "managed_challenge", "whitelist"})
"""Of IP Access rules; `whitelist` is "Allow" in the dashboard."""


_CONTENTS = {"A": "192.0.2.1", "AAAA": "2001:db8::1"}

ACCESS_MODES = frozenset({"block", "challenge", "js_challenge", "managed_challenge", "whitelist"})
"""Of IP Access rules; `whitelist` is "Allow" in the dashboard."""


class Setup(ABC):
    """The part of a simulation that tests and demos fill it with."""

    clock: Callable[[], float]
    settings: Settings
    rates: RateMeter

    @property
    @abstractmethod
    def state(self) -> State:
        """The truth."""

    @property
    @abstractmethod
    def identifiers(self) -> Identifiers:
        """The generator of ids."""

    @abstractmethod
    def install(self, change: Callable[[State], State], *, settled: bool) -> None:
        """Change the truth."""

    def add_account(self, account_id: str, *, name: str = "Example Ltd", ca_limit: int = 5) -> Account:
        """An account. Raises ValueError for an id that is not 32 hex digits."""
        account = Account(_checked(account_id), name, ca_limit)
        self.install(lambda state: state.with_account(account), settled=True)
        return account

    def add_zone(self, zone_id: str, name: str, account_id: str, *, plan: str = "enterprise") -> Zone:
        """A zone of an account, with every name of it proxied.

        Raises ValueError for an id, an account or a plan that does not exist.
        """
        if account_id not in self.state.accounts:
            raise ValueError(f"no account {account_id}: add it before its zones")
        if plan not in RULES_BY_PLAN:
            raise ValueError(f"no plan {plan}: choose one of {', '.join(RULES_BY_PLAN)}")
        zone = Zone(_checked(zone_id), name, account_id, plan)
        records = everything_proxied(zone.id, name)
        self.install(lambda state: state.with_zone(zone).with_records(zone.id, records), settled=True)
        return zone

    def remove_zone(self, zone_id: str) -> None:
        """Somebody deletes a zone that nothing is associated with."""
        self.install(lambda state: state.without_zone(zone_id), settled=True)

    def put_records(self, zone_id: str, *records: tuple[str, str, bool], settled: bool = True) -> tuple[DnsRecord, ...]:
        """All DNS records of a zone: the name, the type, and whether it is proxied."""
        made = tuple(
            dns_record(zone_id, name, kind, _CONTENTS.get(kind, "a.example.net"), proxied=proxied)
            for name, kind, proxied in records
        )
        self.install(lambda state: state.with_records(zone_id, made), settled=settled)
        return made

    def add_token(
        self,
        secret: str,
        *,
        permissions: Mapping[str, Iterable[str]] | Iterable[str] = ALL_PERMISSIONS,
        owner: str | None = None,
        label: str | None = None,
        account_id: str | None = None,
        fresh_for: float = 0.0,
        expires_on: float | None = None,
        disabled: bool = False,
    ) -> Token:
        """A token. `permissions` per account or zone id, or a plain list that holds everywhere.

        `owner` is the installation that uses it, `fresh_for` the seconds during which it is refused with 403,
        `account_id` the account that owns it (None: a user does). Raises ValueError for unknown permissions.
        """
        token = Token(
            id=self.identifiers.hexadecimal(),
            label=label or owner or f"token-{len(self.state.tokens) + 1}",
            permissions=grants(permissions),
            owner=owner,
            account_id=account_id,
            usable_from=self.clock() + fresh_for,
            expires_on=expires_on,
            disabled=disabled,
        )
        self.install(lambda state: state.with_token(secret, token), settled=True)
        return token

    def spend_rate(self, secret: str, requests: int) -> None:
        """Use up part of a token's rate limit, as its user's dashboard would."""
        self.rates.spend(secret, requests, self.clock(), self.settings.rate_limit)

    def add_certificate(self, account_id: str, pem: str, *, name: str = "", settled: bool = True) -> str:
        """A CA that somebody uploaded in the dashboard; its id."""
        certificate = self._certificate(pem, name, "custom")
        self.install(lambda state: state.with_certificate(account_id, certificate), settled=settled)
        return certificate.id

    def add_managed_certificate(
        self, account_id: str, pem: str, *, kind: str = "access_managed", name: str = ""
    ) -> str:
        """A CA that belongs to Cloudflare Access or Gateway; its id."""
        if kind not in {"access_managed", "gateway_managed"}:
            raise ValueError(f"no such kind of managed certificate: {kind}")
        certificate = self._certificate(pem, name, kind)
        self.install(lambda state: state.with_certificate(account_id, certificate), settled=True)
        return certificate.id

    def put_foreign_hostnames(
        self, zone_id: str, certificate_id: str | None, hostnames: Iterable[str], *, settled: bool = True
    ) -> None:
        """The whole hostname list of a certificate, as somebody else left it."""
        given = frozenset(hostnames)
        self.install(lambda state: state.with_hostnames(zone_id, certificate_id, given), settled=settled)

    def add_foreign_rule(
        self,
        zone_id: str,
        *,
        expression: str,
        action: str = "block",
        description: str = "",
        enabled: bool = True,
        ref: str | None = None,
        action_parameters: Mapping[str, object] | None = None,
        first: bool = False,
        settled: bool = True,
    ) -> Rule:
        """A rule of somebody else, last or first; the ruleset is made where there is none.

        A skip rule skips the remaining custom rules where `action_parameters` are left out.
        """
        rule_id = self.identifiers.hexadecimal()
        now = self.clock()
        parameters = action_parameters or ({"ruleset": "current"} if action == "skip" else None)
        rule = Rule(rule_id, ref or rule_id, 1, action, expression, description, enabled, now, parameters)
        empty = Ruleset(self.identifiers.hexadecimal(), "default", "", 0, (), now)

        def add(state: State) -> State:
            old = state.rulesets.get(zone_id, empty)
            rules = (rule, *old.rules) if first else (*old.rules, rule)
            new = Ruleset(old.id, old.name, old.description, old.version + 1, rules, now)
            return state.with_ruleset(zone_id, new)

        self.install(add, settled=settled)
        return rule

    def add_access_rule(self, scope_id: str, mode: str, target: str, *, settled: bool = True) -> AccessRule:
        """An IP Access rule of a zone or an account, made by somebody else.

        Raises ValueError for a mode that does not exist, and for a target that is no address or network.
        """
        if mode not in ACCESS_MODES:
            raise ValueError(f"no mode {mode}: choose one of {', '.join(sorted(ACCESS_MODES))}")
        rule = AccessRule(self.identifiers.hexadecimal(), mode, str(ip_network(target)))

        def add(state: State) -> State:
            return state.with_access_rules(scope_id, (*state.access_rules.get(scope_id, ()), rule))

        self.install(add, settled=settled)
        return rule

    def remove_ruleset_rules(self, zone_id: str, *, settled: bool = False) -> None:
        """Somebody replaced the ruleset by an empty one."""
        old = self.state.rulesets[zone_id]
        new = Ruleset(old.id, old.name, old.description, old.version + 1, (), self.clock())
        self.install(lambda state: state.with_ruleset(zone_id, new), settled=settled)

    def _certificate(self, pem: str, name: str, kind: str) -> Certificate:
        upload = read_upload(pem)
        return Certificate(
            id=self.identifiers.uuid(),
            name=name,
            pem=upload.pem,
            ca=True,
            fingerprints=upload.fingerprints,
            issuer=upload.first.issuer.rfc4514_string(),
            serial_number=str(upload.first.serial_number),
            signature=upload.signature,
            expires_on=upload.first.not_valid_after_utc.timestamp(),
            uploaded_on=self.clock(),
            type=kind,
        )


def _checked(identifier: str) -> str:
    if not HEX.fullmatch(identifier):
        raise ValueError(f"the ids of accounts and zones are 32 hex digits: {identifier!r}")
    return identifier
