"""Who comes with which certificate. All are valid at the time of the stories."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509

from testbed.cluster.virtual_time import EPOCH
from tests.contract.edge.clients import FOR_CLIENTS, FOR_SERVERS, Identity, authority, identity, usage

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
