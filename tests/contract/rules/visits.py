"""Who asks for which hostname, and what becomes of it by what bindings wish: worked out without any expression."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mtls_operator.domain.observed import BlockResponse, RuleBody
from mtls_operator.domain.zone_view import BLOCK
from testbed.cloudflare.edge.firewall import Outcome, decide_by_rules
from testbed.cloudflare.edge.settings import Serials
from testbed.cloudflare.expressions import typed
from testbed.cloudflare.state import Rule
from tests.contract.rules.wishes import Wish

_DIGITS: Final = frozenset("0123456789")
_KELVIN: Final = "\N{KELVIN SIGN}"
"""Whose lower case is a k, for those who lower more than ASCII letters."""


@dataclass(frozen=True)
class Certificate:
    """What a client presents. `issuer` is the key identifier of its direct issuer, empty where that has none."""

    issuer: str
    serial: int
    verified: bool = True


@dataclass(frozen=True)
class Visit:
    """A request: what `http.host` says, and the client's certificate."""

    host: str
    certificate: Certificate | None = None
    spelling: Serials = Serials.BYTES

    def fields(self) -> Mapping[str, object]:
        """What rules see of it."""
        if self.certificate is None:
            return {"http.host": self.host, "http.request.uri.path": "/"}
        return {
            "http.host": self.host,
            "http.request.uri.path": "/",
            "cf.tls_client_auth.cert_presented": True,
            "cf.tls_client_auth.cert_verified": self.certificate.verified,
            "cf.tls_client_auth.cert_issuer_ski": self.certificate.issuer,
            "cf.tls_client_auth.cert_serial": spelt(self.certificate.serial, self.spelling),
        }


class Fate(enum.Enum):
    """What becomes of a request."""

    PASSED = "no rule that acts is about it"
    LOGGED = "passed, and logged"
    BLOCKED = "blocked"


@dataclass(frozen=True)
class Answer:
    """What becomes of a request, and the custom response where it is blocked."""

    fate: Fate
    response: BlockResponse | None = None


def spelt(serial: int, spelling: Serials) -> str:
    """A serial number as the edge may write it."""
    match spelling:
        case Serials.SHORTEST:
            return f"{serial:X}"
        case Serials.BYTES:
            return serial.to_bytes(max(1, -(-serial.bit_length() // 8))).hex().upper()
        case Serials.DER:
            return serial.to_bytes(serial.bit_length() // 8 + 1).hex().upper()


def expected(wishes: Sequence[Wish], visit: Visit) -> Answer:
    """What the bindings wish for a request. Hostnames of bindings are apart, so that one at most is about it."""
    wish = next((each for each in wishes if any(_is_named(visit.host, name, each) for name in each.hostnames)), None)
    if wish is None or wish.action == "none" or _is_good(visit.certificate, wish):
        return Answer(Fate.PASSED)
    return Answer(Fate.BLOCKED, wish.response) if wish.action == BLOCK else Answer(Fate.LOGGED)


def _is_named(host: str, hostname: str, wish: Wish) -> bool:
    shown = "".join(character.lower() if character.isascii() else character for character in host)
    if shown == hostname or not wish.tolerant:
        return shown == hostname
    if not shown.startswith(hostname):
        return False
    behind = shown[len(hostname) :]
    behind = behind[1:] if behind[0] == "." else behind
    return not behind or (behind[0] == ":" and len(behind) > 1 and set(behind[1:]) <= _DIGITS)


def _is_good(certificate: Certificate | None, wish: Wish) -> bool:
    if certificate is None or not certificate.verified:
        return False
    if wish.accepted is not None and certificate.issuer not in wish.accepted:
        return False
    return certificate.serial not in wish.revoked.get(certificate.issuer, frozenset())


def answered(bodies: Sequence[RuleBody], visit: Visit) -> Answer:
    """What the edge makes of a request by all rules together, in their order."""
    rules = [_rule(number, body) for number, body in enumerate(bodies)]
    decision = decide_by_rules(rules, typed(visit.fields()))
    if decision.outcome is Outcome.PASSED:
        return Answer(Fate.LOGGED if decision.matched else Fate.PASSED)
    given = decision.response
    if given is None:
        return Answer(Fate.BLOCKED)
    status, kind, content = (str(given[name]) for name in ("status_code", "content_type", "content"))
    return Answer(Fate.BLOCKED, BlockResponse(int(status), kind, content))


def _rule(number: int, body: RuleBody) -> Rule:
    parameters = None
    if body.response is not None:
        told = {
            "status_code": body.response.status_code,
            "content_type": body.response.content_type,
            "content": body.response.content,
        }
        parameters = {"response": told}
    return Rule(f"{number}", body.ref, 1, body.action, body.expression, body.description, body.enabled, 0.0, parameters)


def visits(wishes: Sequence[Wish]) -> Iterator[Visit]:
    """Each kind of client at each kind of name that is one of the hostnames or nearly one."""
    every = {name for wish in wishes for name in wish.hostnames}
    for wish in wishes:
        for hostname in (min(wish.hostnames), max(wish.hostnames, key=len)):
            yield from (Visit(host) for host in _like(hostname, every))
            for certificate in _certificates(wishes):
                for spelling in Serials:
                    yield Visit(hostname, certificate, spelling)
                yield Visit(f"{hostname}:443", certificate)


def _like(hostname: str, every: set[str]) -> list[str]:
    """The name as it may be sent, and names that are not it."""
    sent = [
        hostname,
        hostname.upper(),
        hostname.title(),
        f"{hostname}.",
        f"{hostname}:443",
        f"{hostname}.:8443",
        hostname.replace("k", _KELVIN),
    ]
    others = [
        *(
            "",
            ".",
            ":443",
            f"{hostname}..",
            f"{hostname}:",
            f"{hostname}:44a",
            f"{hostname}:443:443",
            f"{hostname}:443.",
        ),
        *(f"{hostname}.evil.example", f"{hostname}evil", f"evil{hostname}", f"evil.{hostname}", f"-{hostname}"),
        *(f"{hostname}\n", f" {hostname}", f"{hostname} ", f'{hostname}"', f"\\{hostname}", f"{hostname}:٤٤٣"),
        *(hostname.replace(".", "x", 1), hostname.replace(".", ""), hostname[1:], hostname[:-1]),
        *(hostname.partition(".")[2], "|".join(sorted(every)), " ".join(sorted(every))),
    ]
    return sent + others


def _certificates(wishes: Sequence[Wish]) -> list[Certificate]:
    """Of every issuer that somebody accepts or has revoked something of, and of some that nobody knows, with serial
    numbers that are revoked, and with others like them."""
    known = {issuer for wish in wishes for issuer in (*(wish.accepted or ()), *wish.revoked)}
    one = min(known, default="AA" * 20)
    strangers = {"", "00", one[:-2], f"{one}00", f"00{one}", one.lower() if one.lower() != one else "aa"}
    found = [Certificate(issuer, 7, verified) for verified in (True, False) for issuer in sorted(known | strangers)]
    revoked = {(issuer, each) for wish in wishes for issuer, numbers in wish.revoked.items() for each in numbers}
    for issuer, serial in sorted(revoked):
        near = (serial ^ 1, serial << 4, serial << 8, serial >> 4, serial >> 8, serial & ((1 << 152) - 1))
        found += [Certificate(issuer, each) for each in (serial, *near) if each < 1 << 160]
        found += [Certificate(issuer, serial, verified=False), Certificate(one, serial), Certificate("", serial)]
    return found
