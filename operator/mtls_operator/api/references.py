"""References to Secrets, ConfigMaps and certificate authorities, always by name."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict

from mtls_operator.api.model import Part, limits, rule, rules

_SUBDOMAIN = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
_LABEL = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"

ObjectName = Annotated[
    str,
    limits(
        rule(
            f"self.matches('{_SUBDOMAIN}')",
            "must be the name of an object: lower-case letters, digits, '-' and '.', beginning and ending with a "
            "letter or digit",
        ),
        minLength=1,
        maxLength=253,
    ),
]
NamespaceName = Annotated[
    str,
    limits(
        rule(
            f"self.matches('{_LABEL}')",
            "must be the name of a namespace: lower-case letters, digits and '-', beginning and ending with a letter "
            "or digit",
        ),
        minLength=1,
        maxLength=63,
    ),
]
DataKey = Annotated[
    str,
    limits(
        rule(
            "self.matches('^[-._a-zA-Z0-9]+$')",
            "must be a key of the object's data: letters, digits, '-', '_' and '.'",
        ),
        minLength=1,
        maxLength=253,
    ),
]


class SecretKeyRef(Part):
    """A key of a Secret in the namespace of this resource."""

    name: ObjectName
    """Name of the Secret."""
    key: DataKey | None = None
    """Key of the Secret's data. Absent: `ca.crt`, unless `tls.crt` is itself a CA and differs from it; then a key is
    required."""


class ConfigMapKeyRef(Part):
    """A key of a ConfigMap in the namespace of this resource."""

    name: ObjectName
    """Name of the ConfigMap."""
    key: DataKey | None = None
    """Key of the ConfigMap's data. Absent: `ca.crt`, unless `tls.crt` is itself a CA and differs from it; then a key is
    required."""


_EXACTLY_ONE = rules(
    rule("has(self.secretRef) != has(self.configMapRef)", "exactly one of secretRef and configMapRef must be given")
)


class CertificateSource(Part):
    """Where the CA certificates are read from: exactly one of a Secret and a ConfigMap."""

    model_config = ConfigDict(json_schema_extra=_EXACTLY_ONE)

    secret_ref: SecretKeyRef | None = None
    """Secret with the CA certificates in PEM, as cert-manager writes it. A private key in it never leaves the
    cluster."""
    config_map_ref: ConfigMapKeyRef | None = None
    """ConfigMap with the CA certificates in PEM, in trust-manager's layout."""


class RevocationSecretKeyRef(Part):
    """A key of a Secret in the namespace of this resource."""

    name: ObjectName
    """Name of the Secret."""
    key: DataKey
    """Key of the Secret's data that holds the revocation list(s), PEM or DER."""


class RevocationConfigMapKeyRef(Part):
    """A key of a ConfigMap in the namespace of this resource."""

    name: ObjectName
    """Name of the ConfigMap."""
    key: DataKey
    """Key of the ConfigMap's data or binaryData that holds the revocation list(s), PEM or DER."""


class RevocationSource(Part):
    """Where revocation lists are read from: exactly one of a Secret and a ConfigMap."""

    model_config = ConfigDict(json_schema_extra=_EXACTLY_ONE)

    secret_ref: RevocationSecretKeyRef | None = None
    """Secret with revocation lists, each signed by a CA in force."""
    config_map_ref: RevocationConfigMapKeyRef | None = None
    """ConfigMap with revocation lists, each signed by a CA in force."""


class CredentialsRef(Part):
    """A key of a Secret in the namespace of this resource that holds a Cloudflare API token."""

    name: ObjectName
    """Name of the Secret."""
    key: DataKey
    """Key of the Secret's data whose value is the token."""


class ClientCertificateRef(Part):
    """A Secret of type kubernetes.io/tls in the namespace of this resource."""

    name: ObjectName
    """Name of the Secret; `tls.crt` and `tls.key` are used as the client certificate of the check from outside."""


class CertificateAuthorityRef(Part):
    """The MtlsCertificateAuthority that client certificates are verified against."""

    name: ObjectName
    """Name of the MtlsCertificateAuthority."""
    namespace: NamespaceName | None = None
    """Its namespace; absent: that of this binding. Another namespace needs the CA's `allowedBindings`."""
