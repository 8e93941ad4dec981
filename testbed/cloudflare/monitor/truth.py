"""What a state of the simulation means for the invariants: who claims what, what is guarded, who is locked out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from testbed.cloudflare.monitor.marks import Claim, Enforcement, Guard, Unreadable, read_guard, read_mark
from testbed.cloudflare.state import Rule, Ruleset, State

Place = tuple[str, str | None, str]
"""(zone id, certificate id, hostname)."""


@dataclass(frozen=True, slots=True)
class ClaimedPlace:
    """One hostname on one certificate's list in one zone, claimed in one way by one installation."""

    zone_id: str
    certificate_id: str
    hostname: str
    owner: str
    state: str

    @property
    def place(self) -> Place:
        """Where the claim lies, whoever made it."""
        return self.zone_id, self.certificate_id, self.hostname


def rules_of(state: State, zone_id: str) -> tuple[Rule, ...]:
    """The rules of a zone, none where there is no ruleset."""
    ruleset = state.rulesets.get(zone_id)
    return () if ruleset is None else ruleset.rules


def claims_in(zone_id: str, ruleset: Ruleset | None) -> Iterator[ClaimedPlace]:
    """Every claim of a ruleset, taken apart."""
    for rule in () if ruleset is None else ruleset.rules:
        mark = read_mark(rule)
        if isinstance(mark, Claim):
            for certificate_id in mark.certificates:
                for hostname in mark.hostnames:
                    yield ClaimedPlace(zone_id, certificate_id, hostname, mark.owner, mark.state)


def claims(state: State, zone_id: str) -> Iterator[ClaimedPlace]:
    """Every claim of a zone, taken apart."""
    return claims_in(zone_id, state.rulesets.get(zone_id))


def unreadable_names(ruleset: Ruleset | None) -> frozenset[str]:
    """The names that marks nobody can read protect."""
    marks = (read_mark(rule) for rule in (() if ruleset is None else ruleset.rules))
    return frozenset(name for mark in marks if isinstance(mark, Unreadable) for name in mark.names)


def enforcements(state: State, zone_id: str) -> Iterator[tuple[Rule, Enforcement]]:
    """The marked enforcement rules of a zone, in force or not."""
    for rule in rules_of(state, zone_id):
        mark = read_mark(rule)
        if isinstance(mark, Enforcement):
            yield rule, mark


def is_in_force(rule: Rule) -> bool:
    """Whether a rule stops anybody."""
    return rule.enabled and rule.action == "block"


def covered(state: State, zone_id: str) -> dict[str, frozenset[str]]:
    """The hostnames that each installation's enforcement rules in force cover."""
    found: dict[str, frozenset[str]] = {}
    for rule, mark in enforcements(state, zone_id):
        if is_in_force(rule):
            found[mark.owner] = found.get(mark.owner, frozenset()) | mark.guard.hostnames
    return found


def guards(state: State, zone_id: str, *, marked_only: bool) -> Iterator[tuple[Rule, Guard]]:
    """The rules in force that ask for client certificates: marked ones, or all of that shape whoever made them."""
    for rule in rules_of(state, zone_id):
        if is_in_force(rule) and (not marked_only or isinstance(read_mark(rule), Enforcement)):
            guard = read_guard(rule.expression)
            if guard is not None:
                yield rule, guard


def locked_out(state: State, zone_id: str, *, marked_only: bool) -> frozenset[tuple[str, str]]:
    """(rule id, hostname) where the rule blocks every client, because no accepted certificate is associated."""
    return frozenset(
        (rule.id, hostname)
        for rule, guard in guards(state, zone_id, marked_only=marked_only)
        for hostname in guard.hostnames - served_hostnames(state, zone_id, guard)
    )


def served_hostnames(state: State, zone_id: str, guard: Guard, *, without: str | None = None) -> frozenset[str]:
    """The hostnames on the lists of certificates whose clients the guard lets through.

    `without` leaves out one certificate.
    """
    served: frozenset[str] = frozenset()
    for (zone, certificate_id), hostnames in state.lists.items():
        counts = zone == zone_id and (without is None or certificate_id != without)
        if counts and guard.accepts(identifiers(state, zone_id, certificate_id)):
            served |= hostnames
    return served


def identifiers(state: State, zone_id: str, certificate_id: str | None) -> frozenset[str]:
    """The subject key identifiers of a certificate that the account of a zone holds; none for any other."""
    # The Cloudflare-managed CA has a key of its own, which no rule of ours can name.
    zone = state.zones.get(zone_id)
    held = {} if zone is None else state.certificates.get(zone.account_id, {})
    certificate = held.get(certificate_id or "")
    return frozenset() if certificate is None else key_identifiers(certificate.pem)


@lru_cache(maxsize=1024)
def key_identifiers(pem: str) -> frozenset[str]:
    """The subject key identifiers of the certificates in `pem`, upper-case hex as in `cert_issuer_ski`."""
    found = set()
    for certificate in x509.load_pem_x509_certificates(pem.encode()):
        try:
            extension = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        except x509.ExtensionNotFound:
            continue
        found.add(extension.value.digest.hex().upper())
    return frozenset(found)


def fingerprints(pem: str) -> frozenset[str]:
    """SHA-256 of each certificate in `pem`, lower-case hex; empty when it cannot be read."""
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return frozenset()
    return frozenset(certificate.fingerprint(hashes.SHA256()).hex() for certificate in certificates)
