"""What this version of the operator does not serve yet. A resource that asks for it says so in
`Accepted=False, reason=UnsupportedValue` and keeps what it has in force; nothing is ignored in silence."""

from __future__ import annotations

from mtls_operator.api.certificate_authority import CertificateAuthoritySpec


def unserved_of_authority(spec: CertificateAuthoritySpec) -> tuple[str, ...]:
    """Fields of a CA that are not served yet, with their values."""
    return _named(("spec.revocation", spec.revocation is not None))


def _named(*fields: tuple[str, bool]) -> tuple[str, ...]:
    return tuple(name for name, asked_for in fields if asked_for)
