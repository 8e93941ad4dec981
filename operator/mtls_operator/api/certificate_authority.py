"""MtlsCertificateAuthority: CA certificates that exist once in a Cloudflare account."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from mtls_operator.api.conditions import Conditions
from mtls_operator.api.constants import CERTIFICATE_AUTHORITY_KIND
from mtls_operator.api.model import Extras, Part, limits, list_type, rule, rules
from mtls_operator.api.policies import (
    ADOPTION_WHEN_ABSENT,
    CLOUDFLARE_ID_RULE,
    DELETION_WHEN_ABSENT,
    MANAGEMENT_WHEN_ABSENT,
    NAMESPACES_WHEN_ABSENT,
    OVERLAP_WHEN_ABSENT,
    STRATEGY_WHEN_ABSENT,
    AdoptionPolicy,
    DeletionPolicy,
    ManagementPolicy,
    NamespacesFrom,
    RotationStrategy,
)
from mtls_operator.api.references import CertificateSource, CredentialsRef, RevocationSource
from mtls_operator.api.resource import Resource
from mtls_operator.api.times import Duration, Moment

_IMMUTABLE_ACCOUNT = rule(
    "self == oldSelf",
    "is immutable: to use another account, create another MtlsCertificateAuthority and move the bindings to it",
)
_DISPLAY_NAME = limits(
    rule(
        "self.matches('^[A-Za-z0-9]([A-Za-z0-9 ._/:@+-]*[A-Za-z0-9])?$')",
        "must consist of letters, digits, spaces and ._/:@+- (no parentheses, they delimit the operator's mark in the "
        "certificate's name), beginning and ending with a letter or digit",
    ),
    minLength=1,
    maxLength=100,
)
_OVERLAP = limits(rule("duration(self) > duration('0s')", "must be a duration longer than 0s, for example 24h or 90m"))
_PATTERN_RULE = rule(
    r"self.matches('^([*][.])?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$')",
    "must be a hostname in lower case, or '*.' and a hostname ('*.' stands for one or more labels, not for the apex)",
)


class Rotation(Part):
    """How a change of the CA certificates comes into force."""

    overlap: Annotated[Duration | None, _OVERLAP] = None
    """How long clients of the previous CA go on being accepted after the new one is in force. Absent: 24h."""
    strategy: RotationStrategy | None = None
    """`Bundle`: one object with new and previous CAs during the overlap, right under any behaviour of Cloudflare.
    `SideBySide`: two objects, right only if Cloudflare goes on verifying clients of the older one. Absent: Bundle."""


class LabelSelectorRequirement(Part):
    """A label, an operator and values that select namespaces."""

    key: Annotated[str, limits(minLength=1, maxLength=317)]
    """The label's key."""
    operator: Annotated[str, limits(enum=["In", "NotIn", "Exists", "DoesNotExist"])]
    """How the label is compared with `values`."""
    values: Annotated[tuple[Annotated[str, limits(maxLength=63)], ...], limits(maxItems=64, **list_type("atomic"))] = ()
    """Values for In and NotIn; none for Exists and DoesNotExist."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
                "values must be given for In and NotIn, and only for them",
                field_path=".values",
            )
        )
    )


class NamespaceSelector(Part):
    """Selects namespaces by their labels, as a Kubernetes label selector does; an empty one selects all."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-map-type": "atomic"})

    match_labels: Annotated[Mapping[str, Annotated[str, limits(maxLength=63)]], limits(maxProperties=64)] | None = None
    """Labels that a namespace must have, with these values."""
    match_expressions: Annotated[tuple[LabelSelectorRequirement, ...], limits(maxItems=64, **list_type("atomic"))] = ()
    """Requirements that a namespace's labels must meet, all of them."""


class AllowedNamespaces(Part):
    """Namespaces whose bindings may use the CA."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.selector) == (self.from == 'Selector')",
                "selector must be given when from is Selector, and only then",
                field_path=".selector",
            )
        )
    )

    from_: Annotated[NamespacesFrom, Field(alias="from")]
    """`Same`: the CA's own namespace. `All`: every namespace. `Selector`: those that `selector` selects."""
    selector: NamespaceSelector | None = None
    """Labels of the namespaces, with from Selector only."""


