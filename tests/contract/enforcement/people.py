"""Who comes with which certificate. All are valid at the time of the stories."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from testbed.cluster.virtual_time import EPOCH
from tests.contract.edge.clients import FOR_CLIENTS, FOR_SERVERS, SHA256, Identity, authority, identity, usage

NOW: Final = datetime.fromtimestamp(EPOCH, UTC)


def _root(name: str) -> Identity:
    return authority(name, now=NOW)


def _client(
    issuer: Identity, begins: timedelta = timedelta(days=-30), ends: timedelta = timedelta(days=90)
) -> Identity:
    extensions = [(usage(signatures=True), True), FOR_CLIENTS]
    return identity("client", issuer, extensions=extensions, begins=begins, ends=ends, now=NOW)


FIRST, SECOND, THIRD, FOREIGN, MANAGED = map(
    _root, ("First root", "Second root", "Third root", "Foreign root", "Managed root")
)
BRANCH = authority("Branch", FIRST, now=NOW)
GOOD, GOOD_SECOND, GOOD_THIRD = _client(FIRST), _client(SECOND), _client(THIRD)
OF_BRANCH = _client(BRANCH).sending(BRANCH)
OF_BRANCH_ALONE = _client(BRANCH)
STRANGER, OF_MANAGED = _client(FOREIGN), _client(MANAGED)
SELF_SIGNED = identity("client", extensions=[(usage(signatures=True), True), FOR_CLIENTS], now=NOW)
EXPIRED = _client(FIRST, begins=timedelta(days=-60), ends=timedelta(days=-1))
NOT_YET = _client(FIRST, begins=timedelta(days=30), ends=timedelta(days=60))
FOR_A_SERVER = identity("server", FIRST, extensions=[(usage(signatures=True), True), FOR_SERVERS], now=NOW)
IMPOSTOR = _client(
    identity(
        "First root",
        extensions=[
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (usage(certificates=True), True),
            (x509.SubjectKeyIdentifier(bytes.fromhex(FIRST.key_identifier)), False),
        ],
        key="p384",
        ends=timedelta(days=3650),
        now=NOW,
    )
)
"""Of a CA with the name and the key identifier of the first root, and another key."""
ODD_SERIAL = identity(
    "client",
    FIRST,
    extensions=[(usage(signatures=True), True), FOR_CLIENTS],
    serial=int("0F" * 4 + "00" * 2 + "9A", 16),
    now=NOW,
)
HIGH_SERIAL = identity(
    "client", FIRST, extensions=[(usage(signatures=True), True), FOR_CLIENTS], serial=0xFEDCBA9876543210, now=NOW
)


def revocation_list(issuer: Identity, *revoked: Identity, number: int = 1) -> str:
    """A CRL as PEM, valid for a month."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(NOW - timedelta(days=1))
        .next_update(NOW + timedelta(days=30))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier(bytes.fromhex(issuer.key_identifier), None, None),
            critical=False,
        )
    )
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(NOW - timedelta(days=2)).build())
    return builder.sign(issuer.key, SHA256).public_bytes(Encoding.PEM).decode()
