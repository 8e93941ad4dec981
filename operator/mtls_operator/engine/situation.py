"""The cluster's side of every decision: all resources, what they refer to, and the verdicts on them.

Everything here is looked up from what is in memory; nothing waits. Two calls with nothing in between give the
same, so a step is always decided on the situation of that very moment.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from mtls_operator.api.certificate_authority import EffectiveRotation, RotationPhase, effective_rotation
from mtls_operator.api.conditions import Condition
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.account_knowledge import AccountKnowledge
from mtls_operator.domain.authority_assessment import (
    AuthorityAssessment,
    OperatorCredentials,
    assess_authority,
    assess_revocation_lists,
)
from mtls_operator.domain.authority_status import is_forgotten
from mtls_operator.domain.binding_assessment import (
    BindingAssessment,
    Surroundings,
    assess_binding,
    authority_of,
    named_credential,
)
from mtls_operator.domain.binding_in_force import has_lost_its_status, is_in_force_on, is_moving_on
from mtls_operator.domain.certificates import CaCertificate, uploaded_bundle
from mtls_operator.domain.exposure import ZoneLooks, no_look
from mtls_operator.domain.marks import Installation, digest_of
from mtls_operator.domain.observed import CertificateId, Ruleset, Zone
from mtls_operator.domain.records import AuthorityRecord, BindingRecord, ResourceKey
from mtls_operator.domain.relied_on_elsewhere import relied_on_elsewhere
from mtls_operator.domain.revoked import Revocations, RevokedSerials, ZoneRevocation
from mtls_operator.domain.rotation import kept_beside
from mtls_operator.domain.rotation_status import standing_of
from mtls_operator.domain.sources import (
    Contents,
    CredentialKey,
    SourceKey,
)
from mtls_operator.domain.token_state import TokenState, remark_on_token
from mtls_operator.domain.verdicts import Verdict
from mtls_operator.domain.verification import Refusal
from mtls_operator.domain.verification_task import refusals_in
from mtls_operator.engine.clock import Clock
from mtls_operator.engine.keys import AccountKey, Key, UnzonedKey, ZoneKey
from mtls_operator.engine.referred_sources import sources_of_authority, sources_of_binding
from mtls_operator.engine.resource_cache import ResourceCache


@dataclass(frozen=True, slots=True)
class ZoneQuestion:
    """A zone by id or by name, as one token sees it."""

    zone_id: str | None
    zone_name: str | None
    account_id: str
    credential: CredentialKey


@dataclass(repr=False)
class Situation:
    """Resources and their surroundings. `labels_of` gives the labels of a namespace."""

    operator: OperatorCredentials
    contents: Contents
    labels_of: Callable[[str], Mapping[str, str] | None]
    clock: Clock
    authorities: ResourceCache[AuthorityRecord] = field(default_factory=ResourceCache)
    bindings: ResourceCache[BindingRecord] = field(default_factory=ResourceCache)
    zones: dict[ZoneQuestion, Zone | Verdict] = field(default_factory=dict)
    """What Cloudflare answered to who asked for a zone."""
    token_states: Callable[[CredentialKey], TokenState | None] = lambda _: None
    """What Cloudflare said of the token at a place; None while it has not been verified."""
    zone_looks: ZoneLooks = no_look
    """What others have in a zone that may open it."""
    reserved: dict[ResourceKey, frozenset[CertificateId]] = field(default_factory=dict)
    """Bindings that are about to record hostnames for certificates, which count as used from then on."""
    tolerant: bool = False
    """Whether rules match hostnames with a port or a trailing dot too."""
    claimed_elsewhere: dict[str, frozenset[CertificateId]] = field(default_factory=dict)
    """By zone, the certificates that other installations claim there."""
    refusals: dict[str, Mapping[str, frozenset[Refusal]]] = field(default_factory=dict)
    """By zone and hostname, how the block rules that are there answer whom they block."""
    found_outside: Callable[[BindingRecord], Verdict | None] = lambda _: None
    """What the last check from outside found of a binding under its present spec."""
    uploaded: dict[str, CaCertificate] = field(default_factory=dict)
    """By fingerprint, the CA certificates that were seen in accounts: revocation lists may be signed by one that is in
    force and not in the source any more."""
    most_revocation_rules: int = ZoneRevocation().most_rules
    """How many rules about revoked certificates there may be in a zone."""

    # Bindings

    def authority_for(self, binding: BindingRecord) -> AuthorityRecord | None:
        """The CA that a binding refers to."""
        key = authority_of(binding)
        return self.authorities.get(key) if key else None

    def assess(self, binding: BindingRecord) -> BindingAssessment:
        """The verdicts on a binding."""
        around = self._surroundings(binding, self._zone_or_verdict(binding))
        return assess_binding(binding, replace(around, revoked=self._revoked_by(around.authority)))

    def zone_of(self, binding: BindingRecord) -> Zone | None:
        """The zone of a binding: the recorded one once it owns something there, else the one that was found."""
        zone = self._zone_or_verdict(binding)
        return zone if isinstance(zone, Zone) else None

    def bindings_in(self, zone_id: str) -> list[BindingRecord]:
        """All bindings of a zone, also those that are refused; not those whose status cannot be read."""
        readable = (each for each in self.bindings if each.status_is_readable)
        return [each for each in readable if (zone := self.zone_of(each)) and zone.id == zone_id]

    def unzoned(self) -> list[BindingRecord]:
        """All bindings whose zone is not known, and those whose status cannot be read."""
        return [each for each in self.bindings if not each.status_is_readable or self.zone_of(each) is None]

    def question_of(self, binding: BindingRecord) -> ZoneQuestion | None:
        """How to ask for a binding's zone; None while there is no token or no CA to ask with."""
        authority = self.authority_for(binding)
        credential = named_credential(binding, self._surroundings(binding, None))
        if binding.spec is None or authority is None or authority.spec is None or credential is None:
            return None
        zone = binding.spec.zone
        return ZoneQuestion(zone.id, zone.name, authority.spec.account_id, credential)

    def account_question_of(self, binding: BindingRecord) -> ZoneQuestion | None:
        """How to ask for the account of the recorded zone of a binding, which an older status does not name."""
        status = binding.status
        is_told = not status.managed or status.zone_id is None or status.account_id is not None
        question = None if is_told else self.question_of(binding)
        return replace(question, zone_id=status.zone_id, zone_name=None) if question else None

    # CAs

    def assess_authority(self, authority: AuthorityRecord) -> AuthorityAssessment:
        """The verdicts on a CA."""
        moment, remark = self.clock.moment(), self._remark_on_token
        return assess_authority(authority, self.contents, self.operator, moment, remark, uploaded=self.uploaded)

    def note_uploaded(self, known: AccountKnowledge) -> None:
        """What an account holds."""
        pems = {each.pem for listing in known.listings.values() for each in listing.value if each.ca}
        bundles = [bundle for pem in pems if (bundle := uploaded_bundle(pem)) is not None]
        self.uploaded |= {each.fingerprint: each for bundle in bundles for each in bundle.certificates}

    def authorities_in(self, account_id: str) -> list[AuthorityRecord]:
        """All CAs of an account; those that cannot be read under the empty id."""
        return [each for each in self.authorities if account_of(each) == account_id]

    def users_of(self, authority: AuthorityRecord) -> list[BindingRecord]:
        """Bindings that own or are about to own hostnames on the CA's lists, or are admitted to."""
        return [each for each in self.bindings if self._uses(each, authority)]

    def awaits_zones(self, authority: AuthorityRecord) -> bool:
        """Whether the zone of a binding that refers to the CA is still being looked up, so that it cannot be told yet
        whether the CA admits it."""
        return any(
            not each.status.managed and authority_of(each) == authority.key and self._is_zone_awaited(each)
            for each in self.bindings
        )

    def occupied(self, authority: AuthorityRecord) -> frozenset[CertificateId]:
        """Those of the CA's objects that bindings own or are about to own hostnames on."""
        named = {certificate for each in self.bindings for certificate in self._named(each, authority)}
        return frozenset(CertificateId(each) for each in named)

    def behind(self, authority: AuthorityRecord) -> list[BindingRecord]:
        """Bindings for which the CA's current object is not in force yet: those that name an earlier one that they are
        to leave, or one that is nobody's, because it is gone. Where they stay on an earlier one beside the current one,
        they have to say of themselves that all is in force; and whoever says that what a rotation brings is on its way
        is behind. A binding that comes was never without the current object."""
        standing, current = standing_of(authority.status), authority.status.certificate_id
        beside, rotation = kept_beside(standing), standing.rotation
        is_widening = rotation is not None and rotation.phase is RotationPhase.WIDENING
        left = frozenset(standing.objects) - beside
        everybodys = frozenset[str]().union(*(objects_of(each) for each in self.authorities))
        named = [(each, self._named(each, authority)) for each in self.bindings]
        return [
            each
            for each, names in named
            if left & names
            or (beside & names and not is_in_force_on(each, current))
            or (is_widening and current in names and is_moving_on(each, current))
            or (authority_of(each) == authority.key and _recorded(each) - everybodys)
        ]

    def issuers(self) -> frozenset[str] | None:
        """Subject key identifiers of all CAs that are in force or retire, by what their statuses say; None where a
        binding has hostnames on an object that is no CA's: the status of one may be lost, or the CA released."""
        recorded = frozenset[str]().union(*(_recorded(each) for each in self.bindings))
        if recorded - frozenset[str]().union(*(objects_of(each) for each in self.authorities)):
            return None
        standings = [standing_of(each.status) for each in self.authorities]
        retiring = (each.key_identifiers for standing in standings for each in standing.retiring)
        return frozenset().union(*(standing.key_identifiers for standing in standings), *retiring)

    def revocation(self) -> ZoneRevocation:
        """What is the same for every zone: the lists of all CAs, and how many rules there may be."""
        lists: dict[str, RevokedSerials] = {}
        for authority in self.authorities:
            if authority.spec is not None and authority.spec.revocation is not None:
                revoked = self._revoked_by(authority)
                lists = {**(dict(revoked.lists) if revoked else {}), **lists}
        return ZoneRevocation(self.most_revocation_rules, tuple(sorted(lists.items(), key=lambda each: each[0])))

    def identifiers(self) -> Mapping[str, str]:
        """Subject key identifiers of the CAs that were seen in accounts, by their fingerprints as claims tell them."""
        return {digest_of(name): each.key_identifier for name, each in self.uploaded.items() if each.key_identifier}

    def relied_on(self) -> frozenset[str]:
        """Every object of an account that the status of some CA or binding names."""
        of_bindings = (each.certificate_id for binding in self.bindings for each in binding.status.managed)
        return frozenset(of_bindings).union(*(objects_of(each) for each in self.authorities))

    def claimed_by_others(self) -> frozenset[CertificateId]:
        """Certificates that another installation claims in some zone."""
        return frozenset[CertificateId]().union(*self.claimed_elsewhere.values())

    def note_rules(self, zone_id: str, rules: Ruleset | None, ours: Collection[Installation]) -> None:
        """Learn from a reading of a zone's rules. `ours`: us, and installations whose marks became ours."""
        self.claimed_elsewhere[zone_id] = relied_on_elsewhere(rules, ours)
        self.refusals[zone_id] = refusals_in(rules)

    # What depends on what

    def keys_of_binding(self, binding: BindingRecord) -> set[Key]:
        """What to look at again when a binding has changed."""
        zone, authority = self.zone_of(binding), self.authority_for(binding)
        keys: set[Key] = {ZoneKey(zone.id) if zone and binding.status_is_readable else UnzonedKey()}
        if authority is not None:
            keys.add(AccountKey(account_of(authority)))
        return keys | ({UnzonedKey()} if self.account_question_of(binding) else set())

    def keys_of_authority(self, authority: AuthorityRecord) -> set[Key]:
        """What to look at again when a CA has changed."""
        keys: set[Key] = {AccountKey(account_of(authority))}
        for binding in self.bindings:
            if authority_of(binding) == authority.key:
                keys |= self.keys_of_binding(binding)
        return keys

    def keys_of_source(self, source: SourceKey) -> set[Key]:
        """What to look at again when a Secret or ConfigMap has changed."""
        everything = self.operator.key is not None and source == self.operator.key.source
        keys: set[Key] = set()
        for authority in self.authorities:
            if everything or source in sources_of_authority(authority):
                keys |= self.keys_of_authority(authority)
        for binding in self.bindings:
            if everything or source in sources_of_binding(binding):
                keys |= self.keys_of_binding(binding)
        return keys

    def keys_of_namespace(self, namespace: str) -> set[Key]:
        """What to look at again when a namespace's labels have changed."""
        return {key for b in self.bindings if b.key.namespace == namespace for key in self.keys_of_binding(b)}

    def all_keys(self) -> set[Key]:
        """Everything there is to look at."""
        keys = {key for authority in self.authorities for key in self.keys_of_authority(authority)}
        return keys | {key for binding in self.bindings for key in self.keys_of_binding(binding)}

    def sources(self) -> frozenset[SourceKey]:
        """Every Secret and ConfigMap that is referred to."""
        wanted = {source for authority in self.authorities for source in sources_of_authority(authority)}
        wanted |= {source for binding in self.bindings for source in sources_of_binding(binding)}
        return frozenset(wanted | ({self.operator.key.source} if self.operator.key else set()))

    def tokens_in_use(self) -> Mapping[CredentialKey, frozenset[str]]:
        """The places of all tokens that resources act with, and in which accounts."""
        found: dict[CredentialKey, frozenset[str]] = {}
        for authority in self.authorities:
            _add_account(found, self.assess_authority(authority).credential, account_of(authority))
        for binding in self.bindings:
            of_authority = self.authority_for(binding)
            account = account_of(of_authority) if of_authority else ""
            _add_account(found, self.assess(binding).credential, account)
        return found

    def is_loading(self, sources: frozenset[SourceKey]) -> bool:
        """Whether something that is referred to has not been read yet, so that nothing can be said about it."""
        operator = {self.operator.key.source} if self.operator.key else set()
        return bool((sources | operator) - self.contents.keys())

    def is_binding_loading(self, binding: BindingRecord) -> bool:
        """Whether something that a binding or its CA refers to has not been read yet."""
        authority = self.authority_for(binding)
        of_authority = sources_of_authority(authority) if authority else frozenset()
        return self.is_loading(sources_of_binding(binding) | of_authority)

    def _surroundings(self, binding: BindingRecord, zone: Zone | Verdict | None) -> Surroundings:
        authority = self.authority_for(binding)
        return Surroundings(
            authority=authority,
            namespace_labels=self.labels_of(binding.metadata.namespace),
            contents=self.contents,
            operator=self.operator,
            zone=zone,
            remark_on_token=self._remark_on_token,
            tolerant=self.tolerant,
        )

    def _revoked_by(self, authority: AuthorityRecord | None) -> Revocations | None:
        if authority is None:
            return None
        return assess_revocation_lists(authority, self.contents, self.clock.moment(), self.uploaded).revoked

    def _remark_on_token(self, place: CredentialKey, before: Condition | None) -> Verdict | None:
        return remark_on_token(place, self.token_states(place), self.clock.moment(), before)

    def _zone_or_verdict(self, binding: BindingRecord) -> Zone | Verdict | None:
        status = binding.status
        if status.managed and status.zone_id is not None:
            return Zone(status.zone_id, status.zone_name or "", status.account_id or self._account_found(binding))
        question = self.question_of(binding)
        return self.zones.get(question) if question else None

    def _account_found(self, binding: BindingRecord) -> str:
        question = self.account_question_of(binding)
        zone = self.zones.get(question) if question else None
        return zone.account_id if isinstance(zone, Zone) else ""

    def _uses(self, binding: BindingRecord, authority: AuthorityRecord) -> bool:
        if not binding.status_is_readable:
            return authority_of(binding) == authority.key
        if self._named(binding, authority) or self._may_rely_on(binding, authority):
            return True
        is_going = binding.deleting or authority.deleting
        return authority_of(binding) == authority.key and not is_going and self._is_admitted(binding)

    def _named(self, binding: BindingRecord, authority: AuthorityRecord) -> frozenset[str]:
        """Those of the CA's objects that a binding owns or is about to own hostnames on, but for what it has through
        another CA of the cluster that has the same object and stays. Of a binding whose status cannot be read, or was
        lost, nobody knows: all of them."""
        objects = objects_of(authority)
        if authority_of(binding) == authority.key and self._may_be_anywhere(binding):
            return objects
        named = objects & (_recorded(binding) | self.reserved.get(binding.key, frozenset()))
        other = self.authority_for(binding)
        elsewhere = other is not None and other.key != authority.key and not other.deleting
        return named - objects_of(other) if other is not None and elsewhere else named

    def _may_rely_on(self, binding: BindingRecord, authority: AuthorityRecord) -> bool:
        """Whether its CA has lost its status and a binding may have hostnames on the list of what that named."""
        is_lost = authority_of(binding) == authority.key and is_forgotten(authority)
        return is_lost and (bool(binding.status.managed) or self._may_be_anywhere(binding))

    def _may_be_anywhere(self, binding: BindingRecord) -> bool:
        """Whether nobody knows where a binding has hostnames. One that its CA refuses may be held without any."""
        if not binding.status_is_readable:
            return True
        return has_lost_its_status(binding) and self.assess(binding).resolved.reason is not Reason.REF_NOT_PERMITTED

    def _is_zone_awaited(self, binding: BindingRecord) -> bool:
        return self._zone_or_verdict(binding) is None and self.assess(binding).lacks_zone

    def _is_admitted(self, binding: BindingRecord) -> bool:
        return self.assess(binding).target is not None


def _add_account(places: dict[CredentialKey, frozenset[str]], place: CredentialKey | None, account: str) -> None:
    if place is not None:
        places[place] = places.get(place, frozenset()) | ({account} if account else set())


def account_of(authority: AuthorityRecord) -> str:
    """The account of a CA; empty when its spec or its status cannot be read."""
    return authority.spec.account_id if authority.spec and authority.status_is_readable else ""


def objects_of(authority: AuthorityRecord) -> frozenset[str]:
    """Every object of the account that a CA's status names."""
    objects = [authority.status.certificate_id, *(each.certificate_id for each in authority.status.retiring)]
    return frozenset(each for each in objects if each is not None)


def rotation_of(authority: AuthorityRecord) -> EffectiveRotation:
    """How a change of a CA's source comes into force."""
    return effective_rotation(authority.spec.rotation if authority.spec else None)


def _recorded(binding: BindingRecord) -> frozenset[str]:
    return frozenset(each.certificate_id for each in binding.status.managed)