class AllowedBindings(Part):
    """Which bindings may use the CA, and with it the CA's credentials."""

    namespaces: AllowedNamespaces | None = None
    """Namespaces of the bindings. Absent: the CA's own."""
    hostnames: (
        Annotated[
            tuple[Annotated[str, limits(_PATTERN_RULE, minLength=1, maxLength=255)], ...],
            limits(minItems=1, maxItems=200, **list_type("set")),
        ]
        | None
    ) = None
    """Hostnames that may be bound. `*.example.com` stands for one or more labels before `example.com`, not for
    `example.com` itself. Absent: any."""


class CertificateAuthoritySpec(Part):
    """What is wanted."""

    account_id: Annotated[str, limits(CLOUDFLARE_ID_RULE, _IMMUTABLE_ACCOUNT, maxLength=64)]
    """Id of the Cloudflare account, 32 hexadecimal digits. Immutable."""
    display_name: Annotated[str, _DISPLAY_NAME] | None = None
    """First part of the certificate's name at Cloudflare, which people see in the dashboard. Absent: namespace/name."""
    source: CertificateSource
    """Where the CA certificates are read from."""
    credentials_ref: CredentialsRef | None = None
    """Secret with an API token for the account. Absent: the operator's own token, where its configuration allows it."""
    management_policy: ManagementPolicy | None = None
    """`Manage`: bring Cloudflare into the wanted state. `Observe`: write nothing to Cloudflare, say in `status.plan`
    what would be done. Absent: Manage."""
    adoption_policy: AdoptionPolicy | None = None
    """What to do if the identical CA is in the account already without a mark of this operator. `IfIdentical`: use
    it, and never delete it. `Never`: refuse. Absent: IfIdentical."""
    deletion_policy: DeletionPolicy | None = None
    """`Delete`: deleting this resource deletes the certificate at Cloudflare, if it is ours. `Retain`: it stays.
    Absent: Delete."""
    rotation: Rotation | None = None
    """How a change of the CA certificates comes into force. Absent: strategy Bundle with an overlap of 24h."""
    revocation: RevocationSource | None = None
    """Revocation lists whose serial numbers are blocked by rules. Cloudflare checks none for uploaded CAs."""
    allowed_bindings: AllowedBindings | None = None
    """Which bindings may use this CA. Absent: those of its own namespace, for any hostname."""
    suspend: bool | None = None
    """While true, nothing is changed at Cloudflare for this resource; what is in force stays in force."""


class Ownership(StrEnum):
    """How a certificate came to be used."""

    CREATED = "Created"
    ADOPTED = "Adopted"


class RotationPhase(StrEnum):
    """How far a rotation is."""

    WIDENING = "Widening"
    OVERLAP = "Overlap"
    NARROWING = "Narrowing"


Fingerprint = Annotated[str, limits(maxLength=64)]
_ATOMIC: Extras = list_type("atomic")
Fingerprints = Annotated[tuple[Fingerprint, ...], limits(**_ATOMIC)]


class EffectiveRotation(Part):
    """Rotation in force."""

    overlap: Duration
    """Overlap in force."""
    strategy: str
    """Strategy in force."""


class EffectiveCertificateAuthority(Part):
    """The values in force, also where the spec is silent."""

    display_name: str
    """First part of the certificate's name."""
    management_policy: str
    """Management policy in force."""
    adoption_policy: str
    """Adoption policy in force."""
    deletion_policy: str
    """Deletion policy in force."""
    rotation: EffectiveRotation
    """Rotation in force."""
    allowed_namespaces: str
    """Whose bindings may use the CA: Same, All or Selector."""


class RotationStatus(Part):
    """A rotation under way."""

    phase: str
    """`Widening`: the new CAs are being put in force beside the previous ones. `Overlap`: both are in force.
    `Narrowing`: the previous ones are being withdrawn."""
    target: Fingerprints
    """SHA-256 fingerprints of the certificates aimed at."""
    started_at: Moment
    """When the change of the source was seen."""


class RetiringCertificates(Part):
    """Certificates of an earlier source that are still accepted, or the object at Cloudflare that is left of them."""

    certificate_id: str | None = None
    """Id of an earlier object at Cloudflare that is to be emptied and deleted; absent when there is none (any more)."""
    fingerprints: Fingerprints
    """SHA-256 fingerprints of the certificates being retired; none when an object only gives way to one with more."""
    key_identifiers: Annotated[tuple[str, ...], limits(**_ATOMIC)] = ()
    """Their subject key identifiers, upper-case hex: issuers that rules accept until then."""
    retire_after: Moment
    """They are withdrawn at this moment at the earliest."""
    provisional: bool | None = None
    """True while `retireAfter` is not counted yet: it is, once the new certificates are in force for every binding of
    this cluster."""


