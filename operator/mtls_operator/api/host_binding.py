"""MtlsHostBinding: hostnames of a zone that admit only clients of a certificate authority."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from mtls_operator.api.conditions import Conditions
from mtls_operator.api.constants import HOST_BINDING_KIND
from mtls_operator.api.model import Part, limits, list_type, rule, rules
from mtls_operator.api.policies import (
    ACTION_WHEN_ABSENT,
    ADOPTION_WHEN_ABSENT,
    DELETION_WHEN_ABSENT,
    MANAGEMENT_WHEN_ABSENT,
    PINNING_WHEN_ABSENT,
    VERIFICATION_PATH_WHEN_ABSENT,
    Action,
    AdoptionPolicy,
    CloudflareId,
    DeletionPolicy,
    IssuerPinning,
    ManagementPolicy,
)
from mtls_operator.api.references import CertificateAuthorityRef, ClientCertificateRef, CredentialsRef
from mtls_operator.api.resource import Resource
from mtls_operator.api.times import Duration, Moment

_HOSTNAME = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
_HOSTNAME_RULE = rule(
    f"self.matches('{_HOSTNAME}')",
    "must be a hostname such as api.example.com: lower-case letters, digits and '-', labels of at most 63 characters",
    message_expression=(
        "self.contains('*') ? 'a wildcard cannot be bound: list each hostname that clients use' : "
        "self.endsWith('.') ? 'must not end with a dot' : "
        "self.lowerAscii() != self ? 'must be in lower case' : "
        "self.split('.').exists(l, size(l) > 63) ? 'a label (the part between dots) is longer than 63 characters' : "
        "'must be a hostname such as api.example.com: lower-case letters, digits, - and dots; "
        "write international names as A-labels (xn--...)'"
    ),
)
Hostname = Annotated[str, limits(_HOSTNAME_RULE, minLength=1, maxLength=253)]

_IMMUTABLE_ZONE = rule(
    "self == oldSelf", "is immutable: to move to another zone, create another MtlsHostBinding and delete this one"
)


class ZoneRef(Part):
    """A Cloudflare zone: exactly one of its id and its name."""

    model_config = ConfigDict(
        json_schema_extra=rules(rule("has(self.id) != has(self.name)", "exactly one of id and name must be given"))
    )

    id: CloudflareId | None = None
    """Id of the zone, 32 hexadecimal digits."""
    name: Hostname | None = None
    """Name of the zone, for example example.com. Needs a token that may read zones."""


class Response(Part):
    """What a blocked client gets. Absent: Cloudflare's own block page, status 403."""

    status_code: Annotated[int, limits(format="int32", minimum=400, maximum=499)]
    """HTTP status, 400 to 499 (the range that Cloudflare allows)."""
    content_type: Annotated[str, limits(enum=["application/json", "text/html", "text/plain", "text/xml"])]
    """Content type of the body; the four that Cloudflare allows."""
    content: Annotated[
        str, limits(rule("size(bytes(self)) <= 2048", "must be at most 2048 bytes"), minLength=1, maxLength=2048)
    ]
    """Body of the response, at most 2 KB."""


