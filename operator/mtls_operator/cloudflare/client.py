"""What the operator can ask of Cloudflare, and nothing more.

Every method is one question or one change; each failure is one typed error (see `errors.py`), after which the
caller decides again from fresh facts. No method writes hostname associations without the id of an uploaded
certificate (it would act on the Cloudflare-managed CA), and none replaces a ruleset.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Protocol, TypeVar

import httpx

from mtls_operator.cloudflare import decoding, endpoints
from mtls_operator.cloudflare.circuit import Circuit
from mtls_operator.cloudflare.endpoints import PHASE, Endpoint
from mtls_operator.cloudflare.envelope import Envelope
from mtls_operator.cloudflare.errors import AmbiguousZone, NotFound
from mtls_operator.cloudflare.rate_budget import RateBudget
from mtls_operator.cloudflare.refusals import NO_ENTRYPOINT
from mtls_operator.cloudflare.sending import TIMEOUTS, CallRecord, Sender
from mtls_operator.cloudflare.token import ApiToken, TokenStatus
from mtls_operator.domain.observed import (
    AccessRule,
    Certificate,
    CertificateId,
    DnsRecord,
    RuleBody,
    Ruleset,
    Zone,
)
from mtls_operator.domain.urgency import Urgency

DEFAULT_BASE_URL: Final = "https://api.cloudflare.com/client/v4"

# How the ruleset is called that we create for a zone that has none; the dashboard calls its own "default".
_RULESET_NAME: Final = "default"
# More pages than anything has that is listed: a listing that does not end is a fault, not an account.
_MOST_PAGES: Final = 100
# Large pages that others use with Cloudflare, so that a look costs one call where that suffices.
_ACCESS_RULES_PER_PAGE: Final = "100"
_RECORDS_PER_PAGE: Final = "5000"
_ALLOW: Final = "whitelist"

T = TypeVar("T")


class _Listed(Protocol):
    @property
    def id(self) -> str: ...


L = TypeVar("L", bound=_Listed)


def open_http(base_url: str = DEFAULT_BASE_URL, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """The one HTTP client of the process, shared by all tokens. The caller closes it."""
    return httpx.AsyncClient(
        base_url=base_url,
        transport=transport,
        timeout=TIMEOUTS,
        follow_redirects=False,
        headers={"User-Agent": "cloudflare-mtls-operator"},
    )


class CloudflareClient:
    """Cloudflare through the eyes of one token, for calls of one urgency: the less urgent, the more of the budget is
    left for others. Raises CloudflareError, and ValueError for impossible ids."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        token: ApiToken,
        budget: RateBudget,
        on_call: Callable[[CallRecord], None] | None = None,
        *,
        urgency: Urgency = Urgency.WITHDRAWAL,
        circuit: Circuit | None = None,
    ) -> None:
        self._sender = Sender(http, token, budget, on_call, urgency=urgency, circuit=circuit)

    # Certificates of an account

    async def list_certificates(self, account_id: str) -> tuple[Certificate, ...]:
        """All of them, whoever uploaded them. Raises MalformedAnswer rather than return a part of the list."""
        return await self._list(decoding.certificates, endpoints.LIST_CERTIFICATES, {"account_id": account_id}, {})

    async def get_certificate(self, account_id: str, certificate_id: CertificateId) -> Certificate:
        """One certificate. Raises NotFound."""
        return await self._ask(
            decoding.certificate,
            endpoints.GET_CERTIFICATE,
            {"account_id": account_id, "certificate_id": certificate_id},
        )

    async def is_certificate_used(self, account_id: str, certificate_id: CertificateId) -> bool:
        """Whether Cloudflare sees it associated with anything, in whatever zone. Raises NotFound."""
        ids = {"account_id": account_id, "certificate_id": certificate_id}
        return await self._ask(decoding.uses, endpoints.GET_CERTIFICATE_USES, ids) > 0

    async def upload_certificate(self, account_id: str, *, name: str, pem: str) -> Certificate:
        """Upload a CA, or several in one object. `pem` holds CERTIFICATE blocks only.

        Raises ValueError for anything that looks like a key, AlreadyExists for identical certificates,
        QuotaExceeded, Rejected.
        """
        if "PRIVATE KEY" in pem:
            raise ValueError("a private key is never sent to Cloudflare: upload CERTIFICATE blocks alone")
        return await self._ask(
            decoding.certificate,
            endpoints.UPLOAD_CERTIFICATE,
            {"account_id": account_id},
            {"ca": True, "certificates": pem, "name": name},
        )

    async def delete_certificate(self, account_id: str, certificate_id: CertificateId) -> None:
        """Delete it. Raises CertificateInUse while an association is left or seen, NotFound when it is gone."""
        await self._sender.send(
            endpoints.DELETE_CERTIFICATE, ids={"account_id": account_id, "certificate_id": certificate_id}
        )

    # Hostnames associated with a certificate in a zone

    async def get_hostnames(self, zone_id: str, certificate_id: CertificateId) -> frozenset[str]:
        """The list of this certificate in this zone, which others may have written to as well."""
        ids = {"zone_id": zone_id}
        query = {"mtls_certificate_id": str(CertificateId(certificate_id))}
        envelope = await self._sender.send(endpoints.GET_HOSTNAMES, ids=ids, query=query)
        return self._decoded(decoding.hostnames, envelope, endpoints.GET_HOSTNAMES, ids)

    async def put_hostnames(self, zone_id: str, certificate_id: CertificateId, hostnames: Collection[str]) -> None:
        """Replace the list. Raises ValueError for an empty one, see `clear_hostnames`.

        Never send the same list again after a failure: it rests on reads that are old by then.
        """
        if isinstance(hostnames, str):
            raise TypeError("hostnames is a collection of names, not one name")
        if not hostnames:
            raise ValueError("an empty list removes every hostname; use clear_hostnames if that is meant")
        await self._put(zone_id, certificate_id, hostnames)

    async def clear_hostnames(self, zone_id: str, certificate_id: CertificateId) -> None:
        """Take the last hostnames off the list: nobody is associated with this certificate here any more."""
        await self._put(zone_id, certificate_id, ())

    # Custom rules of a zone

    async def get_entrypoint(self, zone_id: str) -> Ruleset | None:
        """The zone's custom rules; None when Cloudflare says that the zone never had any.

        Any other 404 raises NotFound: a zone that the token cannot see is not a zone without rules.
        """
        try:
            return await self._ask(decoding.ruleset, endpoints.GET_ENTRYPOINT, {"zone_id": zone_id})
        except NotFound as error:
            if NO_ENTRYPOINT in error.codes:
                return None
            raise

    async def create_entrypoint(self, zone_id: str, rules: Sequence[RuleBody]) -> Ruleset:
        """Create the ruleset of a zone that has none. Raises AlreadyExists when someone was faster."""
        return await self._ask(
            decoding.ruleset,
            endpoints.CREATE_RULESET,
            {"zone_id": zone_id},
            {
                "name": _RULESET_NAME,
                "kind": "zone",
                "phase": PHASE,
                "rules": [decoding.rule_json(rule) for rule in rules],
            },
        )

    async def add_rule(self, zone_id: str, ruleset_id: str, body: RuleBody, before: str | None = None) -> Ruleset:
        """Add a rule before the rule of that id, or last. Returns the ruleset as it is then."""
        return await self._ask(
            decoding.ruleset,
            endpoints.ADD_RULE,
            {"zone_id": zone_id, "ruleset_id": ruleset_id},
            decoding.rule_json(body, before),
        )

    async def update_rule(
        self, zone_id: str, ruleset_id: str, rule_id: str, body: RuleBody, before: str | None = None
    ) -> Ruleset:
        """Replace a rule's whole definition; it stays where it is unless `before` names another rule's id."""
        return await self._ask(
            decoding.ruleset,
            endpoints.UPDATE_RULE,
            {"zone_id": zone_id, "ruleset_id": ruleset_id, "rule_id": rule_id},
            decoding.rule_json(body, before),
        )

    async def delete_rule(self, zone_id: str, ruleset_id: str, rule_id: str) -> Ruleset:
        """Delete a rule. Raises NotFound when it is gone."""
        return await self._ask(
            decoding.ruleset,
            endpoints.DELETE_RULE,
            {"zone_id": zone_id, "ruleset_id": ruleset_id, "rule_id": rule_id},
        )

    # What others have that may let requests past our rules

    async def get_managed_hostnames(self, zone_id: str) -> frozenset[str]:
        """The list of the CA that Cloudflare manages, which is nobody's of ours: it is read and never written."""
        return await self._ask(decoding.hostnames, endpoints.GET_MANAGED_HOSTNAMES, {"zone_id": zone_id})

    async def list_zone_allowances(self, zone_id: str) -> tuple[AccessRule, ...]:
        """The IP Access rules with action Allow of a zone, and of its account where Cloudflare shows them."""
        return await self._allowances(endpoints.LIST_ZONE_ACCESS_RULES, {"zone_id": zone_id})

    async def list_account_allowances(self, account_id: str) -> tuple[AccessRule, ...]:
        """The IP Access rules with action Allow that hold for all zones of an account."""
        return await self._allowances(endpoints.LIST_ACCOUNT_ACCESS_RULES, {"account_id": account_id})

    async def list_records(self, zone_id: str) -> tuple[DnsRecord, ...]:
        """All DNS records of a zone."""
        query = {"per_page": _RECORDS_PER_PAGE}
        return await self._list(decoding.records, endpoints.LIST_RECORDS, {"zone_id": zone_id}, query)

    # Zones and the token itself

    async def find_zone(self, name: str, account_id: str | None = None) -> Zone | None:
        """The zone of that name, None when the token sees none, which does not prove that there is none.

        Raises AmbiguousZone when several accounts have one and `account_id` does not decide.
        """
        query = {"name": name} if account_id is None else {"name": name, "account.id": account_id}
        envelope = await self._sender.send(endpoints.FIND_ZONES, query=query)
        listed = self._decoded(decoding.zones, envelope, endpoints.FIND_ZONES, {})
        matching = [zone for zone in listed if zone.name == name]
        if len(matching) > 1:
            accounts = ", ".join(sorted(zone.account_id for zone in matching))
            raise AmbiguousZone(f"zone {name}", f"{len(matching)} zones, in the accounts {accounts}")
        return matching[0] if matching else None

    async def get_zone(self, zone_id: str) -> Zone:
        """One zone. Raises NotFound, or PermissionDenied, for what the token does not see."""
        return await self._ask(decoding.zone, endpoints.GET_ZONE, {"zone_id": zone_id})

    async def verify_token(self, account_id: str | None = None) -> TokenStatus:
        """The token's status. A token that an account owns is verified at its account. Raises Unauthorized."""
        if account_id is None:
            return await self._ask(decoding.token_status, endpoints.VERIFY_USER_TOKEN, {})
        return await self._ask(decoding.token_status, endpoints.VERIFY_ACCOUNT_TOKEN, {"account_id": account_id})

    async def _allowances(self, endpoint: Endpoint, ids: Mapping[str, str]) -> tuple[AccessRule, ...]:
        query = {"mode": _ALLOW, "per_page": _ACCESS_RULES_PER_PAGE}
        listed = await self._list(decoding.access_rules, endpoint, ids, query)
        return tuple(rule for rule in listed if rule.mode == _ALLOW)

    async def _list(
        self,
        decode: Callable[[object], list[L]],
        endpoint: Endpoint,
        ids: Mapping[str, str],
        query: Mapping[str, str],
    ) -> tuple[L, ...]:
        """All pages. Raises MalformedAnswer rather than return a part of the list."""
        found: dict[str, L] = {}
        for page in range(1, _MOST_PAGES + 1):
            asked = {**query, "page": str(page)} if page > 1 else query
            envelope = await self._sender.send(endpoint, ids=ids, query=asked or None)
            listed, known = self._decoded(decode, envelope, endpoint, ids), len(found)
            found.update((entry.id, entry) for entry in listed)
            info = envelope.page_info
            if page >= info.total_pages and len(found) >= info.total_count:
                return tuple(found.values())
            if len(found) == known:
                break
        raise self._sender.malformed(endpoint, ids, "a listing that is not whole")

    async def _put(self, zone_id: str, certificate_id: CertificateId, hostnames: Collection[str]) -> None:
        body = decoding.hostnames_json(CertificateId(certificate_id), hostnames)
        await self._sender.send(endpoints.PUT_HOSTNAMES, ids={"zone_id": zone_id}, body=body)

    async def _ask(
        self,
        decode: Callable[[object], T],
        endpoint: Endpoint,
        ids: Mapping[str, str],
        body: Mapping[str, object] | None = None,
    ) -> T:
        envelope = await self._sender.send(endpoint, ids=ids, body=body)
        return self._decoded(decode, envelope, endpoint, ids)

    def _decoded(
        self, decode: Callable[[object], T], envelope: Envelope, endpoint: Endpoint, ids: Mapping[str, str]
    ) -> T:
        try:
            return decode(envelope.result)
        except decoding.Unexpected as error:
            raise self._sender.malformed(endpoint, ids, str(error)) from None
