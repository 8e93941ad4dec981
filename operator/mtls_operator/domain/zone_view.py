"""A zone's ruleset, read as marks: what we hold, what others claim, and where a new rule belongs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from mtls_operator.domain.expressions import MAX_LENGTH, claim_expression, enforcement_expression
from mtls_operator.domain.marks import (
    Claim,
    ClaimState,
    Enforcement,
    Installation,
    Revocation,
    Unreadable,
    claim_body,
    read_mark,
)
from mtls_operator.domain.observed import BlockResponse, CertificateId, RuleBody, Ruleset
from mtls_operator.domain.rule_groups import Group

T = TypeVar("T")
BLOCK, LOG, NO_RULE = "block", "log", "none"


@dataclass(frozen=True, slots=True)
class Policy:
    """What an enforcement rule does besides naming hostnames."""

    issuers: frozenset[str] | None
    """Subject key identifiers of the issuers that are accepted; None accepts any verified certificate."""
    action: str
    """`block` or `log`; `none`: there is no rule, the hostname is on the list and nothing more."""
    response: BlockResponse | None = None
    tolerant: bool = False
    """Whether hostnames are matched with a port or a trailing dot too (the chart's `hostMatch`)."""

    @property
    def pins(self) -> bool:
        """Whether a rule tells certificates of one CA from those of another."""
        return self.issuers is not None and not self.is_bare

    @property
    def is_bare(self) -> bool:
        """Whether there is no rule."""
        return self.action == NO_RULE


@dataclass(frozen=True, slots=True)
class EnforcementKey:
    """What the enforcement rules of an installation differ in besides their hostnames."""

    policy: Policy
    enabled: bool = True
    retained: bool = False


@dataclass(frozen=True, slots=True)
class ClaimKey:
    """What the claims of an installation differ in besides their hostnames."""

    certificate: CertificateId
    state: ClaimState
    aim: frozenset[str] = frozenset()
    in_force: frozenset[str] = frozenset()
    until: str | None = None


@dataclass(frozen=True, slots=True)
class RevocationKey:
    """What the rules about revoked certificates of an installation differ in besides their serial numbers."""

    hostnames: frozenset[str]
    issuer: str
    """The subject key identifier of the CA that revoked them."""
    action: str
    response: BlockResponse | None = None
    tolerant: bool = False
    enabled: bool = True
    retained: bool = False


@dataclass(frozen=True, slots=True)
class AlteredRule:
    """A rule of ours whose expression somebody changed, and the hostnames that it may be about."""

    rule_id: str
    names: frozenset[str]
    is_claim: bool
    revokes: bool = False
    """Whether it was about revoked certificates."""


@dataclass(frozen=True, slots=True)
class ForeignMark:
    """A rule of another installation."""

    rule_id: str
    ref: str
    mark: Claim | Enforcement | Revocation


@dataclass(frozen=True)
class ZoneView:
    """The marks of a zone's ruleset from the point of view of one installation."""

    claims: tuple[Group[ClaimKey], ...]
    enforcement: tuple[Group[EnforcementKey], ...]
    revocations: tuple[Group[RevocationKey], ...]
    """Rules of ours about revoked certificates: groups of serial numbers, not of hostnames."""
    marks_of_others: tuple[ForeignMark, ...]
    unreadable: frozenset[str]
    """Names in marks of others that this version cannot read: they stay on every list."""
    altered: tuple[AlteredRule, ...]
    defaced: tuple[tuple[str, RuleBody], ...]
    """Rules of ours that name the right hostnames and are changed in what is the same for all, with what they should
    be: a claim that was enabled."""
    misplaced: tuple[str, ...]
    """Rules of ours that act on requests and stand behind a rule which may bypass them."""
    refs: frozenset[str]
    first_foreign_rule: str | None
    """The rule before which an enforcement rule belongs, None when it belongs at the end."""

    @cached_property
    def others(self) -> tuple[Claim, ...]:
        """The claims of other installations."""
        return tuple(each.mark for each in self.marks_of_others if isinstance(each.mark, Claim))

    @cached_property
    def rules_of_others(self) -> tuple[Enforcement, ...]:
        """The enforcement rules of other installations."""
        return tuple(each.mark for each in self.marks_of_others if isinstance(each.mark, Enforcement))

    @property
    def is_without_us(self) -> bool:
        """Whether no rule of the zone is ours."""
        return not (self.claims or self.enforcement or self.revocations or self.altered)

    def claimed(self, certificate: CertificateId, state: ClaimState) -> frozenset[str]:
        """Our hostnames in a state on a certificate's list."""
        return self._claimed.get((certificate, state), frozenset())

    def claim_keys(self, certificate: CertificateId, hostname: str) -> list[ClaimKey]:
        """The claims of ours that name a hostname on a certificate's list."""
        return [e.key for e in self.claims if e.key.certificate == certificate and hostname in e.hostnames]

    def enforcement_keys(self, hostname: str) -> list[EnforcementKey]:
        """The policies of our rules that cover a hostname."""
        return [each.key for each in self.enforcement if hostname in each.hostnames]

    def revocation_keys(self, hostname: str) -> list[RevocationKey]:
        """Our rules about revoked certificates that name a hostname."""
        return [each.key for each in self.revocations if hostname in each.key.hostnames]

    def is_retained(self, hostname: str) -> bool:
        """Whether every rule of ours about a hostname was left in force on purpose."""
        retained = [key.retained for key in self.enforcement_keys(hostname)]
        return all((*retained, *(key.retained for key in self.revocation_keys(hostname))))

    def relied_on_by_others(self, certificate: CertificateId) -> frozenset[str]:
        """Hostnames that another installation claims as arriving or held on a certificate's list."""
        return self._relied_on_by_others.get(certificate, frozenset())

    def given_up_by_others(self, certificate: CertificateId) -> frozenset[str]:
        """Hostnames that other installations claim only as leaving."""
        leaving = _union(
            claim.hostnames
            for claim in self.others
            if certificate in claim.certificate_ids and claim.state is ClaimState.LEAVING
        )
        return leaving - self.relied_on_by_others(certificate)

    @cached_property
    def left_by_others(self) -> frozenset[str]:
        """Hostnames for which another installation has left a rule in force."""
        return _union(rule.hostnames for rule in self.rules_of_others if rule.retained)

    @cached_property
    def left_by_us(self) -> frozenset[str]:
        """Hostnames for which we have left a rule in force."""
        return _union(rule.hostnames for rule in self.enforcement if rule.key.retained)

    @cached_property
    def known_to_others(self) -> frozenset[str]:
        """Hostnames that another installation has a claim on, on whatever list."""
        return _union(claim.hostnames for claim in self.others)

    @cached_property
    def enforced(self) -> frozenset[str]:
        """Hostnames that an enabled rule of ours covers."""
        return _union(each.hostnames for each in self.enforcement if each.key.enabled)

    @cached_property
    def _claimed(self) -> Mapping[tuple[CertificateId, ClaimState], frozenset[str]]:
        keys = {(each.key.certificate, each.key.state) for each in self.claims}
        return {
            (certificate, state): _union(
                each.hostnames for each in self.claims if (each.key.certificate, each.key.state) == (certificate, state)
            )
            for certificate, state in keys
        }

    @cached_property
    def _relied_on_by_others(self) -> Mapping[CertificateId, frozenset[str]]:
        relying = [claim for claim in self.others if claim.state is not ClaimState.LEAVING]
        return {
            certificate: _union(claim.hostnames for claim in relying if certificate in claim.certificate_ids)
            for certificate in _union(claim.certificate_ids for claim in relying)
        }

    def is_shared(self, certificate: CertificateId) -> bool:
        """Whether another installation has a mark for the certificate in this zone."""
        return any(certificate in claim.certificate_ids for claim in self.others) or bool(self.unreadable)


def view_of(ruleset: Ruleset | None, us: Installation) -> ZoneView:
    """Sort a ruleset's rules by whose they are."""
    rules = ruleset.rules if ruleset else ()
    marks = [(rule, read_mark(rule)) for rule in rules]
    first_foreign = next(
        (i for i, (_, mark) in enumerate(marks) if not isinstance(mark, Enforcement | Revocation)), None
    )
    ours = [
        (rule, mark)
        for rule, mark in marks
        if isinstance(mark, Claim | Enforcement | Revocation) and mark.installation == us
    ]
    return ZoneView(
        claims=tuple(
            Group(_claim_key(mark, certificate), mark.hostnames, rule.id)
            for rule, mark in ours
            if isinstance(mark, Claim)
            for certificate in sorted(mark.certificate_ids)
        ),
        enforcement=tuple(
            Group(_enforcement_key(mark), mark.hostnames, rule.id)
            for rule, mark in ours
            if isinstance(mark, Enforcement)
        ),
        revocations=tuple(
            Group(_revocation_key(mark), mark.serials, rule.id) for rule, mark in ours if isinstance(mark, Revocation)
        ),
        marks_of_others=tuple(
            ForeignMark(rule.id, rule.body.ref, mark)
            for rule, mark in marks
            if isinstance(mark, Claim | Enforcement | Revocation) and mark.installation != us
        ),
        unreadable=_union(mark.names for _, mark in marks if isinstance(mark, Unreadable) and mark.installation != us),
        altered=tuple(
            AlteredRule(rule.id, frozenset(name for name in mark.names if "." in name), mark.is_claim, mark.revokes)
            for rule, mark in marks
            if isinstance(mark, Unreadable) and mark.installation == us
        ),
        defaced=tuple(
            (rule.id, body)
            for rule, mark in ours
            if isinstance(mark, Claim) and (body := claim_body(mark, rule.body.ref)) != rule.body
        ),
        misplaced=tuple(
            rule.id
            for index, (rule, mark) in enumerate(marks)
            if isinstance(mark, Enforcement | Revocation)
            and mark.installation == us
            and not mark.retained
            and first_foreign is not None
            and index > first_foreign
        ),
        refs=frozenset(rule.body.ref for rule in rules),
        first_foreign_rule=rules[first_foreign].id if first_foreign is not None else None,
    )


def claim_fits(_key: ClaimKey, hostnames: Collection[str]) -> bool:
    """Whether one claim can name all these hostnames."""
    return len(claim_expression(hostnames)) <= MAX_LENGTH


def claim_becomes(one: ClaimKey, other: ClaimKey) -> bool:
    """Whether a claim can be changed into another in place: what it says of a list would be gone otherwise."""
    return one.certificate == other.certificate


def enforcement_becomes(_one: EnforcementKey, _other: EnforcementKey) -> bool:
    """An enforcement rule can be changed into any other: its hostnames are covered before and after."""
    return True


def enforcement_fits(key: EnforcementKey, hostnames: Collection[str]) -> bool:
    """Whether one enforcement rule can cover all these hostnames."""
    return len(enforcement_expression(hostnames, key.policy.issuers, tolerant=key.policy.tolerant)) <= MAX_LENGTH


def _claim_key(claim: Claim, certificate: CertificateId) -> ClaimKey:
    return ClaimKey(certificate, claim.state, claim.aim, claim.in_force, claim.until)


def _enforcement_key(rule: Enforcement) -> EnforcementKey:
    policy = Policy(rule.issuers, rule.action, rule.response, rule.tolerant)
    return EnforcementKey(policy, rule.enabled, rule.retained)


def _revocation_key(rule: Revocation) -> RevocationKey:
    return RevocationKey(
        rule.hostnames, rule.issuer, rule.action, rule.response, rule.tolerant, rule.enabled, rule.retained
    )


def _union(sets: Iterable[frozenset[T]]) -> frozenset[T]:
    return frozenset().union(*sets)
