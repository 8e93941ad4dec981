"""Revocation lists: from the bytes of a Secret to the serial numbers that each CA has revoked, or what is wrong.

Rules of this module:
- Nothing is believed that is not signed by one of the CAs given, found by its name and key identifier.
- Of several lists of a CA for the same certificates the newest counts; lists for different parts of its certificates
  (distribution points, or names that the CA has had) count together; a delta list counts on top of a full one that is
  no newer.
- A list that is past its nextUpdate is read like any other: what follows from that is decided elsewhere.
- What was read once is kept for the next time, by content: sources are judged again with every step, and a list may
  have thousands of entries.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from mtls_operator.domain.certificates import UNPARSABLE, CaCertificate
from mtls_operator.domain.revoked import RevokedSerials
from mtls_operator.domain.serial_numbers import serial_number

_MOST_KEPT = 64
_BLOCK = re.compile(rb"-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----")
_BEGIN = b"-----BEGIN X509 CRL-----"
_UNPARSABLE = (*UNPARSABLE, TypeError)
_SEQUENCE, _LONG_FORM, _LONGEST_LENGTH = 0x30, 0x80, 4

E = TypeVar("E", bound=x509.ExtensionType)
_Entries = dict[str, float]
"""Serial numbers with the moment of the revocation, in seconds since the epoch."""


class UnreadableListError(ValueError):
    """Not a revocation list that can be used; says which, and why."""


@dataclass(frozen=True, slots=True)
class IssuerList:
    """What the lists of one CA come to."""

    revoked: RevokedSerials
    next_update: datetime | None
    """When the first of its lists is to be replaced; None where none says so."""


@dataclass(frozen=True)
class ReadLists:
    """What a source of revocation lists holds."""

    by_issuer: tuple[tuple[str, IssuerList], ...] = ()
    """By the subject key identifier of the CA, upper-case hex."""
    problems: tuple[str, ...] = ()
    """What is wrong with lists that cannot be used."""
    strangers: tuple[str, ...] = ()
    """Names of issuers of lists that none of the given CAs has signed."""


@dataclass(frozen=True, slots=True)
class _Signed:
    """A list whose signature was verified."""

    issuer: str
    crl: x509.CertificateRevocationList
    scope: tuple[bytes, bytes]
    """Which certificates it is about: the name of their issuer, because a renamed CA may go on with its key, and which
    part of them."""
    is_delta: bool


@lru_cache(maxsize=_MOST_KEPT)
def read_lists(data: bytes, authorities: frozenset[CaCertificate]) -> ReadLists:
    """Read all lists of a value, PEM or DER, and verify who signed them."""
    signed: list[_Signed] = []
    problems: list[str] = []
    strangers: list[str] = []
    blocks = _blocks(data)
    if not blocks:
        problems.append("it holds no revocation list, neither PEM blocks of type X509 CRL nor DER")
    for position, block in enumerate(blocks, start=1):
        which = f"list {position} of {len(blocks)}"
        try:
            crl = _load(block)
            found = _verified(crl, authorities)
        except UnreadableListError as error:
            problems.append(f"{which} {error}")
        else:
            if found is None:
                strangers.append(f"{which} ({crl.issuer.rfc4514_string()[:128] or 'without an issuer'})")
            else:
                signed.append(found)
    by_issuer: list[tuple[str, IssuerList]] = []
    for issuer in sorted({each.issuer for each in signed}):
        mine = [each for each in signed if each.issuer == issuer]
        try:
            by_issuer.append((issuer, _merged(mine)))
        except UnreadableListError as error:
            problems.append(f"the lists of the CA with key identifier {issuer}: {error}")
    return ReadLists(tuple(by_issuer), tuple(problems), tuple(strangers))


def _blocks(data: bytes) -> list[bytes]:
    """Each list of a value; a piece that is none is left for the parser to refuse."""
    begun = data.count(_BEGIN)
    if begun:
        blocks = [each.replace(b"\r", b"") for each in _BLOCK.findall(data)]
        return [*blocks, *[b""] * (begun - len(blocks))]
    return _sequences(data) if data[:1] == bytes([_SEQUENCE]) else []


def _sequences(data: bytes) -> list[bytes]:
    """DER values one after the other; white space behind the last does not count."""
    found: list[bytes] = []
    rest = data
    while rest.strip():
        end = _end_of_sequence(rest)
        found.append(rest[:end])
        rest = rest[end:]
    return found


def _end_of_sequence(data: bytes) -> int:
    """How many bytes the DER value at the beginning has; all of them where that cannot be told."""
    if data[0] != _SEQUENCE or len(data) == 1:
        return len(data)
    if data[1] < _LONG_FORM:
        return 2 + data[1]
    size = data[1] - _LONG_FORM
    if not 1 <= size <= _LONGEST_LENGTH:
        return len(data)
    return 2 + size + int.from_bytes(data[2 : 2 + size])


def _load(block: bytes) -> x509.CertificateRevocationList:
    try:
        load = x509.load_pem_x509_crl if block.startswith(_BEGIN) else x509.load_der_x509_crl
        crl = load(block)
        # These are parsed only when they are asked for.
        _ = crl.issuer, crl.extensions, crl.last_update_utc, crl.next_update_utc, crl.signature_algorithm_oid
    except _UNPARSABLE:
        raise UnreadableListError("is not a revocation list that can be parsed") from None
    return crl


def _verified(crl: x509.CertificateRevocationList, authorities: Collection[CaCertificate]) -> _Signed | None:
    """The list with the CA that signed it, None when that is none of these."""
    for authority in sorted(authorities, key=lambda each: each.fingerprint):
        certificate = _certificate(authority.pem)
        if not (_names(crl, authority, certificate) and _has_signed(crl, certificate)):
            continue
        if authority.key_identifier is None:
            raise UnreadableListError("is of a CA without a subject key identifier, which no rule can name")
        point = _extension(crl.extensions, x509.IssuingDistributionPoint)
        if point is not None and point.indirect_crl:
            raise UnreadableListError("is indirect: it speaks of certificates of other CAs, too")
        delta = _extension(crl.extensions, x509.DeltaCRLIndicator) is not None
        scope = crl.issuer.public_bytes(), point.public_bytes() if point else b""
        return _Signed(authority.key_identifier, crl, scope, delta)
    return None


def _names(crl: x509.CertificateRevocationList, authority: CaCertificate, certificate: x509.Certificate) -> bool:
    identifier = _extension(crl.extensions, x509.AuthorityKeyIdentifier)
    named = identifier.key_identifier.hex().upper() if identifier and identifier.key_identifier else None
    same_key = named is None or authority.key_identifier in {None, named}
    return crl.issuer == certificate.subject and same_key and _may_sign(certificate)


def _may_sign(certificate: x509.Certificate) -> bool:
    usage = _extension(certificate.extensions, x509.KeyUsage)
    return usage is None or usage.crl_sign


def _has_signed(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    return isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) and crl.is_signature_valid(key)


@lru_cache(maxsize=_MOST_KEPT)
def _certificate(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def _merged(signed: Collection[_Signed]) -> IssuerList:
    """What the lists of one CA come to."""
    entries: _Entries = {}
    counted: list[x509.CertificateRevocationList] = []
    for scope in sorted({each.scope for each in signed}):
        of_scope = sorted((each for each in signed if each.scope == scope), key=_age)
        full = [each.crl for each in of_scope if not each.is_delta]
        if not full:
            raise UnreadableListError("there is a delta list without the full list that it adds to")
        later = [
            each.crl for each in of_scope if each.is_delta and each.crl.last_update_utc >= full[-1].last_update_utc
        ]
        counted += [full[-1], *later[-1:]]
        entries |= _with_changes({}, full[-1])
        for delta in later:
            entries = _with_changes(entries, delta)
    ordered = sorted(((moment, serial) for serial, moment in entries.items()), key=lambda each: (-each[0], each[1]))
    times = [crl.next_update_utc for crl in counted if crl.next_update_utc is not None]
    return IssuerList(RevokedSerials(tuple(ordered)), min(times, default=None))


def _age(signed: _Signed) -> tuple[datetime, int]:
    number = _extension(signed.crl.extensions, x509.CRLNumber)
    return signed.crl.last_update_utc, number.crl_number if number else 0


def _with_changes(before: _Entries, crl: x509.CertificateRevocationList) -> _Entries:
    """The entries with those of a list; what it says is revoked no more is taken away."""
    entries = dict(before)
    for serial, moment, reason in _entries(crl):
        if reason is x509.ReasonFlags.remove_from_crl:
            entries.pop(serial, None)
        else:
            entries[serial] = moment
    return entries


def _entries(crl: x509.CertificateRevocationList) -> Iterator[tuple[str, float, x509.ReasonFlags | None]]:
    try:
        for entry in crl:
            told = _extension(entry.extensions, x509.CRLReason)
            reason = told.reason if told else None
            yield serial_number(entry.serial_number), entry.revocation_date_utc.timestamp(), reason
    except _UNPARSABLE:
        raise UnreadableListError("an entry cannot be parsed") from None


def _extension(extensions: x509.Extensions, kind: type[E]) -> E | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