class Quota(Part):
    """The account's slots for CA certificates."""

    used: Annotated[int, limits(format="int32", minimum=0)]
    """Slots in use, by anybody."""
    limit: Annotated[int, limits(format="int32", minimum=0)]
    """Slots that the account has, by the operator's configuration."""


class CertificateAuthorityStatus(Part):
    """What is the case. Written by the operator only, and only when its meaning changes."""

    observed_generation: Annotated[int, limits(format="int64")] | None = None
    """The generation of the spec that this status answers."""
    conditions: Conditions = ()
    """Ready, Reconciling, Stalled, Accepted, SourceResolved, Uploaded, Rotated, QuotaAvailable."""
    effective: EffectiveCertificateAuthority | None = None
    """The values in force, also for fields that are absent in the spec."""
    certificate_id: str | None = None
    """Id of the certificate object at Cloudflare that is in force."""
    ownership: str | None = None
    """`Created` by an installation of this operator, or `Adopted`: found without a mark, used and never deleted."""
    pending_upload: Fingerprints = ()
    """Fingerprints of an upload that was begun and whose id is not known yet."""
    fingerprints: Fingerprints = ()
    """SHA-256 fingerprints of the certificates in force, lower-case hex, in the order of the source."""
    subject: str | None = None
    """Subject of the first certificate in force."""
    not_after: Moment | None = None
    """When the first of the certificates in force expires."""
    key_identifiers: Annotated[tuple[str, ...], limits(**_ATOMIC)] = ()
    """Subject key identifiers of the certificates in force, upper-case hex: the issuers that rules accept."""
    rotation: RotationStatus | None = None
    """The rotation under way, if any."""
    retiring: Annotated[tuple[RetiringCertificates, ...], limits(**_ATOMIC)] = ()
    """Certificates of earlier sources that are still accepted."""
    bindings: Annotated[int, limits(format="int32", minimum=0)] | None = None
    """How many bindings of this cluster use the CA."""
    hostnames: Annotated[int, limits(format="int32", minimum=0)] | None = None
    """How many hostnames of this cluster are bound to the CA."""
    quota: Quota | None = None
    """The account's slots for CA certificates."""
    plan: Annotated[tuple[str, ...], limits(**_ATOMIC)] = ()
    """With managementPolicy Observe: what would be done, one step a line, in order."""
    last_handled_reconcile_at: str | None = None
    """The value of the annotation apishield-mtls.io/reconcile-requested-at that was handled last."""


class MtlsCertificateAuthority(Resource):
    """CA certificates of a Secret or ConfigMap that exist, once, in a Cloudflare account, so that client certificates
    can be verified against them."""

    kind: ClassVar[str] = CERTIFICATE_AUTHORITY_KIND
    status_type: ClassVar[type[Part]] = CertificateAuthorityStatus

    spec: CertificateAuthoritySpec
    status: CertificateAuthorityStatus = CertificateAuthorityStatus()

    def effective(self) -> EffectiveCertificateAuthority:
        """The values in force: those of the spec, else those that the design gives to absent fields."""
        spec = self.spec
        namespaces = spec.allowed_bindings.namespaces if spec.allowed_bindings else None
        return EffectiveCertificateAuthority(
            display_name=spec.display_name or f"{self.metadata.namespace}/{self.metadata.name}",
            management_policy=spec.management_policy or MANAGEMENT_WHEN_ABSENT,
            adoption_policy=spec.adoption_policy or ADOPTION_WHEN_ABSENT,
            deletion_policy=spec.deletion_policy or DELETION_WHEN_ABSENT,
            rotation=effective_rotation(spec.rotation),
            allowed_namespaces=namespaces.from_ if namespaces else NAMESPACES_WHEN_ABSENT,
        )


def effective_rotation(rotation: Rotation | None) -> EffectiveRotation:
    """How a change of the source comes into force, also where the spec is silent."""
    given = rotation or Rotation()
    return EffectiveRotation(
        overlap=OVERLAP_WHEN_ABSENT if given.overlap is None else given.overlap,
        strategy=given.strategy or STRATEGY_WHEN_ABSENT,
    )