class Enforcement(Part):
    """What the zone's rule does with requests that do not come with an accepted client certificate."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.response) || !has(self.action) || self.action == 'Block'",
                "response can be given only with action Block",
                field_path=".response",
            )
        )
    )

    action: Action | None = None
    """`Block`: refuse them. `Log`: let them through and log them. `None`: no rule; the association alone protects
    nothing. Absent: Block."""
    issuer_pinning: IssuerPinning | None = None
    """`Always`: accept only certificates issued by the CA's certificates and `additionalIssuers`. `Never`: accept a
    certificate of any CA that is associated with the hostname, whoever associated it. Absent: Always."""
    additional_issuers: Annotated[
        tuple[
            Annotated[
                str,
                limits(
                    rule(
                        "self.matches('^([0-9A-F]{2})+$')",
                        "must be a subject key identifier in upper-case hexadecimal digits, two per byte, without "
                        "colons",
                    ),
                    minLength=2,
                    maxLength=128,
                ),
            ],
            ...,
        ],
        limits(maxItems=50, **list_type("set")),
    ] = ()
    """Subject key identifiers of intermediate CAs that issue client certificates and are not in the bundle, upper-case
    hex."""
    response: Response | None = None
    """What a blocked client gets; only with action Block."""


class Verification(Part):
    """A check from outside: connects to each hostname as a client that must not get through."""

    interval: Annotated[
        Duration,
        limits(
            rule(
                "duration(self) >= duration('1m') && duration(self) <= duration('24h')",
                "must be a duration from 1m to 24h, for example 5m",
            )
        ),
    ]
    """Time between two checks of a hostname, from 1m to 24h."""
    path: (
        Annotated[
            str,
            limits(
                rule(
                    "self.matches('^/[!-~]*$') && !self.contains('#')",
                    "must begin with '/' and hold printable ASCII characters without spaces and without '#'",
                ),
                minLength=1,
                maxLength=1024,
            ),
        ]
        | None
    ) = None
    """Path that is asked for. Absent: `/`."""
    client_certificate_ref: ClientCertificateRef | None = None
    """A good client certificate: the check then also says whether good clients get through."""


class HostBindingSpec(Part):
    """What is wanted."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.zone.name) || "
                "self.hostnames.all(h, h == self.zone.name || h.endsWith('.' + self.zone.name))",
                "every hostname must be inside the zone: equal to zone.name or ending in '.' and zone.name",
                # Names one hostname only: the API server estimates joining all of them to be too expensive.
                message_expression=(
                    "self.hostnames.filter(h, h != self.zone.name && !h.endsWith('.' + self.zone.name))[0] + "
                    "' is outside the zone ' + self.zone.name"
                ),
                field_path=".hostnames",
            )
        )
    )

    certificate_authority_ref: CertificateAuthorityRef
    """The CA that client certificates are verified against. A change is a rotation of these hostnames."""
    zone: Annotated[ZoneRef, limits(_IMMUTABLE_ZONE)]
    """The Cloudflare zone of the hostnames. Immutable."""
    hostnames: Annotated[tuple[Hostname, ...], limits(minItems=1, maxItems=500, **list_type("set"))]
    """Hostnames exactly as clients use them (not a CNAME's target): lower case, international names as A-labels, no
    wildcard, inside the zone."""
    credentials_ref: CredentialsRef | None = None
    """Secret with an API token for the zone. Absent: the CA's, then the operator's own."""
    enforcement: Enforcement | None = None
    """What happens to requests without an accepted client certificate. Absent: they are blocked."""
    verification: Verification | None = None
    """A check from outside. Absent: off."""
    adoption_policy: AdoptionPolicy | None = None
    """What to do with hostnames that are associated already and claimed by no installation of this operator.
    `IfIdentical`: they become ours. `Never`: they stay foreign. Absent: IfIdentical."""
    management_policy: ManagementPolicy | None = None
    """`Manage`: bring Cloudflare into the wanted state. `Observe`: write nothing to Cloudflare, say in `status.plan`
    what would be done. Absent: Manage."""
    deletion_policy: DeletionPolicy | None = None
    """`Delete`: deleting this resource removes its rule and associations. `Retain`: they stay in force. Absent:
    Delete."""
    suspend: bool | None = None
    """While true, nothing is changed at Cloudflare for this resource; what is in force stays in force."""

    @property
    def action(self) -> Action:
        """The action in force."""
        return (self.enforcement or Enforcement()).action or ACTION_WHEN_ABSENT

    @property
    def issuer_pinning(self) -> IssuerPinning:
        """Whether issuers are pinned."""
        return (self.enforcement or Enforcement()).issuer_pinning or PINNING_WHEN_ABSENT


class HostnameState(StrEnum):
    """How far one hostname is."""

    PENDING = "Pending"
    ARRIVING = "Arriving"
    ASSOCIATED = "Associated"
    ENFORCED = "Enforced"
    LOGGED = "Logged"
    MOVING = "Moving"
    LEAVING = "Leaving"
    CONFLICTED = "Conflicted"
    REFUSED = "Refused"


class EffectiveEnforcement(Part):
    """Enforcement in force."""

    action: str
    """Action in force."""
    issuer_pinning: str
    """Issuer pinning in force."""


class EffectiveHostBinding(Part):
    """The values in force, also where the spec is silent."""

    certificate_authority_namespace: str
    """Namespace of the certificate authority."""
    management_policy: str
    """Management policy in force."""
    adoption_policy: str
    """Adoption policy in force."""
    deletion_policy: str
    """Deletion policy in force."""
    enforcement: EffectiveEnforcement
    """Enforcement in force."""
    verification_path: str | None = None
    """Path that the check from outside asks for; absent while the check is off."""


class ManagedHostnames(Part):
    """Hostnames that this binding owns on a certificate's list. Recorded before the write and struck after it is
    undone."""

    certificate_id: str
    """Id of the certificate object at Cloudflare."""
    hostnames: Annotated[tuple[str, ...], limits(**list_type("atomic"))]
    """The hostnames, sorted."""


