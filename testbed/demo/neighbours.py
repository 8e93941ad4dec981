"""What other people have at Cloudflare: made by hand, before the operator came, and none of its business."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from testbed.cloudflare.simulation import CloudflareSimulation

CERTIFICATE = "VPN clients"
HOSTNAME = "vpn.example.com"
RULE = "a noisy address"


def move_in(simulation: CloudflareSimulation, account_id: str, zone_id: str) -> None:
    """A CA of theirs with a hostname on its list, and a rule in the zone."""
    certificate_id = simulation.add_certificate(account_id, _ca(CERTIFICATE), name=CERTIFICATE)
    simulation.put_foreign_hostnames(zone_id, certificate_id, [HOSTNAME])
    simulation.add_foreign_rule(zone_id, expression="(ip.src eq 192.0.2.1)", description=RULE)


def _ca(name: str) -> str:
    """A CA certificate as PEM. Its key is nowhere: nobody needs it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=400))
        .not_valid_after(now + datetime.timedelta(days=400))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode()
