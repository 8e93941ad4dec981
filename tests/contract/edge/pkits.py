"""NIST's Public Key Interoperability Test Suite, as `cryptography_vectors` ships it: 405 certificates, good and bad.

Each is taken as a client's certificate, which sends along whatever issues it, directly or not.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from testbed.cloudflare.edge.verification import Chain

_DIRECTORY = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data" / "certs"
MOMENT = datetime(2015, 1, 1, tzinfo=UTC)
"""Most of them are valid then."""


@dataclass(frozen=True)
class Suite:
    """`root` is the trust anchor. `readable` leaves out certificates with DSA keys that inherit their parameters."""

    root: x509.Certificate
    readable: dict[str, x509.Certificate]

    @property
    def root_pem(self) -> str:
        """The trust anchor as PEM."""
        return pem(self.root)

    def chain(self, name: str) -> Chain:
        """What a client with this certificate sends."""
        own = self.readable[name]
        return tuple(each.public_bytes(Encoding.DER) for each in (own, *self.issuers(own)))

    def issuers(self, certificate: x509.Certificate) -> list[x509.Certificate]:
        """Every certificate, but the root, whose subject issues it, directly or not, nearest first."""
        found: list[x509.Certificate] = []
        names = [_meaning(certificate.issuer)]
        for name in names:
            for each in self.readable.values():
                if _meaning(each.subject) == name and each not in found and each != self.root:
                    found.append(each)
                    names.append(_meaning(each.issuer))
        return found

    def openssl_verifies(self, directory: Path, *, partial_chains: bool) -> dict[str, bool]:
        """What `openssl verify` says of each of them as a TLS client's certificate. Skips the test without openssl."""
        openssl = shutil.which("openssl")
        if openssl is None:
            pytest.skip("there is no openssl command here")
        (directory / "root.pem").write_text(self.root_pem)
        (directory / "all.pem").write_text("".join(map(pem, self.readable.values())))
        files = {name: directory / f"{name}.pem" for name in self.readable}
        for name, path in files.items():
            path.write_text(pem(self.readable[name]))
        command = [openssl, "verify", "-purpose", "sslclient", "-attime", str(int(MOMENT.timestamp()))]
        command += ["-CAfile", str(directory / "root.pem"), "-untrusted", str(directory / "all.pem")]
        command += ["-partial_chain"] if partial_chains else []
        said = subprocess.run([*command, *map(str, files.values())], capture_output=True, text=True, check=False).stdout
        good = {line.removesuffix(": OK") for line in said.splitlines() if line.endswith(": OK")}
        return {name: str(path) in good for name, path in files.items()}


@cache
def _meaning(name: x509.Name) -> tuple[tuple[str, str], ...]:
    """A name as it is compared: neither case nor the number of blanks matters (RFC 5280, 7.1)."""
    return tuple((each.oid.dotted_string, " ".join(str(each.value).lower().split())) for each in name)


def pem(certificate: x509.Certificate) -> str:
    """The certificate as PEM."""
    return certificate.public_bytes(Encoding.PEM).decode()


@cache
def suite() -> Suite:
    """The suite, read once."""
    readable = {}
    for path in sorted(_DIRECTORY.glob("*.crt")):
        try:
            readable[path.stem] = x509.load_der_x509_certificate(path.read_bytes())
        except ValueError:
            continue
    return Suite(readable["TrustAnchorRootCertificate"], readable)
