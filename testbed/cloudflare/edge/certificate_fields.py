"""What rules see of a client's certificate: the fields `cf.tls_client_auth.*`.

Forms are those of the examples in Cloudflare's field reference: key identifiers and serial numbers in upper-case hex,
fingerprints in lower-case hex, dates as OpenSSL prints them, names as RFC 2253 and as OpenSSL's old one-line form.
They are filled in whatever the verification says. The direct issuer is that of the verified chain; where nothing
verifies, whatever the client sent and says of it: a rule that looks at the issuer alone is then easily deceived.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import NameOID

from testbed.cloudflare.edge.settings import Serials
from testbed.cloudflare.edge.verification import UNREADABLE, Chain, Verification, der_of, loaded

_PREFIX = "cf.tls_client_auth."
_LONGEST_LEAF = 10 * 1024
_LONGEST_CHAIN = 16 * 1024
_SHORT_NAMES = {NameOID.EMAIL_ADDRESS: "emailAddress", NameOID.SERIAL_NUMBER: "serialNumber"}


def certificate_fields(
    chain: Chain, verification: Verification, serials: Serials, *, revoked: bool
) -> Mapping[str, object]:
    """The fields of a connection on which the client presented this chain, none for an empty one."""
    if not chain:
        return {}
    fields: dict[str, object] = {
        "cert_presented": True,
        "cert_verified": verification.verified,
        "cert_revoked": revoked,
        **_encoded(chain),
    }
    try:
        own = loaded(chain[0])
        fields |= {**_own(own, serials), **_issuer(own, _issuer_of(own, chain, verification), serials)}
    except UNREADABLE:
        # What Cloudflare's TLS library can read and ours cannot: presented, and never verified.
        pass
    return {f"{_PREFIX}{name}": value for name, value in fields.items()}


def serial_text(certificate: x509.Certificate, form: Serials) -> str:
    """The serial number as `cert_serial` writes it."""
    number = certificate.serial_number
    digits = f"{abs(number):X}"
    if form is not Serials.SHORTEST:
        digits = digits.zfill(2 * -(-len(digits) // 2))
    if form is Serials.DER and int(digits[:2], 16) > 0x7F:
        digits = f"00{digits}"
    return f"-{digits}" if number < 0 else digits


def key_identifier(certificate: x509.Certificate) -> str:
    """The subject key identifier, empty where the certificate has none. Raises one of UNREADABLE."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex().upper()
    except x509.ExtensionNotFound:
        return ""


def _own(certificate: x509.Certificate, serials: Serials) -> Mapping[str, str]:
    der = der_of(certificate)
    return {
        "cert_serial": serial_text(certificate, serials),
        "cert_fingerprint_sha256": hashlib.sha256(der).hexdigest(),
        "cert_fingerprint_sha1": hashlib.sha1(der, usedforsecurity=False).hexdigest(),
        "cert_not_before": _date(certificate.not_valid_before_utc),
        "cert_not_after": _date(certificate.not_valid_after_utc),
        "cert_ski": key_identifier(certificate),
        **_names("subject", certificate.subject),
        **_names("issuer", certificate.issuer),
    }


def _issuer(own: x509.Certificate, issuer: x509.Certificate | None, serials: Serials) -> Mapping[str, str]:
    if issuer is None:
        return {"cert_issuer_ski": _authority_key_identifier(own)}
    return {"cert_issuer_ski": key_identifier(issuer), "cert_issuer_serial": serial_text(issuer, serials)}


def _issuer_of(own: x509.Certificate, chain: Chain, verification: Verification) -> x509.Certificate | None:
    if verification.issuer is not None:
        return loaded(verification.issuer)
    if verification.verified:
        return None
    return next((sent for sent in map(loaded, chain) if sent.subject == own.issuer), None)


def _authority_key_identifier(certificate: x509.Certificate) -> str:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound:
        return ""
    return (extension.value.key_identifier or b"").hex().upper()


def _names(whose: str, name: x509.Name) -> Mapping[str, str]:
    modern = name.rfc4514_string(_SHORT_NAMES)
    return {
        f"cert_{whose}_dn": modern,
        f"cert_{whose}_dn_rfc2253": modern,
        f"cert_{whose}_dn_legacy": _legacy(name),
    }


def _legacy(name: x509.Name) -> str:
    attributes = (attribute for part in name.rdns for attribute in part)
    return "".join(
        f"/{_SHORT_NAMES.get(each.oid, each.rfc4514_attribute_name)}={_text(each.value)}" for each in attributes
    )


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.hex()


def _date(moment: datetime) -> str:
    return f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S} {moment.year} GMT"


def _encoded(chain: Chain) -> Mapping[str, object]:
    """The certificates as RFC 9440 writes them into headers: as they were sent."""
    own, others = _rfc9440(chain[:1]), _rfc9440(chain[1:])
    own_fits, others_fit = len(own) <= _LONGEST_LEAF, len(others) <= _LONGEST_CHAIN
    return {
        "cert_rfc9440": own if own_fits else "",
        "cert_rfc9440_too_large": not own_fits,
        "cert_chain_rfc9440": others if others_fit else "",
        "cert_chain_rfc9440_too_large": not others_fit,
    }


def _rfc9440(certificates: Sequence[bytes]) -> str:
    return ", ".join(f":{base64.b64encode(each).decode()}:" for each in certificates)