class HostnameStatus(Part):
    """How far one hostname is."""

    name: str
    """The hostname."""
    state: str
    """`Pending`: nothing begun. `Arriving`: claimed, the association is being made or settles. `Associated`:
    associated, not covered by an enforcement rule. `Enforced`: associated and covered. `Logged`: associated, and a rule
    only logs (`enforcement.action: Log`). `Moving`: covered by what was in force before, and on its way to another
    certificate or enforcement. `Leaving`: being given up. `Conflicted`: held by somebody else. `Refused`: cannot be
    bound."""
    meanwhile: str | None = None
    """What the rule that covers a hostname which is `Moving` does with requests without an accepted client certificate:
    `Block` or `Log`. Absent where somebody took its rule away: it is put back."""
    message: str | None = None
    """What it waits for or why it is refused."""


class ManagedRule(Part):
    """A rule of the zone that covers hostnames of this binding."""

    id: str
    """Its id at Cloudflare."""
    ref: str
    """Its ref, which stays when the rule is edited."""


class Rival(Part):
    """An installation of another cluster that uses our ownerId, as `takeover` of the chart names one."""

    owner_id: str
    """The ownerId that is used twice."""
    cluster_uid: Annotated[str, Field(alias="clusterUID")]
    """UID of the other cluster's kube-system namespace."""


class HostBindingStatus(Part):
    """What is the case. Written by the operator only, and only when its meaning changes."""

    observed_generation: Annotated[int, limits(format="int64")] | None = None
    """The generation of the spec that this status answers."""
    conditions: Conditions = ()
    """Ready, Reconciling, Stalled, Accepted, ResolvedRefs, Associated, Enforced, Verified."""
    effective: EffectiveHostBinding | None = None
    """The values in force, also for fields that are absent in the spec."""
    zone_id: str | None = None
    """Id of the zone."""
    zone_name: str | None = None
    """Name of the zone."""
    account_id: str | None = None
    """Id of the account that the zone belongs to."""
    certificate_authority_not_after: Moment | None = None
    """When the first of the CA certificates in force for these hostnames expires."""
    managed: Annotated[tuple[ManagedHostnames, ...], limits(**list_type("map", "certificateId"))] = ()
    """What this binding owns at Cloudflare, per certificate: the log of intents from which a restart goes on."""
    hostnames: Annotated[tuple[HostnameStatus, ...], limits(**list_type("map", "name"))] = ()
    """How far each hostname is, sorted by name."""
    hostnames_ready: str | None = None
    """Hostnames that are in the state that the spec asks for, and hostnames of the spec: `2/3`."""
    rules: Annotated[tuple[ManagedRule, ...], limits(**list_type("map", "id"))] = ()
    """Enforcement rules of the zone that cover hostnames of this binding."""
    removals_from: Moment | None = None
    """Somebody replaced the zone's custom rules: nothing is removed in the zone before this moment, so that other
    installations can put their claims back. Absent: nothing of the kind was noticed lately."""
    rival: Rival | None = None
    """Another cluster that had rules in the zone under our ownerId when these were last read: nothing is written in the
    account. Absent: there was none."""
    plan: Annotated[tuple[str, ...], limits(**list_type("atomic"))] = ()
    """With managementPolicy Observe: what would be done, one step a line, in order."""
    last_handled_reconcile_at: str | None = None
    """The value of the annotation apishield-mtls.io/reconcile-requested-at that was handled last."""


class MtlsHostBinding(Resource):
    """Hostnames of a Cloudflare zone that are associated with a certificate authority, and a rule that blocks
    requests to them that do not come with a client certificate verified against it."""

    kind: ClassVar[str] = HOST_BINDING_KIND
    status_type: ClassVar[type[Part]] = HostBindingStatus

    spec: HostBindingSpec
    status: HostBindingStatus = HostBindingStatus()

    @property
    def certificate_authority_key(self) -> tuple[str, str]:
        """Namespace and name of the certificate authority."""
        reference = self.spec.certificate_authority_ref
        return reference.namespace or self.metadata.namespace, reference.name

    def effective(self) -> EffectiveHostBinding:
        """The values in force: those of the spec, else those that the design gives to absent fields."""
        spec, verification = self.spec, self.spec.verification
        return EffectiveHostBinding(
            certificate_authority_namespace=self.certificate_authority_key[0],
            management_policy=spec.management_policy or MANAGEMENT_WHEN_ABSENT,
            adoption_policy=spec.adoption_policy or ADOPTION_WHEN_ABSENT,
            deletion_policy=spec.deletion_policy or DELETION_WHEN_ABSENT,
            enforcement=EffectiveEnforcement(action=spec.action, issuer_pinning=spec.issuer_pinning),
            verification_path=(verification.path or VERIFICATION_PATH_WHEN_ABSENT) if verification else None,
        )
